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
        self._later(f"asking {platform} for its sources ...")

    def at(self, done: int, total: int) -> None:
        self.timer.cancel()
        now, text = time.monotonic(), f"{self.platform}: {done} of {total} sources read"
        if now - self.began > PATIENCE and now - self.last > (PATIENCE if self.live else SELDOM):
            self._write(text)
        else:
            self._later(text)

    def _later(self, text: str) -> None:
        """Once it has been silent for a while."""
        wait = PATIENCE if self.live or not self.shown else SELDOM
        self.timer = Timer(wait, self._write, (text,))
        self.timer.daemon = True
        self.timer.start()

    def end(self) -> None:
        self.timer.cancel()
        if self.live and self.shown:
            print(f"\r{' ' * len(self.shown)}\r", end="", file=sys.stderr, flush=True)

    def _write(self, text: str) -> None:
        if self.live:
            print(f"\r{text.ljust(len(self.shown))}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)
        self.shown, self.last = text, time.monotonic()
