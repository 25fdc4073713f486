"""Status pages that providers make themselves, each read as its own documentation says, into the same few words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from bot.checks.status_hosted import sorry, statuscast, statusio, statuspage
from bot.checks.status_incident import Incident, OtherPage, Reader, an_object, dicts, line


def slack_status(body: Any) -> list[Incident]:
    """https://docs.slack.dev/reference/slack-status-api: what is active, by type."""
    page = an_object(body, "status", "active_incidents")
    going, found = dicts(page["active_incidents"]), []
    if not going and page["status"] != "ok":
        raise OtherPage(f"it says {line(page['status']) or 'nothing'}")
    for one in going:
        kind, notes = one.get("type"), dicts(one.get("notes"))
        if one.get("status") in ("scheduled", "resolved", "completed", "cancelled"):
            continue
        services = one.get("services")
        found.append(
            Incident(
                line(one.get("title")),
                line(one.get("status")),
                serious={"incident": True, "outage": True, "notice": False, "maintenance": False}.get(str(kind)),
                maintenance=kind == "maintenance",
                since=line(one.get("date_created")),
                components=tuple(line(name) for name in services) if isinstance(services, list) else (),
                update=line(notes[0].get("body")) if notes else "",
            )
        )
    return found


_GOOGLE = {"SERVICE_INFORMATION": False, "SERVICE_DISRUPTION": True, "SERVICE_OUTAGE": True}


def google_cloud(body: Any) -> list[Incident]:
    """https://status.cloud.google.com/incidents.schema.json: all incidents; those without an end are going on."""
    if not isinstance(body, list):
        raise OtherPage
    found = []
    for one in dicts(body):
        if "begin" not in one:
            raise OtherPage
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
                serious=False if _over(last) else _GOOGLE.get(str(one.get("status_impact"))),
                since=line(one.get("begin")),
                components=tuple(dict.fromkeys(line(part.get("title")) for part in named)),
                update=line(last.get("text")) if isinstance(last, dict) else "",
            )
        )
    return found


def _over(last: Any) -> bool:
    """The latest word is that it works again, though the incident is still open."""
    return isinstance(last, dict) and last.get("status") == "AVAILABLE"


def salesforce_trust(body: Any) -> list[Incident]:
    """https://api.status.salesforce.com/v1/docs: one instance. CORE is what data loads through."""
    return _trust(an_object(body, "key", "status"))


def salesforce_product(body: Any) -> list[Incident]:
    """The same documentation: a product that runs apart from the instances of Salesforce, as Account Engagement."""
    product = an_object(body, "key", "Instances")
    instances = dicts(product["Instances"])
    if not instances or any("key" not in one or "status" not in one for one in instances):
        raise OtherPage
    return [one for instance in instances for one in _trust(instance)]


TRUST = re.compile(r"(MAJOR_INCIDENT|MINOR_INCIDENT|MAINTENANCE|INFORMATIONAL)_(NON)?CORE")


def _trust(page: dict[str, Any]) -> list[Incident]:
    status = str(page["status"])
    details = [one for one in dicts(page.get("Incidents")) if one.get("isCore", True)]
    events = dicts(details[0].get("IncidentEvents")) if details else []
    if status == "OK":
        return []
    return [
        Incident(
            f"{line(page['key'])}: {status.replace('_', ' ').lower()}",
            line(status),
            serious=status == "MAJOR_INCIDENT_CORE" if TRUST.fullmatch(status) else None,
            maintenance=status == "MAINTENANCE_CORE",
            since=line(details[0].get("createdAt")) if details else "",
            components=(line(page["key"]),),
            update=line(events[-1].get("message")) if events else "",
        )
    ]


