"""Status pages of other makers than Statuspage: read as documented, or said to be unreadable."""

from __future__ import annotations

from typing import Any

import pytest

from bot.checks.base import Target
from bot.checks.status_page import status_page_quiet
from bot.checks.status_readers import KINDS
from flows.core.finding import Finding
from flows.core.sheet import sheet
from flows.core.sheet_parts import StatusPage
from tests.fakes import status_pages as pages
from tests.fakes.serve import Reply, serving

PATHS = {
    "slack_status": "/api/v2.0.0/current",
    "google_cloud": "/incidents.json",
    "statusio": "/",
    "salesforce_trust": "/v1/instances/EU45/status",
    "zendesk_status": "/api/incidents/active",
    "aws_events": "/public/currentevents",
    "meta_status": "/data/orgs.json",
    "statuscast": "/status.json",
    "salesforce_product": "/",
    "microsoft_post": "/api/posts/mac",
    "ringcentral_status": "/status.json",
    "sorry": "/api/v1/notices?timeline_state=present",
}
DOWN, WORKS = "availability.provider_error", "availability.maintenance"


def look(kind: str, body: Any, status: int = 200, components: tuple[str, ...] = (), **settings: str) -> Finding:
    def answer(path: str, headers: object) -> Reply:
        more, shown = pages.aws_bytes(body) if kind == "aws_events" and isinstance(body, list) else ({}, body)
        return (status, more, shown) if (path or "/") == PATHS[kind] else (404, {}, "")

    with serving(answer) as url:
        page = StatusPage(kind=kind, url=url, components=components)  # type: ignore[arg-type]
        known = sheet("http_api").model_copy(update={"status_page": page})
        return status_page_quiet(Target("crm", "http_api", known, {"instance": "EU45", **settings}, {}, timeout=5.0))


@pytest.mark.parametrize(
    ("kind", "body", "verdict", "code"),
    [
        ("slack_status", pages.SLACK_CALM, "good", None),
        ("slack_status", pages.slack("notice"), "good", None),
        ("slack_status", pages.slack("incident"), "bad", DOWN),
        ("slack_status", pages.slack("outage"), "bad", DOWN),
        ("slack_status", pages.slack("maintenance"), "bad", WORKS),
        ("google_cloud", [], "good", None),
        ("google_cloud", pages.google(end="2026-11-24T03:00:00+00:00"), "good", None),
        ("google_cloud", pages.google("SERVICE_INFORMATION"), "good", None),
        ("google_cloud", pages.google("SERVICE_DISRUPTION"), "bad", DOWN),
        ("google_cloud", pages.google(most_recent_update={"status": "AVAILABLE", "text": "Over."}), "good", None),
        ("statusio", pages.statusio(), "good", None),
        ("statusio", pages.statusio(300, 300), "good", None),
        ("statusio", pages.statusio(400, 400), "bad", DOWN),
        ("statusio", pages.statusio(500), "bad", DOWN),
        ("statusio", pages.statusio(600), "good", None),
        ("statusio", pages.statusio(200, planned=True), "bad", WORKS),
        ("salesforce_trust", pages.salesforce(), "good", None),
        ("salesforce_trust", pages.salesforce("MINOR_INCIDENT_NONCORE"), "good", None),
        ("salesforce_trust", pages.salesforce("MAJOR_INCIDENT_CORE"), "bad", DOWN),
        ("salesforce_trust", pages.salesforce("MAINTENANCE_CORE"), "bad", WORKS),
        ("aws_events", [], "good", None),
        ("aws_events", pages.aws("0"), "good", None),
        ("aws_events", pages.aws("1"), "good", None),
        ("aws_events", pages.aws("2"), "good", None),
        ("aws_events", pages.aws("3"), "bad", DOWN),
        ("meta_status", pages.meta(), "good", None),
        ("meta_status", pages.meta("Low disruptions"), "good", None),
        ("meta_status", pages.meta("High disruptions"), "bad", DOWN),
        ("statuscast", pages.statuscast(), "good", None),
        ("statuscast", pages.statuscast("Disrupted", "Some services are down"), "unclear", None),
        ("salesforce_product", pages.salesforce_product(), "good", None),
        ("salesforce_product", pages.salesforce_product("MINOR_INCIDENT_CORE"), "good", None),
        ("salesforce_product", pages.salesforce_product("MAJOR_INCIDENT_CORE"), "bad", DOWN),
        ("salesforce_product", pages.salesforce_product("MAINTENANCE_CORE"), "bad", WORKS),
        ("salesforce_product", {"key": "MCAccountEngagement", "Instances": []}, "unclear", None),
        ("microsoft_post", pages.microsoft(), "good", None),
        ("microsoft_post", pages.microsoft("ServiceRestored"), "good", None),
        ("microsoft_post", pages.microsoft("ServiceDegradation"), "unclear", None),
        ("microsoft_post", pages.microsoft("Unknown"), "unclear", None),
        ("ringcentral_status", pages.ringcentral(), "good", None),
        ("ringcentral_status", pages.ringcentral("Informational"), "unclear", None),
        ("ringcentral_status", pages.ringcentral("Critical"), "unclear", None),
        ("ringcentral_status", [], "unclear", None),
        ("sorry", {"notices": [], "meta": {"count": 0}}, "good", None),
        ("sorry", pages.sorry(), "unclear", None),
        ("sorry", pages.sorry("identified"), "unclear", None),
        ("sorry", pages.sorry("recovering"), "good", None),
        ("sorry", pages.sorry("resolved"), "good", None),
        ("sorry", pages.sorry("scheduled", "planned"), "good", None),
        ("sorry", pages.sorry("underway", "planned"), "bad", WORKS),
        ("sorry", pages.sorry("", "general"), "good", None),
        ("zendesk_status", pages.zendesk(), "good", None),
        ("zendesk_status", pages.zendesk(outage=False), "good", None),
        ("zendesk_status", pages.zendesk(outage=True), "bad", DOWN),
    ],
)  # fmt: skip
def test_each_kind_is_read_as_its_documentation_says(kind: str, body: Any, verdict: str, code: str | None) -> None:
    found = look(kind, body)
    assert (found.verdict, found.code) == (verdict, code), found


