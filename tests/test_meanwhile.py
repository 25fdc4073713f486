"""What comes in the middle of something else: a workspace leaves, a worker is taken for dead, a store is slow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot import expiries, hot, upkeep
from bot import runner as runner_module
from bot.effects import Hands
from bot.foreman import Foreman
from bot.mending import Mending
from bot.repairs.form import Form, form_of
from bot.repairs.links import links
from bot.runner import Job, Runner
from bot.settings import VAULTS, Settings
from bot.settings_parts import Hook
from bot.slack.commands import Wish
from bot.slack.sender import Sender
from bot.slack.wishes import Wishes
from bot.store import Store
from bot.vault import Vault, open_vault
from bot.web.hooks import Hooks
from bot.worker import patience
from tests.rows import keep

# Longer than anything here takes, for what would otherwise wait for ever.
LONG = 20.0
ROW = {"id": "c1", "team": "T1", "channel": "C1", "thread": "1.0", "owner": "U1", "state": "regenerating_credentials",
       "connection": "shop", "due_at": None, "changed_at": 1.0, "due": "", "waiting": True}  # fmt: skip
LINK = {"id": "l" * 64, "kind": "update_credentials", "team": "T1", "case_id": "c1", "connection": "shop",
        "person": "U1", "state": "trying", "batch": "typed", "expires_at": 9e9}  # fmt: skip


@pytest.fixture
def vault(fresh: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    from bot.cipher import make_key

    monkeypatch.setenv("MEND_SECRET_KEY", make_key())
    yield (made := open_vault(fresh))
    VAULTS.clear()
    made.engine.dispose()


def shop(password: str = "${file:pw}") -> Settings:
    made = {"connector": "postgres", "settings": {"host": "127.0.0.1", "port": 1, "user": "stitch"},
            "secrets": {"password": password}}  # fmt: skip
    return Settings.model_validate({"connections": {"shop": made}, "check_timeout": 1})


def run(url: str, settings: Settings, work: Callable[[Store, Hands], Awaitable[Any]]) -> Any:
    async def token_of(team: str) -> str:
        return "xoxb-never-used"

    async def go() -> Any:
        store = Store(url)
        await store.open()
        try:
            return await work(store, Hands(store, Sender(token_of, "http://127.0.0.1:1/"), lambda: settings))
        finally:
            await store.close()

    return asyncio.run(go())


async def typed(store: Store, vault: Vault) -> tuple[Form, Any]:
    """Somebody has typed a new password for a case that waits for it."""
    vault.put("shop.password", "old", "U1", team="T1", connection="shop")
    vault.add("typed", {"shop.password": "new"}, "U1", team="T1", connection="shop")
    await keep(store, ROW)
    async with store.transaction() as connection:
        await connection.execute(links.insert().values(**LINK))
        link = (await connection.execute(sa.select(links))).one()
    form = form_of(shop(), "shop")
    assert form is not None
    return form, link


def test_a_workspace_that_leaves_while_its_credentials_are_kept_holds_nobody_up(
    fresh: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(store: Store, hands: Hands) -> None:
        form, link = await typed(store, vault)
        loop, sending, leaving = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def send(*_: object) -> dict[str, str]:
            loop.call_soon_threadsafe(sending.set)
            leaving.wait(LONG)
            return {"sent": "", "problem": ""}

        async def leave() -> None:
            await sending.wait()
            async with store.transaction() as connection:
                loop.call_later(0.5, leaving.set)  # by then it waits for what the other one holds
                await upkeep.forget_team(connection, "T1")

        monkeypatch.setattr(Mending, "_hand_on", send)
        async with asyncio.timeout(LONG):
            await asyncio.gather(hands.mending._keep(form, link, {"state": "good"}), leave())
        assert vault.listed() == []

    run(fresh, shop(), work)


async def taken(store: Store, worker: int) -> int:
    row = await store.hot.one(hot.FETCH, {"worker": worker})
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("attempts", [0, 1000])  # tried again later, or given up
def test_a_worker_that_was_taken_for_dead_does_not_give_away_what_another_is_doing(fresh: str, attempts: int) -> None:
    async def fails(job: Job) -> bool:
        raise RuntimeError("Slack did not answer in the end")

    async def work(store: Store, hands: Hands) -> None:
        async with store.transaction() as connection:
            await store.defer(connection, "flush", "say:c1", key="m")
        slow, other = [(await store.hot.one(hot.JOIN, {}) or (0,))[0] for _ in range(2)]
        job = await taken(store, slow)
        queue = await store.queue()
        await store.hot.one("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 h' WHERE id = %(w)s",
                            {"w": slow})  # fmt: skip
        for one in await queue.get_stalled_jobs(seconds_since_heartbeat=60):
            await queue.retry_job(one)
        assert await taken(store, other) == job
        runner = Runner(store, patience, slow)
        runner.tasks["flush"] = fails
        await runner.do(Job(job, "flush", {}, attempts))
        row = await store.hot.one("SELECT status::text, worker_id FROM procrastinate_jobs WHERE id = %(j)s", {"j": job})
        assert row == ("doing", other)

    run(fresh, Settings(), work)


def test_a_crowd_in_as_many_threads_gets_a_case_each(fresh: str) -> None:
    async def work(store: Store, hands: Hands) -> None:
        wishes = Wishes(store, shop, hands.voice.sender)
        asked = [
            wishes.open(Wish("open", "shop"), {"team": "T1", "channel": "C1", "thread": f"{n}.0"}, "U1", f"k{n}")
            for n in range(3 * store.hot.pool.max_size)
        ]
        await asyncio.gather(*asked)
        assert len(await events(store)) == len(asked)

    run(fresh, shop(), work)


async def events(store: Store) -> list[tuple[str, str]]:
    """Kind and case of what is queued."""
    async with store.alone() as connection:
        query = "SELECT args->'event'->>'kind', args->>'case_id' FROM procrastinate_jobs WHERE task_name = 'handle'"
        return [(kind, case) for kind, case in (await connection.execute(sa.text(query + " ORDER BY id"))).all()]


def test_alerts_of_one_connection_that_come_together_open_one_case(fresh: str) -> None:
    async def work(store: Store, hands: Hands) -> None:
        hooks, hook = Hooks(store, shop, lambda: "T1"), Hook(secret="s", channel="C1")  # noqa: S106 - of a test
        alert = {"summary": "it failed", "job": "", "sure": "certain"}
        for names in (["shop"] * 5, ["shop", ""]):
            await asyncio.gather(
                *(hooks._open(hook, f"{len(names)}{n}", one, alert, "") for n, one in enumerate(names))
            )
        kinds = [kind for kind, _ in await events(store)]
        assert (kinds.count("opened"), kinds.count("alerted")) == (2, 5)  # one that names no connection has its own
        assert len({case for _, case in await events(store)}) == 2

    run(fresh, shop(), work)


def test_a_worker_that_is_full_ends_when_it_is_told_to_and_takes_nothing_more(
    fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "ROOM", 2)
    monkeypatch.setattr(runner_module, "GRACE", 0.5)
    done = list[int]()

    async def work(store: Store, hands: Hands) -> None:
        runner, full = Runner(store, patience), asyncio.Event()

        async def long(job: Job) -> bool:
            done.append(job.id)
            if len(done) == 2:
                full.set()
            await asyncio.sleep(LONG)
            return False

        runner.tasks["flush"] = long
        async with store.transaction() as connection:
            for n in range(5):
                await store.defer(connection, "flush", f"say:c{n}", key="m")
        running = asyncio.create_task(runner.run())
        await full.wait()
        await asyncio.sleep(0.2)  # it waits for room
        runner.stop()
        async with asyncio.timeout(LONG / 2):
            await running
        assert len(done) == 2

    run(fresh, Settings(), work)


def test_a_worker_that_cannot_be_started_now_is_started_later(fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started, real = list[str](), asyncio.create_subprocess_exec

    async def work(store: Store, hands: Hands) -> None:
        stop = asyncio.Event()

        async def start(*_: Any, **__: Any) -> asyncio.subprocess.Process:
            started.append("")
            if len(started) == 1:
                raise BlockingIOError(11, "Resource temporarily unavailable")
            stop.set()
            return await real("true")

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
        async with asyncio.timeout(LONG):
            await Foreman(store, fresh, None).keep(stop)
        assert len(started) == 2

    run(fresh, Settings(), work)


def test_who_asks_for_the_status_while_slack_is_slow_leaves_the_database_to_others(
    fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(team: str, user: str) -> bool:
        await asyncio.sleep(0.8)
        return False

    async def work(store: Store, hands: Hands) -> None:
        monkeypatch.setattr(hands.voice.sender, "is_guest", slow)
        async with store.transaction() as connection:
            await expiries.keep(connection, "shop", "password", "stitch", 1.0)
        wishes = Wishes(store, shop, hands.voice.sender)
        place = {"team": "T1", "channel": "C1"}
        asked = [wishes.grant(Wish("status"), place, f"U{n}", f"k{n}") for n in range(5 * store.hot.pool.max_size)]
        told = await asyncio.gather(*asked)
        assert all("shop" in one["text"] for one in told)

    run(fresh, shop(), work)
