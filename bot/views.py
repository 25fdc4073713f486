"""What the templates see of a case: plain values, no secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.settings import Settings
from flows.core.case import Case
from flows.core.flow import STEPS
from flows.core.sheet import sheet


def connection_view(settings: Settings, name: str) -> dict[str, Any]:
    """One configured connection without its secrets: where they come from, not what they are."""
    connection = settings.connections.get(name)
    if connection is None:
        return {}
    known = sheet(connection.connector)
    return {
        "name": name,
        "connector": connection.connector,
        "title": known.title,
        "driver": known.driver,
        "settings": dict(connection.settings),
        "secret_refs": connection.secret_refs(),
        "tables": list(connection.tables),
        "owner": connection.owner or "",
        "regeneration": known.regeneration.model_dump() if known.regeneration else {},
        "docs": [str(link) for link in known.docs],
        "user": str(connection.settings.get("user", "")),
        "host": str(connection.settings.get("host", "")),
    }


def choices(settings: Settings, health: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The connections for the picker, broken ones first."""

    def broken(name: str) -> bool:
        return name in health and health[name].verdict == "bad"

    names = sorted(settings.connections, key=lambda n: (not broken(n), n))
    return [{"name": n, "title": sheet(settings.connections[n].connector).title, "broken": broken(n)} for n in names]


def _checks(case: Case, settings: Settings) -> list[dict[str, Any]]:
    """Every check of this connection as a task of the plan, in order."""
    connection = settings.connections.get(case.connection)
    if connection is None:
        return []
    from bot.checks.run import checks_of

    seen = {f.check: f for f in case.findings}
    running = "" if case.waiting or case.state == "resolved" else case.state
    tasks = []
    for check in checks_of(sheet(connection.connector)):
        found = seen.get(check.name)
        status = (
            {"good": "complete", "bad": "error", "unclear": "complete", "skipped": "complete"}[found.verdict]
            if found
            else (
                "in_progress"
                if running == STATE_OF_STEP.get(check.step) or running == "confirming_recovery"
                else "pending"
            )
        )
        tasks.append(
            {
                "task_id": check.name,
                "name": check.name,
                "claim": check.claim,
                "step": check.step,
                "status": status,
                "verdict": found.verdict if found else "",
                "evidence": found.evidence if found else "",
                "took_ms": found.took_ms if found else 0,
            }
        )
    return sorted(tasks, key=lambda t: STEPS.index(str(t["step"])))


STATE_OF_STEP = {
    "check_status": "checking_status",
    "check_network": "checking_network",
    "verify_credentials": "verifying_credentials",
    "check_permissions": "checking_permissions",
}


def case_view(
    case: Case, settings: Settings, *, step: str, url: str = "", params: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The view of `messages.render`: case, connection, top finding, checks, params, permalink."""
    top = case.finding
    return {
        "case": {**case.to_dict(), "step": step},
        "connection": connection_view(settings, case.connection),
        "finding": top.to_dict() if top else None,
        "checks": _checks(case, settings),
        "params": dict(params or {}),
        "url": url,
    }