@pytest.mark.parametrize("kind", sorted(PATHS))
@pytest.mark.parametrize(
    "body", ["<html>our status</html>", {"other": 1}, {"status": "ok"}, {"result": 3}, {"data": {}}]
)
def test_an_answer_of_another_form_is_unclear(kind: str, body: Any) -> None:
    found = look(kind, body)
    assert found.verdict == "unclear"
    assert found.evidence.startswith("cannot read this page")


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_a_page_that_answers_with_an_error_is_unclear(kind: str) -> None:
    assert look(kind, {"error": "down"}, 503).verdict == "unclear"


def test_a_minor_incident_is_named_and_does_not_stop_the_case() -> None:
    assert "Tickets do not open" in look("zendesk_status", pages.zendesk(outage=False)).evidence


def test_an_outage_says_what_since_when_and_where() -> None:
    found = look("google_cloud", pages.google())
    assert (found.cause, found.facts["incident"]) == ("third_party_down", "Queries fail in one region")
    assert found.facts["since"] == "2026-11-24T01:00:00+00:00"
    assert found.facts["components"] == ["Google BigQuery", "Belgium (europe-west1)"]
    assert found.facts["update"] == "Mitigation is under way."


@pytest.mark.parametrize(
    ("components", "verdict"),
    [(("BigQuery",), "bad"), (("europe-west1",), "bad"), (("Cloud SQL",), "good"), (("Cloud SQL", "bigquery"), "bad")],
)
def test_of_a_page_for_many_products_only_the_sheets_own_count(components: tuple[str, ...], verdict: str) -> None:
    assert look("google_cloud", pages.google(), components=components).verdict == verdict


def of(key: str, body: Any, **settings: str) -> Finding:
    """As the connector's own sheet reads its page."""
    known = sheet(key)
    assert known.status_page
    path, _ = KINDS[known.status_page.kind]

    def answer(asked: str, headers: object) -> Reply:
        more, shown = pages.aws_bytes(body) if known.status_page.kind == "aws_events" else ({}, body)
        return (200, more, shown) if asked == path else (404, {}, "")

    with serving(answer) as url:
        there = known.model_copy(update={"status_page": known.status_page.model_copy(update={"url": url})})
        return status_page_quiet(Target("one", key, there, settings, {}, timeout=5.0))


