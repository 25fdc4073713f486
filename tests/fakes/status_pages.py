"""Status pages as their providers document them, calm and with something going on."""

from __future__ import annotations

import json
from typing import Any

# https://docs.slack.dev/reference/slack-status-api
SLACK_CALM: dict[str, Any] = {
    "status": "ok", "active_incidents": [],
    "date_created": "2018-09-07T18:34:15-07:00", "date_updated": "2018-09-07T18:34:15-07:00",
}  # fmt: skip


def slack(kind: str = "incident") -> dict[str, Any]:
    one = {
        "id": 546, "date_created": "2018-09-07T14:35:00-07:00", "date_updated": "2018-09-07T18:34:15-07:00",
        "title": "Slack is having trouble\nloading messages", "type": kind, "status": "active",
        "url": "https://slack-status.com/2018-09/7dea1cd14cd0f657", "services": ["Apps/Integrations/APIs"],
        "notes": [{"date_created": "2018-09-07T18:34:15-07:00", "body": "We are looking into it."}],
    }  # fmt: skip
    return {**SLACK_CALM, "status": "active", "active_incidents": [one]}


# https://status.cloud.google.com/incidents.schema.json
def google(impact: str = "SERVICE_OUTAGE", product: str = "Google BigQuery", **more: Any) -> list[dict[str, Any]]:
    one = {
        "id": "ow5i3PPK96RduMcb1SsW", "number": "17000", "begin": "2026-11-24T01:00:00+00:00",
        "created": "2026-11-24T01:05:00+00:00", "modified": "2026-11-24T02:00:00+00:00",
        "external_desc": "Queries fail in one region", "status_impact": impact, "severity": "high",
        "affected_products": [{"title": product, "id": "9CcrhHUcFevXPSVaSxkf"}],
        "currently_affected_locations": [{"title": "Belgium (europe-west1)", "id": "europe-west1"}],
        "most_recent_update": {"text": "Mitigation is under way.", "status": impact, "when": "2026-11-24T02:00:00+00:00"},
        "uri": "incidents/ow5i3PPK96RduMcb1SsW",
    }  # fmt: skip
    return [{**one, **more}]


# https://kb.status.io/developers/public-status-api
def statusio(code: int = 100, message: int | None = None, planned: bool = False) -> dict[str, Any]:
    words = {100: "Operational", 200: "Planned Maintenance", 300: "Degraded Performance",
             400: "Partial Service Disruption", 500: "Service Disruption", 600: "Security Event"}  # fmt: skip
    going = {
        "_id": "5c1d", "name": "API errors", "datetime_open": "2026-11-24T01:00:00.000Z",
        "messages": [{"details": "Looking into it.", "state": 100, "status": message, "datetime": "2026-11-24T01:00:00.000Z"}],
        "components_affected": [{"name": "API", "_id": "5c1e"}],
    }  # fmt: skip
    result = {
        "status_overall": {"updated": "2026-11-24T02:00:00.000Z", "status": words[code], "status_code": code},
        "status": [{"id": "5c1e", "name": "API", "status": words[code], "status_code": code, "containers": []}],
        "incidents": [going] if message else [],
        "maintenance": {"active": [{"name": "Move of a database"}] if planned else [], "upcoming": [{"name": "Later"}]},
    }  # fmt: skip
    return {"result": result}


# https://api.status.salesforce.com/v1/docs
def salesforce(status: str = "OK") -> dict[str, Any]:
    events = [{"type": "investigating", "message": "We are looking into it.", "createdAt": "2026-11-24T01:10:00.000Z"}]
    one = {
        "id": 10001,
        "isCore": True,
        "createdAt": "2026-11-24T01:00:00.000Z",
        "instanceKeys": ["EU45"],
        "IncidentEvents": events,
    }
    return {
        "key": "EU45", "location": "EMEA", "environment": "production", "releaseVersion": "Winter '27", "status": status,
        "isActive": True, "Incidents": [] if status == "OK" else [one], "Maintenances": [], "GeneralMessages": [],
    }  # fmt: skip


# https://developer.zendesk.com/api-reference/status_api/status_api
def zendesk(outage: bool | None = None) -> dict[str, Any]:
    if outage is None:
        return {"data": [], "included": []}
    told = {
        "title": "Tickets do not open",
        "status": "investigating",
        "started_at": "2026-11-24T01:00:00Z",
        "outage": outage,
    }
    service = {"id": "9", "type": "service", "attributes": {"name": "Support", "slug": "support"}}
    return {"data": [{"id": "7", "type": "incident", "attributes": told}], "included": [service]}


