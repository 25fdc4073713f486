"""The hot path: what every event passes through, by libpq itself and in as few statements as can be.

Measured on two cores (CPU of our process): a statement over `Wire` costs 0.08 ms, 0.12 by psycopg, 0.17 with its pool,
0.58 by SQLAlchemy Core and 0.78 in a transaction of its own. So what belongs together is one statement here, in force
at once: a step is two in the process that acknowledges (`CASE_IN_THREAD`, `RECEIVE`) and three in the worker (`FETCH`,
`KEEP`, `TOLD`). What happens once in a while goes through `bot.store`.
"""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool

from bot.wire import Wire, storable

# An event is kept once, with its job: of two deliveries the second finds its key and inserts nothing.
RECEIVE = """
WITH fresh AS (INSERT INTO seen (key, at) VALUES (%(key)s, %(now)s) ON CONFLICT DO NOTHING RETURNING key)
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)
SELECT 'default', 'handle', %(lock)s, %(args)s::jsonb FROM fresh RETURNING id
"""
DEFER = """
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)
VALUES ('default', %(task)s, %(lock)s, %(args)s::jsonb)
"""
CASE_IN_THREAD = """
SELECT id, body FROM cases WHERE team = %(team)s AND channel = %(channel)s AND thread = %(thread)s
ORDER BY changed_at DESC LIMIT 1
"""
CASE = "SELECT id, body FROM cases WHERE id = %(id)s"
DIRECT = "SELECT channel FROM directs WHERE team = %(team)s AND person = %(person)s"
CASE_OF_TEAM = "SELECT id, body FROM cases WHERE id = %(id)s AND team = %(team)s"


# The worker ----------------------------------------------------------------------------------------------------------

