"""Fivetran by its REST API: https://fivetran.com/docs/rest-api/api-reference/connections

It tells when a connection last succeeded and last failed, and what it wants done, but no log. Credentials are not sent
there: which check of its own followed cannot be told from its answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

from bot.platforms.api import Refused, answered, only
from bot.platforms.base import Job, PlatformError, Source, moment

BASE = "https://api.fivetran.com"


@dataclass(frozen=True)
class Fivetran:
    name: ClassVar[str] = "Fivetran"
    key: str = field(repr=False)
    secret: str = field(repr=False)
    base_url: str = BASE

    def find(self, wanted: str) -> Source:
        """By its id, or by the name of the schema that it fills."""
        try:
            known = self._call("GET", f"/v1/connections/{quote(wanted, safe='')}")
        except Refused as error:
            if error.status not in (400, 404):  # no id at all, or none of theirs
                raise
            listed = self._call("GET", f"/v1/connections?schema={quote(wanted, safe='')}&limit=100")
            same = [one for one in listed.get("items") or [] if str(one.get("schema")).split(".")[0] == wanted]
            known = only(self.name, wanted, same)
        return Source(str(known["id"]), str(known.get("schema") or wanted), str(known.get("service")))

    def last_job(self, source: str) -> Job:
        known = self._call("GET", f"/v1/connections/{quote(source, safe='')}")
        status = known.get("status") or {}
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

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        headers, auth = {"Accept": "application/json;version=2"}, (self.key, self.secret)
        body = answered(self.name, method, self.base_url + path, headers, auth=auth, **more)
        data = body.get("data")
        return data if isinstance(data, dict) else {}


def _wants(status: dict[str, Any]) -> str:
    """What Fivetran says has to be done: the only words that it gives for a failure."""
    told = [*(status.get("tasks") or []), *(status.get("warnings") or [])]
    words = [f"{one.get('message') or one.get('code')}: {one['details']}" if one.get("details") else
             str(one.get("message") or one.get("code")) for one in told if isinstance(one, dict)]  # fmt: skip
    return "; ".join(words) or f"the sync failed, and its setup is {status.get('setup_state') or 'unknown'}"


def make(token: str, region: str, base_url: str) -> Fivetran:
    key, _, secret = token.partition(":")
    if not secret:
        raise PlatformError("config", "platform: fivetran needs its API key and secret in mend.yml, as KEY:SECRET")
    return Fivetran(key, secret, (base_url or BASE).rstrip("/"))
