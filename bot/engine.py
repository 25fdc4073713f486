"""The door: an event comes in once, moves its case in one transaction, and leaves orders as jobs."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.errors import UniqueViolation

from bot.hot import KEEP, KEEP_NEW, KNOWN, OURS, RECEIVE, Slot
from bot.repairs.rotation.blast import may_rotate, owning_group
from bot.repairs.ways import ways
from bot.settings import Settings
from bot.settings_parts import is_group
from bot.store import Store
from bot.wire import as_json
from flows.core import rotation
from flows.core.case import Case
from flows.core.effects import Event, Role
from flows.reauthorize import FLOW

if TYPE_CHECKING:
    from bot.store import Either

FLOWS = {FLOW.name: FLOW}
ROTATING = ("rotating", "rotated", "unrotated", "carry", "revoked", "revoke_due", "shown")
# What the owner of a connection may say, whoever leads the case; after a rotation "done" ends the old credential too.
FOR_OWNERS = frozenset({*rotation.ANSWERS, "mend_fixed"})
COLUMNS = ("id", "team", "channel", "thread", "owner", "state", "connection", "due_at", "changed_at")
# Whispers and links are not among them: nobody can see whether one got through, so none is repeated for another's sake.
SPOKEN = frozenset({"say", "root", "progress", "settle"})
Group = dict[str, Any]


class Given(NamedTuple):
    """A job that was given to us in the statement that made it."""

    job: int
    args: dict[str, Any]


def new_case_id() -> str:
    return "c" + uuid.uuid4().hex[:12]


async def receive(store: Store, connection: Either | None, case_id: str, event: Event) -> bool:
    """Keep the event and queue it under its case's lock; False when it was seen before. Without a connection: alone."""
    job = as_json({"case_id": case_id, "event": event.to_dict()})
    given = {"key": event.key, "now": time.time(), "lock": f"case:{case_id}", "args": job}
    if connection is None:
        return await store.hot.one(RECEIVE, given) is not None
    return await store.within(connection, RECEIVE, given) is not None


def role_of(case: Case, event: Event, settings: Settings, *, reader: bool, groups: Collection[str] = ()) -> Role:
    """Whether this person is the owner or in the group that is, an admin, a helper or may only read."""
    if not event.user:
        return "system"
    if reader:
        return "reader"
    if event.user == case.owner or case.owner in groups:
        return "owner"
    return "admin" if event.user in settings.access.admins else "helper"


def groups_to_ask(settings: Settings, raw: Mapping[str, Any], body: Mapping[str, Any]) -> list[str]:
    """The user groups whose members may give this answer; of no other event Slack is asked who they are."""
    user, data = raw["user"], raw["data"]
    if raw["kind"] != "answered" or not user or user in settings.access.admins:
        return []
    name = data.get("connection") or body["connection"]
    owners = (body["owner"], owning_group(settings, name) if data["answer"] in FOR_OWNERS else "")
    return [one for one in dict.fromkeys(owners) if is_group(one)]


def open_case(case_id: str, event: Event, settings: Settings) -> Case:
    data = event.data
    return Case(
        id=case_id,
        flow=data.get("flow", FLOW.name),
        team=data["team"],
        channel=data["channel"],
        owner=event.user,
        opened_at=event.at,
        thread=data.get("thread", ""),
        connection=data.get("connection", ""),
        connector=data.get("connector", ""),
        regeneration=data.get("regeneration", "update_credentials"),
        reported=data.get("reported", ""),
        told=dict(data.get("told", {})),
        has_desk=settings.desk is not None,
        changed_at=event.at,
        choices=list(data.get("choices", [])),
    )


def _timings(settings: Settings) -> dict[str, float]:
    r = settings.reminders
    return {"nudge": r.nudge_minutes * 60.0, "expire": r.expire_hours * 3600.0, "poll": float(r.poll_seconds)}


@dataclass(frozen=True)
class Known:
    """A case as it was read: its body, the mark that says whether its row is still the same, its root's address."""

    body: Mapping[str, Any]
    mark: str
    url: str


@dataclass(frozen=True)
class Taken:
    """Which job is being done, by which worker; no job (0) in tests."""

    job: int = 0
    worker: int = 0


async def handle(
    store: Store, case_id: str, raw: Mapping[str, Any], settings: Settings, *, reader: bool,
    groups: Collection[str] = (), known: Known | None = None, taken: Taken = Taken(), slot: Slot | None = None,
) -> Given | None:  # fmt: skip
    """Advance the case by one event and give its orders, all or nothing; `taken` ends with it.

    `groups` are the owning user groups that the person is in.

    With a slot the first words are given to the caller at once. When the case was changed meanwhile (its root found
    its place, say), it is read and advanced again: that is pure, so nothing happens twice.
    """
    while True:
        if known is None and raw["kind"] != "opened":
            known = await _read(store, case_id)
            if known is None:
                return None
        case, entry = advanced(case_id, raw, settings, known.body if known else None, reader=reader, groups=groups)
        jobs = _jobs(case, str(raw["key"]))
        try:
            kept = await _keep(store, case, entry, jobs, known, taken, slot)
        except UniqueViolation:  # somebody else has just begun to speak in this case
            kept, slot = None, None
        if kept is not None:
            return _given(kept, jobs, slot, known)
        if taken.job and not await store.hot.one(OURS, {"job": taken.job, "worker": taken.worker}):
            return None
        known = await _read(store, case_id)


