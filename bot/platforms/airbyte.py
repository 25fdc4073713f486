"""Airbyte by its API, in the cloud or self-managed: https://reference.airbyte.com

A job tells how it ended and not why. It takes credentials and does not look whether they work: its next job tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from bot.platforms.api import Refused, answered, endless, only, rows
from bot.platforms.base import Job, JobState, LastCheck, Listed, Paused, PlatformError, Shown, Source, Stream, moment
from bot.platforms.nested import hidden, lacking, nested

# Self-managed: https://HOST/api/public/v1
BASE = "https://api.airbyte.com/v1"
PAGES, PER_PAGE = 500, 100
STATES: dict[str, JobState] = {
    "succeeded": "good", "failed": "bad", "cancelled": "bad",
    "pending": "running", "running": "running", "incomplete": "running",  # it tries again
}  # fmt: skip
# Locked is what Airbyte does itself, to who does not pay.
PAUSED: dict[str, Paused] = {"inactive": "somebody", "deprecated": "somebody", "locked": "platform"}


@dataclass(frozen=True)
class Airbyte:
    """`client` and `secret` are an application's; an access token lives for minutes, and one of these for one look."""

    name: ClassVar[str] = "Airbyte"
    client: str = field(repr=False)
    secret: str = field(repr=False)
    base_url: str = BASE
    # Connections with their sources, by id, as `sources` listed them.
    _told: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict, repr=False, compare=False)

    def find(self, wanted: str) -> Source:
        """A connection by its id or name. It is of the kind of its source."""
        same = [
            c
            for c in _pages(self._ask, "connections")
            if wanted.lower() in (str(c.get("connectionId")), str(c.get("name")).lower())
        ]
        known = only(self.name, wanted, same)
        return _listed(known, self._ask("GET", f"/sources/{quote(str(known.get('sourceId')), safe='')}"))

    def sources(self) -> list[Listed]:
        """Its connections; what they read from is listed beside them. `deprecated` is a deleted one."""
        of = {str(one.get("sourceId")): one for one in _pages(self._ask, "sources")}
        for known in _pages(self._ask, "connections"):
            if known.get("status") != "deprecated":
                self._told[str(known.get("connectionId"))] = (known, of.get(str(known.get("sourceId"))) or {})
        return [_listed(known, source) for known, source in self._told.values()]

    def shown(self, source: str) -> Shown:
        """By what `sources` told: no request more. Secrets are asterisks."""
        known, read = self._told[source]
        settings = read.get("configuration")
        settings = settings if isinstance(settings, dict) else {}
        return Shown(settings, hidden(settings), _streams(known))

    def send(self, source: str, values: Mapping[str, str]) -> LastCheck | None:
        """What is sent is merged into the configuration of the connection's source.

        https://reference.airbyte.com/reference/patchsource ; a source that signs in by another kind of credential would
        have both afterwards, so only what it has already is replaced.
        """
        known = self._ask("GET", f"/connections/{quote(source, safe='')}")
        path = f"/sources/{quote(str(known.get('sourceId')), safe='')}"
        if missing := lacking(self._ask("GET", path).get("configuration"), values):
            raise PlatformError("config", f"Airbyte's source signs in by something else: it has no {missing}")
        self._ask("PATCH", path, json={"configuration": nested(values)})
        return None

    def last_job(self, source: str) -> Job:
        place = quote(source, safe="")
        known = self._ask("GET", f"/connections/{place}")
        paused: Paused = PAUSED.get(str(known.get("status")), "")
        jobs = self._ask("GET", f"/jobs?connectionId={place}&jobType=sync&orderBy=createdAt%7CDESC&limit=1")
        if not (ran := next(iter(rows(jobs.get("data"))), None)):
            return Job("", "none", paused=paused)
        said = ""
        state = STATES.get(str(ran.get("status")), "none")
        if state == "bad":
            said = f"the job {ran.get('jobId')} was {ran['status']}; its log is in Airbyte, its API does not tell why"
        began, ended = moment(ran.get("startTime")), moment(ran.get("lastUpdatedAt"))
        return Job(str(ran.get("jobId")), state, began, ended, "extraction" if said else "", said, paused)

    def start_job(self, source: str) -> None:
        try:
            self._ask("POST", "/jobs", json={"connectionId": source, "jobType": "sync"})
        except Refused as error:
            if error.status != 409:  # it runs
                raise

    def check(self) -> str:
        return f"Airbyte answers, {len(_pages(self._ask, 'connections'))} connections"

    @cached_property
    def _ask(self) -> _Ask:
        """With a token that was just given."""
        body = {"client_id": self.client, "client_secret": self.secret, "grant-type": "client_credentials"}
        given = answered(self.name, "POST", self.base_url + "/applications/token", {}, json=body)
        return _Ask(self.base_url, str(given.get("access_token") or ""))


@dataclass(frozen=True)
class _Ask:
    base_url: str
    token: str = field(repr=False)

    def __call__(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        return answered(Airbyte.name, method, self.base_url + path, headers, **more)


def _pages(ask: _Ask, what: str) -> list[dict[str, Any]]:
    """Every connection or source that the application may see. Raises PlatformError where the list has no end."""
    found: list[dict[str, Any]] = []
    for page in range(PAGES):
        part = rows(ask("GET", f"/{what}?limit={PER_PAGE}&offset={page * PER_PAGE}").get("data"))
        if part and part == found[-len(part) :]:
            break
        found += part
        if len(part) < PER_PAGE:
            return found
    raise endless(Airbyte.name, what, len(found))


def _listed(known: dict[str, Any], source: dict[str, Any]) -> Listed:
    id_, name = str(known.get("connectionId")), str(known.get("name"))
    kind = str(source.get("sourceType") or "custom")  # a connector of one's own has no type
    paused = PAUSED.get(str(known.get("status")), "")
    return Listed(id_, name, "source-" + kind.removeprefix("source-"), (name,), paused)


def _streams(known: dict[str, Any]) -> tuple[Stream, ...] | None:
    """Those that a connection copies. How a source's log is read, its configuration says for all of them."""
    configured = known.get("configurations")
    listed = configured.get("streams") if isinstance(configured, dict) else None
    those = rows(listed)
    return tuple(Stream(str(s.get("name") or ""), str(s.get("namespace") or "")) for s in those) if those else None


def make(token: str, region: str, base_url: str) -> Airbyte:
    client, _, secret = token.partition(":")
    if not secret:
        said = "platform: airbyte needs an application's id and secret in mend.yml, as CLIENT_ID:CLIENT_SECRET"
        raise PlatformError("config", said)
    return Airbyte(client, secret, (base_url or BASE).rstrip("/"))
