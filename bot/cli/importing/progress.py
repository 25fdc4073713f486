"""What is under way, on standard error, when it takes longer than a second."""

from __future__ import annotations

import sys
import time
from threading import Timer

PATIENCE = 1.0
# Without a terminal every line stays.
SELDOM = 10.0


class Progress:
    def __init__(self, platform: str) -> None:
        self.platform, self.shown = platform, ""
        self.began = self.last = time.monotonic()
        self.live = sys.stderr.isatty()
        self.timer = Timer(PATIENCE, self._write, (f"asking {platform} for its sources ...",))
        self.timer.daemon = True
        self.timer.start()

    def at(self, done: int, total: int) -> None:
        self.timer.cancel()
        now = time.monotonic()
        if now - self.began > PATIENCE and now - self.last > (PATIENCE if self.live else SELDOM):
            self.last = now
            self._write(f"{self.platform}: {done} of {total} sources read")

    def end(self) -> None:
        self.timer.cancel()
        if self.live and self.shown:
            print(f"\r{' ' * len(self.shown)}\r", end="", file=sys.stderr, flush=True)

    def _write(self, text: str) -> None:
        if self.live:
            print(f"\r{text.ljust(len(self.shown))}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)
        self.shown = text