async def _read(store: Store, case_id: str) -> Known | None:
    row = await store.hot.one(KNOWN, {"id": case_id})
    return Known(*row) if row else None


def advanced(
    case_id: str, raw: Mapping[str, Any], settings: Settings, body: Mapping[str, Any] | None, *, reader: bool,
    groups: Collection[str] = (),
) -> tuple[Case, dict[str, Any]]:  # fmt: skip
    """The case after the event, its orders in it, and the line of history."""
    event = Event(**raw)
    case = Case.from_dict(body) if body else open_case(case_id, event, settings)
    role = role_of(case, event, settings, reader=reader, groups=groups)
    may = may_rotate(settings, event.data.get("connection") or case.connection, event.user, groups)
    event = replace(event, role=role, data={**event.data, "timings": _timings(settings), "may_rotate": may})
    case.repairs = ways(settings, case.connection, refused=_refused(case, event))
    if not case.connection and event.data.get("answer") == "mend_resume":  # asked anew, numbered anew
        case.choices = [c for c in case.choices if c in settings.connections]
        case.choices += sorted(set(settings.connections) - set(case.choices))
    before = case.state
    FLOWS[case.flow].advance(case, event)
    return case, {"at": event.at, "who": event.user or "mend", "what": as_json(_entry(case, event, before))}


async def _keep(
    store: Store, case: Case, entry: dict[str, Any], groups: list[Group], known: Known | None, taken: Taken,
    slot: Slot | None,
) -> tuple[Any, ...] | None:  # fmt: skip
    body = case.to_dict()
    first = _first(case, groups) if slot else -1
    promise, question = promised(groups[first], case) if first >= 0 else ("", -1)
    given = {
        **{name: body[name] for name in COLUMNS}, **entry, "body": as_json(body), "now": time.time(),
        "mark": known.mark if known else "", "job": taken.job, "worker": taken.worker, "first": first,
        "orders": as_json(groups), "promise": promise, "question": question,
    }  # fmt: skip
    return await store.hot.one(KEEP if known else KEEP_NEW, given, slot.connection if slot else None)


def _first(case: Case, groups: list[Group]) -> int:
    """Which job may be handed to us at once: the first of the lane in which the case speaks (-1: none)."""
    first = next((group for group in groups if group["lock"] == f"say:{case.id}"), None)
    return int(first["n"]) if first and first["task"] == "speak" else -1


def _given(kept: tuple[Any, ...], groups: list[Group], slot: Slot | None, known: Known | None) -> Given | None:
    """What was handed to us at once, noted in the slot."""
    job, locked = kept
    if job is None or slot is None:
        return None
    spoken = next(group["args"] for group in groups if group["task"] == "speak")
    slot.job, slot.url = job, known.url if known else ""
    slot.promised = spoken["orders"][0][2] if locked else ""
    return Given(job, spoken)


def _refused(case: Case, event: Event) -> bool:
    """The credential was not accepted when it was last looked at."""
    seen = event.data["findings"] if event.kind == "checked" else [f.to_dict() for f in case.findings]
    return any(f["step"] == "verify_credentials" and f["verdict"] == "bad" for f in seen)


def _entry(case: Case, event: Event, before: str) -> dict[str, Any]:
    """One line of history: labels only, no text that somebody typed."""
    finding = case.finding
    about = {"rotation": event.data["id"], "step": event.data.get("step")} if event.kind in ROTATING else {}
    return {
        **about,
        "event": event.kind,
        "key": event.key,
        "answer": event.data.get("answer"),
        "from": before,
        "to": case.state,
        "version": case.version,
        "cause": finding.cause if finding else None,
        "code": finding.code if finding else None,
    }


def promised(group: Group, case: Case) -> tuple[str, int]:
    """The message that a group begins with, and the question that it asks (-1: none)."""
    name, args, key = group["args"]["orders"][0]
    return (key, case.version if args["buttons"] else -1) if name == "say" else ("", -1)


def _jobs(case: Case, event_key: str) -> list[Group]:
    """The orders as jobs. What is said in a thread is one job, in its order: each can be repeated without harm."""
    lanes = {"run": f"run:{case.id}", "open_ticket": f"ticket:{case.id}", "plan_rotation": f"run:{case.id}",
             "start_job": f"run:{case.id}", "rotate": f"rotate:{case.id}", "revoke": f"rotate:{case.id}"}  # fmt: skip
    mark, snapshot = hashlib.sha256(event_key.encode()).hexdigest()[:10], case.to_dict()
    last = {order.name: n for n, order in enumerate(case.orders)}
    groups: list[Group] = []
    for n, order in enumerate(case.orders):
        # The root and the plan are edited in place: of several wishes in one event only the last is worth a call,
        # but the very first root must be there before anything can be said in its thread.
        if order.name in ("root", "progress") and n != last[order.name] and n != 0:
            continue
        key, lane = f"{case.id}.{mark}.{n}", lanes.get(order.name, f"say:{case.id}")
        if order.name in SPOKEN:
            said = [order.name, dict(order.args), key]
            open_one = next((g for g in reversed(groups) if g["lock"] == lane), None)
            if open_one and open_one["task"] == "speak":
                open_one["args"]["orders"].append(said)
                continue
            task, args = "speak", {"orders": [said], "snapshot": snapshot}
        else:
            task, args = "perform", {"name": order.name, "args": dict(order.args), "key": key, "snapshot": snapshot}
        groups.append({"n": len(groups), "task": task, "lock": lane, "args": args})
    return groups
