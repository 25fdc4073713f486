"""Runs the local Slack in a thread, for `mend try` and for tests."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType

import uvicorn

from bot.playground.slack import LocalSlack


class LocalSlackServer:
    def __init__(self, host: str, port: int, slack: LocalSlack) -> None:
        self.host, self.port, self.slack = host, port, slack
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return self.slack.url

    def start(self, timeout: float = 10.0) -> LocalSlackServer:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        self.slack.hub.url = f"http://{_reachable(self.host)}:{self.port}"
        config = uvicorn.Config(self.slack.app, log_level="error", access_log=False, lifespan="on",
                                timeout_graceful_shutdown=1, ws_ping_interval=20)  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="local-slack", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + timeout
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the local Slack did not start")
            time.sleep(0.01)
        return self

    def stop(self, timeout: float = 5.0) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout)
            self._server = self._thread = None

    def __enter__(self) -> LocalSlackServer:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def run_local_slack(host: str = "127.0.0.1", port: int = 0, slack: LocalSlack | None = None) -> LocalSlackServer:
    """Not started yet: call `start()`, or use it in a `with`."""
    return LocalSlackServer(host, port, slack or LocalSlack())
