"""The worker: runs jobs and timers. A process of its own, so that no check can delay an acknowledgement."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import procrastinate
import sqlalchemy as sa
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from bot import engine
from bot.effects import Hands
from bot.settings import Settings
from bot.slack.sender import Later, Sender, SlackRefused
from bot.store import Store, cases, messages, seen
from flows.core.effects import Event

log = logging.getLogger("mend.worker")
# A worker that has not given a sign of life for this long is taken for dead and its jobs are taken over.
DEAD_AFTER = 6.0
KEEP_SEEN = 7 * 86400.0


class Patience(BaseRetryStrategy):
    """As Slack or the desk asks, else 1, 2, 4 ... 300 seconds, for about a day."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.attempts > 300:
            return None
        seconds = exception.seconds if isinstance(exception, Later) else min(2.0**job.attempts, 300.0)
        return RetryDecision(retry_in={"seconds": int(max(1.0, seconds))})


def register(
    jobs: procrastinate.App, store: Store, hands: Hands, sender: Sender, settings: Callable[[], Settings]
) -> None:
    """The tasks of the queue."""

    @jobs.task(name="handle", retry=Patience())
    async def handle(case_id: str, event: dict[str, Any]) -> None:
        user, data = event["user"], event["data"]
        reader = bool(data.get("stranger")) or (bool(user) and await sender.is_guest(data.get("team", ""), user))
        await engine.handle(store, case_id, event, settings(), reader=reader)

    @jobs.task(name="perform", retry=Patience())
    async def perform(name: str, args: dict[str, Any], key: str, snapshot: dict[str, Any]) -> None:
        try:
            await hands.perform(name, args, key, snapshot)
        except Later:
            raise
        except Exception:
            log.exception("the order %s of case %s failed and will be tried again", name, snapshot["id"])
            raise

    @jobs.task(name="flush", retry=Patience())
    async def flush(key: str) -> None:
        await hands.voice.flush(key)

    @jobs.task(name="tell", retry=Patience())
    async def tell(channel: str, user: str, thread: str, payload: dict[str, Any]) -> None:
        try:
            where = {"thread_ts": thread} if thread else {}
            if channel.startswith("D"):
                await sender.call("chat.postMessage", channel=channel, **where, **payload)
            else:
                await sender.call("chat.postEphemeral", channel=channel, user=user, **where, **payload)
        except SlackRefused as refusal:
            if refusal.passing:
                raise Later(refusal.error, refusal.retry_after) from None

    @jobs.task(name="home", retry=Patience())
    async def home(team: str, user: str) -> None:
        from bot.slack.home import publish

        await publish(store, sender, settings(), team, user)


async def sweep(store: Store) -> None:
    """Queue what is due: timers of cases, delayed edits, jobs of dead workers."""
    now = time.time()
    async with store.transaction() as connection:
        due = (
            sa.select(cases.c.id, cases.c.due_at, cases.c.body["due"].astext.label("due"), cases.c.team)
            .where(cases.c.due_at <= now)
            .limit(200)
            .with_for_update(skip_locked=True)
        )
        for row in (await connection.execute(due)).all():
            event = Event("due", f"due:{row.id}:{row.due_at}", now, data={"due": row.due, "team": row.team})
            await engine.receive(store, connection, row.id, event)
            await connection.execute(cases.update().where(cases.c.id == row.id).values(due_at=None))
        edits = (
            sa.select(messages.c.key, messages.c.case_id)
            .where(messages.c.due_at <= now)
            .limit(200)
            .with_for_update(skip_locked=True)
        )
        for edit in (await connection.execute(edits)).all():
            await store.defer(connection, "flush", f"say:{edit.case_id}", key=edit.key)
            await connection.execute(messages.update().where(messages.c.key == edit.key).values(due_at=None))
    for job in await store.jobs.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER):
        await store.jobs.job_manager.retry_job(job)


async def _sweeping(store: Store) -> None:
    cleaned = 0.0
    while True:
        try:
            await sweep(store)
            if time.time() - cleaned > 3600:
                cleaned = time.time()
                async with store.transaction() as connection:
                    await connection.execute(seen.delete().where(seen.c.at < cleaned - KEEP_SEEN))
        except Exception:
            log.exception("the sweep failed and will be tried again")
        await asyncio.sleep(1)


async def _until_orphaned(parent: int) -> None:
    """End when the process that started us is gone: its successor starts its own worker."""
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


async def work(store: Store, sender: Sender, settings: Callable[[], Settings], *, child_of: int | None = None) -> None:
    """Run jobs until SIGTERM, then finish what is under way."""
    hands = Hands(store, sender, settings)
    register(store.jobs, store, hands, sender, settings)
    background = [asyncio.create_task(_sweeping(store))]
    if child_of:
        background.append(asyncio.create_task(_until_orphaned(child_of)))
    try:
        await store.jobs.run_worker_async(
            concurrency=80,
            delete_jobs="successful",
            fetch_job_polling_interval=1.0,
            update_heartbeat_interval=1.5,
            stalled_worker_timeout=DEAD_AFTER,
            shutdown_graceful_timeout=20,
            install_signal_handlers=True,
        )
    finally:
        for task in background:
            task.cancel()
        await sender.close()
