"""One process's way to PostgreSQL: cases, events seen, health, and the job queue beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bot.database import StoreError, sqlalchemy_url
from bot.hot import AT_WORK, DEFER, Connection, Hot, alive, one_by_one
from bot.wire import as_json

if TYPE_CHECKING:
    import procrastinate
    from procrastinate.manager import JobManager
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    # The methods that follow a transaction take one of either kind.
    Either = AsyncConnection | Connection

# A worker's signs of life come every second and a half.
SILENT = 10.0
FIRST_TIME = "INSERT INTO seen (key, at) VALUES (%(key)s, %(now)s) ON CONFLICT DO NOTHING RETURNING key"
LOAD = "SELECT body FROM cases WHERE id = %(id)s"
OWN_CASES = """
SELECT id, channel, connection, state, permalink, changed_at, body FROM cases
WHERE team = %(team)s AND owner = ANY(%(owners)s) AND state = ANY(%(states)s) AND %(channel)s IN ('', channel)
ORDER BY changed_at DESC LIMIT 20
"""
OPEN_CASE = """
SELECT id, owner, permalink FROM cases
WHERE team = %(team)s AND channel = %(channel)s AND connection = %(name)s AND state = ANY(%(states)s)
ORDER BY changed_at DESC LIMIT 1
"""
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(%(place)s, 0))"
OPENING = """
SELECT args->'event' AS event, args->>'case_id' AS case_id FROM procrastinate_jobs
WHERE task_name = 'handle' AND status IN ('todo', 'doing')
  AND args->'event'->>'kind' = 'opened' AND args->'event'->'data' @> %(place)s::jsonb LIMIT 1
"""
# The case in which somebody was asked by another person and has just opened the page.
CASE_OF_PAGE = """
SELECT c.id, c.body FROM cases AS c JOIN links AS l ON l.case_id = c.id
WHERE l.team = %(team)s AND l.person = %(person)s AND l.asked_by <> '' AND l.state = 'opened'
ORDER BY l.expires_at DESC LIMIT 1
"""
LOST = """
DELETE FROM seen WHERE key = %(key)s AND at BETWEEN %(now)s::float - 300 AND %(now)s::float - 3 RETURNING key
"""
ASKED = "INSERT INTO seen (key, at) VALUES (%(key)s, %(now)s) ON CONFLICT (key) DO UPDATE SET at = excluded.at"
ANSWERED = "DELETE FROM seen WHERE key = %(key)s"
HEALTH = "SELECT connection, verdict, cause, account, at FROM health"
NOTE_HEALTH = """
INSERT INTO health (connection, verdict, cause, account, at)
VALUES (%(name)s, %(verdict)s, %(cause)s, %(account)s, %(now)s)
ON CONFLICT (connection) DO UPDATE SET verdict = excluded.verdict, cause = excluded.cause, at = excluded.at,
    account = coalesce(excluded.account, health.account)
