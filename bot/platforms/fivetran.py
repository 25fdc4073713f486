"""Fivetran by its REST API: https://fivetran.com/docs/rest-api/api-reference/connections

It tells when a connection last succeeded and last failed, and what it wants done, but no log. It takes credentials, and
its setup tests tell at once whether they work.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

from bot.platforms.api import Refused, answered, endless, no_json, only, rows
from bot.platforms.base import Job, LastCheck, Listed, PlatformError, Shown, Source, Stream, moment
from bot.platforms.nested import hidden, lacking, nested

BASE = "https://api.fivetran.com"
PAGES, PER_PAGE = 50, 1000
# Setup tests sign in at the source while the caller waits.
TEST_LIMIT = 90


@dataclass(frozen=True)
class Fivetran:
    name: ClassVar[str] = "Fivetran"
    key: str = field(repr=False)
    secret: str = field(repr=False)
    base_url: str = BASE
    # Rows of a list, by id, as `sources` saw them.
    _told: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def find(self, wanted: str) -> Source:
        """By its id, or by the name of the schema that it fills."""
        try:
            known = self._call("GET", f"/v1/connections/{quote(wanted, safe='')}")
        except Refused as error:
            if error.status not in (400, 404):  # no id at all, or none of theirs
                raise
            listed = self._pages(f"schema={quote(wanted, safe='')}&limit=100")
            known = only(self.name, wanted, [one for one in listed if _schema(one) == wanted])
        if not known.get("id"):
            raise no_json(self.name)
        return _listed(known)

    def sources(self) -> list[Listed]:
        rows = self._pages(f"limit={PER_PAGE}")
        self._told.update({str(one["id"]): one for one in rows})
        return [_listed(one) for one in rows]

    def shown(self, source: str) -> Shown:
        """Secrets are asterisks. The schema config is one request, with every table; some connectors have none."""
        path = f"/v1/connections/{quote(source, safe='')}"
        known = self._told.get(source) or {}
        if not known.get("config"):  # the documentation leaves open whether the list has it
            known = self._call("GET", path)
        config = known.get("config") or {}
        try:
            streams, doubt = streams_of(self._call("GET", path + "/schemas").get("schemas")), ""
        except Refused as error:
            streams, doubt = None, "" if error.status in (400, 404) else str(error)
        return Shown(config, hidden(config), streams, doubt)

    def send(self, source: str, values: Mapping[str, str]) -> LastCheck | None:
        """Only what the connection has already is replaced: by another kind of credential it would not sign in.

        https://fivetran.com/docs/rest-api/api-reference/connections/modify-connection
        """
        path = f"/v1/connections/{quote(source, safe='')}"
        if missing := lacking(self._call("GET", path).get("config"), values):
            raise PlatformError("config", f"Fivetran's connection signs in by something else: it has no {missing}")
        self._call("PATCH", path, json={"config": nested(values), "run_setup_tests": False})
        try:
            tested = self._call("POST", path + "/test", json={}, limit=TEST_LIMIT)
        except PlatformError as error:  # it has them all the same, and the tests go on without us
            return LastCheck(str(uuid.uuid4()), "running" if error.passing else "none")
        return _tested(tested.get("setup_tests"))

    def last_check(self, source: str) -> LastCheck:
        """As its newest setup tests or sync left it."""
        known = self._call("GET", f"/v1/connections/{quote(source, safe='')}")
        status = _object(known.get("status"))
        setup, id_ = (
            str(status.get("setup_state") or ""),
            str(known.get("failed_at") or known.get("succeeded_at") or ""),
        )
        if setup == "connected":
            return LastCheck(id_, "good")
        return LastCheck(id_, "bad", _wants(status)) if setup == "broken" else LastCheck(id_, "none")

    def last_job(self, source: str) -> Job:
        known = self._call("GET", f"/v1/connections/{quote(source, safe='')}")
        status = _object(known.get("status"))
        good, bad = moment(known.get("succeeded_at")), moment(known.get("failed_at"))
        more: dict[str, Any] = {"paused": "somebody" if known.get("paused") else ""}
        if status.get("rescheduled_for"):
            more["next_at"] = moment(status["rescheduled_for"])
        if status.get("sync_state") == "syncing":
            return Job(source, "running", ended=max(good, bad), **more)
        if bad > good:
            return Job(source, "bad", bad, bad, "extraction", _wants(status), **more)
        return Job(source, "good" if good else "none", good, good, **more)

    def start_job(self, source: str) -> None:
        try:
            self._call("POST", f"/v1/connections/{quote(source, safe='')}/sync", json={"force": False})
        except Refused as error:
            if error.status != 409:  # it runs
                raise

    def check(self) -> str:
        self._call("GET", "/v1/connections?limit=1")
        return "Fivetran answers"

    def _pages(self, query: str) -> list[dict[str, Any]]:
        """https://fivetran.com/docs/rest-api/pagination"""
        found: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(PAGES):
            part = self._call("GET", f"/v1/connections?{query}{cursor}")
            found += [one for one in rows(part.get("items")) if one.get("id")]
            if not part.get("next_cursor"):
                return found
            before, cursor = cursor, f"&cursor={quote(str(part['next_cursor']), safe='')}"
            if cursor == before:
                break
        raise endless(self.name, "connections", len(found))

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        headers, auth = {"Accept": "application/json;version=2"}, (self.key, self.secret)
        body = answered(self.name, method, self.base_url + path, headers, auth=auth, **more)
        data = body.get("data")
        return data if isinstance(data, dict) else {}


