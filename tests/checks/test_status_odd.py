"""Status pages with what is seldom on them, and with what no page should say. Expected before the first run.

From the documentation that `tests/fakes/status_pages.py` names and https://developer.statuspage.io: words that nobody
documents are never "all quiet", another product's trouble is not ours, and what cannot be read blocks nothing.
"""

from __future__ import annotations

import copy
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.checks.base import Target
from bot.checks.run import run_all
from bot.checks.status_page import status_page_quiet
from bot.checks.status_readers import KINDS
from flows.core.finding import Finding
from flows.core.sheet import sheet
from flows.core.sheet_parts import StatusPage
from tests.fakes import status_pages as pages
from tests.fakes.serve import Reply, serving

CALM = {"indicator": "none", "description": "All Systems Operational"}
MAJOR = {"indicator": "major", "description": "Partial System Outage"}
DOWN, WORKS, OPEN, QUIET, LOUD = (
    "bad availability.provider_error",
    "bad availability.maintenance",
    "unclear",
    "good",
    "bad|unclear",
)
# A page that nobody has changed for a year is not believed.
TODAY = datetime.now(UTC).isoformat()
HTML = {"Content-Type": "text/html"}


def part(name: str = "API", status: str = "operational") -> dict[str, Any]:
    return {"id": name.lower(), "name": name, "status": status, "group": False}


def event(
    impact: Any = "critical", status: str = "investigating", *parts: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {"name": "Errors", "status": status, "impact": impact, "started_at": "2026-11-30T01:00:00Z",
            "components": list(parts), "incident_updates": [{"body": "Looking.", "status": status}], **more}  # fmt: skip


def body(
    status: dict[str, Any] = CALM, *incidents: Any, works: Any = (), parts: Any = (), **page: Any
) -> dict[str, Any]:
    return {"page": {"id": "x", "name": "Acme", "updated_at": TODAY, **page}, "status": status,
            "components": list(parts), "incidents": list(incidents), "scheduled_maintenances": list(works)}  # fmt: skip


def without(page: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name != key}


API, OTHER = part("API", "major_outage"), part("Billing", "major_outage")
OURS = ("API",)
# Name: the body, the components that are ours, and what is to be said.
STATUSPAGE: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "critical": (body(CALM, event()), (), DOWN),
    "ours_is_down": (body(MAJOR, event("major", "identified", API), parts=[API]), OURS, DOWN),
    "anothers_is_down": (body(MAJOR, event("major", "identified", OTHER), parts=[part(), OTHER]), OURS, QUIET),
    "anothers_is_down_and_nobody_tells_why": (body(MAJOR, parts=[part(), OTHER]), OURS, QUIET),
    "ours_is_down_and_nobody_tells_why": (body(MAJOR, parts=[API, part("Billing")]), OURS, DOWN),
    "ours_is_down_beside_a_calm_word": (body(CALM, parts=[API]), OURS, DOWN),
    "ours_is_partly_down": (body({**CALM, "indicator": "minor"}, parts=[part("API", "partial_outage")]), OURS, LOUD),
    "ours_is_slow": (body({**CALM, "indicator": "minor"}, parts=[part("API", "degraded_performance")]), OURS, QUIET),
    "ours_is_maintained": (body(CALM, parts=[part("API", "under_maintenance")]), OURS, WORKS),
    "ours_has_a_new_word": (body(CALM, parts=[part("API", "limited")]), OURS, OPEN),
    "anothers_has_a_new_word": (body(CALM, parts=[part(), part("Billing", "limited")]), OURS, QUIET),
    "ours_was_renamed": (body(MAJOR, event("critical", "identified", OTHER), parts=[OTHER, part("Public interface")]), OURS, OPEN),
    "names_no_part": (body(MAJOR, event()), OURS, DOWN),
    "indicator_new": (body({"indicator": "severe", "description": "Severe trouble"}), (), OPEN),
    "indicator_in_capitals": (body({"indicator": "CRITICAL", "description": "Outage"}), (), LOUD),
    "indicator_away": (body({"description": "Major outage"}), (), OPEN),
    "indicator_null": (body({"indicator": None, "description": ""}), (), OPEN),
    "impact_new": (body(CALM, event("catastrophic")), (), OPEN),
    "impact_null": (body(CALM, event(None)), (), OPEN),
    "impact_new_of_another": (body(CALM, event("catastrophic", "identified", OTHER), parts=[part(), OTHER]), OURS, QUIET),
    "impact_none": (body(CALM, event("none")), (), QUIET),
    "impact_minor": (body({**CALM, "indicator": "minor"}, event("minor")), (), QUIET),
    "resolved": (body(CALM, event("critical", "resolved")), (), QUIET),
    "postmortem": (body(CALM, event("critical", "postmortem")), (), QUIET),
    "watched_and_well_again": (body(CALM, event("major", "monitoring", part()), parts=[part()]), (), "good|unclear"),
    "watched_and_still_down": (body(MAJOR, event("major", "monitoring", API), parts=[API]), (), DOWN),
    "open_for_years": (body(CALM, event(started_at="2019-03-01T00:00:00Z"), updated_at="2019-03-02T00:00:00Z"), (), OPEN),
    "works_later": (body(CALM, works=[event("maintenance", "scheduled", scheduled_for="2099-01-01T00:00:00Z")]), (), QUIET),
    "works_now": (body(CALM, works=[event("maintenance", "in_progress")]), (), WORKS),
    "works_verified": (body(CALM, works=[event("maintenance", "verifying")]), (), WORKS),  # "active" in its own list
    "works_done": (body(CALM, works=[event("maintenance", "completed")]), (), QUIET),
    "works_new_word": (body(CALM, works=[event("maintenance", "extended")]), (), OPEN),
    "works_on_another": (body(CALM, works=[event("maintenance", "in_progress", OTHER)], parts=[part(), OTHER]), OURS, QUIET),
    "says_maintenance_only": (body({"indicator": "maintenance", "description": "Service Under Maintenance"}), (), WORKS),
    "no_parts": (body(CALM), (), QUIET),
}  # fmt: skip


