"""Stitch by its Connect API: https://www.stitchdata.com/docs/developers/stitch-connect/api"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

from bot.platforms.api import Refused, ask, no_json, only, refused
from bot.platforms.base import Job, LastCheck, Listed, PlatformError, Shown, Source
from bot.platforms.stitch_jobs import newest, paused_by
from bot.platforms.stitch_shown import shown_of

BASE = "https://api.stitchdata.com"
# Extractions and loads may be asked for 30 times in ten minutes by all of an account together: short of that, what was
# read last has to do. By account: when it was asked, and the pages.
ASKS, WINDOW = 24, 600.0
_asked: dict[tuple[str, str], list[float]] = {}
_pages: dict[tuple[str, str, str], Any] = {}


@dataclass(frozen=True)
class Stitch:
    """Its errors have several shapes; what they say is read, and values that were sent are never repeated."""

    name: ClassVar[str] = "Stitch"
    token: str = field(repr=False)
    base_url: str = BASE
    # What a list of all sources told of each, until it is used.
    _told: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def find(self, wanted: str) -> Source:
        listed = self.sources()
        same = [s for s in listed if s.id == wanted] or [s for s in listed if s.called(wanted)]
        return only(self.name, wanted, same, "sources")

    def sources(self) -> list[Listed]:
        live = self._sources()
        self._told.update({str(s.get("id")): s for s in live})
        return [_listed(one) for one in live]

    def shown(self, source: str) -> Shown:
        """Its selected streams are one request more; a source that is new, or is pushed to, has none."""
        place = f"/v4/sources/{quote(source, safe='')}"
        known = self._told.get(source) or self._call("GET", place)
        try:
            return shown_of(known, self._call("GET", f"{place}/streams"))
        except Refused as error:
            return shown_of(known, None, "" if error.status in (400, 404) else str(error))

    def send(self, source: str, values: Mapping[str, str]) -> None:
        """Property values are strings, and those that are left out stay as they are."""
        self._call("PUT", f"/v4/sources/{source}", json={"properties": dict(values)})

    def last_check(self, source: str) -> LastCheck:
        try:
            raw = self._call("GET", f"/v4/sources/{source}/last-connection-check")
        except Refused as error:
            if error.status == 404:  # push connectors have none, nor has a source that is new
                return LastCheck("", "none")
            raise
        seen = raw if isinstance(raw, dict) else {}
        name, status = str(seen.get("name") or ""), str(seen.get("status") or "")
        if status == "running":
            return LastCheck(name, "running")
        if status == "succeeded" and not seen.get("error"):
            return LastCheck(name, "good")
        said = next((str(seen[k]) for k in ("discovery_error_message", "tap_error_message") if seen.get(k)), status)
        return LastCheck(name, "bad" if status else "none", said)

    def last_job(self, source: str) -> Job:
        told = self._told.pop(source, None)
        return newest(told or self._call("GET", f"/v4/sources/{source}"), self._page)

    def start_job(self, source: str) -> None:
        try:
            self._call("POST", f"/v4/sources/{source}/sync")
        except Refused as error:
            if error.code != "already_running":
                raise

    def check(self) -> str:
        return f"Stitch answers, {len(self._sources())} sources"

    def _sources(self) -> list[dict[str, Any]]:
        """Those that were not deleted."""
        raw = self._call("GET", "/v4/sources")
        rows = [s for s in raw if isinstance(s, dict) and s.get("id")] if isinstance(raw, list) else []
        return [s for s in rows if not s.get("deleted_at")]

    def _page(self, path: str) -> Any:
        account = (self.base_url, self.token)
        now, key = time.monotonic(), (*account, path)
        asked = _asked[account] = [at for at in _asked.get(account, []) if at > now - WINDOW]
        if key not in _pages or len(asked) < ASKS:
            asked.append(now)
            _pages[key] = self._call("GET", path)
        return _pages[key]

    def _call(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        status, body = ask(self.name, method, self.base_url + path, headers, **more)
        if status != 200 or _code(body):
            raise _refused(status, _code(body), body)
        if body is None:
            raise no_json(self.name)
        return body


def _listed(row: Mapping[str, Any]) -> Listed:
    """The name that people gave it first: the other is that of a schema, and stays when the first is changed."""
    names = [str(row[key]) for key in ("display_name", "name") if row.get(key)]
    name = names[0] if names else str(row["id"])
    return Listed(str(row["id"]), name, str(row.get("type")), tuple(names), paused_by(row))


def _code(body: Any) -> str:
    """The error's own name: a string, or the type of an object; some errors come with status 200."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return str(error.get("type") or error.get("message") or "error")
    return error if isinstance(error, str) else ""


def _refused(status: int, code: str, body: Any) -> Refused:
    data = body.get("data") if isinstance(body, dict) else None
    # The names of the bad properties, never what was sent for them.
    bad = [str(name) for name in (data or {}).get("bad_properties") or []] if isinstance(data, dict) else []
    what = f"{code}{': ' + ', '.join(bad) if bad else ''}" if code else f"HTTP {status}"
    return refused(Stitch.name, status, what, token=status == 401 or code == "AccessDenied", code=code)


def make(token: str, region: str, base_url: str) -> Stitch:
    """Only one address is documented for all regions."""
    if not token:
        raise PlatformError("config", "platform: stitch needs a token in mend.yml")
    return Stitch(token, (base_url or BASE).rstrip("/"))