def _object(there: Any) -> dict[str, Any]:
    return there if isinstance(there, dict) else {}


def _schema(row: Mapping[str, Any]) -> str:
    """What it fills; of some connectors `schema.table`."""
    return str(row.get("schema")).split(".")[0]


def _listed(row: Mapping[str, Any]) -> Listed:
    name, paused = _schema(row), "somebody" if row.get("paused") else ""
    return Listed(str(row["id"]), name, str(row.get("service")), (name,), paused)  # type: ignore[arg-type]


def streams_of(schemas: Any) -> tuple[Stream, ...] | None:
    """Those that are enabled, in schemas that are.

    StandardConfigResponse of https://github.com/fivetran/fivetran-mcp (fivetran-open-api-definition.json)
    """
    if not isinstance(schemas, dict):
        return None
    on = {place: one for place, one in schemas.items() if isinstance(one, dict) and one.get("enabled")}
    return tuple(
        Stream(str(name), str(place))
        for place, one in on.items()
        for name, table in _object(one.get("tables")).items()
        if isinstance(table, dict) and table.get("enabled")
    )


def _tested(tests: Any) -> LastCheck:
    """One that failed decides; a warning lets data through.

    https://fivetran.com/docs/rest-api/api-reference/connections/run-setup-tests
    """
    ran = rows(tests)
    failed = [one for one in ran if one.get("status") in ("FAILED", "JOB_FAILED")]
    said = "; ".join(f"{one.get('title')}: {one.get('message') or 'failed'}" for one in failed)
    return LastCheck(str(uuid.uuid4()), "bad" if failed else "good" if ran else "none", said)


def _wants(status: dict[str, Any]) -> str:
    """What Fivetran says has to be done: the only words that it gives for a failure."""
    told = [*rows(status.get("tasks")), *rows(status.get("warnings"))]
    words = [f"{one.get('message') or one.get('code')}: {one['details']}" if one.get("details") else
             str(one.get("message") or one.get("code")) for one in told]  # fmt: skip
    return "; ".join(words) or f"the sync failed, and its setup is {status.get('setup_state') or 'unknown'}"


def make(token: str, region: str, base_url: str) -> Fivetran:
    key, _, secret = token.partition(":")
    if not secret:
        raise PlatformError("config", "platform: fivetran needs its API key and secret in mend.yml, as KEY:SECRET")
    return Fivetran(key, secret, (base_url or BASE).rstrip("/"))
