"""The HTTP side: Slack's events, health and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

# Slack's largest payloads (a modal view) are 250 kB; anything far above is not Slack.
MAX_BODY = 1_000_000
Answer = Callable[[Request], Awaitable[Response]]


def web_app(readiness: Callable[[], Awaitable[dict[str, bool]]], slack_events: Answer | None) -> Starlette:
    async def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        parts = await readiness()
        return JSONResponse(parts, status_code=200 if all(parts.values()) else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def events(request: Request) -> Response:
        if slack_events is None:
            return PlainTextResponse("This bot listens by Socket Mode.\n", status_code=404)
        if int(request.headers.get("content-length") or 0) > MAX_BODY:
            return PlainTextResponse("too large\n", status_code=413)
        return await slack_events(request)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/slack/events", events, methods=["POST"]),
        ]
    )