JOIN = "SELECT worker_id, now() FROM procrastinate_register_worker_v1()"
# A number stands in the table before its process is up: at work is who has given a sign of life since.
AT_WORK = """
SELECT EXISTS (
    SELECT 1 FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %(silent)s::float)
      AND (%(worker)s::bigint IS NULL OR (id = %(worker)s AND last_heartbeat > %(since)s))
)
"""
LEAVE = "SELECT procrastinate_unregister_worker_v1(%(worker)s::bigint)"
BEAT = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %(worker)s RETURNING id"
LISTEN = "LISTEN procrastinate_any_queue_v1"
# A job, and the case it moves as it stands now. `xmin` tells later whether somebody else has touched that row since.
FETCH = """
SELECT j.id, j.task_name, j.args, j.attempts, c.body, c.xmin::text, c.permalink
FROM procrastinate_fetch_job_v2(NULL, %(worker)s::bigint) AS j
LEFT JOIN cases AS c ON j.task_name = 'handle' AND c.id = j.args->>'case_id'
WHERE j.id IS NOT NULL
"""
PERMALINK = "SELECT permalink FROM cases WHERE id = %(id)s"
KNOWN = "SELECT body, xmin::text, permalink FROM cases WHERE id = %(id)s"
OURS = "SELECT 1 FROM procrastinate_jobs WHERE id = %(job)s AND status = 'doing' AND worker_id = %(worker)s"
FINISH = """
DELETE FROM procrastinate_jobs WHERE id = %(job)s AND status = 'doing' AND worker_id = %(worker)s
"""
# Only while it is ours: of a job that was taken over somebody else says whether it failed.
_OURS = """
WITH mine AS MATERIALIZED (
    SELECT id FROM procrastinate_jobs
    WHERE id = %(job)s AND status = 'doing' AND worker_id = %(worker)s::bigint FOR UPDATE
)
"""
RETRY = (
    _OURS
    + """
SELECT procrastinate_retry_job_v2(id, now() + make_interval(secs => %(seconds)s::float), NULL, NULL, NULL) FROM mine
"""
)
FAIL = _OURS + "SELECT procrastinate_finish_job_v1(id, 'failed', false) FROM mine"  # noqa: S608 - of ours
# Whether anything is due: a timer, an edit, an old credential, a link that ran out, the job of a dead worker.
DUE = """
SELECT EXISTS (SELECT 1 FROM cases WHERE due_at <= %(now)s) OR EXISTS (SELECT 1 FROM messages WHERE due_at <= %(now)s)
    OR EXISTS (SELECT 1 FROM rotations WHERE due_at <= %(now)s AND ended_at IS NULL)
    OR EXISTS (
        SELECT 1 FROM links WHERE expires_at <= %(now)s AND asked_by <> ''
          AND state IN ('issued', 'opened', 'confirmed', 'away', 'failed', 'differs')
    )
    OR EXISTS (
        SELECT 1 FROM procrastinate_jobs AS j LEFT JOIN procrastinate_workers AS w ON w.id = j.worker_id
        WHERE j.status = 'doing'
          AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %(silent)s::float))
    )
"""
# All that one event does, or nothing: it counts only while its job is still ours and the case as it was read. The
# first order is handed to us at once when nothing else is to be said before it, with the promise of its message.
_MINE = _OURS.rstrip() + ",\n"
_NEW = """
kept AS (
    INSERT INTO cases (id, team, channel, thread, owner, state, connection, due_at, changed_at, body)
    SELECT %(id)s, %(team)s, %(channel)s, %(thread)s, %(owner)s, %(state)s, %(connection)s, %(due_at)s::float,
           %(changed_at)s::float, %(body)s::jsonb
    WHERE %(job)s = 0 OR EXISTS (SELECT 1 FROM mine)
    ON CONFLICT DO NOTHING RETURNING id
),
"""
_MOVED = """
kept AS (
    UPDATE cases SET team = %(team)s, channel = %(channel)s, thread = %(thread)s, owner = %(owner)s, state = %(state)s,
           connection = %(connection)s, due_at = %(due_at)s::float, changed_at = %(changed_at)s::float,
           body = %(body)s::jsonb
    WHERE id = %(id)s AND xmin = %(mark)s::xid AND (%(job)s = 0 OR EXISTS (SELECT 1 FROM mine))
    RETURNING id
),
"""
_GIVEN = """
done AS (DELETE FROM procrastinate_jobs WHERE id IN (SELECT mine.id FROM mine, kept)),
noted AS (
    INSERT INTO history (case_id, at, who, what) SELECT id, %(at)s, %(who)s, %(what)s::jsonb FROM kept
),
given AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id)
    SELECT 'default', o.task, o.lock, o.args, (CASE WHEN o.ours THEN 'doing' ELSE 'todo' END)::procrastinate_job_status,
           CASE WHEN o.ours THEN %(worker)s::bigint END
    FROM kept, LATERAL (
        SELECT *, n = %(first)s AND NOT EXISTS (
            SELECT 1 FROM procrastinate_jobs AS w WHERE w.lock = job.lock AND w.status IN ('todo', 'doing')
        ) AS ours
        FROM jsonb_to_recordset(%(orders)s::jsonb) AS job (n int, task text, lock text, args jsonb)
    ) AS o
    ORDER BY o.n RETURNING id, status
),
promised AS (
    INSERT INTO messages (key, case_id, channel, team, version, edited_at)
    SELECT %(promise)s, %(id)s, %(channel)s, %(team)s, %(question)s, %(now)s FROM given
    WHERE status = 'doing' AND %(promise)s <> ''
    ON CONFLICT DO NOTHING RETURNING key
)
SELECT (SELECT id FROM given WHERE status = 'doing'),
       (SELECT pg_try_advisory_lock(hashtextextended(key, 0)) FROM promised)
FROM kept
"""
KEEP_NEW, KEEP = _MINE + _NEW + _GIVEN, _MINE + _MOVED + _GIVEN

# Messages ------------------------------------------------------------------------------------------------------------

# In force before Slack is called: who finds the row without a ts knows that a post may have got through. The lock is
# the session's: a killed process lets go at once, a slow one keeps its successor out until Slack has answered it.
PROMISE = """
WITH made AS (
    INSERT INTO messages (key, case_id, channel, team, version, edited_at)
    VALUES (%(key)s, %(case)s, %(channel)s, %(team)s, %(version)s, %(now)s) ON CONFLICT DO NOTHING RETURNING key
)
SELECT pg_try_advisory_lock(hashtextextended(%(key)s, 0)), EXISTS (SELECT 1 FROM made), m.ts, m.edited_at,
       c.channel, c.thread
FROM (SELECT 1) AS one LEFT JOIN messages AS m ON m.key = %(key)s LEFT JOIN cases AS c ON c.id = %(case)s
"""
# What Slack answered, where the case is when this was its root, and the end of the job that asked for it.
TOLD = """
WITH told AS (
    UPDATE messages SET ts = %(ts)s, shown = %(shown)s::jsonb, channel = %(channel)s, edited_at = %(now)s
    WHERE key = %(key)s
),
placed AS (
    UPDATE cases SET channel = %(channel)s, thread = %(thread)s,
           body = body || jsonb_build_object('channel', %(channel)s::text, 'thread', %(thread)s::text)
    WHERE id = %(root_of)s
),
done AS (
    DELETE FROM procrastinate_jobs WHERE id = %(job)s AND status = 'doing' AND worker_id = %(worker)s::bigint
)
SELECT pg_advisory_unlock(hashtextextended(%(key)s, 0))
"""
SHOWN = "SELECT ts FROM messages WHERE key = %(key)s"
FORGET = "DELETE FROM messages WHERE key = %(key)s AND ts IS NULL"
UNLOCK = "SELECT pg_advisory_unlock_all()"


