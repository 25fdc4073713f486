"""The HTTP side: Slack's events, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import URLPath
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound, Route, Router
from starlette.types import Receive, Scope, Send

from bot.settings import SettingsError
from bot.web.body import body_of
from bot.web.line import Line, hang_up_on_the_slow

log = logging.getLogger("mend.app")
# Slack's largest payloads (a modal view) are 250 kB; anything far above is not Slack.
MAX_BODY = 1_000_000
# Starlette would send an address with one slash too many on to whatever host the request names.
SLASHES = False
# Seconds. Slack has given up after three.
DRAINING = 10
Answer = Callable[[Request], Awaitable[Response]]


class Later(BaseRoute):
    """What no other route answers: routes that are made when somebody first asks. Pages stand on 25 MiB of modules
    that no acknowledgement needs.
    """

    def __init__(self, make: Callable[[], Sequence[BaseRoute]]) -> None:
        self._make, self._making = make, asyncio.Lock()
        self._router: Router | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # Partial: one of the others whose path it is, but not the method, was first and says so.
        return (Match.PARTIAL if scope["type"] == "http" else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._making:
            # In a thread: importing takes a quarter of a second, and Slack is answered meanwhile.
            if self._router is None:
                self._router = Router(await asyncio.to_thread(self._make), redirect_slashes=SLASHES)
        await self._router(scope, receive, send)


async def _is_read(request: Request) -> bool:
    """Whether the body is read; it is no further than we allow, as who sends in chunks says no length."""
    body = await body_of(request, MAX_BODY)
    request._body = body or b""
    return body is not None


def web_app(
    readiness: Callable[[], Awaitable[tuple[dict[str, bool], bool]]],
    slack_events: Answer | None,
    pages: Sequence[BaseRoute] = (),
    figures: Callable[[dict[str, bool]], Awaitable[str]] | None = None,
) -> Starlette:
    """`readiness` tells the parts, and whether this process may be given work."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        parts, good = await readiness()
        return JSONResponse(parts, status_code=200 if good else 503)

    async def metrics(_: Request) -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        own = await figures((await readiness())[0]) if figures else ""
        return Response(generate_latest() + own.encode(), media_type=CONTENT_TYPE_LATEST)

    async def events(request: Request) -> Response:
        if slack_events is None:
            return PlainTextResponse("This bot listens by Socket Mode.\n", status_code=404)
        if not await _is_read(request):
            return PlainTextResponse("too large\n", status_code=413)
        return await slack_events(request)

    made = Starlette(
        routes=[  # tried one by one: what Slack waits for stands first
            Route("/slack/events", events, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            *pages,
        ]
    )
    made.router.redirect_slashes = SLASHES
    return made


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the signals are ours. So are the lines of its log, without secrets."""

    def __init__(self, app: Starlette) -> None:
        # Whoever does not read an answer, or never ends a request, would keep a process from stopping.
        quiet: dict[str, Any] = {
            "timeout_graceful_shutdown": DRAINING,
            "log_config": None,
            "log_level": "error",
            "access_log": False,
            "server_header": False,
        }
        super().__init__(uvicorn.Config(app, http=Line, ws="none", lifespan="off", **quiet))

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # once a second
            hang_up_on_the_slow(self.server_state.connections)
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


def listen(host: str, port: int, *, needed: bool) -> socket.socket | None:
    """Listening already, so that nobody who reads "ready" comes too early."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        said = f"port {port} on {host} cannot be used ({error.strerror}): choose another with --port or --host"
    if needed:
        raise SettingsError(said)
    log.warning("%s; until then there is no health page", said)
    return None