def google(**more: Any) -> list[dict[str, Any]]:
    return pages.google(**more)


def slack(kind: str = "outage", **more: Any) -> dict[str, Any]:
    page = pages.slack(kind)
    return {**page, "active_incidents": [{**page["active_incidents"][0], **more}]}


def statusio(code: Any) -> dict[str, Any]:
    page = copy.deepcopy(pages.statusio(100))
    page["result"]["status_overall"]["status_code"] = code
    return page


def zendesk(**more: Any) -> dict[str, Any]:
    page = pages.zendesk(outage=False)
    one = page["data"][0]
    return {**page, "data": [{**one, "attributes": {**one["attributes"], **more}}]}


TWO = {
    "data": [
        {"id": "1", "type": "incident", "attributes": {"title": "Slow views", "status": "monitoring", "impact": "minor", "outage": False},
         "relationships": {"incident_services": {"data": [{"id": "11", "type": "incident_service"}]}}},
        {"id": "2", "type": "incident", "attributes": {"title": "No chats", "status": "investigating", "impact": "major", "outage": True},
         "relationships": {"incident_services": {"data": [{"id": "12", "type": "incident_service"}]}}},
    ],
    "included": [
        {"id": "11", "type": "incident_service", "attributes": {"degradation": True, "outage": False}, "relationships": {"service": {"data": {"id": "91", "type": "service"}}}},
        {"id": "12", "type": "incident_service", "attributes": {"degradation": True, "outage": True}, "relationships": {"service": {"data": {"id": "92", "type": "service"}}}},
        {"id": "91", "type": "service", "attributes": {"name": "Support", "slug": "support"}},
        {"id": "92", "type": "service", "attributes": {"name": "Chat", "slug": "chat"}},
    ],
}  # fmt: skip
OTHERS: dict[str, tuple[str, Any, tuple[str, ...], str]] = {
    "slack_new_type": ("slack_status", slack("disruption"), (), OPEN),
    "slack_active_without_incident": ("slack_status", {**pages.SLACK_CALM, "status": "active"}, (), OPEN),
    "slack_resolved": ("slack_status", slack(status="resolved"), (), QUIET),
    "slack_works_later": ("slack_status", slack("maintenance", status="scheduled"), (), QUIET),
    "slack_other_service": ("slack_status", slack(services=["Huddles"]), ("Apps/Integrations/APIs",), QUIET),
    "google_new_impact": ("google_cloud", google(impact="SERVICE_DEGRADED"), (), OPEN),
    "google_other_product": ("google_cloud", google(product="Cloud Spanner"), ("Google BigQuery",), QUIET),
    "google_names_nothing": ("google_cloud", google(affected_products=[]) and [{**google()[0], "affected_products": [], "currently_affected_locations": []}], ("Google BigQuery",), DOWN),
    "google_another_list": ("google_cloud", [{"x": 1}], (), OPEN),
    "statusio_new_code": ("statusio", statusio(700), (), OPEN),
    "statusio_code_as_text": ("statusio", statusio("500"), (), LOUD),
    "statusio_no_code": ("statusio", statusio(None), (), OPEN),
    "salesforce_new_word": ("salesforce_trust", pages.salesforce("CRITICAL_INCIDENT"), (), OPEN),
    "salesforce_none": ("salesforce_trust", {**pages.salesforce(), "status": None}, (), OPEN),
    "salesforce_information": ("salesforce_trust", pages.salesforce("INFORMATIONAL_CORE"), (), QUIET),
    "aws_new_level": ("aws_events", pages.aws("4"), (), OPEN),
    "aws_other_region": ("aws_events", pages.aws("3", "s3-us-west-2"), ("s3-eu-central-1",), QUIET),
    "aws_over_for_ours": ("aws_events", pages.aws("3", "multipleservices-eu", s3_eu="0", ec2_eu="3"), ("s3-eu",), QUIET),
    "meta_new_word": ("meta_status", pages.meta("Investigating"), (), OPEN),
    "meta_medium": ("meta_status", pages.meta("Medium disruptions"), (), QUIET),
    "sorry_new_type": ("sorry", pages.sorry(kind="outage"), (), OPEN),
    "sorry_new_state": ("sorry", pages.sorry("escalated"), (), OPEN),
    "zendesk_new_impact": ("zendesk_status", zendesk(outage=None, impact="severe"), (), OPEN),
    "zendesk_says_nothing_of_it": ("zendesk_status", zendesk(outage=None), (), OPEN),
    "zendesk_each_by_itself": ("zendesk_status", TWO, ("Support",), QUIET),
    "zendesk_the_other": ("zendesk_status", TWO, ("Chat",), DOWN),
    "microsoft_new_word": ("microsoft_post", pages.microsoft("ServiceInterruption"), (), OPEN),
    "statuscast_new_word": ("statuscast", pages.statuscast("Unavailable", "Down"), (), OPEN),
}  # fmt: skip
TALE = json.dumps(body(CALM, event()))
BROKEN: dict[str, tuple[Reply, str]] = {
    "moved_to_a_page": ((301, {"Location": "/new"}, ""), OPEN),
    "wall": ((403, HTML, "<html><title>Just a moment...</title>"), OPEN),
    "wall_with_200": ((200, HTML, "<html><title>Just a moment...</title>"), OPEN),
    "limit": ((429, {"Retry-After": "60"}, {"error": "limit"}), OPEN),
    "outage": ((503, {}, "no"), OPEN),
    "outage_with_a_calm_body": ((503, {}, body()), OPEN),
    "nothing": ((200, {}, ""), OPEN),
    "no_content": ((204, {}, ""), OPEN),
    "null": ((200, {}, None), OPEN),
    "half": ((200, {}, TALE[:200]), OPEN),
    "huge": ((200, {}, body(CALM, event(), parts=[part("x" * 1000)] * 400)), OPEN),
    "with_a_mark": ((200, {"Content-Type": "application/json"}, b"\xef\xbb\xbf" + TALE.encode()), DOWN),
    "wrong_charset": ((200, {"Content-Type": "application/json; charset=iso-8859-1"}, TALE.encode()), DOWN),
    "said_to_be_a_page": ((200, HTML, TALE), DOWN),
    # What other makers serve: https://instatus.com/help/api, https://betterstack.com/docs/uptime/api, incident.io's widget.
    "instatus": ((200, {}, {"page": {"name": "Acme", "url": "https://status.example.com", "status": "HASISSUES"}, "activeIncidents": [{"name": "Down", "impact": "MAJOROUTAGE"}]}), OPEN),
    "better_stack": ((200, {}, {"data": {"id": "1", "type": "status_page", "attributes": {"aggregate_state": "downtime"}}}), OPEN),
    "incident_io": ((200, {}, {"page_title": "Acme", "ongoing_incidents": [{"name": "Down", "status": "investigating"}], "in_progress_maintenances": []}), OPEN),
    "status_is_a_word": ((200, {}, {"status": "none", "incidents": []}), OPEN),
}  # fmt: skip


