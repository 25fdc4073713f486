"""Zendesk's ticket API as its documentation describes it, over real HTTP.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ and .../introduction/ratelimits/
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Zendesk:
    def __init__(self) -> None:
        self.tickets: list[dict[str, Any]] = []
        self.mood = "good"
        self.url = ""


@contextmanager
def zendesk() -> Iterator[Zendesk]:
    state = Zendesk()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def _say(self, status: int, body: dict[str, Any], **headers: str) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(raw)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def _refused(self) -> bool:
            answers: dict[str, tuple[int, dict[str, Any], dict[str, str]]] = {
                "401": (401, {"error": "Couldn't authenticate you"}, {}),
                "429": (429, {"error": "APIRateLimitExceeded"}, {"retry-after": "7"}),
                "500": (500, {"error": "Internal Server Error"}, {}),
            }
            if state.mood in answers:
                status, body, headers = answers[state.mood]
                self._say(status, body, **headers)
                return True
            return False

        def do_GET(self) -> None:
            if not self._refused():
                wanted = parse_qs(urlsplit(self.path).query).get("external_id", [""])[0]
                self._say(200, {"tickets": [t for t in state.tickets if t["external_id"] == wanted]})

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self._refused():
                ticket = {**sent["ticket"], "id": 35436 + len(state.tickets)}
                state.tickets.append(ticket)
                self._say(201, {"ticket": ticket})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
