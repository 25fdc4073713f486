"""Status pages that providers rent: Atlassian's, Status.io's, StatusCast's, Sorry's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bot.checks.status_incident import Incident, OtherPage, an_object, dicts, line

DISRUPTED = (400, 500)
# Notices that are over, or nearly: their data flows again. https://docs.sorryapp.com/v1/notices
OVER = ("recovering", "resolved", "complete", "completed", "cancelled")


def statuspage(body: Any) -> list[Incident]:
    """Atlassian Statuspage, v2: https://metastatuspage.com/api serves the same document for every page."""
    page = an_object(body, "status")
    status, parts = an_object(page["status"]), dicts(page.get("components"))
    broken = tuple(line(c.get("name")) for c in parts if c.get("status") != "operational")
    found = list(_of_statuspage(page, broken))
    indicator, said = line(status.get("indicator")).lower(), line(status.get("description"))
    serious = any(one.serious for one in found)
    if indicator in ("major", "critical") and not serious:
        found.insert(0, Incident(said, indicator, serious=True, components=broken))
    if indicator == "maintenance" and not any(one.maintenance for one in found):
        found.append(Incident(said, "in_progress", maintenance=True))
    if indicator not in ("none", "minor", "major", "critical", "maintenance") and not serious:
        found.append(Incident(said or "the page", indicator, serious=None))
    if any(one.serious for one in found) and (since := _untended(page)):
        raise OtherPage(f"it reports {found[0].name}, and nobody has changed it since {since}")
    return found + [_part(one) for one in parts if one.get("status") != "operational"]


def _of_statuspage(page: dict[str, Any], broken: tuple[str, ...]) -> Iterator[Incident]:
    for key, calm in (("incidents", ()), ("scheduled_maintenances", ("scheduled",))):
        for one in dicts(page.get(key)):
            state, parts = one.get("status"), dicts(one.get("components"))
            if state in ("resolved", "postmortem", "completed", *calm):
                continue
            updates = dicts(one.get("incident_updates"))
            # Both are under way: https://metastatuspage.com/api#scheduled-maintenances-active
            under_way = bool(calm) and state in ("in_progress", "verifying")
            yield Incident(
                line(one.get("name")),
                line(state),
                serious=(False if under_way else None) if calm else _weight(one.get("impact"), state, parts),
                maintenance=under_way,
                since=line(one.get("started_at") or one.get("created_at")),
                components=tuple(line(c.get("name")) for c in parts) or broken,
                update=line(updates[0].get("body")) if updates else "",
            )


def _weight(impact: Any, state: Any, parts: list[dict[str, Any]]) -> bool | None:
    """One that is only watched still, and whose parts work again, stops nothing."""
    if state == "monitoring" and parts and all(one.get("status") == "operational" for one in parts):
        return False
    return {"none": False, "minor": False, "maintenance": False, "major": True, "critical": True}.get(str(impact))


def _part(one: dict[str, Any]) -> Incident:
    name, state = line(one.get("name")), line(one.get("status"))
    serious = {"major_outage": True, "degraded_performance": False, "under_maintenance": False}.get(state)
    return Incident(name, state, serious, state == "under_maintenance", components=(name,), part=True)


def _untended(page: dict[str, Any]) -> str:
    """The day of the last change, where that is more than a year ago: pages stay when their owners move on."""
    told = page.get("page")
    day = str(told.get("updated_at") if isinstance(told, dict) else "")[:10]
    try:
        old = date.fromisoformat(day) < datetime.now(UTC).date() - timedelta(days=365)
    except ValueError:
        return ""
    return day if old else ""


def statusio(body: Any) -> list[Incident]:
    """https://kb.status.io/developers/status-codes: 400 and 500 are disruptions, 600 a matter of security."""
    result = an_object(an_object(body, "result")["result"], "status_overall")
    worst = _code(result["status_overall"], "status_code")
    parts = tuple(line(c.get("name")) for c in dicts(result.get("status")) if _code(c, "status_code") >= 300)
    found = []
    for one in dicts(result.get("incidents")):
        messages = dicts(one.get("messages"))
        last = max(messages, key=lambda one: str(one.get("datetime")), default={})
        hit = tuple(line(c.get("name")) for c in dicts(one.get("components_affected"))) or parts
        serious = _disrupted(_code(last, "status") if last else worst)
        found.append(Incident(line(one.get("name")), "active", serious, since=line(one.get("datetime_open")),
                              components=hit, update=line(last.get("details"))))  # fmt: skip
    if _disrupted(worst) is not False and not any(one.serious for one in found):
        said = line(result["status_overall"].get("status"))
        found.insert(0, Incident(said, "active", _disrupted(worst), components=parts))
    planned = result.get("maintenance")
    for one in dicts(planned.get("active")) if isinstance(planned, dict) else []:
        found.append(Incident(line(one.get("name")), "in_progress", maintenance=True))
    return found


def _code(part: Any, key: str) -> int:
    value = part.get(key) if isinstance(part, dict) else None
    return int(str(value)) if re.fullmatch(r"\d{1,4}", str(value)) else 0


def _disrupted(code: int) -> bool | None:
    return code in DISRUPTED if code in (100, 200, 300, *DISRUPTED, 600) else None


def statuscast(body: Any) -> list[Incident]:
    """status.json of StatusCast: of its values only "Available" is known to mean something."""
    said = line(an_object(body, "Status")["Status"])
    if said.lower() != "available":
        raise OtherPage(f"it says {line(body.get('StatusText')) or said}")
    return []


def sorry(body: Any) -> list[Incident]:
    """https://www.sorryapp.com/status-api/: the notices of now. None says how bad it is; `general` ones are news."""
    found = []
    for one in dicts(an_object(body, "notices")["notices"]):
        state, kind = line(one.get("state")), one.get("type")
        planned, last = kind == "planned", one.get("latest_update")
        if state in OVER or kind == "general" or (planned and state == "scheduled"):
            continue
        found.append(
            Incident(
                line(one.get("subject")),
                state or "open",
                serious=False if planned else None,
                maintenance=planned,
                since=line(one.get("began_at")),
                components=tuple(line(c.get("name")) for c in dicts(one.get("components"))),
                update=line(last.get("content")) if isinstance(last, dict) else "",
            )
        )
    return found