def test_aws_is_heard_for_this_service_in_this_region_alone() -> None:
    hit = pages.aws("3", "multipleservices-me-central-1", s3_me_central_1="3", dynamodb_me_central_1="1")
    found = of("s3", hit, region="me-central-1")
    assert (found.verdict, found.facts["since"]) == ("bad", "2026-03-01T12:51:25+00:00")
    assert found.facts["update"] == "A fix is on its way."
    assert of("s3", hit, region="eu-central-1").verdict == "good"
    assert of("s3", hit).verdict == "good"  # us-east-1 where nothing is said
    weak = of("dynamodb", hit, region="me-central-1")
    assert (weak.verdict, "Increased Error Rates" in weak.evidence) == ("good", True)


def test_a_store_of_somebody_else_is_not_judged_by_the_page_of_aws() -> None:
    hit = pages.aws("3", "s3-us-east-1")
    assert of("s3", hit, endpoint_url="https://minio.example.com").verdict == "skipped"
    assert of("s3", hit, endpoint_url="https://s3.us-east-1.amazonaws.com").verdict == "bad"


@pytest.mark.parametrize(
    ("product", "verdict"),
    [("Google Ads", "bad"), (" Google Ads API", "bad"), ("AdMob", "good"), ("Multiple Products", "bad")],
)
def test_googles_page_for_advertising_names_the_product_of_an_incident_in_two_ways(product: str, verdict: str) -> None:
    hit = pages.google(
        "SERVICE_OUTAGE", "Google Ads" if product == "Multiple Products" else product, service_name=product
    )
    assert of("google_ads", hit).verdict == verdict
    only_there = [{**hit[0], "affected_products": [], "currently_affected_locations": []}]
    if product != "Multiple Products":
        assert of("google_ads", only_there).verdict == verdict


def test_metas_page_is_heard_for_the_marketing_api_alone() -> None:
    assert of("facebook_ads", pages.meta("High disruptions")).verdict == "bad"
    assert of("facebook_ads", pages.meta("High disruptions", "WhatsApp Business API")).verdict == "good"


def test_what_statuscast_says_is_passed_on_where_its_meaning_is_not_known() -> None:
    assert (
        "it says Some services are down" in of("quickbase", pages.statuscast("Down", "Some services are down")).evidence
    )


def test_an_incident_of_which_the_page_says_no_weight_is_named_and_left_open() -> None:
    found = look("sorry", pages.sorry())
    assert found.evidence == "Deals do not open (investigating); this page does not say how bad it is"
    assert look("microsoft_post", pages.microsoft("ServiceDegradation", "Sign-in fails")).evidence.startswith("Sign-in")
    assert of("ringcentral", pages.ringcentral("Minor")).evidence.startswith("Calling - Inbound (Americas) (Minor)")


@pytest.mark.parametrize(("impact", "verdict"), [("SERVICE_OUTAGE", "bad"), ("SERVICE_INFORMATION", "good")])
def test_a_log_of_years_is_read_from_its_newest_entries(impact: str, verdict: str) -> None:
    old = pages.google(end="2025-01-02T00:00:00+00:00", external_desc="x" * 5000) * 100
    assert look("google_cloud", [*pages.google(impact), *old]).verdict == verdict


def test_another_page_that_is_too_long_is_not_taken_for_calm() -> None:
    found = look("zendesk_status", {"data": [], "included": ["x" * 300_000]})
    assert (found.verdict, "it is too long" in found.evidence) == ("unclear", True)


def test_people_are_sent_to_the_page_that_is_made_for_them() -> None:
    assert of("pardot", pages.salesforce_product("MAJOR_INCIDENT_CORE")).facts["url"] == "https://status.salesforce.com"


def test_netsuite_tells_by_data_centre() -> None:
    down = {
        "name": "SuiteTalk fails",
        "status": "investigating",
        "impact": "major",
        "components": [{"name": "US Ashburn 1"}],
    }
    page = {"status": {"indicator": "major", "description": "Partial outage"}, "incidents": [down]}
    asked = of("netsuite", page)
    assert (asked.verdict, "data_center: US Ashburn 1" in asked.evidence) == ("unclear", True)
    assert of("netsuite", page, data_center="US Ashburn 1").verdict == "bad"
    assert of("netsuite", page, data_center="EU Frankfurt 1").verdict == "good"


def test_a_page_that_tells_by_instance_asks_for_it() -> None:
    found = look("salesforce_trust", pages.salesforce(), instance="")
    assert found.verdict == "unclear"
    assert "instance: EU45" in found.evidence


def test_every_kind_that_a_sheet_may_name_can_be_read() -> None:
    named = set(StatusPage.model_json_schema()["properties"]["kind"]["enum"])
    assert named == {*KINDS, "generic"}
