"""The store under two processes, crashes and age."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot import engine, hot, upkeep
from bot.database import StoreError, migrate
from bot.repairs.links import links
from bot.repairs.rotation.ledger import rotations
from bot.settings import Settings
from bot.store import ANSWERED, CASE_OF_PAGE, LOAD, OPEN_CASE, OWN_CASES, Store
from bot.tables import cases, history, messages, seen
from bot.vault import secrets
from bot.worker import DEAD_AFTER, sweep
from flows.core.effects import Event
from tests.rows import keep

Work = Callable[[Store], Awaitable[Any]]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = Store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def run(url: str, work: Work) -> Any:
    async def go() -> Any:
        async with opened(url) as store:
            return await work(store)

    return asyncio.run(go())


def row(number: int = 1, **more: Any) -> dict[str, Any]:
    body = {"id": f"c{number}", "team": "T1", "channel": "C1", "thread": f"{number}.0", "owner": f"U{number}",
            "state": "choosing", "connection": "warehouse", "due_at": None, "changed_at": 1.0, "due": "",
            "waiting": True, **more}  # fmt: skip
    return body


async def jobs(store: Store) -> list[Any]:
    async with store.alone() as connection:
        query = "SELECT task_name, status, attempts, lock, args FROM procrastinate_jobs ORDER BY id"
        return list((await connection.execute(sa.text(query))).all())


def test_history_can_only_grow(fresh: str) -> None:
    async def work(store: Store) -> None:
        async with store.transaction() as connection:
            line = {"case_id": "c1", "at": 5.0, "who": "U0ALICE", "what": {"event": "answered"}}
            await connection.execute(history.insert().values(**line))
        for forbidden in (
            history.update().values(who="U0MALLORY"),
            history.delete(),
            sa.text("TRUNCATE history"),
        ):
            with pytest.raises(sa.exc.DBAPIError, match="history is append-only"):
                async with store.transaction() as connection:
                    await connection.execute(forbidden)
        async with store.alone() as connection:
            kept = (await connection.execute(sa.select(history))).one()
        assert (kept.case_id, kept.at, kept.who, kept.what) == ("c1", 5.0, "U0ALICE", {"event": "answered"})

    run(fresh, work)


def test_ten_sweeps_at_once_queue_a_timer_once(fresh: str) -> None:
    async def work(store: Store) -> None:
        await keep(store, *[row(n, due_at=time.time() - 1, due="nudge") for n in range(5)])
        async with opened(fresh) as other:
            await asyncio.gather(*(sweep(which) for which in (store, other) * 5))
        queued = [j.lock for j in await jobs(store)]
        assert sorted(queued) == [f"case:c{n}" for n in range(5)]
        await sweep(store)
        assert len(await jobs(store)) == 5

    run(fresh, work)


def test_a_link_that_ran_out_is_told_of_once_and_a_trial_under_way_goes_on(fresh: str) -> None:
    states = ("issued", "opened", "confirmed", "away", "failed", "differs", "trying", "keeping", "done", "closed")

    async def work(store: Store) -> None:
        late = [{"id": state, "state": state, "case_id": state, "asked_by": "U1"} for state in states]
        late += [{"id": "own", "state": "issued", "case_id": "own", "asked_by": ""}]
        same = {"kind": "reauthorize", "team": "T1", "connection": "crm", "person": "U2", "expires_at": time.time() - 1}
        early = {**same, "id": "early", "state": "issued", "case_id": "early", "asked_by": "U1"}
        async with store.transaction() as connection:
            await connection.execute(links.insert(), [{**same, **one} for one in late])
            await connection.execute(links.insert(), {**early, "expires_at": time.time() + 60})
        async with opened(fresh) as other:
            await asyncio.gather(*(sweep(which) for which in (store, other) * 3))
        assert sorted(j.args["link"] for j in await jobs(store)) == sorted(states[:6])
        async with store.alone() as connection:
            ended = sa.select(links.c.id).where(links.c.state == "expired")
            assert set((await connection.execute(ended)).scalars()) == set(states[:6])

    run(fresh, work)


def test_the_job_of_a_dead_worker_is_taken_over_once_and_that_of_a_living_one_never(fresh: str) -> None:
    async def work(store: Store) -> None:
        async with store.transaction() as connection:
            for name in ("dead", "alive"):
                await store.defer(connection, "flush", f"say:{name}", key=name)
        queue = await store.queue()
        dead, alive = [await queue.register_worker() for _ in range(2)]
        for worker in (dead, alive):
            await store.hot.one(hot.FETCH, {"worker": worker})
        async with store.transaction() as connection:
            late = sa.text(
                "UPDATE procrastinate_workers SET last_heartbeat = now() - make_interval(secs => :s) WHERE id = :i"
            )
            await connection.execute(late, {"s": DEAD_AFTER + 1, "i": dead})
        async with opened(fresh) as other:
            await asyncio.gather(*(sweep(which) for which in (store, other) * 3))
        assert {j.args["key"]: (j.status, j.attempts) for j in await jobs(store)} == {
            "dead": ("todo", 1), "alive": ("doing", 0)
        }  # fmt: skip

    run(fresh, work)


def test_an_event_is_kept_once_however_many_processes_hear_it(fresh: str) -> None:
    async def work(store: Store) -> None:
        async def hear(which: Store) -> bool:
            async with which.transaction() as connection:
                return await engine.receive(which, connection, "c1", Event("answered", "msg:1", 1.0, "U1"))

        async with opened(fresh) as other:
            heard = await asyncio.gather(*(hear(which) for which in (store, other) * 5))
        assert sum(heard) == 1
        assert len(await jobs(store)) == 1

    run(fresh, work)


def test_findings_of_an_older_run_change_nothing(fresh: str) -> None:
    async def work(store: Store) -> None:
        settings = Settings()
        data = {"team": "T1", "channel": "C1", "connection": "warehouse", "connector": "postgres"}
        await engine.handle(store, "c1", Event("opened", "k1", 1.0, "U1", data=data).to_dict(), settings, reader=False)
        async with store.alone() as connection:
            before = await store.load(connection, "c1")
        assert before is not None
        old = {"run": before["run"] - 1, "step": "check_status", "findings": []}
        await engine.handle(store, "c1", Event("checked", "k0", 2.0, data=old).to_dict(), settings, reader=False)
        async with store.alone() as connection:
            assert await store.load(connection, "c1") == before

    run(fresh, work)


async def _fetched(store: Store, worker: int) -> tuple[engine.Taken, dict[str, Any]]:
    row = await store.hot.one(hot.FETCH, {"worker": worker})
    assert row is not None
    return engine.Taken(row[0], worker), row[2]


OPENED = {"team": "T1", "channel": "C1", "connection": "warehouse", "connector": "postgres"}


def test_an_event_whose_job_was_taken_over_from_a_slow_worker_moves_its_case_once(fresh: str) -> None:
    async def work(store: Store) -> None:
        queue = await store.queue()
        slow, other = [await queue.register_worker() for _ in range(2)]
        await engine.receive(store, None, "c1", Event("opened", "k1", 1.0, "U1", data=OPENED))
        first, args = await _fetched(store, slow)
        await store.hot.one(hot.RETRY, {"job": first.job, "worker": slow, "seconds": -1.0})
        second, _ = await _fetched(store, other)
        for taken in (second, first):
            await engine.handle(store, "c1", args["event"], Settings(), reader=False, taken=taken)
        async with store.alone() as connection:
            assert len((await connection.execute(sa.select(history))).all()) == 1
        assert {j.task_name for j in await jobs(store)} == {"speak", "perform"}

    run(fresh, work)


def test_what_a_case_says_is_given_at_once_and_after_earlier_words_only(fresh: str) -> None:
    async def work(store: Store) -> None:
        worker = await (await store.queue()).register_worker()
        given = []
        for n, kind in enumerate(("opened", "answered", "answered")):
            data = {**OPENED, "answer": "why"}
            await engine.receive(store, None, "c1", Event(kind, f"k{n}", 1.0, "U1", data=data))
            taken, args = await _fetched(store, worker)
            async with store.hot.connection() as connection:
                slot = hot.Slot(connection, worker)
                given.append(await engine.handle(
                    store, "c1", args["event"], Settings(), reader=False, taken=taken, slot=slot
                ))  # fmt: skip
                assert bool(slot.promised) is (n == 2)  # of a root that is not there yet nothing is promised
            await store.hot.one("DELETE FROM procrastinate_jobs WHERE lock = 'run:c1'", {})
            if n == 1:
                await store.hot.one("DELETE FROM procrastinate_jobs WHERE lock = 'say:c1'", {})
        assert [one is not None for one in given] == [True, False, True]

    run(fresh, work)


def test_a_case_that_was_changed_while_its_event_was_weighed_loses_neither(fresh: str) -> None:
    async def work(store: Store) -> None:
        opened = Event("opened", "k1", 1.0, "U1", data=OPENED).to_dict()
        await engine.handle(store, "c1", opened, Settings(), reader=False)
        row = await store.hot.one(hot.KNOWN, {"id": "c1"})
        assert row is not None
        place = "UPDATE cases SET thread = '7.0', body = body || '{\"thread\": \"7.0\"}'"
        await store.hot.one(place, {})
        why = Event("answered", "k2", 2.0, "U1", data={"team": "T1", "answer": "mend_escalate"}).to_dict()
        await engine.handle(store, "c1", why, Settings(), reader=False, known=engine.Known(*row))
        async with store.alone() as connection:
            body = await store.load(connection, "c1")
            told = list((await connection.execute(sa.select(history.c.what["event"].astext))).scalars())
        assert body is not None
        assert (body["thread"], body["state"], told) == ("7.0", "escalating", ["opened", "answered"])

    run(fresh, work)


def test_keys_of_events_are_forgotten_after_a_week(fresh: str) -> None:
    async def work(store: Store) -> None:
        now = time.time()
        async with store.transaction() as connection:
            ages = {"old": upkeep.KEEP_SEEN + 60, "young": upkeep.KEEP_SEEN - 60}
            await connection.execute(seen.insert(), [{"key": k, "at": now - age} for k, age in ages.items()])
        await upkeep.clean(store)
        async with store.alone() as connection:
            assert list((await connection.execute(sa.select(seen.c.key))).scalars()) == ["young"]

    run(fresh, work)


@pytest.mark.parametrize(("age", "again"), [(1.0, False), (5.0, True), (400.0, False)])
def test_a_command_typed_again_is_the_same_when_slack_had_given_up_on_the_first(
    fresh: str, age: float, again: bool
) -> None:
    async def work(store: Store) -> None:
        async with store.transaction() as connection:
            assert not await store.asked_again(connection, "typed:1")
            await connection.execute(seen.update().values(at=time.time() - age))
            assert await store.asked_again(connection, "typed:1") is again
            await store.within(connection, ANSWERED, {"key": "typed:1"})
            await connection.execute(seen.update().values(at=time.time() - age))
            assert not await store.asked_again(connection, "typed:1")

    run(fresh, work)


def test_a_workspace_that_left_is_forgotten_and_no_other(fresh: str) -> None:
    async def work(store: Store) -> None:
        await keep(store, row(1, due_at=time.time() + 60, due="nudge"), row(2, team="T2", due_at=9e9, due="nudge"),
                   row(3, state="resolved"))  # fmt: skip
        async with store.transaction() as connection:
            for case in ("c1", "c2"):
                await store.defer(connection, "handle", f"case:{case}", case_id=case, event={})
                await store.defer(connection, "perform", f"say:{case}", snapshot={"id": case})
            await store.defer(connection, "home", "home:U1", team="T1", user="U1")
            await upkeep.forget_team(connection, "T1")
        async with store.alone() as connection:
            left = {r.id: r for r in (await connection.execute(sa.select(cases))).all()}
            told = (await connection.execute(sa.select(history))).all()
        assert {k: (v.state, v.due_at) for k, v in left.items()} == {
            "c1": ("cancelled", None), "c2": ("choosing", 9e9), "c3": ("resolved", None)
        }  # fmt: skip
        assert (left["c1"].body["state"], left["c1"].body["due"], left["c1"].body["waiting"]) == (
            "cancelled",
            "",
            False,
        )
        assert [(t.case_id, t.what["from"], t.what["to"]) for t in told] == [("c1", "choosing", "cancelled")]
        assert {j.lock for j in await jobs(store)} == {"case:c2", "say:c2"}

    run(fresh, work)


def secret(team: str, batch: str, version: str, name: str = "shop.password") -> dict[str, Any]:
    return {
        "team": team,
        "connection": "shop",
        "name": name,
        "version": version,
        "batch": batch,
        "value": "x",
        "at": 1.0,
    }


def rotation(number: int, step: str, **more: Any) -> dict[str, Any]:
    row = {
        "id": f"r{number}",
        "case_id": "c1",
        "team": "T1",
        "connection": f"shop{number}",
        "by": "U1",
        "credential": f"x{number}",
    }
    return {**row, "step": step, "facts": {}, "at": 1.0, **more}


def test_of_a_workspace_that_left_only_what_may_be_the_last_copy_is_kept(fresh: str) -> None:
    """r1 has ended, and only T1 has what it made; r2 was for all; r3 is under way; r4 has changed nothing yet."""

    async def work(store: Store) -> None:
        async with store.transaction() as connection:
            ended = {"ended_at": 1.0}
            made = [rotation(1, "confirm", **ended), rotation(2, "confirm", **ended), rotation(3, "change")]
            for row in [*made, rotation(4, "")]:
                await connection.execute(rotations.insert().values(**row))
            kept = [secret("T1", "r1", "current"), secret("T1", "r2", "current", "b"), secret("", "r2", "current", "b"),
                    secret("T1", "r3", "new", "c"), secret("T1", "r3:old", "before", "c"), secret("T1", "r4", "new", "d"),
                    secret("T1", "typed", "current", "e"), secret("T2", "typed2", "current", "e")]  # fmt: skip
            await connection.execute(secrets.insert(), kept)
            for _ in range(2):  # Slack tells it by two events
                await upkeep.forget_team(connection, "T1")
        async with store.alone() as connection:
            left = {(r.team, r.batch, r.version) for r in (await connection.execute(sa.select(secrets))).all()}
        assert left == {("T1", "r1", "left"), ("", "r2", "current"), ("T1", "r3", "new"), ("T1", "r3:old", "before"),
                        ("T2", "typed2", "current")}  # fmt: skip
        assert {(j.task_name, j.lock) for j in await jobs(store)} == {("finish_rotation", "rotate:c1")}

    run(fresh, work)


def test_a_channel_with_a_new_id_keeps_its_cases(fresh: str) -> None:
    async def work(store: Store) -> None:
        await keep(store, row(1), row(2, channel="C2"))
        message = {"key": "c1.root", "case_id": "c1", "channel": "C1", "version": -1, "edited_at": 1.0, "team": "T1"}
        async with store.transaction() as connection:
            await connection.execute(messages.insert().values(**message))
            await upkeep.move_channel(connection, "T1", "C1", "C9")
        async with store.alone() as connection:
            assert (await connection.execute(sa.select(messages.c.channel))).scalar() == "C9"
        moved = await store.hot.one(hot.CASE_IN_THREAD, {"team": "T1", "channel": "C9", "thread": "1.0"})
        assert moved
        assert (moved[0], moved[1]["channel"]) == ("c1", "C9")
        assert await store.hot.one(hot.CASE_IN_THREAD, {"team": "T1", "channel": "C2", "thread": "2.0"})

    run(fresh, work)


async def _asked(store: Store, work: Awaitable[Any]) -> list[tuple[str, Any]]:
    """The statements that `work` sends, as they are sent."""
    asked: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any) -> None:
        asked.append((statement, parameters))

    sa.event.listen(store.engine.sync_engine, "before_cursor_execute", note)
    try:
        await work
    finally:
        sa.event.remove(store.engine.sync_engine, "before_cursor_execute", note)
    return asked


HOT = [
    (hot.CASE_IN_THREAD, {"team": "T1", "channel": "C1", "thread": "7.0"}),
    (hot.KNOWN, {"id": "c77"}),
    (hot.PERMALINK, {"id": "c77"}),
    (hot.SHOWN, {"key": "c77.root"}),
    (hot.DUE, {"now": 1.0, "silent": 6.0}),
    (LOAD, {"id": "c77"}),
    (OWN_CASES, {"team": "T1", "owners": ["U7"], "states": ["choosing", "escalating"], "channel": ""}),
    (OWN_CASES, {"team": "T1", "owners": ["U7"], "states": ["choosing"], "channel": "C1"}),
    (OPEN_CASE, {"team": "T1", "channel": "C1", "name": "warehouse7", "states": ["choosing"]}),
    (CASE_OF_PAGE, {"team": "T1", "person": "U7"}),
]


def test_with_many_cases_no_question_reads_them_all(fresh: str) -> None:
    async def work(store: Store) -> None:
        fill = (
            "INSERT INTO cases (id, team, channel, thread, owner, state, connection, due_at, changed_at, body) "
            "SELECT 'c' || n, 'T1', 'C' || n % 2, n || '.0', 'U' || n % 500, "
            "CASE WHEN n % 10 = 0 THEN 'choosing' ELSE 'resolved' END, 'warehouse' || n % 400, "
            "CASE WHEN n % 100 = 0 THEN 9e9 + n END, n, '{}' FROM generate_series(1, 20000) n",
            "INSERT INTO messages (key, case_id, channel, version, edited_at, team, updated_at) "
            "SELECT 'c' || n || '.root', 'c' || n, 'C1', -1, n, 'T1', n FROM generate_series(1, 20000) n",
            "ANALYZE",
        )
        async with store.alone() as connection:
            for statement in fill:
                await connection.execute(sa.text(statement))

        await keep(store, row(77, due_at=time.time() - 1, due="nudge"))
        asked = [(s, p) for s, p in await _asked(store, sweep(store)) if "FROM cases" in s or "FROM messages" in s]
        assert len(asked) >= 2
        async with store.alone() as connection:
            for statement, parameters in [*asked, *HOT]:
                plan = await connection.exec_driver_sql("EXPLAIN ANALYZE " + statement, parameters)
                told = "\n".join(line[0] for line in plan)
                assert not re.search("Seq Scan on (cases|messages)", told), f"{statement}\n{told}"
                read = [int(n) for n in re.findall(r"Rows Removed by Filter: (\d+)", told)]
                assert max(read, default=0) < 500, f"{statement}\n{told}"

    run(fresh, work)


def test_a_database_of_a_newer_mend_is_told_in_a_line_and_left_as_it_is(fresh: str) -> None:
    with psycopg.connect(fresh, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_of_the_future'")
        with pytest.raises(StoreError, match="belongs to a newer Mend") as told:
            migrate(fresh)
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert "\n" not in str(told.value)
    assert row == ("9999_of_the_future",)
