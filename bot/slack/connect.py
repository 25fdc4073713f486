"""The Bolt app, by Socket Mode or HTTP."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response

from bot.settings import Settings
from bot.slack.listeners import Listeners
from bot.store import Store

log = logging.getLogger("mend.slack")


class SlackError(Exception):
    """Slack cannot be used as set up; one line that says what to do."""


@dataclass
class SlackSide:
    """The ack side of the bot. `start` signs in and, with an app token, opens the socket."""

    store: Store
    settings: Callable[[], Settings]
    bot_token: str
    app_token: str
    signing_secret: str
    base_url: str
    who: dict[str, Any] = field(default_factory=dict)
    handler: AsyncSocketModeHandler | None = None
    session: aiohttp.ClientSession | None = None
    http: AsyncSlackRequestHandler | None = None

    async def start(self) -> None:
        # Bolt switches into its OAuth mode and drops the token when it finds these two.
        for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"):
            os.environ.pop(name, None)
        self.session = aiohttp.ClientSession()
        client = AsyncWebClient(token=self.bot_token, base_url=self.base_url, session=self.session)
        await self._sign_in(client)

        async def authorize(context: AsyncBoltContext) -> AuthorizeResult:  # Bolt cannot call a bound method here
            return self._authorized()

        app = AsyncApp(
            client=client,
            signing_secret=self.signing_secret or "none",
            process_before_response=True,
            authorize=authorize,
            request_verification_enabled=bool(self.signing_secret),
        )
        Listeners(self.store, self.settings, lambda: str(self.who.get("user_id", ""))).attach(app)
        if self.app_token:
            self.handler = AsyncSocketModeHandler(
                app, self.app_token, web_client=AsyncWebClient(token=self.app_token, base_url=self.base_url)
            )
            await self.handler.connect_async()  # type: ignore[no-untyped-call]
        else:
            self.http = AsyncSlackRequestHandler(app)

    async def _sign_in(self, client: AsyncWebClient) -> None:
        try:
            answer = (await client.auth_test()).data
            self.who = dict(answer) if isinstance(answer, dict) else {}
        except SlackApiError as error:
            name = error.response.get("error", "unknown") if isinstance(error.response.data, dict) else "unknown"
            raise SlackError(
                f"Slack does not accept SLACK_BOT_TOKEN ({name}): copy the Bot User OAuth Token of the installed app"
            ) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SlackError(
                f"Slack is not reachable at {self.base_url} ({type(error).__name__}): check SLACK_API_URL"
            ) from None

    def _authorized(self) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=self.who.get("enterprise_id"),
            team_id=self.who.get("team_id"),
            bot_token=self.bot_token,
            bot_id=self.who.get("bot_id"),
            bot_user_id=self.who.get("user_id"),
        )

    async def events(self, request: Request) -> Response:
        if self.http is None:
            return Response(status_code=404)
        return await self.http.handle(request)

    async def connected(self) -> bool:
        if self.handler is not None:
            return bool(await self.handler.client.is_connected())
        return bool(self.who)

    async def stop(self) -> None:
        if self.handler is not None:
            try:
                await self.handler.close_async()  # type: ignore[no-untyped-call]
            except AttributeError as error:  # the client may be swapping its session: slack_sdk then closes None
                log.info("closing the socket: %s", error)
        if self.session is not None:
            await self.session.close()
