"""What a rotation would do, seen before anybody is asked. It looks and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.checks.target import target_for
from bot.checks.text import evidence
from bot.drivers.network import Trouble
from bot.platforms.deliver import pipeline_of
from bot.repairs.rotation.base import Job, Refused, way_of
from bot.repairs.rotation.blast import admin_of, allowed, elsewhere, plan_of, sharing
from bot.settings import Settings, SettingsError
from flows.core.sheet_rotation import steps


def preview(settings: Settings, name: str, team: str, teams: Sequence[str] = ()) -> dict[str, Any]:
    """`plan` for the words of the question and `credential` for the ledger, or `problem` with what was `said`.

    `teams` are all workspaces that this Mend serves.
    """
    rotation = plan_of(settings, name)
    if rotation is None:
        return {"problem": "not_allowed", "said": ""}
    target = None
    try:
        target = target_for(settings, name, team)
        admin = admin_of(settings, name)
        seen = way_of(rotation.way).look(Job("", target, admin))
    except (Refused, Trouble, SettingsError) as error:
        said = getattr(error, "said", None) or getattr(error, "evidence", "") or str(error)
        kind = getattr(error, "kind", "unreachable" if isinstance(error, Trouble) else "settings")
        return {"problem": kind, "said": evidence(target, said) if target else said[:300], "needs": rotation.needs}
    places = settings.connections[name].secret_refs()
    pipeline = pipeline_of(settings, name)
    shared = sharing(settings, name, team)
    others = {other for other, _ in elsewhere(settings, [name, *shared], team, teams)}
    plan = {
        "steps": list(steps(overlap=seen.overlap, sent=bool(pipeline["sent"]), taken=bool(pipeline["taken"]))),
        "overlap": seen.overlap, "account": seen.account,
        "place": seen.place, "old": seen.old, "shared": shared, "workspaces": len(others),
        "allowed": allowed(settings, name), "admin": bool(admin), "sessions": int(seen.facts.get("sessions", 0)),
        "places": [p for n, p in places.items() if n in rotation.replaces],
        **pipeline,
    }  # fmt: skip
    return {"plan": plan, "credential": f"{rotation.way}:{seen.place}:{seen.account}"}