def ask(kind: str, shown: Any, ours: tuple[str, ...] = (), reply: Reply | None = None) -> Finding:
    def answer(path: str, headers: object) -> Reply:
        if path == "/new":
            return 200, HTML, "<html>Our new status page</html>"
        if reply:
            return reply
        more, given = pages.aws_bytes(shown) if kind == "aws_events" else ({}, shown)
        return 200, more, given

    assert kind in KINDS
    with serving(answer) as url:
        page = StatusPage(kind=kind, url=url, components=ours)  # type: ignore[arg-type]
        known = sheet("http_api").model_copy(update={"status_page": page})
        return status_page_quiet(Target("crm", "http_api", known, {"instance": "EU45"}, {}, timeout=3.0))


def fits(found: Finding, expected: str) -> bool:
    verdict, _, code = expected.partition(" ")
    return found.verdict in verdict.split("|") and (not code or found.code == code)


@pytest.mark.parametrize("name", STATUSPAGE)
def test_statuspage_says_what_concerns_us(name: str) -> None:
    shown, ours, expected = STATUSPAGE[name]
    found = ask("statuspage", shown, ours)
    assert fits(found, expected), found


@pytest.mark.parametrize("name", OTHERS)
def test_other_kinds_say_what_concerns_us(name: str) -> None:
    kind, shown, ours, expected = OTHERS[name]
    found = ask(kind, shown, ours)
    assert fits(found, expected), found


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_no_calm(name: str) -> None:
    reply, expected = BROKEN[name]
    found = ask("statuspage", None, reply=reply)
    assert fits(found, expected), found


