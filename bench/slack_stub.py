"""A Slack Web API that says yes to everything, in a process of its own, so that its CPU is not counted.

`python -m bench.slack_stub PORT [CERTIFICATE KEY]`. `/log` tells what was posted since it was last asked; `/delay`
sets how long each answer takes.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import sys
import time
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

TEAM, BOT = "T0BENCH", "U0BOT"
POSTS = ("chat.postMessage", "chat.postEphemeral")
NUMBERS = itertools.count(1)
posted: list[dict[str, Any]] = []
delay = 0.0


async def method(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    at, given = time.monotonic(), await arguments(request)
    if delay:
        await asyncio.sleep(delay)
    stamp = f"1800000000.{next(NUMBERS):06d}"
    if name in POSTS:
        posted.append({"at": at, "thread": given.get("thread_ts", ""), "channel": given.get("channel", "")})
    who = {"user_id": BOT, "bot_id": "B0BOT", "team_id": TEAM, "user": "mend", "team": "bench", "url": "http://bench/"}
    return web.json_response(
        {
            "ok": True, **who, "channel": given.get("channel", "C0"), "ts": stamp, "message_ts": stamp,
            "permalink": f"http://bench/{stamp}",
            **({"user": {"id": given.get("user", ""), "team_id": TEAM}} if name == "users.info" else {}),
        }
    )  # fmt: skip


async def arguments(request: web.Request) -> dict[str, Any]:
    text = await request.text()
    return dict(json.loads(text)) if text.startswith("{") else dict(parse_qsl(text))


async def log(_: web.Request) -> web.Response:
    told = list(posted)
    posted.clear()
    return web.json_response(told)


async def set_delay(request: web.Request) -> web.Response:
    global delay
    delay = float(request.query["seconds"])
    return web.Response()


def main() -> None:
    app = web.Application()
    app.add_routes(
        [web.post("/api/{name}", method), web.get("/api/{name}", method), web.get("/log", log),
         web.get("/delay", set_delay)]
    )  # fmt: skip
    tls = None
    if len(sys.argv) > 3:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[2], sys.argv[3])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), ssl_context=tls, print=None, access_log=None)


if __name__ == "__main__":
    main()
