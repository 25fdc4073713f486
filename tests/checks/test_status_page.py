"""A status page in Statuspage's own form, and pages that are not."""

from __future__ import annotations

from typing import Any

import pytest

from bot.checks.base import Target
from bot.checks.status_page import status_page_quiet
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.fakes.serve import Reply, serving
from tests.servers import listener, silent

CALM = {"indicator": "none", "description": "All Systems Operational"}


def incident(impact: str, status: str = "investigating") -> dict[str, Any]:
    return {
        "name": "Elevated errors", "status": status, "impact": impact, "started_at": "2026-11-24T01:00:00Z",
        "components": [{"name": "API", "status": "major_outage"}],
        "incident_updates": [{"body": "We are\nlooking into it."}],
    }  # fmt: skip


WORKS = incident("maintenance", "in_progress")


def page(url: str, connector: str = "hubspot") -> Finding:
    return status_page_quiet(Target("crm", connector, sheet(connector), {"status_url": url}, {}, timeout=1.0))


def read(body: Any, status: int = 200) -> Finding:
    def answer(path: str, headers: object) -> Reply:
        return (status, {}, body) if path == "/api/v2/summary.json" else (404, {}, "")

    with serving(answer) as url:
        return page(url)


@pytest.mark.parametrize(
    ("body", "verdict", "code"),
    [
        ({"status": CALM, "incidents": []}, "good", None),
        ({"status": {**CALM, "indicator": "minor"}, "incidents": [incident("minor")]}, "good", None),
        ({"status": CALM, "incidents": [incident("critical")]}, "bad", "availability.provider_error"),
        ({"status": CALM, "incidents": [incident("major", "resolved")]}, "good", None),
        ({"status": {"indicator": "major", "description": "Outage"}}, "bad", "availability.provider_error"),
        ({"status": CALM, "scheduled_maintenances": [WORKS]}, "bad", "availability.maintenance"),
        ({"status": CALM, "scheduled_maintenances": [incident("maintenance", "scheduled")]}, "good", None),
        ({"status": CALM, "incidents": "none", "components": 3}, "good", None),
        ("<html>our status</html>", "unclear", None),
        ([], "unclear", None),
        ({"status": "ok"}, "unclear", None),
    ],
)  # fmt: skip
def test_the_page_is_read_as_it_is_meant(body: Any, verdict: str, code: str | None) -> None:
    found = read(body)
    assert (found.verdict, found.code) == (verdict, code), found


def test_an_outage_says_what_since_when_and_where() -> None:
    found = read({"status": CALM, "incidents": [incident("minor"), incident("major")]})
    assert found.cause == "third_party_down"
    assert found.facts["incident"] == "Elevated errors"
    assert found.facts["since"] == "2026-11-24T01:00:00Z"
    assert found.facts["components"] == ["API"]
    assert found.facts["update"] == "We are looking into it."
    assert found.facts["url"].startswith("http://127.0.0.1")


def test_a_page_that_cannot_be_read_is_unclear_and_none_is_skipped() -> None:
    with listener(silent) as port:
        assert page(f"http://127.0.0.1:{port}").verdict == "unclear"
    generic = status_page_quiet(Target("crm", "shopify", sheet("shopify")))
    assert (generic.verdict, generic.evidence.startswith("cannot read this page")) == ("unclear", True)
    assert status_page_quiet(Target("api", "http_api", sheet("http_api"))).verdict == "skipped"
