"""Status pages that providers rent: Atlassian's, Status.io's, StatusCast's, Sorry's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.checks.status_incident import Incident, OtherPage, an_object, dicts, line

DISRUPTED = (400, 500)
# Notices that are over, or nearly: their data flows again. https://docs.sorryapp.com/v1/notices
OVER = ("recovering", "resolved", "complete", "completed", "cancelled")


def statuspage(body: Any) -> list[Incident]:
    """Atlassian Statuspage, v2: https://metastatuspage.com/api serves the same document for every page."""
    page = an_object(body, "status")
    status = an_object(page["status"])
    broken = tuple(line(c.get("name")) for c in dicts(page.get("components")) if c.get("status") != "operational")
    found = list(_of_statuspage(page, broken))
    indicator, said = status.get("indicator"), line(status.get("description"))
    if indicator in ("major", "critical") and not any(one.serious for one in found):
        found.insert(0, Incident(said, str(indicator), serious=True, components=broken))
    if indicator == "maintenance" and not any(one.maintenance for one in found):
        found.append(Incident(said, "in_progress", maintenance=True))
    return found


def _of_statuspage(page: dict[str, Any], broken: tuple[str, ...]) -> Iterator[Incident]:
    for key, going in (("incidents", None), ("scheduled_maintenances", "in_progress")):
        for one in dicts(page.get(key)):
            state = one.get("status")
            if state in ("resolved", "postmortem", "completed") or (going and state != going):
                continue
            updates = dicts(one.get("incident_updates"))
            yield Incident(
                line(one.get("name")),
                line(state),
                serious=not going and one.get("impact") in ("major", "critical"),
                maintenance=bool(going),
                since=line(one.get("started_at") or one.get("created_at")),
                components=tuple(line(c.get("name")) for c in dicts(one.get("components"))) or broken,
                update=line(updates[0].get("body")) if updates else "",
            )


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
        serious = (_code(last, "status") if last else worst) in DISRUPTED
        found.append(Incident(line(one.get("name")), "active", serious, since=line(one.get("datetime_open")),
                              components=hit, update=line(last.get("details"))))  # fmt: skip
    if worst in DISRUPTED and not any(one.serious for one in found):
        found.insert(0, Incident(line(result["status_overall"].get("status")), "active", True, components=parts))
    planned = result.get("maintenance")
    for one in dicts(planned.get("active")) if isinstance(planned, dict) else []:
        found.append(Incident(line(one.get("name")), "in_progress", maintenance=True))
    return found


def _code(part: Any, key: str) -> int:
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, int) else 0


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
        if state in OVER or kind not in ("planned", "unplanned") or (planned and state == "scheduled"):
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
