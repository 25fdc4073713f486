"""Providers' status pages, each kind read as its own documentation says, into the same few words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Incident:
    """What a page reports now. `serious`: data may stop; `maintenance`: planned, and under way."""

    name: str
    state: str
    serious: bool = False
    maintenance: bool = False
    since: str = ""
    components: tuple[str, ...] = ()
    update: str = ""

    def about(self, wanted: Sequence[str]) -> bool:
        """Whether it concerns one of the components; one that names none concerns all."""
        named = [one.lower() for one in self.components]
        return not wanted or not named or any(want.lower() in one for want in wanted for one in named)


class OtherPage(Exception):
    """The answer is not what pages of this kind give, or says what nobody has documented."""


Reader = Callable[[Any], list[Incident]]
DISRUPTED = (400, 500)


def dicts(many: Any) -> list[dict[str, Any]]:
    return [one for one in many if isinstance(one, dict)] if isinstance(many, list) else []


def line(text: Any) -> str:
    return " ".join(str(text or "").split())[:200]


def _object(body: Any, *keys: str) -> dict[str, Any]:
    if not isinstance(body, dict) or any(key not in body for key in keys):
        raise OtherPage
    return body


def statuspage(body: Any) -> list[Incident]:
    """Atlassian Statuspage, v2: https://metastatuspage.com/api serves the same document for every page."""
    page = _object(body, "status")
    status = _object(page["status"])
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


def slack_status(body: Any) -> list[Incident]:
    """https://docs.slack.dev/reference/slack-status-api: what is active, by type."""
    found = []
    for one in dicts(_object(body, "status", "active_incidents")["active_incidents"]):
        kind, notes = one.get("type"), dicts(one.get("notes"))
        services = one.get("services")
        found.append(
            Incident(
                line(one.get("title")),
                line(one.get("status")),
                serious=kind in ("incident", "outage"),
                maintenance=kind == "maintenance",
                since=line(one.get("date_created")),
                components=tuple(line(name) for name in services) if isinstance(services, list) else (),
                update=line(notes[0].get("body")) if notes else "",
            )
        )
    return found


def google_cloud(body: Any) -> list[Incident]:
    """https://status.cloud.google.com/incidents.schema.json: all incidents; those without an end are going on."""
    if not isinstance(body, list):
        raise OtherPage
    found = []
    for one in dicts(body):
        if one.get("end"):
            continue
        named = [*dicts(one.get("affected_products")), *dicts(one.get("currently_affected_locations"))]
        # On https://ads.google.com/status/publisher an incident may name its product only here, several only there.
        service = line(one.get("service_name"))
        named += [{"title": service}] if service and service != "Multiple Products" else []
        last = one.get("most_recent_update")
        found.append(
            Incident(
                line(one.get("external_desc")),
                line(one.get("status_impact")),
                serious=one.get("status_impact") in ("SERVICE_DISRUPTION", "SERVICE_OUTAGE") and not _over(last),
                since=line(one.get("begin")),
                components=tuple(dict.fromkeys(line(part.get("title")) for part in named)),
                update=line(last.get("text")) if isinstance(last, dict) else "",
            )
        )
    return found


def _over(last: Any) -> bool:
    """The latest word is that it works again, though the incident is still open."""
    return isinstance(last, dict) and last.get("status") == "AVAILABLE"


def statusio(body: Any) -> list[Incident]:
    """https://kb.status.io/developers/status-codes: 400 and 500 are disruptions, 600 a matter of security."""
    result = _object(_object(body, "result")["result"], "status_overall")
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


def salesforce_trust(body: Any) -> list[Incident]:
    """https://api.status.salesforce.com/v1/docs: one instance. CORE is what data loads through."""
    page = _object(body, "key", "status")
    status = str(page["status"])
    details = [one for one in dicts(page.get("Incidents")) if one.get("isCore", True)]
    events = dicts(details[0].get("IncidentEvents")) if details else []
    if status == "OK":
        return []
    return [
        Incident(
            f"{line(page['key'])}: {status.replace('_', ' ').lower()}",
            line(status),
            serious=status == "MAJOR_INCIDENT_CORE",
            maintenance=status == "MAINTENANCE_CORE",
            since=line(details[0].get("createdAt")) if details else "",
            components=(line(page["key"]),),
            update=line(events[-1].get("message")) if events else "",
        )
    ]


