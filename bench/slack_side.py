"""Slack's side of an HTTP app: signed payloads at a fixed rate, whether or not the app keeps up."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bench.bare_bolt import SECRET
from bench.seed import OWNER
from bench.slack_stub import TEAM

NUMBERS = itertools.count(1)
FORM = "application/x-www-form-urlencoded"


def lines(**tls: Any) -> aiohttp.ClientSession:
    """Lines to send by. One that was idle for long is not used again: the app may be closing it just then."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=2.0, **tls))


class SlackSide:
    """Sends to one app and takes the time until its acknowledgement."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, f"{url}/slack/events"

    async def _send(self, body: str, kind: str) -> float:
        stamp = str(int(time.time()))
        mark = hmac.new(SECRET.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"Content-Type": kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mark}"}
        began = time.perf_counter()
        async with self.session.post(self.url, data=body.encode(), headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{self.url} answered {answer.status}")
        return time.perf_counter() - began

    async def command(self, text: str = "hello") -> float:
        fields = {
            "command": "/mend", "text": text, "user_id": OWNER, "team_id": TEAM, "channel_id": "C0BENCH",
            "trigger_id": f"t{next(NUMBERS)}.{time.time()}", "response_url": "http://127.0.0.1:9/",
        }  # fmt: skip
        return await self._send(urlencode(fields), FORM)

    async def click(self, case: str) -> float:
        """A button of an older question: kept, judged stale by the worker, answered with one message."""
        button = {
            "type": "button", "block_id": "b", "action_id": "mend_check_again", "value": f"{case}:step:0",
            "action_ts": f"{time.time():.6f}",
        }  # fmt: skip
        body = {
            "type": "block_actions", "user": {"id": OWNER, "team_id": TEAM}, "team": {"id": TEAM},
            "channel": {"id": "C0BENCH"}, "trigger_id": f"t{next(NUMBERS)}.{time.time()}", "actions": [button],
        }  # fmt: skip
        return await self._send(urlencode({"payload": json.dumps(body)}), FORM)

    async def words(self, thread: str, text: str = "why") -> float:
        """A word in a thread; in a case's thread "why" is answered with one message."""
        stamp = f"{time.time():.0f}.{next(NUMBERS):06d}"
        event = {
            "type": "message", "user": OWNER, "text": text, "channel": "C0BENCH", "channel_type": "channel",
            "ts": stamp, "thread_ts": thread,
        }  # fmt: skip
        body = {"type": "event_callback", "team_id": TEAM, "event_id": f"Ev{stamp}", "event": event}
        return await self._send(json.dumps(body), "application/json")


Send = Callable[[int], Coroutine[Any, Any, float]]


async def offered(send: Send, rate: float, seconds: float) -> list[float]:
    """Call `send` at a fixed rate, without waiting for answers; the seconds each took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    running: list[asyncio.Task[float]] = []
    for n in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + n / rate - loop.time()))
        running.append(asyncio.create_task(send(n)))
    return list(await asyncio.gather(*running))


async def log_of(session: aiohttp.ClientSession, stub: str) -> list[dict[str, Any]]:
    """What was posted since this was last asked."""
    async with session.get(f"{stub}/log", ssl=False) as answer:
        return list(await answer.json())


async def posts(session: aiohttp.ClientSession, stub: str, wanted: int, limit: float = 60.0) -> list[dict[str, Any]]:
    """Wait until `wanted` messages were posted; what was."""
    seen: list[dict[str, Any]] = []
    end = time.monotonic() + limit
    while len(seen) < wanted and time.monotonic() < end:
        seen += await log_of(session, stub)
        await asyncio.sleep(0.05)
    if len(seen) < wanted:
        raise RuntimeError(f"{wanted} messages were expected within {limit:g} s, {len(seen)} came")
    return seen
