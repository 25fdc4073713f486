"""A fake provider over real HTTP: a function from a request to an answer."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], Any]
Answers = Callable[[str, Mapping[str, str]], Reply]


class Quiet(BaseHTTPRequestHandler):
    """It logs nothing, and answers in JSON."""

    def log_message(self, format: str, *args: Any) -> None:
        return

    def say(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """No body at all for None."""
        raw = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(raw)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def sent(self) -> Any:
        """The JSON that came along, or None."""
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        return json.loads(raw) if raw else None


@contextlib.contextmanager
def listening(handler: type[BaseHTTPRequestHandler], **known: Any) -> Iterator[str]:
    """The address of a server whose handlers have these attributes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (handler,), known))
    server.daemon_threads = True
    # How often it looks whether it is over: some thousands of tests wait for that.
    threading.Thread(target=server.serve_forever, args=(0.004,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """The address of a server that answers by `answers(path, headers)`; header names are lower-case.

    What was posted is the header `:posted`, a name that no client can send.
    """

    class Handler(Quiet):
        def do_GET(self) -> None:
            status, headers, body = answers(self.path, {k.lower(): v for k, v in self.headers.items()})
            data = (
                body.encode()
                if isinstance(body, str)
                else body
                if isinstance(body, bytes)
                else json.dumps(body).encode()
            )
            kind = "application/json" if not isinstance(body, str | bytes) else "text/plain"
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

        def do_POST(self) -> None:
            posted = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.headers[":posted"] = posted.decode("utf-8", "replace")
            self.do_GET()

    with listening(Handler) as url:
        yield url
