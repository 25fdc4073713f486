"""The worker: runs jobs and timers. A process of its own, so that no check can delay an acknowledgement."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import engine, expiries
from bot.effects import Hands
from bot.hot import DUE
from bot.repairs import links
from bot.repairs.rotation import ledger
from bot.runner import Job, Runner, Task
from bot.settings import Settings
from bot.settings_parts import is_group
from bot.slack.sender import Later, Sender, SlackRefused
from bot.store import Store
from bot.tables import cases, messages
from bot.upkeep import clean
from bot.vault import opened
from bot.watch import queue_looks
from flows.core.effects import Event
from messages import render

log = logging.getLogger("mend.worker")
# A worker that has not given a sign of life for this long is taken for dead and its jobs are taken over.
DEAD_AFTER = 6.0
LOOKS_EVERY = 5.0


def patience(error: BaseException, attempts: int) -> float | None:
    """As Slack asks, else after 1, 2, 4 ... seconds. What passes by itself is never given up, a fault after a day."""
    passing = isinstance(error, Later)
    if attempts > 300 and not passing:
        return None
    longest = 60.0 if passing else 300.0
    return max(1.0, getattr(error, "seconds", 0.0) or min(2.0 ** min(attempts, 9), longest))


class Tasks:
    """What the queue may ask for."""

    def __init__(
        self, runner: Runner, store: Store, hands: Hands, sender: Sender, settings: Callable[[], Settings]
    ) -> None:
        self.runner, self.store, self.hands, self.sender, self.settings = runner, store, hands, sender, settings
        mending, watch = hands.mending, hands.watch
        runner.tasks["handle"], runner.tasks["speak"] = self._told(self.handle), self._told(self.speak)
        for name, work in {
            "perform": lambda a: hands.perform(a["name"], a["args"], a["key"], a["snapshot"]),
            "try_credentials": lambda a: mending.try_credentials(a["link"]),
            "keep_credentials": lambda a: mending.keep_credentials(a["link"]),
            "redeem_code": lambda a: hands.authorizing.redeem_code(a["link"]),
            "finish_rotation": lambda a: hands.rotations.finish(a["id"]),
            "mirror": lambda a: mending.mirror(a["link"]),
            "look": lambda a: watch.look(a["name"]),
            "remind": lambda a: watch.remind(a["key"], a["places"], a["view"]),
            "flush": lambda a: hands.voice.outbox.flush(a["key"]),
            "tell": lambda a: self._tell(a["team"], a["channel"], a["user"], a["thread"], a["payload"]),
            "home": lambda a: self._home(a["team"], a["user"], a.get("direct", "")),
        }.items():
            runner.tasks[name] = self._told(_left(work))

    def _told(self, task: Task) -> Task:
        async def tried(job: Job) -> bool:
            try:
                return await task(job)
            except Later:
                raise
            except Exception:
                log.exception("the job %s of %s failed and will be tried again", job.task, _case_of(job))
                raise

        return tried

    async def handle(self, job: Job) -> bool:
        """One event. What the case says to it at once is said here, without another way through the queue."""
        event = job.args["event"]
        user, data = event["user"], event["data"]
        somebody = bool(user) and not is_group(user)  # a group leads what an alert opened
        reader = bool(data.get("stranger")) or (somebody and await self.sender.is_guest(data.get("team", ""), user))
        if reader and event["kind"] == "opened":
            place = (data["team"], data["channel"], user, data.get("thread", ""))
            await self._tell(*place, render.ephemeral("guest", {}))
            return False
        groups = [] if reader else await self._groups(event, job.known)
        taken = engine.Taken(job.id, self.runner.worker)
        async with self.hands.voice.outbox.slot() as slot:
            given = await engine.handle(
                self.store, job.args["case_id"], event, self.settings(),
                reader=reader, groups=groups, known=job.known, taken=taken, slot=slot,
            )  # fmt: skip
            if given and slot:
                slot.worker = self.runner.worker
                await self.runner.do(Job(given.job, "speak", {**given.args, "slot": slot}))
        return True

    async def _groups(self, event: Mapping[str, Any], known: engine.Known | None) -> list[str]:
        """The owning groups that this person is in, where that decides something."""
        asked = engine.groups_to_ask(self.settings(), event, known.body) if known else []
        return await self.sender.groups_of(known.body["team"], event["user"], asked) if known and asked else []

    async def speak(self, job: Job) -> bool:
        slot = job.args.get("slot")
        await self.hands.speak(job.args["orders"], job.args["snapshot"], slot)
        return slot is not None and slot.finished

    async def _tell(self, team: str, channel: str, user: str, thread: str, payload: dict[str, Any]) -> None:
        try:
            await self.sender.tell(team, channel, user, thread, payload)
        except SlackRefused as refusal:
            if refusal.passing:
                raise Later(refusal.error, refusal.retry_after) from None

    async def _home(self, team: str, user: str, direct: str) -> None:
        """The Home tab; an event that it was opened also tells which direct messages are this person's."""
        from bot.slack.home import publish

        if direct:
            async with self.store.alone() as connection:
                await expiries.learn(connection, team, user, direct)
        await publish(self.store, self.sender, self.settings(), team, user)


