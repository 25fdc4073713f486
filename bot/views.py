"""What the templates see of a case: plain values, no secrets."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bot.log import IN_URL
from bot.platforms.deliver import runs_there, sent_as
from bot.settings import Settings
from flows.core import job
from flows.core.case import Case
from flows.core.expiry import DAY, expiries
from flows.core.finding import Finding
from flows.core.flow import STEP_OF, STEPS
from flows.core.sheet import Sheet, sheet, sheets

if TYPE_CHECKING:
    from flows.core.explain import Diagnosis

_QUERY = re.compile(r"([?&][^=&#\s]+=)[^&#\s]+")
# A step that begins with an address of its own, or is no menu path.
_ELSEWHERE = re.compile(r"[^>]*\b[\w-]+\.[a-z]{2,}\b|[^>]*$")


def sheet_view(known: Sheet, settings: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """What the words need of a connector's sheet."""
    http = known.http
    console, guessed = known.sign_in_at(settings)
    steps = known.regeneration.steps if known.regeneration else ()
    return {
        "connector": known.key,
        "title": known.title,
        "driver": known.driver,
        "extends": known.extends,
        "regeneration": known.regeneration.model_dump() if known.regeneration else {},
        "in_stitch": bool(known.types_at("stitch")),
        "console": console,
        "console_guessed": guessed,
        "steps_begin_there": any(not _ELSEWHERE.match(step) for step in steps),
        "allowlist": known.allowlist.model_dump() if known.allowlist else {},
        "roles": known.roles,
        "plans": list(known.plans),
        "grants": {name: probe.grant for name, probe in http.resources.items() if probe.grant} if http else {},
        "grant": http.grant if http else "",
        "support": known.support,
        "docs": list(known.docs),
    }


def connection_view(settings: Settings, name: str) -> dict[str, Any]:
    """One configured connection without its secrets: where they come from, not what they are."""
    connection = settings.connections.get(name)
    if connection is None:
        return {}
    return {
        **sheet_view(sheet(connection.connector), connection.settings),
        "name": name,
        "connector": connection.connector,
        "settings": {name: _without_secrets(value) for name, value in connection.settings.items()},
        "secret_refs": connection.secret_refs(),
        "tables": list(connection.tables),
        "owner": connection.owner or "",
        "user": str(connection.settings.get("user", "")),
        "host": str(connection.settings.get("host", "")),
        "sent_to": _sent_to(settings, name),
    }


def _without_secrets(value: Any) -> Any:
    """An address may hold a password or a key, and what is shown goes into tickets."""
    return _QUERY.sub(r"\1***", IN_URL.sub(r"\1***@", value)) if isinstance(value, str) and "://" in value else value


def _sent_to(settings: Settings, name: str) -> str:
    """The platform that gets a new credential from Mend, by its name."""
    return settings.platform.kind.title() if settings.platform and sent_as(settings, name) else ""


def _broken(health: Mapping[str, Any], name: str) -> bool:
    return name in health and health[name].verdict == "bad"


def in_order(settings: Settings, health: Mapping[str, Any]) -> list[str]:
    """The names of the connections, broken ones first."""
    return sorted(settings.connections, key=lambda name: (not _broken(health, name), name))


