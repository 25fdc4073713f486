"""The settings of a process: an edit of mend.yml is in use with the next question, half of one opens nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from pathlib import Path

from bot.own import use_own
from bot.settings import Settings, SettingsError, config_file, load
from bot.usable import check

log = logging.getLogger("mend.app")
# Who writes a file bit by bit has written the next bit by then. Seconds.
STILL = 2.0
Stamp = tuple[int, ...]


class Fresh:
    """The settings, read again when mend.yml changes; a broken edit keeps the last good ones."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        use_own(path)
        self._file = config_file(path, os.environ)
        self._seen = self._look()
        self.current = self._load()
        self._reading = threading.Lock()
        # An edit that lets more in than before: the file as it was then, what it says, and since when we know it.
        self._opening: tuple[Stamp, Settings, float] | None = None

    def __call__(self) -> Settings:
        seen = self._look()
        if seen and (seen != self._seen or self._opening):
            with self._reading:  # who asks in another thread meanwhile waits for the same edit
                self._read_again()
        return self.current

    def _load(self) -> Settings:
        settings = load(self.path, os.environ)
        check(settings)
        return settings

    def _look(self) -> Stamp:
        """Which file it is, when it and its rights were changed, and its size: the clock of a file system may stand
        for milliseconds. Nothing while it is not there or is empty, as it is for a moment while it is saved."""
        with contextlib.suppress(OSError):
            now = os.stat(self._file)
            return (now.st_ino, now.st_mtime_ns, now.st_ctime_ns, now.st_size) if now.st_size else ()
        return ()

    def _read_again(self) -> None:
        seen = self._look()
        if seen and seen != self._seen:
            found, why = None, ""
            try:
                found = self._load()
            except SettingsError as error:
                why = str(error)
            if self._look() != seen:  # emptied, moved away or written to meanwhile: who asks next reads it
                return
            self._opening = None
            if found:
                self._take(seen, found)
            else:
                log.error("mend.yml was changed and is not used: %s", why)
            self._seen = seen
        if seen and self._opening and _stands_still(*self._opening):
            self.current, self._opening = self._opening[1], None

    def _take(self, seen: Stamp, found: Settings) -> None:
        """Who was shut out stays so until the file stands still: one that is being written may lack its end."""
        before, now = self.current.access, found.access
        limits = {"workspaces": now.workspaces or before.workspaces, "channels": now.channels or before.channels}
        kept = now.model_copy(update=limits)
        if kept != now:
            self._opening = (seen, found, time.monotonic())
        self.current = found if kept == now else found.model_copy(update={"access": kept})


def _stands_still(seen: Stamp, _: Settings, since: float) -> bool:
    """Nobody has written to the file for a while, by its own clock or by ours."""
    return time.time() - seen[1] / 1e9 >= STILL or time.monotonic() - since >= STILL