"""
ENDING = """
SELECT connection, kind, what, at, seen_at FROM expiries WHERE connection = ANY(%(names)s) AND at < %(until)s
ORDER BY at, connection
"""


class Store:
    """One process's way to the database. `hot` is for what people wait for, SQLAlchemy for what happens once in a
    while: it is loaded on first use, since the process that acknowledges gets along without its 20 MiB.
    """

    def __init__(self, url: str, pool: int = 10) -> None:
        self.url, self._size = url, pool
        self.hot = Hot(url)
        self._jobs: procrastinate.App | None = None

    async def open(self) -> None:
        await self.hot.open()

    @cached_property
    def engine(self) -> AsyncEngine:
        from sqlalchemy.ext.asyncio import create_async_engine

        return create_async_engine(
            sqlalchemy_url(self.url), pool_size=self._size, max_overflow=self._size, pool_pre_ping=False,
            json_serializer=as_json,
        )  # fmt: skip

    async def queue(self) -> JobManager:
        """The queue's own management, loaded and opened on first use: who acknowledges only adds to the queue."""
        if self._jobs is None:
            import procrastinate

            def pool(**given: Any) -> AsyncConnectionPool:
                return AsyncConnectionPool(**{**given, "check": alive, "configure": one_by_one})

            queue = procrastinate.PsycopgConnector(conninfo=self.url, min_size=1, max_size=4, pool_factory=pool)
            jobs = procrastinate.App(connector=queue)
            try:
                await jobs.open_async()
            except PoolTimeout:
                raise StoreError("the database does not answer any more: check MEND_DATABASE_URL") from None
            self._jobs = jobs
        return self._jobs.job_manager

    async def close(self) -> None:
        if self._jobs is not None:
            await self._jobs.close_async()
        await self.hot.close()
        if "engine" in vars(self):
            await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[AsyncConnection]:
        """For single statements, each in force at once: two round trips less than a transaction."""
        async with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            yield connection

    async def all_within(self, connection: Either, statement: Any, given: Mapping[str, Any]) -> list[Any]:
        """The rows of a statement of plain SQL, inside the caller's transaction."""
        plain: Any = connection
        if not isinstance(connection, psycopg.AsyncConnection):
            plain = (await connection.get_raw_connection()).driver_connection
        return await self.hot.all(statement, given, plain)

    async def within(self, connection: Either, statement: Any, given: Mapping[str, Any]) -> Any:
        """The first of them."""
        return next(iter(await self.all_within(connection, statement, given)), None)

    async def defer(self, connection: Either, task: str, lock: str, **args: Any) -> None:
        """Queue a job inside the caller's transaction."""
        await self.within(connection, DEFER, {"task": task, "lock": lock, "args": as_json(args)})

    async def first_time(self, connection: Either, key: str) -> bool:
        """True once per key, for ever: a second delivery of the same event ends here."""
        return await self.within(connection, FIRST_TIME, {"key": key, "now": time.time()}) is not None

    async def asked_again(self, connection: Either, key: str) -> bool:
        """Whether the same was asked a moment ago and kept, and the answer never left: Slack had given up by then.

        Slack delivers a command once. When we die between our commit and its answer, the person types it again.
        """
        given = {"key": key, "now": time.time()}
        found = await self.within(connection, LOST, given) is not None
        await self.within(connection, ASKED, given)
        return found

    # Cases --------------------------------------------------------------------------------------------------------

    async def load(self, connection: Either, case_id: str) -> dict[str, Any] | None:
        row = await self.within(connection, LOAD, {"id": case_id})
        return dict(row.body) if row else None

    async def cases_of(
        self, connection: Either, team: str, owners: Sequence[str], states: Sequence[str], channel: str = ""
    ) -> list[Any]:
        """Those led by one of `owners`: a person, and the user groups that they are in."""
        given = {"team": team, "owners": list(owners), "states": list(states), "channel": channel}
        return await self.all_within(connection, OWN_CASES, given)

    async def open_case(self, connection: Either, team: str, channel: str, name: str, states: Sequence[str]) -> Any:
        """The newest case about a connection in a channel, if one is in one of `states`."""
        given = {"team": team, "channel": channel, "name": name, "states": list(states)}
        return await self.within(connection, OPEN_CASE, given)

    async def opening_in(self, connection: Either, team: str, channel: str, thread: str) -> Any:
        """The event of a case that will be in this thread and is not there yet; whoever asks at once waits here."""
        row = await self._opening(connection, {"team": team, "channel": channel, "thread": thread})
        return row.event if row else None

    async def opening_by_alert(self, connection: Either, team: str, channel: str, name: str) -> str:
        """The same of the case that an alert about a connection has in a channel: its id, or ''."""
        where = {"team": team, "channel": channel, "connection": name}
        row = await self._opening(connection, where, alert={})
        return str(row.case_id) if row else ""

    async def _opening(self, connection: Either, where: dict[str, str], **more: Any) -> Any:
        await self.within(connection, ONE_AT_A_TIME, {"place": "|".join(where.values())})
        return await self.within(connection, OPENING, {"place": as_json({**where, **more})})

    # Connections --------------------------------------------------------------------------------------------------

    async def health(self, connection: Either) -> dict[str, Any]:
        return {row.connection: row for row in await self.all_within(connection, HEALTH, {})}

    async def note_health(
        self, connection: Either, name: str, verdict: str, cause: str | None, account: str | None = None
    ) -> None:
        """`account` is whose the credentials are, when that was seen."""
        given = {"name": name, "verdict": verdict, "cause": cause, "account": account, "now": time.time()}
        await self.within(connection, NOTE_HEALTH, given)

    async def ending(self, connection: Either, names: Collection[str], until: float) -> list[Any]:
        """What of these connections runs out before that moment, soonest first."""
        return await self.all_within(connection, ENDING, {"names": list(names), "until": until})


async def ready(store: Store) -> bool:
    """The database answers within two seconds."""
    try:
        async with asyncio.timeout(2):
            await store.hot.one("SELECT 1", {})
    except Exception:
        return False
    return True


async def at_work(store: Store, number: int | None = None, since: Any = None) -> bool:
    """Whether this worker, or any of them, gives signs of life."""
    try:
        row = await store.hot.one(AT_WORK, {"worker": number, "since": since, "silent": SILENT})
    except psycopg.Error:
        return False
    return bool(row and row[0])
