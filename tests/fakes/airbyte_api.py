"""Airbyte's API as https://reference.airbyte.com describes it, over real HTTP: tokens, connections, sources, jobs.

What is sent for a source is merged into its configuration, and no check follows:
https://github.com/airbytehq/airbyte-platform (SourceHandler.partialUpdateSource). Secrets come back as asterisks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.serve import Quiet, listening

CLIENT, SECRET, TOKEN = "c1ient", "s3cret-c4n4ry", "t0ken-c4n4ry"
SHOP, SOURCE = "11111111-0000-0000-0000-000000000001", "22222222-0000-0000-0000-000000000001"


class AirbyteApi:
    """One workspace with more connections than a page holds; that of the shop is the last of them."""

    def __init__(self) -> None:
        self.url, self.mood = "", ""
        self.connections = [self._connection(f"3333-{n}", f"Other {n}") for n in range(119)]
        self.connections.append(self._connection(SHOP, "Shop"))
        self.jobs: list[dict[str, Any]] = []
        self.configuration: dict[str, Any] = {"host": "db", "username": "stitch", "password": "old"}
        self.patched: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []

    def add(
        self, name: str, kind: str, configuration: dict[str, Any], *streams: tuple[str, str], status: str = "active"
    ) -> str:
        """A connection with a source of its own; streams are namespace and name."""
        source, made = f"5555-{len(self.others)}", self._connection(f"4444-{len(self.others)}", name)
        listed = [
            {"name": stream, "namespace": place or None, "syncMode": "full_refresh_overwrite"}
            for place, stream in streams
        ]
        self.connections.append({**made, "sourceId": source, "status": status, "configurations": {"streams": listed}})
        self.others.append({"sourceId": source, "name": name, "sourceType": kind, "workspaceId": "w", "definitionId": "x",
                            "createdAt": 1700000000, "configuration": _masked(configuration)})  # fmt: skip
        return str(made["connectionId"])

    def source(self) -> dict[str, Any]:
        return {"sourceId": SOURCE, "name": "Shop", "sourceType": "postgres", "workspaceId": "w",
                "configuration": _masked(self.configuration)}  # fmt: skip

    def _connection(self, number: str, name: str) -> dict[str, Any]:
        return {"connectionId": number, "name": name, "sourceId": SOURCE, "destinationId": "d", "workspaceId": "w",
                "status": "active", "schedule": {"scheduleType": "manual"}, "dataResidency": "auto", "configurations": {}}  # fmt: skip

    def ran(self, state: str, began: str = "2026-01-01T00:00:00Z", ended: str = "2026-01-01T00:10:00Z") -> None:
        self.jobs.insert(0, {"jobId": 9000 + len(self.jobs), "status": state, "jobType": "sync", "startTime": began,
                             "connectionId": SHOP, "lastUpdatedAt": ended, "duration": "PT10M", "rowsSynced": 3})  # fmt: skip


def _masked(part: dict[str, Any]) -> dict[str, Any]:
    hidden = ("password", "access_token", "api_key", "ssh_key", "client_secret", "private_key", "ca_certificate")
    return {name: _masked(value) if isinstance(value, dict) else "**********" if name in hidden else value
            for name, value in part.items()}  # fmt: skip


def _merge(there: dict[str, Any], sent: dict[str, Any]) -> None:
    for name, value in sent.items():
        if isinstance(value, dict) and isinstance(there.get(name), dict):
            _merge(there[name], value)
        else:
            there[name] = value


class Handler(Quiet):
    state: AirbyteApi

    def do_GET(self) -> None:
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.say(401, {"type": "https://reference.airbyte.com/reference/errors", "title": "unauthorized"})
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = url.path.strip("/").split("/")
        if parts == ["v1", "connections"]:
            first, most = int(asked.get("offset", 0)), int(asked.get("limit", 20))
            return self.say(200, {"data": self.state.connections[first : first + most], "next": "", "previous": ""})
        if parts == ["v1", "sources"]:
            first, most = int(asked.get("offset", 0)), min(int(asked.get("limit", 20)), 100)
            rows = [self.state.source(), *self.state.others]
            return self.say(200, {"data": rows[first : first + most], "next": "", "previous": ""})
        if parts[:2] == ["v1", "connections"]:
            found = next((c for c in self.state.connections if c["connectionId"] == parts[2]), None)
            return self.say(200, found) if found else self.say(404, {"title": "resource-not-found"})
        if parts == ["v1", "sources", SOURCE]:
            return self.say(200, self.state.source())
        if parts == ["v1", "jobs"]:
            newest_first = asked.get("orderBy") == "createdAt|DESC"
            jobs = [job for job in self.state.jobs if job["connectionId"] == asked.get("connectionId")]
            jobs = jobs if newest_first else jobs[::-1]
            return self.say(200, {"data": jobs[: int(asked.get("limit", 20))], "next": "", "previous": ""})
        self.say(404, {"title": "resource-not-found"})

    def do_PATCH(self) -> None:
        sent = self.sent()
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.say(401, {"title": "unauthorized"})
        if self.path != f"/v1/sources/{SOURCE}":
            return self.say(404, {"title": "resource-not-found"})
        if self.state.mood == "422":
            return self.say(
                422, {"title": "unprocessable-content", "detail": "The provided configuration is not valid"}
            )
        self.state.patched.append(sent)
        _merge(self.state.configuration, sent.get("configuration") or {})
        self.say(200, self.state.source())

    def do_POST(self) -> None:
        sent = self.sent()
        if self.state.mood == "500":
            return self.say(503, {"title": "unexpected-problem"})
        if self.path == "/v1/applications/token":
            if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT, SECRET):
                return self.say(401, {"title": "unauthorized"})
            return self.say(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 180})
        if self.path == "/v1/jobs" and self.headers.get("authorization") == f"Bearer {TOKEN}":
            if any(job["status"] == "running" for job in self.state.jobs):
                return self.say(409, {"title": "try-again-later", "detail": "A sync is already running"})
            self.state.ran("running", ended="")
            return self.say(200, {"jobId": self.state.jobs[0]["jobId"], "status": "running", "jobType": "sync"})
        self.say(404, {"title": "resource-not-found"})


@contextmanager
def airbyte() -> Iterator[AirbyteApi]:
    state = AirbyteApi()
    with listening(Handler, state=state) as state.url:
        state.url += "/v1"
        yield state