def choices(settings: Settings, health: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The connections for the picker, in the order in which they are numbered."""
    return [
        {"name": n, "title": sheet(settings.connections[n].connector).title, "broken": _broken(health, n)}
        for n in in_order(settings, health)
    ]


def ending(rows: Sequence[Any], settings: Settings) -> list[dict[str, Any]]:
    """What runs out, as the words need it; `soon` is what a reminder goes out for."""
    soon = time.time() + max(settings.watch.days) * DAY
    return [{**row._asdict(), "soon": row.at < soon} for row in rows]


def _soon(case: Case, settings: Settings) -> list[dict[str, Any]]:
    """What the checks of this case saw that runs out soon."""
    until = time.time() + max(settings.watch.days) * DAY
    return [asdict(one) for one in expiries(case.findings) if one.at < until]


STATUS = {"good": "complete", "bad": "error", "unclear": "pending", "skipped": "pending"}


def _checks(case: Case, settings: Settings) -> list[dict[str, Any]]:
    """Every check of this connection as a task of the plan, in order; the platform's own job is the last."""
    connection = settings.connections.get(case.connection)
    if connection is None:
        return []
    from bot.checks.run import checks_of
    from messages import render

    running = "" if case.waiting or case.state == "resolved" else STEP_OF[case.state]
    seen = {f.check: f for f in case.findings}
    checks = sorted(
        (
            check
            for check in checks_of(sheet(connection.connector), tunnel=connection.tunnel is not None)
            if check.name != "replication_ready" or connection.replication == "log"
        ),
        key=lambda check: STEPS.index(check.step),
    )
    tasks = [_task(c.name, c.claim, c.step, seen.get(c.name), running in (c.step, job.STEP)) for c in checks]
    if runs_there(settings, case.connection):
        found = None if job.awaited(case) else seen.get(job.CHECK)  # still to come is no verdict
        looking = job.awaited(case) or running == job.STEP
        tasks.append(_task(job.CHECK, render.claim(job.CHECK), job.STEP, found, looking))
    return tasks


def _task(name: str, claim: str, step: str, found: Finding | None, running: bool) -> dict[str, Any]:
    return {
        "task_id": name,
        "name": name,
        "claim": claim,
        "step": step,
        "status": STATUS[found.verdict] if found else "in_progress" if running else "pending",
        "verdict": found.verdict if found else "",
        "evidence": found.evidence if found else "",
        # A check that found nothing to look at, and says why.
        "moot": bool(found and found.verdict == "skipped" and found.evidence and found.check != job.CHECK),
        "took_ms": found.took_ms if found else 0,
    }


def case_view(
    case: Case,
    settings: Settings,
    *,
    step: str,
    url: str = "",
    params: Mapping[str, Any] | None = None,
    asker: str = "",
) -> dict[str, Any]:
    """The view of `messages.render`: case, connection, top finding, what a text told, checks, params, permalink.

    `asker` is what people call the case's owner, where it is known."""
    top = case.finding
    return {
        "case": {**case.to_dict(), "step": step, "asker": asker},
        "connection": connection_view(settings, case.connection),
        "finding": top.to_dict() if top else None,
        "told": _meant(case.told, settings, case.connection) if case.told.get("cause") else None,
        "checks": _checks(case, settings),
        "ending": _soon(case, settings),
        "now": time.time(),
        "params": dict(params or {}),
        "url": url,
    }


def said_of(found: Diagnosis, settings: Settings, name: str) -> str:
    """What a text means, in a sentence; of the text itself only the names that it gives to things."""
    from messages import render

    finding, view = _meant(told_of(found), settings, name)
    return "" if found.confidence == "unclear" else render.summary(finding, view)


def told_of(found: Diagnosis) -> dict[str, Any]:
    """What a text means in labels, for a case to keep."""
    if found.confidence == "unclear":
        return {"confidence": found.confidence}
    return {
        "confidence": found.confidence, "cause": found.cause, "code": found.code, "connector": found.connector or "",
        "facts": dict(found.facts),
    }  # fmt: skip


def _meant(told: Mapping[str, Any], settings: Settings, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a text means as a finding, and of which connection or kind of source it tells."""
    known = sheets().get(told.get("connector", ""))
    view = connection_view(settings, name) or (sheet_view(known) if known else {"connector": "", "title": "the source"})
    named = {"name": "this connection", "user": told.get("facts", {}).get("user", "of this connection")}
    finding = {"verdict": "bad", "evidence": "", "cause": "unclassified", "code": None, "facts": {}, **told}
    return finding, {**named, **view}


def reported_as(found: Diagnosis, said: str) -> str:
    """What a text was taken for: in words, with the labels that engineers look for."""
    labels = ", ".join(filter(None, (found.cause, found.code)))
    return f"{said.rstrip('.')} ({labels})" if said else labels
