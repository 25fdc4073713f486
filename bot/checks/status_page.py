"""The provider's own word: its status page."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from bot.checks.base import Target, check, finding
from bot.checks.http_ask import FIELD, written
from bot.checks.status_incident import Incident, OtherPage, dicts, line
from bot.checks.status_readers import KINDS
from bot.drivers.http import get
from bot.drivers.network import Trouble
from flows.core.finding import Finding

NAME = "status_page_quiet"
NEXT = re.compile(r"[\s,]*")


@check("check_status", NAME)
def status_page_quiet(target: Target) -> Finding:
    """The provider's status page reports no incident."""
    page = target.sheet.status_page
    given = str(target.settings.get("status_url") or "")
    asked_at = (given or (page.url if page else "")).rstrip("/")
    url = page.page if page and page.page and not given else asked_at
    if not url:
        return finding(NAME, "skipped", evidence="no status page is known")
    if "amazonaws.com" not in str(target.settings.get("endpoint_url") or "amazonaws.com"):
        return finding(NAME, "skipped", evidence="endpoint_url leads to a store of somebody else's")
    kind = page.kind if page and page.kind != "generic" else "statuspage" if given else "generic"
    if kind not in KINDS:
        return _unread(url, url)
    path, read = KINDS[kind]
    wanted = page.components if page and not given else ()
    if missing := _missing(target, path, *wanted):
        return _unread(url, f"{url} (it tells by {missing[0]}: name yours under settings, as {': '.join(missing)})")
    ca_file = str(target.settings.get("ca_file") or "") or None
    headers = {"Accept": "application/json"}
    asked = asked_at + re.sub(FIELD, lambda found: quote(written(target, found[1]), safe=""), path)
    try:
        answer = get(asked, headers, min(target.timeout, 5.0), proxy=target.proxy, ca_file=ca_file)
    except Trouble as trouble:
        return _unread(url, trouble.evidence)
    said = _begun(answer.text) if answer.truncated and kind == "google_cloud" else answer.body
    try:
        incidents = read(said if answer.status == 200 else None)
    except OtherPage as other:
        why = "it is too long" if answer.truncated else f"HTTP {answer.status}"
        return _unread(url, f"{url} ({str(other) or why})")
    ours = [re.sub(FIELD, lambda found: written(target, found[1]), part) for part in wanted]
    if _renamed(answer.body, ours) and any(one.serious or one.maintenance for one in incidents):
        return _unread(url, f"{url} (it names no {' or '.join(ours)}, and reports {incidents[0].name})")
    concern = [one for one in incidents if one.about(ours) and (ours or not one.part)]
    return _judge(concern, _said(answer.body), url)


def _renamed(body: Any, ours: list[str]) -> bool:
    """The page lists its parts, and none of them is ours."""
    names = [line(one.get("name")).lower() for one in dicts(body.get("components"))] if isinstance(body, dict) else []
    return bool(names and ours) and not any(want.lower() in name for want in ours for name in names)


def _begun(text: str) -> list[Any] | None:
    """The whole entries of a list that was cut off. Google's logs go back for years, and its own reader takes their
    beginning only: https://github.com/GoogleCloudPlatform/google-cloud-eclipse/pull/2769"""
    entries, at, decoder = list[Any](), 1, json.JSONDecoder()
    while text.startswith("[") and (start := NEXT.match(text, at)):
        try:
            entry, at = decoder.raw_decode(text, start.end())
        except (ValueError, RecursionError):
            break
        entries.append(entry)
    return entries or None


def _missing(target: Target, *texts: str) -> tuple[str, ...]:
    """A setting that the texts name and nobody has filled in, with an example."""
    for name in (name for text in texts for name in re.findall(FIELD, text)):
        if not written(target, name):
            return name, next((field.example for field in target.sheet.fields if field.name == name), "EU45")
    return ()


def _unread(url: str, why: str) -> Finding:
    return finding(NAME, "unclear", evidence=f"cannot read this page: {why}"[:500], url=url)


def _said(body: Any) -> str:
    status = body.get("status") if isinstance(body, dict) else None
    return line(status.get("description")) if isinstance(status, dict) else ""


def _judge(incidents: list[Incident], said: str, url: str) -> Finding:
    serious = [one for one in incidents if one.serious]
    planned = [one for one in incidents if one.maintenance]
    if serious or planned:
        code = "availability.provider_error" if serious else "availability.maintenance"
        return _bad(code, (serious or planned)[0], url)
    if unsure := next((one for one in incidents if one.serious is None), None):
        words = f"{unsure.name} ({unsure.state}); this page does not say how bad it is"
        return finding(NAME, "unclear", evidence=words[:500], url=url, incident=unsure.name, since=unsure.since)
    minor = ", ".join(one.name for one in incidents[:3])
    said = said or "no incident"
    return finding(NAME, "good", evidence=(f"{said}; minor: {minor}" if minor else said)[:500], url=url)


def _bad(code: str, one: Incident, url: str) -> Finding:
    return finding(
        NAME, "bad", code, "third_party_down", evidence=f"{one.name} ({one.state})"[:500], incident=one.name, url=url,
        since=one.since, components=list(one.components[:10]), update=one.update,
    )  # fmt: skip
