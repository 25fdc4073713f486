"""What is written down of a rotation: how far it is, never a value. One credential is replaced once at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.tables import META

rotations = sa.Table(
    "rotations",
    META,
    sa.Column("id", sa.Text, primary_key=True),
    *[sa.Column(n, sa.Text, nullable=False) for n in ("case_id", "team", "connection", "by", "credential")],
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("facts", JSONB, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("due_at", sa.Float),
    sa.Column("ended_at", sa.Float),
)
# An old credential that nobody ends is asked after once a day.
REMIND = 86400.0


async def begin(connection: AsyncConnection, row: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Write a rotation down, once; False while another one of the same credential is under way.

    `names` are all connections that share it: an old one of theirs that still waits for its end counts too.
    """
    mine = sa.and_(rotations.c.connection.in_(names), rotations.c.ended_at.is_(None), rotations.c.id != row["id"])
    if (await connection.execute(sa.select(rotations.c.id).where(mine))).first():
        return False
    known = {"step": "", "facts": {}, "at": time.time(), **row}
    await connection.execute(insert(rotations).values(**known).on_conflict_do_nothing())
    return await find(connection, row["id"]) is not None


async def find(connection: AsyncConnection, rotation_id: str) -> Any:
    return (await connection.execute(sa.select(rotations).where(rotations.c.id == rotation_id))).first()


async def note(connection: AsyncConnection, rotation_id: str, facts: Mapping[str, Any], **more: Any) -> None:
    """Facts are added to those known already."""
    added = rotations.c.facts.op("||")(sa.cast(dict(facts), JSONB))
    await connection.execute(rotations.update().where(rotations.c.id == rotation_id).values(facts=added, **more))


async def end(connection: AsyncConnection, rotation_id: str) -> None:
    ended = {"ended_at": time.time(), "due_at": None}
    await connection.execute(rotations.update().where(rotations.c.id == rotation_id).values(**ended))


async def due(connection: AsyncConnection, now: float) -> list[Any]:
    """The rotations whose old credential is to be asked after; each is asked after again a day later."""
    query = rotations.update().where(rotations.c.due_at <= now, rotations.c.ended_at.is_(None))
    return list((await connection.execute(query.values(due_at=now + REMIND).returning(rotations))).all())
