"""One address in front of several replicas: in turn, and past one that is gone."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests


@contextmanager
def balanced(addresses: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The address, and which replica answered each call."""
    turn, used = itertools.cycle(list(addresses)), list[str]()

    class Balancer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for _ in addresses:
                replica = next(turn)
                try:
                    answer = requests.post(replica + self.path, body, headers=dict(self.headers), timeout=20)
                except requests.ConnectionError:
                    continue
                used.append(replica)
                self.send_response(answer.status_code)
                self.send_header("content-type", answer.headers.get("content-type", "text/plain"))
                self.end_headers()
                self.wfile.write(answer.content)
                return
            self.send_error(502)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Balancer)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", used
    finally:
        server.shutdown()
        server.server_close()