@pytest.mark.parametrize(("key", "shown", "expected"), [
    ("slack", slack(services=["Huddles/Canvases"]), QUIET),
    ("slack", slack(services=["Apps/Integrations/APIs"]), DOWN),
    ("slack", slack(services=["Login/SSO"]), DOWN),
    ("zendesk", {"data": TWO["data"][1:], "included": TWO["included"][1:]}, QUIET),
])  # fmt: skip
def test_a_sheet_knows_which_of_its_providers_products_it_reads(key: str, shown: Any, expected: str) -> None:
    known = sheet(key)
    assert known.status_page
    with serving(lambda path, headers: (200, {}, shown)) as url:
        there = known.model_copy(update={"status_page": known.status_page.model_copy(update={"url": url})})
        assert fits(found := status_page_quiet(Target("one", key, there, {}, {}, timeout=3.0)), expected), found


@pytest.mark.parametrize("shown", [None, body(CALM, event())])
def test_no_page_keeps_the_next_check_from_its_work(shown: Any) -> None:
    def answer(path: str, headers: Any) -> Reply:
        if path.startswith("/api/v2"):
            if shown is None:
                time.sleep(0.7)
            return 200, {}, shown
        return (200, {}, [{"id": 1}]) if headers.get("authorization") else (401, {}, {"error": "who?"})

    with serving(answer) as url:
        given = {"base_url": url, "status_url": url, "probe": "/me"}
        found = run_all(
            Target("crm", "http_api", sheet("http_api"), given, {"token": "k" * 20}, ("orders",), timeout=0.5)
        )
    seen = {one.check: one.verdict for one in found}
    assert seen["status_page_quiet"] == ("unclear" if shown is None else "bad")
    assert (seen["credentials_accepted"], seen["permissions_sufficient"]) == ("good", "good")
