"""The local Slack: a workspace in memory with Slack's Web API, Socket Mode, signed HTTP events and a page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from bot.playground import oauth, openid
from bot.playground.actions import DemoAction
from bot.playground.api import WebApi
from bot.playground.courier import Delivery
from bot.playground.http_events import HttpEvents
from bot.playground.hub import Call
from bot.playground.modals import ModalPeople
from bot.playground.page import STATIC, Page
from bot.playground.state import Channel, Json, User

T = TypeVar("T")


class LocalSlack(ModalPeople):
    def __init__(self, actions: Sequence[DemoAction] = (), public_url: str = "") -> None:
        super().__init__()
        self.actions = list(actions)
        self.hub.public_url = public_url.rstrip("/")
        api, self.page = WebApi(self.hub), Page(self)
        self.app = Starlette(lifespan=self._lifespan, routes=[
            Route("/api/{method}", api.serve, methods=["GET", "POST"]),
            Route("/response/{key}", api.respond, methods=["POST"]),
            Route("/oauth/v2/authorize", partial(oauth.authorize, self.hub)),
            Route("/openid/connect/authorize", partial(openid.authorize, self.hub)),
            Route("/openid/connect/keys", partial(openid.keys, self.hub)),
            Route("/.well-known/openid-configuration", partial(openid.discovery, self.hub)),
            WebSocketRoute("/link/", self.hub.sockets.serve),
            *self.page.routes(),
            Mount("/static", StaticFiles(directory=STATIC)),
        ])  # fmt: skip
        self.faults, self.courier, self.space = self.hub.faults, self.hub.courier, self.hub.space
        self.bot_token, self.app_token = self.hub.bot_token, self.hub.app_token
        self.signing_secret = self.hub.signing_secret

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.courier.loop = asyncio.get_running_loop()
        yield
        await self.courier.close()
        if self.hub.http:
            await self.hub.http.close()
        self.courier.loop = None

    @property
    def url(self) -> str:
        return self.hub.url

    @property
    def api_url(self) -> str:
        return self.hub.url + "/api/"

    def environment(self, *redirect_urls: str) -> dict[str, str]:
        """What a developer would copy from the app's settings, for Socket Mode; the redirect URLs are entered there."""
        app = self.hub.oauth
        app.redirect_urls.extend(redirect_urls)
        tokens = {"SLACK_BOT_TOKEN": self.bot_token, "SLACK_APP_TOKEN": self.app_token, "SLACK_API_URL": self.api_url}
        return {**tokens, "SLACK_CLIENT_ID": app.client_id, "SLACK_CLIENT_SECRET": app.client_secret}

    @property
    def request_url(self) -> str | None:
        return self.hub.http.url if self.hub.http else None

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        """Set: payloads go there over signed HTTP. None: Socket Mode."""
        self.hub.http = HttpEvents(self.courier, url, self.signing_secret) if url else None

    @property
    def deliver_times(self) -> int:
        return self.courier.deliver_times

    @deliver_times.setter
    def deliver_times(self, times: int) -> None:
        """Every event arrives this many times."""
        self.courier.deliver_times = times

    @property
    def retry_scale(self) -> float:
        return self.courier.retry_scale

    @retry_scale.setter
    def retry_scale(self, scale: float) -> None:
        """0.001 makes Slack's five-minute retry 0.3 seconds."""
        self.courier.retry_scale = scale

    @property
    def ack_seconds(self) -> float:
        return self.courier.ack_seconds

    @ack_seconds.setter
    def ack_seconds(self, seconds: float) -> None:
        self.courier.ack_seconds = seconds

    @property
    def calls(self) -> list[Call]:
        return self.hub.calls

    @property
    def deliveries(self) -> list[Delivery]:
        return self.courier.deliveries

    @property
    def connections(self) -> int:
        return len(self.hub.sockets.connections)

    def calls_of(self, method: str) -> list[Call]:
        return [c for c in list(self.calls) if c.method == method]

    def add_user(self, user: User) -> User:
        return self.space.add_user(user)

    def add_channel(self, channel: Channel) -> Channel:
        return self.space.add_channel(channel)

    def messages(self, channel: str = "C0DATA") -> list[Json]:
        """Everything in a channel, replies too, oldest first, as the Web API would show it."""
        with self.space.lock:
            where = self.space.channel(channel)
            return self.space.exported(where, list(where.messages.values()))

    def thread(self, channel: str, ts: str) -> list[Json]:
        with self.space.lock:
            where = self.space.channel(channel)
            return self.space.exported(where, self.space.thread(where, ts))

    def ephemerals(self, user: str = "U0ALICE", channel: str = "C0DATA") -> list[Json]:
        with self.space.lock:
            hidden = self.space.channel(channel).ephemerals
            return [dict(m.body) for m in hidden if m.body["for_user"] == user]

    def home(self, user: str = "U0ALICE") -> Json | None:
        return self.space.homes.get(user)

    def wait_for(self, predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
        """Wait until the predicate gives something true; it is asked again after every change."""
        deadline = time.monotonic() + timeout
        while not (found := predicate()):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not seen within {timeout} s: {what or predicate}")
            with self.space.changed:
                self.space.changed.wait(min(left, 0.05))
        return found

    def hold(self) -> None:
        """Keep events back until `release`, to deliver them in another order."""
        self.courier.hold()

    def release(self, reverse: bool = False) -> list[Delivery]:
        return self.courier.release(reverse)

    def disconnect(self, reason: str = "refresh_requested", grace: float = 0.5) -> None:
        """Ask the app's connections to move, as Slack does every few hours."""
        self._run(self.hub.sockets.disconnect(reason, grace), grace + 5)

    def cut_connections(self) -> None:
        """Break them without a word."""
        self._run(self.hub.sockets.cut(), 5)

    def verify_request_url(self) -> bool:
        if self.hub.http is None:
            raise RuntimeError("set request_url first")
        return bool(self._run(self.hub.http.verify(), 5))

    def _run(self, work: Coroutine[Any, Any, object], timeout: float) -> object:
        if self.courier.loop is None:
            raise RuntimeError("the local Slack is not running")
        return asyncio.run_coroutine_threadsafe(work, self.courier.loop).result(timeout)
