"""The provider's own word: its status page."""

from __future__ import annotations

from typing import Any

from bot.checks.base import Target, check, finding
from bot.drivers.http import get
from bot.drivers.network import Trouble
from flows.core.finding import Finding

NAME = "status_page_quiet"
# Atlassian Statuspage API v2: https://www.atlassian.com/software/statuspage (every page serves /api/v2/summary.json)
SUMMARY = "/api/v2/summary.json"


@check("check_status", NAME)
def status_page_quiet(target: Target) -> Finding:
    """The provider's status page reports no incident."""
    page = target.sheet.status_page
    url = str(target.settings.get("status_url") or (page.url if page else "")).rstrip("/")
    if not url:
        return finding(NAME, "skipped", evidence="no status page is known")
    if page and page.kind == "generic" and not target.settings.get("status_url"):
        return finding(NAME, "unclear", evidence=f"cannot read this page: {url}", url=url)
    try:
        answer = get(url + SUMMARY, {"Accept": "application/json"}, min(target.timeout, 5.0), proxy=target.proxy)
    except Trouble as trouble:
        return finding(NAME, "unclear", evidence=f"cannot read this page: {trouble.evidence}", url=url)
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get("status"), dict):
        return finding(NAME, "unclear", evidence=f"cannot read this page: {url} (HTTP {answer.status})", url=url)
    return _judge(body, url)


def _judge(body: dict[str, Any], url: str) -> Finding:
    incidents = [
        i
        for i in body.get("incidents") or []
        if isinstance(i, dict) and i.get("status") not in ("resolved", "postmortem")
    ]
    serious = [i for i in incidents if i.get("impact") in ("major", "critical")]
    under = [
        m for m in body.get("scheduled_maintenances") or [] if isinstance(m, dict) and m.get("status") == "in_progress"
    ]
    said = str(body["status"].get("description", ""))[:200]
    if serious or body["status"].get("indicator") in ("major", "critical"):
        first = (serious or incidents or [{}])[0]
        name = str(first.get("name") or said)[:200]
        return finding(
            NAME,
            "bad",
            "availability.provider_error",
            "third_party_down",
            evidence=f"{name} ({first.get('status', said)})",
            incident=name,
            since=str(first.get("started_at") or first.get("created_at") or ""),
            url=url,
        )
    if under:
        name = str(under[0].get("name", "maintenance"))[:200]
        return finding(
            NAME, "bad", "availability.maintenance", "third_party_down", evidence=name, incident=name, url=url
        )
    return finding(NAME, "good", evidence=said or "no incident", url=url)
