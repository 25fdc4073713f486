"""What keeps the store in order: a workspace that left, a channel with a new name, what is old."""

from __future__ import annotations

import logging
import time

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.expiries import forget_old
from bot.repairs.links import links
from bot.repairs.rotation.ledger import rotations
from bot.slack.installs import installations
from bot.store import Store
from bot.tables import cases, directs, history, messages, seen
from bot.vault import LEFT, left_behind, secrets
from flows.core.case import CLOSED

log = logging.getLogger("mend.upkeep")
KEEP_SEEN = 7 * 86400.0
KEEP_LINKS = 86400.0
# Rotations whose workspace is gone.
LEFT_ONES = rotations.c.facts.has_key("left")
# What ran into a fault for a day stays a month, for whoever looks for the reason.
KEEP_FAILED_HOURS = 30 * 24


async def came_back(connection: AsyncConnection, team: str, removed_at: float) -> bool:
    """Whether a workspace installed Mend after that removal: Slack sends again what was not answered, for hours."""
    query = sa.select(installations.c.at).where(installations.c.team == team)
    at = (await connection.execute(query)).scalar()
    return at is not None and at > removed_at + 1


async def forget_team(connection: AsyncConnection, team: str) -> None:
    """Mend was removed there: cases close, timers stop, secrets are forgotten, no job calls Slack with a dead token.

    A rotation that has begun to change something is brought to its end first, in silence: until then Mend may have the
    only copy of a credential that works.
    """
    now = time.time()
    mine = sa.select(cases.c.id).where(cases.c.team == team)
    wished = messages.update().where(messages.c.team == team, messages.c.wanted.is_not(None))
    await connection.execute(wished.values(wanted=None, due_at=None))
    await _forget_credentials(connection, team, await _let_end(connection, team, now))
    await connection.execute(directs.delete().where(directs.c.team == team))
    await connection.execute(installations.delete().where(installations.c.team == team))
    closed = sa.func.jsonb_build_object("state", "cancelled", "closed_from", cases.c.state, "waiting", False,
                                        "due", "", "due_at", None, "changed_at", now)  # fmt: skip
    ended = await connection.execute(
        cases.update()
        .where(cases.c.team == team, cases.c.state.not_in(CLOSED))
        .values(state="cancelled", due_at=None, changed_at=now, body=cases.c.body.op("||")(closed))
        .returning(cases.c.id, cases.c.body["closed_from"].astext.label("before"))
    )
    for row in ended.all():
        what = {"event": "removed", "from": row.before, "to": "cancelled"}
        await connection.execute(history.insert().values(case_id=row.id, at=now, who="slack", what=what))
    await connection.execute(
        sa.text(
            "DELETE FROM procrastinate_jobs WHERE status = 'todo' AND (args->>'team' = :team"
            " OR args->>'case_id' = ANY(:ids) OR args->'snapshot'->>'id' = ANY(:ids))"
        ),
        {"team": team, "ids": list((await connection.execute(mine)).scalars())},
    )


async def _forget_credentials(connection: AsyncConnection, team: str, begun: list[str]) -> None:
    """All but what the rotations that are under way still need, and the one copy there is of what one has made."""
    # Links first: who puts a credential into use holds its link, and in the vault waits for whoever was there before.
    await connection.execute(links.delete().where(links.c.team == team))
    made = sa.select(rotations.c.id).where(rotations.c.team == team, rotations.c.id.not_in(begun))
    for statement in left_behind(team, made):
        await connection.execute(statement)
    needed = sa.or_(sa.func.split_part(secrets.c.batch, ":", 1).in_(begun), secrets.c.version == LEFT)
    await connection.execute(secrets.delete().where(secrets.c.team == team, sa.not_(needed)))
    # Those that were under way go a day after they have ended, with what they put aside.
    await connection.execute(rotations.delete().where(rotations.c.team == team, sa.not_(LEFT_ONES)))


async def _let_end(connection: AsyncConnection, team: str, now: float) -> list[str]:
    """Rotations that changed nothing yet end here; the others go on without their case. Which those are."""
    under_way = sa.and_(rotations.c.team == team, rotations.c.ended_at.is_(None))
    left = rotations.c.facts.op("||")(sa.func.jsonb_build_object("left", True))
    stop = rotations.update().where(under_way, rotations.c.step == "").values(ended_at=now, due_at=None, facts=left)
    await connection.execute(stop)
    go_on = rotations.update().where(under_way).values(facts=left, due_at=None)
    begun = (await connection.execute(go_on.returning(rotations.c.id, rotations.c.connection))).all()
    for row in begun:
        log.warning("workspace %s left while the credential of %s is replaced: that goes on to its end", team, row[1])
    await connection.execute(
        sa.text(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args) SELECT 'default', 'finish_rotation',"
            " 'rotate:' || case_id, jsonb_build_object('id', id) FROM rotations WHERE id = ANY(:ids)"
        ),
        {"ids": [row.id for row in begun]},
    )
    return [row.id for row in begun]


async def move_channel(connection: AsyncConnection, team: str, old: str, new: str) -> None:
    """Slack gave a channel another id (it was shared, say): its cases go on there. Messages first, as a post locks."""
    await connection.execute(
        messages.update().where(messages.c.team == team, messages.c.channel == old).values(channel=new)
    )
    place = sa.func.jsonb_build_object("channel", new)
    await connection.execute(
        cases.update()
        .where(cases.c.team == team, cases.c.channel == old)
        .values(channel=new, body=cases.c.body.op("||")(place))
    )


async def clean(store: Store) -> None:
    """Forget which events were seen a week ago: Slack repeats one for an hour at most."""
    async with store.transaction() as connection:
        await connection.execute(seen.delete().where(seen.c.at < time.time() - KEEP_SEEN))
        await connection.execute(links.delete().where(links.c.expires_at < time.time() - KEEP_LINKS))
        ended = sa.select(rotations.c.id).where(rotations.c.ended_at < time.time() - KEEP_LINKS)
        batch = sa.func.split_part(secrets.c.batch, ":", 1)
        left = sa.and_(batch.in_(ended), secrets.c.version.in_(("new", "before")))
        await connection.execute(secrets.delete().where(left))
        late = rotations.c.ended_at < time.time() - KEEP_LINKS
        await connection.execute(rotations.delete().where(late, LEFT_ONES))
        await forget_old(connection)
    await (await store.queue()).delete_old_jobs(nb_hours=KEEP_FAILED_HOURS, include_failed=True)