def _left(work: Callable[[Mapping[str, Any]], Awaitable[None]]) -> Task:
    """A task of which only the arguments count, and whose job the runner ends."""

    async def done(job: Job) -> bool:
        await work(job.args)
        return False

    return done


def _case_of(job: Job) -> str:
    return str(job.args.get("case_id") or (job.args.get("snapshot") or {}).get("id") or "no case")


async def sweep(store: Store, *, take_over: bool = True) -> None:
    """Queue what is due: timers of cases, links that ran out, delayed edits, jobs of dead workers."""
    now = time.time()
    due = await store.hot.one(DUE, {"now": now, "silent": DEAD_AFTER})
    if not (due and due[0]):  # as nearly always
        return
    async with store.transaction() as connection:
        # One at a time: two that saw the same dead worker would both take its job over, the second from a live one.
        if not (await connection.execute(sa.text("SELECT pg_try_advisory_xact_lock(7264502)"))).scalar():
            return
        timers = (
            sa.select(cases.c.id, cases.c.due_at, cases.c.body["due"].astext.label("due"), cases.c.team)
            .where(cases.c.due_at <= now)
            .order_by(cases.c.due_at)
            .limit(200)
            .with_for_update(skip_locked=True)
        )
        for row in (await connection.execute(timers)).all():
            event = Event("due", f"due:{row.id}:{row.due_at}", now, data={"due": row.due, "team": row.team})
            await engine.receive(store, connection, row.id, event)
            await connection.execute(cases.update().where(cases.c.id == row.id).values(due_at=None))
        for row in await ledger.due(connection, now):
            event = Event("revoke_due", f"revoke_due:{row.id}:{now}", now, data={"id": row.id, "team": row.team})
            await engine.receive(store, connection, row.case_id, event)
        for link in await links.ran_out(connection, now):
            await store.defer(connection, "mirror", f"say:{link.case_id}", link=link.id)
        await _edits(store, connection, now)
        if take_over:
            queue = await store.queue()
            for job in await queue.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER):
                await queue.retry_job(job)


async def _edits(store: Store, connection: AsyncConnection, now: float) -> None:
    """Edits that waited for the last one to be long enough ago."""
    edits = (
        sa.select(messages.c.key, messages.c.case_id)
        .where(messages.c.due_at <= now)
        .order_by(messages.c.due_at)
        .limit(200)
        .with_for_update(skip_locked=True)
    )
    for edit in (await connection.execute(edits)).all():
        await store.defer(connection, "flush", f"say:{edit.case_id}", key=edit.key)
        await connection.execute(messages.update().where(messages.c.key == edit.key).values(due_at=None))


async def _sweeping(store: Store, settings: Callable[[], Settings]) -> None:
    cleaned, looked, swept = 0.0, 0.0, time.time()
    while True:
        # A machine that slept wakes with every sign of life out of date, our own too: they are renewed first.
        slept, swept = time.time() - swept > DEAD_AFTER / 2, time.time()
        try:
            await sweep(store, take_over=not slept)
            if time.time() - looked > LOOKS_EVERY:
                looked = time.time()
                await queue_looks(store, settings())
            if time.time() - cleaned > 3600:
                cleaned = time.time()
                await clean(store)
                await asyncio.to_thread(opened().sweep)
        except Exception:
            log.exception("the sweep failed and will be tried again")
        await asyncio.sleep(1)


async def _until_orphaned(parent: int) -> None:
    """End when the process that started us is gone: its successor starts its own worker."""
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


async def work(
    store: Store, sender: Sender, settings: Callable[[], Settings], *, child_of: int | None = None, number: int = 0
) -> None:
    """Run jobs until SIGTERM, then finish what is under way. `number`: see `Runner`."""
    hands, runner = Hands(store, sender, settings), Runner(store, patience, number)
    Tasks(runner, store, hands, sender, settings)
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, runner.stop)
    background = [asyncio.create_task(_sweeping(store, settings))]
    if child_of:
        background.append(asyncio.create_task(_until_orphaned(child_of)))
    try:
        await runner.run()
    finally:
        for task in background:
            task.cancel()
        await sender.close()
