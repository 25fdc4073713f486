"""PostgreSQL: a role's password, set without the server, its log or its statistics ever seeing it in clear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.drivers.network import Deadline
from bot.drivers.postgres import session
from bot.drivers.postgres_words import words

LOOK = """
SELECT session_user, pg_catalog.pg_is_in_recovery(), pg_catalog.pg_backend_pid(),
       (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = session_user
        AND pid <> pg_catalog.pg_backend_pid())
"""


@dataclass(frozen=True)
class Seen:
    """Who logs in, whether nothing can be written here, whether a pooler stands between, and its other sessions."""

    role: str
    standby: bool
    pooled: bool
    sessions: int


def look(settings: Mapping[str, Any], password: str, timeout: float) -> Seen:
    """Log in once and look. Raises Trouble."""
    import psycopg

    with session(settings, password, Deadline(timeout)) as connection:
        try:
            role, standby, process, others = connection.execute(LOOK).fetchone()
        except psycopg.Error as error:
            raise words(error.sqlstate or "", str(error)) from None
        # A pooler makes up the number of the process that it tells at the login.
        return Seen(role, standby, process != connection.pgconn.backend_pid, others)


def set_password(settings: Mapping[str, Any], password: str, role: str, new: str, timeout: float) -> None:
    """Log in as `settings` say and give `role` ('' is whoever logged in) the password `new`. Raises Trouble.

    What is sent is the verifier that the server would store, as psql's \\password does it:
    https://www.postgresql.org/docs/current/sql-alterrole.html
    """
    import psycopg
    from psycopg import sql

    with session(settings, password, Deadline(timeout)) as connection:
        try:
            (kind,) = connection.execute("SHOW password_encryption").fetchone()
            # ALTER ROLE ... SET role makes a session begin as another role, whose password would be set then.
            if not role:
                connection.execute("SET ROLE NONE")
            named = role or str(connection.execute("SELECT session_user").fetchone()[0])
            # Servers before 10 say "on" and mean md5.
            kind = kind if kind == "scram-sha-256" else "md5"
            verifier = connection.pgconn.encrypt_password(new.encode(), named.encode(), kind.encode()).decode()
            alter = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(alter.format(sql.Identifier(named), sql.Literal(verifier)))
        except psycopg.Error as error:
            raise words(error.sqlstate or "", str(error)) from None
