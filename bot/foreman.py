"""Keeps a worker at work beside the process that acknowledges, and starts another when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path

import psycopg

from bot.hot import JOIN, LEAVE
from bot.store import Store

log = logging.getLogger("mend.app")
# What a worker may take to finish what it does, and how long after a death the next is started.
DRAIN, PAUSE = 25, 1
# A statement that the dead one has sent may still be at work, and holds what it was doing.
PATIENCE = 3


async def keep_worker(store: Store, url: str, path: Path | None, stop: asyncio.Event) -> None:
    """Start the worker process, and again when it dies; on stop let it finish what it does.

    Who sees it die need not wait until its signs of life stop: what it was doing is free for the next at once.
    """
    command = [
        sys.executable,
        "-m",
        "bot.cli",
        "serve",
        "--roles",
        "worker",
        *(["--config", str(path)] if path else []),
    ]
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        number = await _registered(store)
        env = {"MEND_DATABASE_URL": url, "MEND_CHILD_OF": str(os.getpid()), "MEND_WORKER": str(number)}
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **env}, start_new_session=True)
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            log.error("the worker ended (%s) and is started again", process.returncode)
            await asyncio.sleep(PAUSE)
            await _gone(store, number)
            continue
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(ended, DRAIN)
            except TimeoutError:
                process.kill()


async def _registered(store: Store) -> int:
    """The number under which the next worker takes jobs; 0 when the database is away, and it asks for one itself."""
    with contextlib.suppress(psycopg.Error):
        row = await store.hot.one(JOIN, {})
        return int(row[0]) if row else 0
    return 0


async def _gone(store: Store, number: int) -> None:
    with contextlib.suppress(psycopg.Error, TimeoutError):
        await asyncio.wait_for(store.hot.one(LEAVE, {"worker": number}), PATIENCE)
