"""Rows as the bot leaves them, for tests that begin in the middle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from bot.engine import COLUMNS
from bot.store import Store

KEPT = f"""
INSERT INTO cases ({", ".join(COLUMNS)}, body) VALUES ({", ".join(f"%({name})s" for name in COLUMNS)}, %(body)s)
ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, body = excluded.body
"""  # noqa: S608 - names of ours


async def keep(store: Store, *bodies: Mapping[str, Any]) -> None:
    async with store.hot.transaction() as connection:
        for body in bodies:
            await store.within(connection, KEPT, {**body, "body": Jsonb(dict(body))})
