"""A line to one caller: how much of a request may come, and how long it may take, before it is whole."""

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
# Open files are what an idle caller costs; the database and Slack need some too.
LINES = 600


class Line(HttpToolsProtocol):
    """uvicorn's own, which keeps a head of any length and waits for its end without end."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.came = self.head = 0
        self.since: float | None = time.monotonic()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > LINES:  # whoever has been silent longest makes room
            self._hang_up(min(self._unfinished(), key=lambda line: line.since or 0.0, default=None))

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
        self.head = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.came = self.head = 0
        self.since = None
        super().on_message_complete()

    def _unfinished(self) -> list[Line]:
        return [line for line in self.connections if isinstance(line, Line) and line.since is not None]

    @staticmethod
    def _hang_up(line: Line | None) -> None:
        if line is not None:
            line.transport.abort()


def hang_up_on_the_slow(connections: set[Any]) -> None:
    """Every line whose request has not come whole for too long."""
    late = time.monotonic() - SECONDS
    for line in list(connections):
        if isinstance(line, Line) and line.since is not None and line.since < late:
            line.transport.abort()
