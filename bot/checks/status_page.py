"""The provider's own word: its status page."""

from __future__ import annotations

from typing import Any

from bot.checks.base import Target, check, finding
from bot.drivers.http import get
from bot.drivers.network import Trouble
from flows.core.finding import Finding

NAME = "status_page_quiet"
# Atlassian Statuspage, v2: https://metastatuspage.com/api serves the same document for every page.
SUMMARY = "/api/v2/summary.json"
OVER = ("resolved", "postmortem", "completed")
SERIOUS = ("major", "critical")


@check("check_status", NAME)
def status_page_quiet(target: Target) -> Finding:
    """The provider's status page reports no incident."""
    page = target.sheet.status_page
    given = str(target.settings.get("status_url") or "")
    url = (given or (page.url if page else "")).rstrip("/")
    if not url:
        return finding(NAME, "skipped", evidence="no status page is known")
    if page and page.kind == "generic" and not given:
        return finding(NAME, "unclear", evidence=f"cannot read this page: {url}", url=url)
    ca_file = str(target.settings.get("ca_file") or "") or None
    headers = {"Accept": "application/json", "User-Agent": "mend"}
    try:
        answer = get(url + SUMMARY, headers, min(target.timeout, 5.0), proxy=target.proxy, ca_file=ca_file)
    except Trouble as trouble:
        return finding(NAME, "unclear", evidence=f"cannot read this page: {trouble.evidence}"[:500], url=url)
    body = answer.body
    if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("status"), dict):
        return finding(NAME, "unclear", evidence=f"cannot read this page: {url} (HTTP {answer.status})", url=url)
    return _judge(body, url)


def _judge(body: dict[str, Any], url: str) -> Finding:
    status, said = body["status"], _line(body["status"].get("description"))
    incidents = [one for one in _dicts(body.get("incidents")) if one.get("status") not in OVER]
    serious = [one for one in incidents if one.get("impact") in SERIOUS]
    working = [one for one in _dicts(body.get("scheduled_maintenances")) if one.get("status") == "in_progress"]
    if serious or status.get("indicator") in SERIOUS:
        first = (serious or incidents or [{"name": said, "status": status.get("indicator")}])[0]
        return _bad("availability.provider_error", first, body, url)
    if working or status.get("indicator") == "maintenance":
        first = (working or [{"name": said, "status": "in_progress"}])[0]
        return _bad("availability.maintenance", first, body, url)
    minor = ", ".join(_line(one.get("name")) for one in incidents[:3])
    return finding(
        NAME, "good", evidence=(f"{said}; minor: {minor}" if minor else said or "no incident")[:500], url=url
    )


def _bad(code: str, incident: dict[str, Any], body: dict[str, Any], url: str) -> Finding:
    hit = _dicts(incident.get("components")) or [
        one for one in _dicts(body.get("components")) if one.get("status") not in ("operational", None)
    ]
    name, state = _line(incident.get("name")), _line(incident.get("status"))
    updates = _dicts(incident.get("incident_updates"))
    return finding(
        NAME, "bad", code, "third_party_down", evidence=f"{name} ({state})"[:500], incident=name, url=url,
        since=_line(incident.get("started_at") or incident.get("created_at")),
        components=[_line(one.get("name")) for one in hit[:10]],
        update=_line(updates[0].get("body"))[:300] if updates else "",
    )  # fmt: skip


def _dicts(many: Any) -> list[dict[str, Any]]:
    return [one for one in many if isinstance(one, dict)] if isinstance(many, list) else []


def _line(text: Any) -> str:
    return " ".join(str(text or "").split())[:200]
