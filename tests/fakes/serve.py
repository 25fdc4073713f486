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


@contextlib.contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """The address of a server that answers by `answers(path, headers)`; header names are lower-case."""

    class Handler(BaseHTTPRequestHandler):
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

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
