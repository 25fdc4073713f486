"""The door: an event comes in once, moves its case in one transaction, and leaves orders as jobs."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.settings import Settings
from bot.store import Store
from flows.core.case import Case
from flows.core.effects import Event
from flows.reauthorize import FLOW

FLOWS = {FLOW.name: FLOW}


def new_case_id() -> str:
    return "c" + uuid.uuid4().hex[:12]


async def receive(store: Store, connection: AsyncConnection, case_id: str, event: Event) -> bool:
    """Keep the event and queue it under its case's lock; False when it was seen before."""
    if not await store.first_time(connection, event.key):
        return False
    await store.defer(connection, "handle", f"case:{case_id}", case_id=case_id, event=event.to_dict())
    return True


def role_of(case: Case, event: Event, settings: Settings, *, reader: bool) -> str:
    """Whether this person is the owner, an admin, a helper or may only read."""
    if not event.user:
        return "system"
    if reader:
        return "reader"
    if event.user == case.owner:
        return "owner"
    return "admin" if event.user in settings.access.admins else "helper"


def open_case(case_id: str, event: Event, settings: Settings) -> Case:
    data = event.data
    return Case(
        id=case_id,
        team=data["team"],
        channel=data["channel"],
        owner=event.user,
        opened_at=event.at,
        thread=data.get("thread", ""),
        connection=data.get("connection", ""),
        connector=data.get("connector", ""),
        regeneration=data.get("regeneration", "update_credentials"),
        reported=data.get("reported", ""),
        has_desk=settings.desk is not None,
        changed_at=event.at,
        choices=list(data.get("choices", [])),
    )


def _timings(settings: Settings) -> dict[str, float]:
    r = settings.reminders
    return {"nudge": r.nudge_minutes * 60.0, "expire": r.expire_hours * 3600.0, "poll": float(r.poll_seconds)}


async def handle(store: Store, case_id: str, raw: Mapping[str, Any], settings: Settings, *, reader: bool) -> None:
    """Advance the case by one event and give its orders, all or nothing."""
    event = Event(**raw)
    async with store.transaction() as connection:
        body = await store.load(connection, case_id, lock=True)
        if body is None and event.kind != "opened":
            return
        case = Case.from_dict(body) if body else open_case(case_id, event, settings)
        event = Event(
            **{
                **raw,
                "role": role_of(case, event, settings, reader=reader),
                "data": {**event.data, "timings": _timings(settings)},
            }
        )
        before = case.state
        FLOWS[case.flow].advance(case, event)
        await store.save(connection, case.to_dict())
        await store.note(connection, case_id, event.at, event.user or "mend", _entry(case, event, before))
        await _give_orders(store, connection, case, event)


def _entry(case: Case, event: Event, before: str) -> dict[str, Any]:
    """One line of history: labels only, no text that somebody typed."""
    finding = case.finding
    return {
        "event": event.kind,
        "answer": event.data.get("answer"),
        "from": before,
        "to": case.state,
        "version": case.version,
        "cause": finding.cause if finding else None,
        "code": finding.code if finding else None,
    }


async def _give_orders(store: Store, connection: AsyncConnection, case: Case, event: Event) -> None:
    lanes = {"run": f"run:{case.id}", "open_ticket": f"ticket:{case.id}"}
    mark = hashlib.sha256(event.key.encode()).hexdigest()[:10]
    last = {order.name: n for n, order in enumerate(case.orders)}
    for n, order in enumerate(case.orders):
        # The root and the plan are edited in place: of several wishes in one event only the last is worth a call,
        # but the very first root must be there before anything can be said in its thread.
        if order.name in ("root", "progress") and n != last[order.name] and n != 0:
            continue
        lane = lanes.get(order.name, f"say:{case.id}")
        await store.defer(
            connection,
            "perform",
            lane,
            name=order.name,
            args=dict(order.args),
            key=f"{case.id}.{mark}.{n}",
            snapshot=case.to_dict(),
        )
