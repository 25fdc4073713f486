"""Takes jobs off the queue. Its tables, lanes and take-over are Procrastinate's; taking and ending a job is ours.

Procrastinate's own worker asks the database seven times around the two jobs of a step, this one once: a job comes with
the case that it is about, and ends within the statement that keeps what it did (`bot.hot`), so that none is done twice
because its end was not written down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.errors import UniqueViolation

from bot.engine import Known
from bot.hot import BEAT, FAIL, FETCH, FINISH, JOIN, LEAVE, LISTEN, RETRY
from bot.store import Store
from bot.wire import Wire

log = logging.getLogger("mend.worker")
# How many jobs are under way at once, how often the queue is looked at unasked (what waits for a time rings no bell),
# how often a sign of life is given, and how long the jobs under way may take when the process is to end.
ROOM, POLL, BEATS, GRACE = 80, 1.0, 1.5, 20.0


@dataclass(frozen=True)
class Job:
    """One job that is ours. `known` is the case that an event moves."""

    id: int
    task: str
    args: Mapping[str, Any]
    attempts: int = 0
    known: Known | None = None


Task = Callable[[Job], Awaitable[bool]]


class Runner:
    """`tasks` do a job and say whether they have ended it as well; `patience` says after how many seconds a failed one
    is tried again (None: never). `worker` is the number under which jobs are taken, 0: it is asked for.
    """

    def __init__(self, store: Store, patience: Callable[[BaseException, int], float | None], worker: int = 0) -> None:
        self.hot, self.url, self.patience = store.hot, store.url, patience
        self.tasks: dict[str, Task] = {}
        self.worker = worker
        self.running = set[asyncio.Task[None]]()
        self._room, self._bell, self._rung = asyncio.Semaphore(ROOM), asyncio.Event(), 0
        self._stopping = False
        self._broken: Exception | None = None

    def stop(self) -> None:
        self._stopping = True
        self._bell.set()
        self._room.release()  # who waits for room need not wait for the end of what is under way

    async def run(self) -> None:
        """Until `stop`, then to the end of what is under way. Raises when the database is gone: a fresh process is
        the way back, and what this one was doing is taken over.
        """
        if not self.worker:
            found = await self.hot.one(JOIN, {})
            assert found is not None
            self.worker = found[0]
        beside = [asyncio.create_task(self._guard(work())) for work in (self._beat, self._listen)]
        try:
            await self._take()
            if self.running and not self._broken:
                await asyncio.wait(self.running, timeout=GRACE)
        finally:
            for task in (*beside, *self.running):
                task.cancel()
            await asyncio.gather(*beside, *self.running, return_exceptions=True)
        if self._broken:
            raise self._broken
        await self.hot.one(LEAVE, {"worker": self.worker})

    async def _guard(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            log.error("the worker has lost the database: %s", error)
            self._broken = error
            self.stop()

    async def _beat(self) -> None:
        while await self.hot.one(BEAT, {"worker": self.worker}):
            await asyncio.sleep(BEATS)
        raise RuntimeError("this worker was taken for dead")

    async def _listen(self) -> None:
        """One ring for each new job, and for each lane that comes free while others wait in it."""
        async with await Wire.connect(self.url, autocommit=True) as ears:
            await ears.first(LISTEN, {})
            while True:
                self._rung += await ears.notified()
                self._bell.set()

    async def _take(self) -> None:
        every = True
        while not self._stopping:
            self._bell.clear()
            wanted, self._rung = self._rung, 0
            # One question for each ring: asking until there is nothing more doubles them when little is to be done.
            while (every or wanted > 0) and not self._stopping and await self._take_one():
                wanted -= 1
            every = not await self._ring()

    async def _ring(self) -> bool:
        try:
            async with asyncio.timeout(POLL):  # wait_for() would make a task of each wait
                await self._bell.wait()
        except TimeoutError:
            return False
        return True

    async def _take_one(self) -> bool:
        await self._room.acquire()
        if self._stopping:
            return False
        try:
            row = await self.hot.one(FETCH, {"worker": self.worker})
        except UniqueViolation:  # somebody else has just begun in that lane
            row = None
        if row is None:
            self._room.release()
            return False
        job, task, args, attempts, *case = row
        taken = Job(job, task, args, attempts, Known(*case) if case[0] is not None else None)
        work = asyncio.create_task(self.do(taken))
        self.running.add(work)
        work.add_done_callback(self._done)
        return True

    def _done(self, work: asyncio.Task[None]) -> None:
        self.running.discard(work)
        self._room.release()

    async def do(self, job: Job) -> None:
        """Do a job and end it, or leave it for another time."""
        try:
            if not await self.tasks[job.task](job):
                await self.hot.one(FINISH, {"job": job.id, "worker": self.worker})
        except Exception as error:
            await self._guard(self._again(job, error))

    async def _again(self, job: Job, error: Exception) -> None:
        seconds = self.patience(error, job.attempts)
        mine = {"job": job.id, "worker": self.worker}
        if seconds is None:
            await self.hot.one(FAIL, mine)
        else:
            await self.hot.one(RETRY, {**mine, "seconds": seconds})
