"""What runs out, by connection: the dates that checks saw, the looks to come, the reminders that went out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.tables import directs, expiries, looks, reminders
from flows.core import expiry
from flows.core.expiry import DAY
from flows.core.finding import Finding

# Of somebody who left there is no date: the day counts on which it was noticed.
PERSON = "person"
# A new connection is first looked at within the hour, and from then on at that time of the day.
SOON, SPREAD = 600.0, 3000.0


async def note(connection: AsyncConnection, name: str, found: Sequence[Finding], *, whole: bool) -> None:
    """Keep the dates of a run. A `whole` run that got in also says what no longer runs out."""
    now, seen = time.time(), expiry.expiries(found)
    for one in seen:
        await keep(connection, name, one.kind, one.what, one.at)
    if whole:
        await connection.execute(looks.update().where(looks.c.connection == name).values(done_at=now))
    if whole and any(f.check == "credentials_accepted" and f.verdict == "good" for f in found):
        others = sa.and_(expiries.c.connection == name, expiries.c.kind != PERSON, expiries.c.seen_at < now)
        await connection.execute(expiries.delete().where(others))


async def keep(connection: AsyncConnection, name: str, kind: str, what: str, at: float) -> None:
    """A date that the source tells in whole days moves by one with the hour at which it is asked: the first stays."""
    seen_at, same = time.time(), ["connection", "kind", "what"]
    statement = insert(expiries).values(connection=name, kind=kind, what=what, at=at, seen_at=seen_at)
    near = sa.func.abs(expiries.c.at - at) <= (DAY if at % DAY == 0 else 0)
    row = {"at": sa.case((near, expiries.c.at), else_=at), "seen_at": seen_at}
    await connection.execute(statement.on_conflict_do_update(index_elements=same, set_=row))


async def people_left(connection: AsyncConnection, name: str, left: Collection[str]) -> None:
    """Who of a connection's people is no longer there: the day on which that was noticed stays."""
    gone = sa.and_(expiries.c.connection == name, expiries.c.kind == PERSON, expiries.c.what.not_in(left))
    await connection.execute(expiries.delete().where(gone))
    now = time.time()
    for who in left:
        row = {"connection": name, "kind": PERSON, "what": who, "at": now, "seen_at": now}
        await connection.execute(insert(expiries).values(row).on_conflict_do_nothing())


async def sharing(connection: AsyncConnection, row: Any) -> list[str]:
    """The connections that stand on the same thing."""
    same = sa.and_(expiries.c.kind == row.kind, expiries.c.what == row.what, expiries.c.at == row.at)
    query = sa.select(expiries.c.connection).where(same).order_by(expiries.c.connection)
    return list((await connection.execute(query)).scalars())


# Looks ---------------------------------------------------------------------------------------------------------------


async def due_looks(connection: AsyncConnection, names: Collection[str]) -> list[str]:
    """Whose turn it is; each comes up once a day, at a time of its own."""
    now = time.time()
    await connection.execute(looks.delete().where(looks.c.connection.not_in(names)))
    await connection.execute(expiries.delete().where(expiries.c.connection.not_in(names)))
    new = [{"connection": name, "due_at": now + SOON + SPREAD * _place(name)} for name in names]
    if new:
        await connection.execute(insert(looks).values(new).on_conflict_do_nothing())
    mine = sa.select(looks.c.connection).where(looks.c.due_at <= now).limit(50).with_for_update(skip_locked=True)
    due = list((await connection.execute(mine)).scalars())
    if due:
        await connection.execute(looks.update().where(looks.c.connection.in_(due)).values(due_at=now + DAY))
    return due


def _place(name: str) -> float:
    """A number from 0 to 1 that is always the same for a name."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


async def looked_lately(connection: AsyncConnection, name: str) -> bool:
    """Whether a whole run was made within the day already: then no further login is."""
    done = (await connection.execute(sa.select(looks.c.done_at).where(looks.c.connection == name))).scalar()
    return done is not None and done > time.time() - DAY * 0.8


# Reminders -----------------------------------------------------------------------------------------------------------


async def claim(connection: AsyncConnection, key: str, at: float) -> bool:
    """True once per key, whichever replica comes first."""
    statement = insert(reminders).values(key=key, at=at).on_conflict_do_nothing().returning(reminders.c.key)
    return (await connection.execute(statement)).first() is not None


async def hold(connection: AsyncConnection, key: str) -> bool:
    """A lock of the session: who is killed lets go at once, who is slow keeps others out. False when it is held."""
    lock = sa.select(sa.func.pg_try_advisory_lock(sa.func.hashtextextended(f"remind:{key}", 0)))
    return bool((await connection.execute(lock)).scalar())


async def let_go(connection: AsyncConnection, key: str) -> None:
    await connection.execute(sa.select(sa.func.pg_advisory_unlock(sa.func.hashtextextended(f"remind:{key}", 0))))


async def begin(connection: AsyncConnection, key: str) -> str:
    """The state in which a reminder was (due, sending, lost or sent); one that was due is being sent from now on."""
    state = (await connection.execute(sa.select(reminders.c.state).where(reminders.c.key == key))).scalar()
    if state == "due":
        await become(connection, key, "sending")
    return str(state or "sent")


async def become(connection: AsyncConnection, key: str, state: str) -> None:
    await connection.execute(reminders.update().where(reminders.c.key == key).values(state=state))


async def learn(connection: AsyncConnection, team: str, person: str, channel: str) -> None:
    """Which direct messages are those with this person."""
    row = {"team": team, "person": person, "channel": channel}
    await connection.execute(insert(directs).values(row).on_conflict_do_nothing())


async def direct_of(connection: AsyncConnection, team: str, person: str) -> str:
    """Slack tells it with a post that is answered, and when the person opens the Home tab; '' while it has not."""
    query = sa.select(directs.c.channel).where(directs.c.team == team, directs.c.person == person)
    return str((await connection.execute(query)).scalar() or "")


async def forget_old(connection: AsyncConnection) -> None:
    """A year after its day nothing asks for a reminder any more."""
    await connection.execute(reminders.delete().where(reminders.c.at < time.time() - 366 * DAY))
