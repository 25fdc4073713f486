"""The page and what it talks to. Only the page itself, on this machine, may act: see `allowed`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from bot.playground.snapshot import snapshot
from bot.playground.state import Json, Refused

if TYPE_CHECKING:
    from bot.playground.slack import LocalSlack

STATIC = Path(__file__).parent / "static"
LOCAL = {"127.0.0.1", "localhost", "[::1]"}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}  # fmt: skip


class Page:
    def __init__(self, slack: LocalSlack) -> None:
        self.slack = slack
        self.token = secrets.token_urlsafe(24)
        self._watchers: set[asyncio.Event] = set()
        slack.hub.space.on_change.append(self._wake)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.show),
            Route("/archives/{channel}/{stamp}", self.archive),
            Route("/local/actions", self.actions),
            Route("/local/actions/{id}/{what}", self.act, methods=["POST"]),
            Route("/local/do/{what}", self.do, methods=["POST"]),
            Route("/local/state", self.state),
            WebSocketRoute("/local/stream", self.stream),
        ]

    def allowed(self, request: HTTPConnection, token: str | None = None) -> bool:
        """Another web site can reach this port: so the Host and Origin must be ours and the token must be right."""
        host = request.headers.get("host", "")
        name, port = host.rsplit(":", 1)[0] if ":" in host.rsplit("]", 1)[-1] else host, urlsplit(self.slack.url).port
        ours = {f"{n}:{port}" for n in LOCAL | {urlsplit(self.slack.url).hostname or ""}}
        if self.slack.hub.public_url:
            ours.add(urlsplit(self.slack.hub.public_url).netloc)
        if host not in ours or not name:
            return False
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return False
        return token is None or secrets.compare_digest(token.encode(), self.token.encode())

    def _guarded(self, request: Request) -> Response | None:
        if self.allowed(request, request.headers.get("x-local-token", "")):
            return None
        return JSONResponse({"ok": False, "error": "not_from_the_page"}, 403)

    async def show(self, request: Request) -> Response:
        if not self.allowed(request):
            return Response("Open this page by the address that was printed.", 403)
        html = (STATIC / "index.html").read_text("utf-8").replace("{{token}}", self.token)
        return HTMLResponse(html, headers=HEADERS)

    async def archive(self, request: Request) -> Response:
        """A permalink: the page opens at that message."""
        stamp = request.path_params["stamp"].lstrip("p")
        thread = request.query_params.get("thread_ts", "")
        safe = "".join(
            c for c in f"{request.path_params['channel']}/{stamp[:-6]}.{stamp[-6:]}" if c.isalnum() or c in "/."
        )
        root = "".join(c for c in thread if c.isdigit() or c == ".")
        return RedirectResponse(f"/#{safe}" + (f"/{root}" if root else ""))

    async def actions(self, request: Request) -> Response:
        if no := self._guarded(request):
            return no
        listed = await asyncio.gather(*(asyncio.to_thread(a.as_json) for a in self.slack.actions))
        return JSONResponse({"ok": True, "actions": listed})

    async def act(self, request: Request) -> Response:
        if no := self._guarded(request):
            return no
        action = next((a for a in self.slack.actions if a.id == request.path_params["id"]), None)
        work = {"mend": action.mend, "break": action.break_again}.get(request.path_params["what"]) if action else None
        if action is None or work is None:
            return JSONResponse({"ok": False, "error": "no_such_action"}, 404)
        try:
            await asyncio.to_thread(work)
        except Exception as problem:
            return JSONResponse({"ok": False, "error": f"{type(problem).__name__}: {problem}"[:300]})
        return JSONResponse({"ok": True, "action": await asyncio.to_thread(action.as_json)})

    async def do(self, request: Request) -> Response:
        if no := self._guarded(request):
            return no
        work = self._deeds().get(request.path_params["what"])
        try:
            args = await request.json()
            if work is None or not isinstance(args, dict):
                raise Refused("unknown_method")
            result = work(**args)
        except Refused as problem:
            return JSONResponse({"ok": False, "error": str(problem)})
        except (TypeError, ValueError, KeyError, RuntimeError) as problem:
            return JSONResponse({"ok": False, "error": f"invalid_arguments: {problem}"}, 400)
        return JSONResponse({"ok": True, "result": result if isinstance(result, str) else None})

    def _deeds(self) -> dict[str, Callable[..., Any]]:
        slack = self.slack
        return {
            "type": self._type, "edit": slack.edit, "delete": slack.delete, "press": slack.press,
            "shortcut": slack.shortcut, "press_in_view": slack.press_in_view, "submit": slack.submit,
            "close_modal": slack.close_modal, "open_home": slack.open_home, "dismiss": slack.dismiss,
        }  # fmt: skip

    def _type(self, text: str, user: str, channel: str, thread_ts: str | None = None) -> str | None:
        """The composer: a line that starts with a slash is a command, as in Slack."""
        if not text.strip():
            raise Refused("no_text")
        if text.startswith("/") and not text.startswith("//"):
            self.slack.command(text, user, channel, thread_ts)
            return None
        return self.slack.say(text, user, channel, thread_ts)

    async def state(self, request: Request) -> Response:
        if no := self._guarded(request):
            return no
        return JSONResponse(snapshot(self.slack.hub, request.query_params.get("user", "U0ALICE")))

    def _wake(self) -> None:
        loop = self.slack.courier.loop
        if loop is not None and self._watchers:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        for watcher in self._watchers:
            watcher.set()

    async def stream(self, ws: WebSocket) -> None:
        """The first message is {token, user}; after that a whole picture is sent on every change."""
        await ws.accept()
        bell = asyncio.Event()
        with contextlib.suppress(Exception):
            first = json.loads(await asyncio.wait_for(ws.receive_text(), 5))
            if not self.allowed(ws, str(first.get("token", ""))):
                await ws.close(4003)
                return
            self._watchers.add(bell)
            gone = asyncio.ensure_future(_until_closed(ws))
            try:
                await self._push(ws, bell, gone, str(first.get("user", "")))
            finally:
                gone.cancel()
        self._watchers.discard(bell)

    async def _push(self, ws: WebSocket, bell: asyncio.Event, gone: asyncio.Future[Any], user: str) -> None:
        while not gone.done():
            bell.clear()
            picture: Json = snapshot(self.slack.hub, user)
            await ws.send_text(json.dumps(picture))
            waiting: asyncio.Future[Any] = asyncio.ensure_future(bell.wait())
            await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            # Changes come in bursts; one picture for each burst is enough.
            await asyncio.sleep(0.03)


async def _until_closed(ws: WebSocket) -> None:
    with contextlib.suppress(Exception):
        while True:
            await ws.receive_text()
