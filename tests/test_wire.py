"""Statements over libpq: what comes back, and what becomes of a connection when something goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bot.database import StoreError, database_url
from bot.hot import Hot
from bot.wire import Wire, as_json

SLEEP = "SELECT 1 FROM pg_sleep(30)"
KEPT = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'mend_%'"


def run(url: str, work: Callable[[Hot], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        hot = Hot(url, size=4)
        await hot.open()
        try:
            return await work(hot)
        finally:
            await hot.close()

    return asyncio.run(go())


def asked(url: str, statement: Any, **given: Any) -> Any:
    return run(url, lambda hot: hot.one(statement, given))


def test_values_come_back_as_they_went(fresh: str) -> None:
    body = {"said": 'it\'s "so" \\ 100 % ☎', "n": [1, None, True]}
    row = asked(
        fresh,
        "SELECT %(text)s::text, %(n)s::bigint, %(at)s::float, %(yes)s::bool, %(none)s::text, %(body)s::jsonb, %(n)s + 1",
        text=body["said"], n=2**40, at=1764538000.123456, yes=True, none=None, body=json.dumps(body),
    )  # fmt: skip
    assert row == (body["said"], 2**40, 1764538000.123456, True, None, body, 2**40 + 1)


def test_a_text_larger_than_every_buffer_gets_through(fresh: str) -> None:
    text = "ä" * 5_000_000
    assert asked(fresh, "SELECT %(text)s::text", text=text) == (text,)


def test_what_no_text_can_hold_is_kept_as_a_sign_that_nobody_can_read(fresh: str) -> None:
    """One NUL in what somebody else wrote would else keep a whole event from being kept; libpq alone would cut it."""
    odd = "a\0b\ud800c ☎ \\u0000"
    held = "a\ufffdb\ufffdc ☎ \\u0000"
    assert asked(fresh, "SELECT %(text)s::text", text=odd) == (held,)
    assert asked(fresh, "SELECT %(body)s::jsonb", body=as_json({"said": [odd], odd: 1})) == ({"said": [held], held: 1},)

    async def work(hot: Hot) -> Any:
        async with hot.transaction() as connection:
            return (await hot.all("SELECT %(text)s::text AS t", {"text": odd}, connection))[0].t

    assert run(fresh, work) == held


def test_nothing_comes_back_where_there_is_nothing(fresh: str) -> None:
    assert asked(fresh, "SELECT 1 WHERE false") is None
    assert asked(fresh, "DELETE FROM seen WHERE key = %(key)s", key="none") is None


def test_a_refused_statement_raises_its_own_error_and_the_next_is_answered(fresh: str) -> None:
    async def work(hot: Hot) -> None:
        async with hot.connection() as connection:
            await hot.one("INSERT INTO seen (key, at) VALUES (%(key)s, 1)", {"key": "k"}, connection)
            with pytest.raises(psycopg.errors.UniqueViolation):
                await hot.one("INSERT INTO seen (key, at) VALUES (%(key)s, 1)", {"key": "k"}, connection)
            assert await hot.one("SELECT 2", {}, connection) == (2,)

    run(fresh, work)


def test_a_rollback_that_takes_away_what_was_prepared_is_survived(fresh: str) -> None:
    async def work(hot: Hot) -> None:
        async with hot.connection() as connection:
            assert await hot.one(KEPT, {}, connection) == (1,)
            await hot.all("SELECT 1", {}, connection)
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction():
                    raise ZeroDivisionError
            await hot.all("SELECT 1", {}, connection)
            assert await hot.one(KEPT, {}, connection) == (1,)

    run(fresh, work)


def test_what_was_prepared_since_a_rollback_is_not_prepared_twice(fresh: str) -> None:
    """Else its connection, lent first to whoever comes, would refuse this statement to everybody for good."""

    async def work(hot: Hot) -> None:
        async with hot.connection() as connection:
            await hot.one("SELECT 1", {}, connection)
            await hot.all("SELECT 3", {}, connection)
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction():
                    raise ZeroDivisionError
            await hot.all("SELECT 3", {}, connection)
            for _ in range(2):
                assert await hot.one("SELECT 2", {}, connection) == (2,)
                assert await hot.one("SELECT 1", {}, connection) == (1,)

    run(fresh, work)


def test_the_transaction_after_a_rollback_finds_what_it_needs(fresh: str) -> None:
    async def work(hot: Hot) -> None:
        async with hot.transaction() as connection:
            await hot.one("SELECT 1", {}, connection)
            await hot.all("SELECT 3", {}, connection)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                async with hot.transaction():
                    raise ZeroDivisionError
            async with hot.transaction() as connection:
                await hot.all("SELECT 3", {}, connection)
                assert await hot.one("SELECT 1", {}, connection) == (1,)

    run(fresh, work)


def test_the_transaction_after_one_that_was_broken_off_finds_what_it_needs(fresh: str) -> None:
    async def work(hot: Hot) -> None:
        async with hot.transaction() as connection:
            await hot.one("SELECT 1", {}, connection)
            await hot.all("SELECT 3", {}, connection)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), hot.transaction():
                    await asyncio.sleep(20)
            async with hot.transaction() as connection:
                await hot.all("SELECT 3", {}, connection)
                assert await hot.one("SELECT 1", {}, connection) == (1,)

    run(fresh, work)


def test_an_answer_that_nobody_waited_for_is_not_that_to_the_next_question(fresh: str) -> None:
    async def work(hot: Hot) -> None:
        async with hot.connection() as held:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await hot.one(SLEEP, {}, held)
            assert held.closed
        for n in range(8):
            assert await hot.one("SELECT %(n)s::int", {"n": n}) == (n,)

    run(fresh, work)


def test_connections_that_the_server_has_closed_are_replaced(fresh: str) -> None:
    async def work(hot: Hot) -> None:
        await asyncio.gather(*(hot.one("SELECT pg_sleep(0.2)", {}) for _ in range(3)))
        with psycopg.connect(fresh, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        assert await asyncio.gather(*(hot.one("SELECT 7", {}) for _ in range(6))) == [(7,)] * 6

    run(fresh, work)


def test_every_notification_is_counted(fresh: str) -> None:
    async def work(hot: Hot) -> int:
        async with await Wire.connect(fresh, autocommit=True) as ears:
            await ears.first("LISTEN bell", {})
            heard = asyncio.create_task(ears.notified())
            await hot.one("SELECT pg_notify('bell', '1'), pg_notify('bell', '2')", {})
            await asyncio.wait_for(heard, 30)
            await hot.one("SELECT pg_notify('bell', '3')", {})
            return heard.result() + await asyncio.wait_for(ears.notified(), 30)

    assert run(fresh, work) == 3


def test_a_line_that_nobody_answers_on_ends_in_seconds_unless_its_address_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://u:p%40@db.test/mend?sslmode=require&keepalives_idle=60")
    read = conninfo_to_dict(database_url())
    assert (read["password"], read["sslmode"], read["keepalives_idle"]) == ("p@", "require", "60")
    assert 1000 <= int(read["tcp_user_timeout"]) <= 30_000
    assert int(read["keepalives_interval"]) * int(read["keepalives_count"]) <= 30
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://db.test/mend")
    assert int(conninfo_to_dict(database_url())["keepalives_idle"]) <= 30


def test_an_address_that_is_none_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://u:s3cret%zz@db.test/mend")
    with pytest.raises(StoreError, match="is no address") as told:
        database_url()
    assert "s3cret" not in str(told.value)