def zendesk_status(body: Any) -> list[Incident]:
    """https://developer.zendesk.com/api-reference/status_api/status_api: active incidents only, as JSON:API."""
    page = an_object(body, "data")
    if not isinstance(page["data"], list):
        raise OtherPage
    there = {(one.get("type"), str(one.get("id"))): one for one in dicts(page.get("included"))}
    found = []
    for one in dicts(page["data"]):
        hit = [there[key] for key in _related(one, "incident_services") if key in there] or list(there.values())
        parts = [*hit, *(there[key] for part in hit for key in _related(part, "service") if key in there)]
        told, known = _attributes(one), [_attributes(part) for part in parts]
        names = tuple(dict.fromkeys(line(part["name"]) for part in known if part.get("name")))
        down = any(part.get("outage") is True for part in (told, *known)) or told.get("impact") in ("major", "critical")
        said = down or told.get("outage") is False or told.get("impact") in ("none", "minor")
        found.append(Incident(line(told.get("title")), line(told.get("status")) or "active", down if said else None,
                              since=line(told.get("started_at")), components=names))  # fmt: skip
    return found


def _attributes(one: dict[str, Any]) -> dict[str, Any]:
    told = one.get("attributes")
    return told if isinstance(told, dict) else {}


def _related(one: dict[str, Any], name: str) -> list[tuple[Any, str]]:
    """https://jsonapi.org/format/#document-resource-object-linkage: types and ids, of one or several."""
    relations = one.get("relationships")
    relation = relations.get(name) if isinstance(relations, dict) else None
    data = relation.get("data") if isinstance(relation, dict) else None
    return [(to.get("type"), str(to.get("id"))) for to in dicts(data if isinstance(data, list) else [data])]


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
            said = _AWS.get(str(level), f"level {level}")
            if str(level) != "0" and name:
                serious = said == "disruption" if str(level) in _AWS else None
                found.append(Incident(f"{name}: {where}", said, serious, since=_moment(one.get("date")),
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
            known = re.search("(high|major|outage)|low|medium", said, re.I)
            serious = bool(known[1]) if known else None
            found.append(Incident(": ".join(names), said, serious, since=line(part.get("time")), components=names))
    return found


# What the page itself knows, as its own script lists it; it says "Unknown" too.
_CALM = ("Available", "Operational", "ServiceRestored")


def microsoft_post(body: Any) -> list[Incident]:
    """What https://status.cloud.microsoft itself reads, which Microsoft documents nowhere: one post, of what keeps
    administrators out. How bad it is for one service it does not say.
    https://learn.microsoft.com/en-us/microsoft-365/enterprise/view-service-health"""
    post = an_object(body, "Status", "Message")
    said = line(post["Status"])
    if said in _CALM:
        return []
    if said != "ServiceDegradation":
        raise OtherPage(f"it says {said or 'nothing'}")
    name = line(post.get("Title")) or "Microsoft 365"
    told = line(re.sub("<[^>]*>", " ", str(post["Message"])[:2000]))
    return [Incident(name, said, serious=None, since=line(post.get("AuthoredDateTime")), update=told)]


def ringcentral_status(body: Any) -> list[Incident]:
    """What https://status.ringcentral.com/status.json holds, which RingCentral documents nowhere: one entry for each
    service and region. "Good" is calm; how bad its other words are, it does not say."""
    rows = [one for one in dicts(body) if one.get("service") and one.get("level")]
    if not rows:
        raise OtherPage
    found = []
    for one in rows:
        name, region, said = line(one["service"]), line(one.get("region")), line(one["level"])
        if said.lower() != "good":
            found.append(Incident(f"{name} ({region})" if region else name, said, serious=None, components=(name,)))
    return found


# What is asked below the page's address, and who reads the answer.
KINDS: dict[str, tuple[str, Reader]] = {
    "statuspage": ("/api/v2/summary.json", statuspage),
    "slack_status": ("/api/v2.0.0/current", slack_status),
    "google_cloud": ("/incidents.json", google_cloud),
    "statusio": ("", statusio),
    "salesforce_trust": ("/v1/instances/{instance}/status", salesforce_trust),
    "salesforce_product": ("", salesforce_product),
    "aws_events": ("/public/currentevents", aws_events),
    "meta_status": ("/data/orgs.json", meta_status),
    "microsoft_post": ("/api/posts/mac", microsoft_post),
    "ringcentral_status": ("/status.json", ringcentral_status),
    "statuscast": ("/status.json", statuscast),
    "sorry": ("/api/v1/notices?timeline_state=present", sorry),
    "zendesk_status": ("/api/incidents/active", zendesk_status),
}