def zendesk_status(body: Any) -> list[Incident]:
    """https://developer.zendesk.com/api-reference/status_api/status_api: active incidents only, as JSON:API."""
    page = _object(body, "data")
    if not isinstance(page["data"], list):
        raise OtherPage
    parts = [one["attributes"] for one in dicts(page.get("included")) if isinstance(one.get("attributes"), dict)]
    down = any(part.get("outage") is True for part in parts)
    names = tuple(line(part["name"]) for part in parts if part.get("name"))
    found = []
    for one in dicts(page["data"]):
        told = one.get("attributes")
        told = told if isinstance(told, dict) else {}
        serious = down or told.get("outage") is True or told.get("impact") in ("major", "critical")
        found.append(Incident(line(told.get("title")), line(told.get("status")) or "active", serious,
                              since=line(told.get("started_at")), components=names))  # fmt: skip
    return found


# What AWS's own page makes of the numbers; 0 is over.
_AWS = {"1": "notice", "2": "degradation", "3": "disruption"}


def aws_events(body: Any) -> list[Incident]:
    """What https://health.aws.amazon.com/health/status itself reads, which AWS documents nowhere: the events that are
    open, each with the services that it hits, `s3-eu-central-1`, and how hard now."""
    if not isinstance(body, list):
        raise OtherPage
    found = []
    for one in dicts(body):
        hit, log = one.get("impacted_services"), dicts(one.get("event_log"))
        parts = {line(one.get("service")): one.get("status")}
        if isinstance(hit, dict):
            parts |= {line(name): part.get("current") for name, part in hit.items() if isinstance(part, dict)}
        where = ", ".join(line(one[key]) for key in ("summary", "region_name") if one.get(key))
        update = line(log[-1].get("message")) if log else ""
        for name, level in parts.items():
            if (said := _AWS.get(str(level))) and name:
                found.append(Incident(f"{name}: {where}", said, said == "disruption", since=_moment(one.get("date")),
                                      components=(name,), update=update))  # fmt: skip
    return found


def _moment(seconds: Any) -> str:
    text = str(seconds or "")
    return datetime.fromtimestamp(int(text), UTC).isoformat() if re.fullmatch(r"\d{9,10}", text) else ""


def meta_status(body: Any) -> list[Incident]:
    """What https://metastatus.com itself reads, which Meta documents nowhere: products, each with services that say
    how they are in words. "Resolved" stands there for some time after."""
    products = dicts(body)
    if not any(dicts(one.get("services")) for one in products):
        raise OtherPage
    found = []
    for product, part in ((one, part) for one in products for part in dicts(one.get("services"))):
        said = line(part.get("status"))
        if said.lower() not in ("", "no known issues", "resolved"):
            names = (line(product.get("name")), line(part.get("name")))
            serious = bool(re.search("high|major|outage", said, re.I))
            found.append(Incident(": ".join(names), said, serious, since=line(part.get("time")), components=names))
    return found


def statuscast(body: Any) -> list[Incident]:
    """status.json of StatusCast: of its values only "Available" is known to mean something."""
    said = line(_object(body, "Status")["Status"])
    if said.lower() != "available":
        raise OtherPage(f"it says {line(body.get('StatusText')) or said}")
    return []


# What is asked below the page's address, and who reads the answer.
KINDS: dict[str, tuple[str, Reader]] = {
    "statuspage": ("/api/v2/summary.json", statuspage),
    "slack_status": ("/api/v2.0.0/current", slack_status),
    "google_cloud": ("/incidents.json", google_cloud),
    "statusio": ("", statusio),
    "salesforce_trust": ("/v1/instances/{instance}/status", salesforce_trust),
    "aws_events": ("/public/currentevents", aws_events),
    "meta_status": ("/data/orgs.json", meta_status),
    "statuscast": ("/status.json", statuscast),
    "zendesk_status": ("/api/incidents/active", zendesk_status),
}
