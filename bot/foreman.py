"""Keeps a worker at work beside the process that acknowledges, and starts another when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import psycopg

from bot.hot import JOIN, LEAVE
from bot.store import Store, at_work

log = logging.getLogger("mend.app")
# What a worker may take to finish what it does, and how long after a death the next is started.
DRAIN, PAUSE = 25, 1
# A statement that the dead one has sent may still be at work, and holds what it was doing.
PATIENCE = 3


class Foreman:
    """Keeps one worker beside this process. `number` is that under which it takes jobs, `since` when that was given."""

    def __init__(self, store: Store, url: str, path: Path | None) -> None:
        self.store, self.url, self.path = store, url, path
        self.number, self.since = 0, None

    async def keep(self, stop: asyncio.Event) -> None:
        """Start the worker process, and again when it dies; on stop let it finish what it does.

        Who sees it die need not wait until its signs of life stop: what it was doing is free for the next at once.
        """
        stopped = asyncio.create_task(stop.wait())
        while not stop.is_set():
            try:
                process = await self._start()
            except OSError as error:  # the machine has no room for another process just now
                log.error("the worker cannot be started and is tried again: %s", error)
                await asyncio.sleep(PAUSE)
                continue
            ended = asyncio.create_task(process.wait())
            await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                log.error("the worker ended (%s) and is started again", process.returncode)
                await asyncio.sleep(PAUSE)
                await self._gone()
                continue
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(ended, DRAIN)
                except TimeoutError:
                    process.kill()

    async def at_work(self) -> bool:
        """Whether the worker has come up and gives signs of life."""
        return await at_work(self.store, self.number or None, self.since)

    async def _start(self) -> asyncio.subprocess.Process:
        await self._register()
        command = [sys.executable, "-m", "bot.cli", "serve", "--roles", "worker"]
        config = ["--config", str(self.path)] if self.path else []
        env = {"MEND_DATABASE_URL": self.url, "MEND_CHILD_OF": str(os.getpid()), "MEND_WORKER": str(self.number)}
        return await asyncio.create_subprocess_exec(
            *command, *config, env={**os.environ, **env}, start_new_session=True
        )

    async def _register(self) -> None:
        """The number under which the next worker takes jobs; 0 when the database is away: then it asks itself."""
        self.number, self.since = 0, None
        with contextlib.suppress(psycopg.Error):
            if row := await self.store.hot.one(JOIN, {}):
                self.number, self.since = int(row[0]), row[1]

    async def _gone(self) -> None:
        with contextlib.suppress(psycopg.Error, TimeoutError):
            await asyncio.wait_for(self.store.hot.one(LEAVE, {"worker": self.number}), PATIENCE)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do it, unless the process is to end meanwhile: what it waits for may be away for as long as it likes."""
    doing, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        await asyncio.wait({doing})
        return False
    stopped.cancel()
    await doing
    return True
