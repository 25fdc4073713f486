"""What must hold after any crash: looked up in the database, in Slack and at the desk."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bot.database import sqlalchemy_url
from bot.playground.courier import Delivery
from tests.fakes.zendesk_desk import Zendesk
from tests.talk import World


@dataclass
class Figures:
    """`broken` names each promise that was not kept, with what was seen."""

    counts: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return told + ("".join(f"\n  BROKEN: {line}" for line in self.broken) or "; every promise kept")


def judge(database: str, world: World, desk: Zendesk, people: Mapping[str, str]) -> Figures:
    """`people` walked one case each; the value is the trouble they had, if any."""
    found = Figures(broken=[f"stuck: {who}: {why}" for who, why in people.items() if why])
    engine = sa.create_engine(sqlalchemy_url(database))
    try:
        with engine.connect() as connection:
            _drained(connection, people, found)
            cases = _rows(connection, "SELECT * FROM cases WHERE owner = ANY(:who)", who=list(people))
            history = {
                c.id: _rows(connection, "SELECT * FROM history WHERE case_id = :id ORDER BY id", id=c.id) for c in cases
            }
    finally:
        engine.dispose()
    each = Counter(c.owner for c in cases)
    found.broken += [f"{who} has {each[who]} cases, not one" for who in people if each[who] != 1]
    found.broken += [f"case {c.id} is {c.state}" for c in cases if c.state != "escalated"]
    _events(world, people, history, found)
    _tickets(desk, cases, found)
    for case in cases:
        _thread(world, case, history[case.id], found)
    found.counts["cases"] = len(cases)
    return found


def _rows(connection: sa.Connection, query: str, **params: Any) -> list[Any]:
    return list(connection.execute(sa.text(query), params).all())


def _drained(connection: sa.Connection, people: Mapping[str, str], found: Figures) -> None:
    """Edits that Slack's pace delays are still to come: they have a minute and a half."""
    jobs = (
        "SELECT count(*) FROM procrastinate_jobs j JOIN cases c ON split_part(j.lock, ':', 2) = c.id "
        "WHERE c.owner = ANY(:who)"
    )
    wishes = (
        "SELECT count(*) FROM messages m JOIN cases c ON m.case_id = c.id "
        "WHERE c.owner = ANY(:who) AND (m.wanted IS NOT NULL OR m.ts IS NULL)"
    )
    for _ in range(180):
        left = [_rows(connection, query, who=list(people))[0].count for query in (jobs, wishes)]
        connection.rollback()
        if left == [0, 0]:
            return
        time.sleep(0.5)
    found.broken.append(f"{left[0]} jobs and {left[1]} messages are left undone")


def _key(delivery: Delivery) -> str:
    """The key under which history must hold what this delivery said."""
    body = delivery.payload
    if delivery.kind == "slash_commands":
        return f"cmd:{body['team_id']}:{body['trigger_id']}"
    if delivery.kind == "interactive":
        action, team = body["actions"][0], body["team"]["id"]
        case, _, version = str(action["value"]).split(":")[:3]
        click = (body["trigger_id"], action["action_ts"], action["action_id"], body["user"]["id"], case, version)
        return ":".join(["act", team, *click])
    return f"msg:{body['team_id']}:{body['event']['channel']}:{body['event']['ts']}"


def _who(delivery: Delivery) -> str:
    body = delivery.payload
    return str(body.get("user_id") or (body.get("user") or {}).get("id") or (body.get("event") or {}).get("user") or "")


def _events(world: World, people: Mapping[str, str], history: Mapping[str, list[Any]], found: Figures) -> None:
    """What Slack got an answer for is in the history of its case, once. A command typed again is its first."""
    seen = Counter(row.what["key"] for rows in history.values() for row in rows)
    found.broken += [f"event {key} was handled {times} times" for key, times in seen.items() if times > 1]
    theirs = [d for d in list(world.slack.deliveries) if _who(d) in people and d.acked_at is not None]
    lost = [d for d in theirs if d.kind != "slash_commands" and not seen[_key(d)]]
    found.broken += [f"lost: {_key(d)}" for d in lost]
    found.counts.update({"events answered for": len(theirs), "lost": len(lost)})


def _tickets(desk: Zendesk, cases: list[Any], found: Figures) -> None:
    made = Counter(str(ticket["external_id"]) for ticket in desk.tickets)
    mine = {c.id: made[c.id] for c in cases}
    found.broken += [f"case {case} has {count} tickets, not one" for case, count in mine.items() if count != 1]
    found.counts["tickets"] = sum(mine.values())


def _thread(world: World, case: Any, rows: list[Any], found: Figures) -> None:
    for before, after in itertools.pairwise(rows):
        if after.what["from"] != before.what["to"]:
            found.broken.append(f"case {case.id}: history jumps from {before.what['to']} to {after.what['from']}")
    said = world.slack.thread(case.channel, case.thread)
    places, marks = order_of(said, rows)
    double = len(marks) - len(set(marks))
    if double:
        found.broken.append(f"case {case.id}: {double} messages stand twice in the thread")
    found.counts["messages"] = found.counts.get("messages", 0) + len(marks)
    found.counts["doubles"] = found.counts.get("doubles", 0) + double
    if places != sorted(places):
        found.broken.append(f"case {case.id}: the thread is out of order: {places}")
    if [m for m in said if any(b["type"] == "actions" for b in m.get("blocks") or [])]:
        found.broken.append(f"case {case.id}: an answered question still has its buttons")


def order_of(thread: list[dict[str, Any]], history: list[Any]) -> tuple[list[tuple[int, int]], list[str]]:
    """Where each message of ours belongs (the event that ordered it, its place among that event's orders); all marks."""
    ours = [m for m in thread if m.get("metadata") and m.get("blocks")]
    marks = [str(m["blocks"][0]["block_id"]).split(":")[0] for m in ours]
    turn = {hashlib.sha256(row.what["key"].encode()).hexdigest()[:10]: n for n, row in enumerate(history)}
    places = [(turn.get(m.split(".")[1], -1), int(m.split(".")[2])) for m in marks if m.count(".") == 2]
    return places, marks
