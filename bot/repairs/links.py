"""One-time links to pages: bound to a case, a connection and a person; only a link's hash is stored."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.tables import META

links = sa.Table(
    "links",
    META,
    sa.Column("id", sa.Text, primary_key=True),
    *[sa.Column(n, sa.Text, nullable=False) for n in ("kind", "team", "case_id", "connection", "person", "state")],
    *[
        sa.Column(n, sa.Text, nullable=False, server_default="")
        for n in ("session", "code", "batch", "asked_by", "state_hash", "sealed")
    ],
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("outcome", JSONB),
    sa.Column("expires_at", sa.Float, nullable=False),
)
LIVES = 15 * 60.0
# A person mistypes a few times; more looks like guessing at a source that locks accounts.
ATTEMPTS = 6
# Pages that end each other: a person's yes in Slack is for the one that they just opened.
ALIKE = ("update_credentials", "reauthorize")
# A person asked by another one need not be at their desk.
LIVES_FOR_ANOTHER = 24 * 3600.0
# issued -> opened (by a browser) -> confirmed (in Slack, or from issued at once by signing in to it) -> away (at the
# provider) -> trying -> failed or differs -> done; closed ends all. Only an authorization goes away. What waits for its
# person too long has expired; a trial under way ends by itself.
ENDED = ("done", "closed", "expired")
WAITING = ("issued", "opened", "confirmed", "away", "failed", "differs")


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def issue(
    connection: AsyncConnection, kind: str, *, team: str, case_id: str, name: str, person: str, asked_by: str = ""
) -> tuple[str, list[str]]:
    """A new link's token. An older one of the same person for the same case ends: which of those others look at."""
    mine = sa.and_(links.c.case_id == case_id, links.c.person == person, links.c.state.not_in(ENDED))
    kinds = ALIKE if kind in ALIKE else (kind,)
    older = links.update().where(mine, links.c.kind.in_(kinds)).values(state="closed")
    closed = (await connection.execute(older.returning(links.c.id, links.c.asked_by))).all()
    token = secrets.token_urlsafe(32)
    row: dict[str, Any] = {
        "id": hashed(token),
        "kind": kind,
        "team": team,
        "case_id": case_id,
        "connection": name,
        "person": person,
    }
    lives = LIVES_FOR_ANOTHER if asked_by else LIVES
    row |= {"state": "issued", "asked_by": asked_by, "expires_at": time.time() + lives}
    await connection.execute(links.insert().values(**row))
    return token, [link.id for link in closed if link.asked_by]


async def find(connection: AsyncConnection, link_id: str, *, lock: bool = False) -> Any:
    query = sa.select(links).where(links.c.id == link_id)
    return (await connection.execute(query.with_for_update() if lock else query)).first()


async def move(connection: AsyncConnection, link_id: str, before: tuple[str, ...], state: str, **more: Any) -> bool:
    """Into another state, only out of one of `before`; False when somebody was quicker."""
    result = await connection.execute(
        links.update().where(links.c.id == link_id, links.c.state.in_(before)).values(state=state, **more)
    )
    return result.rowcount == 1


async def spend(connection: AsyncConnection, link_id: str, before: tuple[str, ...], state: str, **more: Any) -> bool:
    """Into another state for one of the link's tries, counted here: of many at once each costs one.

    False when somebody was quicker, or it had none left; then it ends.
    """
    mine = sa.and_(links.c.id == link_id, links.c.state.in_(before))
    count = {"state": state, "attempts": links.c.attempts + 1, **more}
    spent = await connection.execute(links.update().where(mine, links.c.attempts < ATTEMPTS).values(**count))
    if spent.rowcount != 1:
        await connection.execute(links.update().where(mine, links.c.attempts >= ATTEMPTS).values(state="closed"))
    return spent.rowcount == 1


async def begin(connection: AsyncConnection, link_id: str, session: str) -> str:
    """Bind the link to the browser that opened it; the number that page and Slack show, or '' when it was bound."""
    code = f"{secrets.randbelow(90) + 10}"
    bound = {"session": hashed(session), "code": code, "expires_at": time.time() + LIVES}
    began = await move(connection, link_id, ("issued",), "opened", **bound)
    return code if began else ""


async def sign_in(connection: AsyncConnection, link_id: str, session: str, state: str) -> bool:
    """This browser goes to Slack to sign in. The link stays open to any: only who comes back has proved something."""
    return await move(connection, link_id, ("issued",), "issued", session=hashed(session), state_hash=hashed(state))


async def of_sign_in(connection: AsyncConnection, state: str) -> Any:
    """The link whose person went to Slack with this state and has not come back."""
    query = sa.select(links).where(links.c.state_hash == hashed(state), links.c.state == "issued")
    return (await connection.execute(query.with_for_update())).first() if state else None


async def signed_in(connection: AsyncConnection, link_id: str, session: str) -> bool:
    """Its person has proved it in this browser; False when another browser has begun meanwhile."""
    result = await connection.execute(
        links.update()
        .where(links.c.id == link_id, links.c.state == "issued", links.c.session == hashed(session))
        .values(state="confirmed", state_hash="", expires_at=time.time() + LIVES)
    )
    return result.rowcount == 1


async def confirm(connection: AsyncConnection, case_id: str, person: str, *, yes: bool) -> list[Any]:
    """The person says in Slack whether it was they who opened their page; which links that concerns.

    No closes it at every stage. A yes for two that wait would also be one for whoever opened the other: both end.
    """
    states = ("opened",) if yes else ("issued", "opened", "confirmed", "away", "trying", "failed", "differs")
    mine = sa.and_(links.c.case_id == case_id, links.c.person == person, links.c.expires_at > time.time())
    waiting = sa.select(links.c.id).where(mine, links.c.state == "opened").with_for_update()
    several = yes and len((await connection.execute(waiting)).all()) > 1
    result = await connection.execute(
        links.update()
        .where(mine, links.c.state.in_(states))
        .values(state="confirmed" if yes and not several else "closed")
        .returning(links.c.id, links.c.asked_by)
    )
    return [] if several else list(result.all())


async def ran_out(connection: AsyncConnection, now: float) -> list[Any]:
    """The links of people asked by somebody else who did not use them in time; each is given once."""
    late = sa.and_(links.c.asked_by != "", links.c.expires_at <= now, links.c.state.in_(WAITING))
    ended = links.update().where(late).values(state="expired").returning(links.c.id, links.c.case_id)
    return list((await connection.execute(ended)).all())


async def of_state(connection: AsyncConnection, state: str) -> Any:
    """The link whose authorization went out with this state and has not come back."""
    query = sa.select(links).where(links.c.state_hash == hashed(state), links.c.state == "away")
    return (await connection.execute(query.with_for_update())).first() if state else None
