"""A line to one caller: how much of a request may come, how long it may take, and how long its answer waits."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Head, and the rest. Slack's largest payload is 250 kB; who sends more is answered 413 first, and read a while longer,
# since a line that is closed at once may take the answer with it.
MOST_HEAD, MOST = 64 * 1024, 8_000_000
# A form over a slow line takes a few seconds; Slack gives up after three.
SECONDS = 15.0
# What is asked of a desk or of Slack on the way is given up before; so who has no answer by then is not reading it.
UNREAD = 60.0
# Open files are what an idle caller costs; the database and Slack need some too.
LINES = 600


class Line(HttpToolsProtocol):
    """uvicorn's own, which keeps a head of any length, and waits without end for its end and for who does not read."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.came = self.head = 0
        self.since: float | None = time.monotonic()
        self.asked = time.monotonic()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > LINES:  # whoever has been silent longest makes room
            others = [one for one in self.connections if isinstance(one, Line) and one is not self and one.waits()]
            if others:
                silent = min(others, key=lambda line: line.since or line.asked)
                self.connections.discard(silent)  # it is told a turn later that its line is gone
                silent.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.since is None:
            self.since = time.monotonic()
        self.came += len(data)
        self.head += len(data) if self.head >= 0 else 0
        if self.came > MOST:
            return self.transport.abort()
        super().data_received(data)
        if self.head > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("More than 64 kB of headers.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head >= 0:  # those behind a body are nobody's
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.head, self.asked = -1, time.monotonic()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.came = self.head = 0
        self.since = None
        super().on_message_complete()

    def waits(self) -> bool:
        """For the rest of a request, or for somebody to read the answer."""
        return self.since is not None or self.unread()

    def unread(self) -> bool:
        return self.transport.is_closing() or not (self.cycle is None or self.cycle.response_complete)

    def is_slow(self, now: float) -> bool:
        return (self.since is not None and self.since < now - SECONDS) or (self.unread() and self.asked < now - UNREAD)


def hang_up_on_the_slow(connections: set[Any]) -> None:
    """Every line that has taken too long."""
    now = time.monotonic()
    for line in [one for one in connections if isinstance(one, Line) and one.is_slow(now)]:
        line.transport.abort()
