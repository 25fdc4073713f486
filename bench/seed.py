"""Databases with as many open cases as wanted."""

from __future__ import annotations

import json
import time

import psycopg

from bot.database import migrate
from flows.core.case import Case
from flows.core.finding import Finding

OWNER = "U0ALICE"


def case() -> Case:
    """A case that waits for an answer about a changed password."""
    finding = Finding(
        "verify_credentials", "credentials_accepted", "bad", "invalid_credentials", "auth.wrong_password",
        alternatives=("auth.unknown_user",), facts={"user": "stitch", "host": "127.0.0.1", "port": "5432"},
        evidence='FATAL: password authentication failed for user "stitch" (28P01)', took_ms=12,
    )  # fmt: skip
    return Case(
        id="c0", team="T0BENCH", channel="C0BENCH", owner=OWNER, opened_at=time.time(), thread="0.000000",
        connection="warehouse", connector="postgres", state="regenerating_credentials", version=1, waiting=True,
        findings=[finding], choices=["warehouse"], due="nudge", due_at=time.time() + 86400.0, changed_at=time.time(),
    )  # fmt: skip


def thread(n: int) -> str:
    return f"{n}.000000"


def seed(url: str, count: int) -> None:
    """Bring the schema up and write `count` open cases c1, c2, ... with threads 1.000000, 2.000000, ..."""
    migrate(url)
    body = case().to_dict()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO cases (id, team, channel, thread, owner, state, connection, permalink, due_at, changed_at, body)
            SELECT 'c' || n, %(team)s, %(channel)s, n || '.000000', %(owner)s, %(state)s, %(connection)s, '',
                   %(due_at)s, %(changed_at)s,
                   %(body)s::jsonb || jsonb_build_object('id', 'c' || n, 'thread', n || '.000000')
            FROM generate_series(1, %(count)s) AS n
            """,
            {**{k: v for k, v in body.items() if isinstance(v, str | float)}, "body": json.dumps(body), "count": count},
        )
        connection.execute("VACUUM ANALYZE cases")