# AWS documents no form. As others published what https://health.aws.amazon.com/public/currentevents answered on
# 2026-07-31 and 2026-09-23: UTF-16 with a mark, levels as text, and of a hit region every service with its own level.
def aws(level: str = "3", service: str = "s3-me-central-1", **hit: str) -> list[dict[str, Any]]:
    impacted = {
        name.replace("_", "-"): {"service_name": "Amazon " + name, "current": now, "max": "3"}
        for name, now in hit.items()
    }
    return [
        {
            "date": "1772369485", "arn": "arn:aws:health:me-central-1::event/S3/AWS_S3_OPERATIONAL_ISSUE/AWS_S3_1",
            "region_name": "UAE", "status": level, "service": service, "service_name": "Amazon Simple Storage Service",
            "summary": "Increased Error Rates",
            "event_log": [
                {"summary": "Increased Error Rates", "message": "We are investigating.", "status": 1, "timestamp": 1772369485},
                {"summary": "Increased Error Rates", "message": "A fix\nis on its way.", "status": 3, "timestamp": 1772371152},
            ],
            "impacted_services": impacted,
        }
    ]  # fmt: skip


def aws_bytes(body: Any) -> tuple[dict[str, str], bytes]:
    """Headers and body as AWS sends them: big-endian, with a mark."""
    return {"Content-Type": "application/json;charset=utf-16"}, b"\xfe\xff" + json.dumps(body).encode("utf-16-be")


# Meta documents no form. As others read https://metastatus.com/data/orgs.json in 2026, with the words it has for how a
# service is: "No known issues", "Resolved", "Low disruptions", "Medium disruptions", "High disruptions".
def meta(said: str = "No known issues", product: str = "Marketing API") -> list[dict[str, Any]]:
    def one(name: str, parts: dict[str, str]) -> dict[str, Any]:
        known = [
            {"id": n, "name": part, "status": how, "time": "2026-11-24T01:00:00Z"}
            for n, (part, how) in enumerate(parts.items())
        ]
        return {"id": name.lower().replace(" ", "-"), "name": name, "services": known}

    return [
        one("Graph API", {"Graph API": "No known issues"}),
        one(product, {"Ads Insights": said, "Ads Creation": "Resolved"}),
    ]


# https://api.status.salesforce.com/v1/docs: a product with the instances that it runs on, each as above.
def salesforce_product(status: str = "OK") -> dict[str, Any]:
    return {
        "key": "MCAccountEngagement",
        "Instances": [salesforce(status) | {"key": "ACCOUNTENGAGEMENT"}],
    }  # fmt: skip


# Microsoft documents no form. As https://status.cloud.microsoft/api/posts/mac answered on 2026-09-18; the script of the page
# knows the words Available, Operational, ServiceRestored, ServiceDegradation and Unknown.
def microsoft(status: str = "Available", title: str = "") -> dict[str, Any]:
    return {
        "Id": "972a3801-cef4-49eb-817a-6e8b79ac845a", "AuthoredDateTime": "2026-09-16T18:30:21+00:00",
        "InternalDateTime": "2026-09-18T21:22:55+00:00", "LastUpdatedTime": "2026-09-18T21:24:00.490309+00:00",
        "Title": title, "Status": status,
        "Message": "<div>This site is updated when service issues are preventing tenant administrators from accessing "
        "Service health in the Microsoft 365 admin center.</div>",
    }  # fmt: skip


# https://docs.sorryapp.com/v1/notices; the words for states as https://status.st-andrews.ac.uk, such a page, has them.
def sorry(state: str = "investigating", kind: str = "unplanned") -> dict[str, Any]:
    one = {
        "id": 4711, "type": kind, "timeline_state": "present", "state": state, "subject": "Deals do not open",
        "url": "https://status.example.com/notices/4711", "began_at": "2026-11-24T01:00:00Z", "ended_at": None,
        "begins_at": None, "ends_at": None, "tag_list": [],
        "latest_update": {"id": 1, "state": state, "content": "We are looking into it."},
    }  # fmt: skip
    return {"notices": [one], "meta": {"count": 1, "total_count": 1, "next_page": None}}


# StatusCast documents no form. As two of its pages answered in August 2026, with the only value that was seen.
def statuscast(status: str = "Available", text: str = "Normal") -> dict[str, Any]:
    return {
        "InEffectSince": "2026-08-03T10:41:00", "InEffectSinceText": "Current status in effect for 0 days, 9 hours",
        "StatusText": text, "Status": status,
    }  # fmt: skip


# RingCentral documents no form. As programs of others read https://status.ringcentral.com/status.json in 2026: 75 entries,
# with the levels Good, Informational, Minor, Major and Critical.
def ringcentral(level: str = "Good", service: str = "Calling - Inbound") -> list[dict[str, Any]]:
    calm = {
        "category": "Core Services", "service": "Connect Platform", "region": "Americas", "level": "Good", "alerts": [],
    }  # fmt: skip
    return [calm, {**calm, "service": service, "level": level}]