Connection = Wire
# So many connections are kept near; who is in a hurry needs one, a worker one for each case that speaks.
NEAR = 4


@dataclass
class Slot:
    """A connection for one post after the other. `promised` is the message whose lock it holds; `job` of `worker` is
    what it is about, and `finished` once its `last` post has ended it. `url` is that of the case's root, if known.
    """

    connection: Connection
    worker: int = 0
    job: int = 0
    url: str | None = None
    promised: str = ""
    last: bool = False
    finished: bool = False


def quiet(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Nothing is there to be read; a server that went away leaves something."""
    number = connection.fileno()
    return number < 1024 and not select.select([number], [], [], 0)[0]  # select() takes no higher number


async def alive(connection: psycopg.AsyncConnection[Any]) -> None:
    """Only who is not quiet is asked, not everybody before every statement."""
    if not quiet(connection):
        await AsyncConnectionPool.check_connection(connection)


async def one_by_one(connection: psycopg.AsyncConnection[Any]) -> None:
    """Each statement is in force at once: BEGIN and COMMIT around it would be two more round trips."""
    await connection.set_autocommit(True)


class Hot:
    """A few open connections of one process. Raises psycopg's errors; a pool that cannot connect gives up in 2 s."""

    def __init__(self, url: str, size: int = 20) -> None:
        # Slack waits three seconds for an acknowledgement: who cannot be kept must be told so before.
        self.pool = AsyncConnectionPool(
            url, connection_class=Wire, min_size=1, max_size=size, timeout=2.0, configure=one_by_one, check=alive,
            open=False,
        )  # fmt: skip
        # Lent by the pool and kept for who asks next: its own lending costs half a statement.
        self._near: list[Wire] = []
        self._waiting = 0

    async def open(self) -> None:
        await self.pool.open()

    async def close(self) -> None:
        while self._near:
            await self.pool.putconn(self._near.pop())
        await self.pool.close()

    async def _take(self) -> Wire:
        while self._near:
            connection = self._near.pop()
            if quiet(connection):
                return connection
            await self.pool.putconn(connection)  # and looked at before it is lent again
        self._waiting += 1
        try:
            return await self.pool.getconn()
        finally:
            self._waiting -= 1

    async def _give(self, connection: Wire) -> None:
        idle = not connection.closed and connection.pgconn.transaction_status == TransactionStatus.IDLE
        if idle and not self._waiting and not self.pool.closed and len(self._near) < NEAR:
            self._near.append(connection)
        else:
            await self.pool.putconn(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        connection = await self._take()
        try:
            yield connection
        finally:
            await self._give(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """For statements that are in force together."""
        async with self.connection() as connection:
            try:
                async with connection.transaction():
                    yield connection
            except BaseException:  # who is broken off in the middle rolls back as well
                await connection.rolled_back()
                raise

    async def one(
        self, statement: LiteralString, given: Mapping[str, Any], connection: Connection | None = None
    ) -> tuple[Any, ...] | None:
        """The first row of a statement, on a connection of the caller's or one of ours."""
        if connection is not None:
            return await connection.first(statement, given)
        async with self.connection() as ours:
            return await ours.first(statement, given)

    async def all(
        self, statement: LiteralString, given: Mapping[str, Any], connection: psycopg.AsyncConnection[Any]
    ) -> list[Any]:
        """The rows of a statement by the names of their columns."""
        cursor = connection.cursor(row_factory=namedtuple_row)
        await cursor.execute(statement, storable(given), prepare=True)
        found = cursor.pgresult
        return await cursor.fetchall() if found and found.nfields else []
