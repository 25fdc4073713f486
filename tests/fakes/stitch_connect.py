"""Stitch's Connect API as its documentation describes it, over real HTTP.

https://www.stitchdata.com/docs/developers/stitch-connect/api : sources, the update of a source, its last connection
check, its streams, extractions and loads by pages, starting a job, and the shapes of its errors. Values of credential properties are never returned.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.serve import Quiet, listening

TOKEN = "at_c4n4ry-st1tch"


class StitchConnect:
    """`accepts` says whether the check that follows an update succeeds with the values sent."""

    def __init__(self) -> None:
        self.url, self.mood = "", ""
        self.sources: dict[int, dict[str, Any]] = {}
        self.secrets: dict[int, dict[str, str]] = {}
        self.checks: dict[int, dict[str, Any]] = {}
        self.accepts: Callable[[dict[str, str]], bool] = lambda _: True
        self.running: set[int] = set()
        self.puts: list[tuple[int, dict[str, Any]]] = []
        self.extractions: dict[int, dict[str, Any]] = {}
        self.loads: list[dict[str, Any]] = []
        self.started: list[int] = []
        self.got: list[str] = []
        self.slow = 0.0
        self.streams: dict[int, list[dict[str, Any]]] = {}
        self.per_page = 100
        # How a job that was started ends; None: it goes on.
        self.ends: str | None = ""

    def add(self, number: int, kind: str, name: str, credentials: tuple[str, ...], **properties: str) -> None:
        step = [{"name": n, "is_required": True, "is_credential": n in credentials, "provided": True,
                 "property_type": "user_provided", "json_schema": {"type": "string"}} for n in (*properties, *credentials)]  # fmt: skip
        card = {"type": kind, "current_step": 2, "current_step_type": "fully_configured",
                "steps": [{"type": "form", "properties": step}, {"type": "fully_configured", "properties": []}]}  # fmt: skip
        self.sources[number] = {
            "id": number, "name": name, "display_name": name.title(), "type": kind, "stitch_client_id": 555,
            "properties": dict(properties), "schedule": None, "check_job_name": f"555.{number}.check.{uuid.uuid4()}",
            "paused_at": None, "system_paused_at": None, "deleted_at": None, "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z", "report_card": card,
        }  # fmt: skip
        self.secrets[number] = {}
        self._checked(number, good=False)

    def stream(self, number: int, name: str, place: str = "", *, selected: bool = True, log: bool = False) -> None:
        """Of a database with `place`: its schema."""
        way = {"replication-method": "LOG_BASED" if log else "INCREMENTAL"} if selected else {}
        about = {"database-name": "db", "schema-name": place, "is-view": False, "row-count": 3} if place else {}
        self.streams.setdefault(number, []).append({
            "stream_id": 7000 + len(self.streams.get(number, [])), "stream_name": name, "selected": selected or None,
            "tap_stream_id": f"db-{place}-{name}" if place else name, "metadata": {"selected": selected or None, **about, **way},
        })  # fmt: skip

    def update(self, number: int, sent: dict[str, Any]) -> tuple[int, Any]:
        source = self.sources[number]
        known = {p["name"]: p for step in source["report_card"]["steps"] for p in step["properties"]}
        properties = sent.get("properties") or {}
        bad = [n for n, v in properties.items() if n not in known or not isinstance(v, str) or not v]
        if bad:
            data = {"message": "Invalid properties", "bad_properties": bad, "report_card": source["report_card"]}
            return 400, {"error": "InvalidProperties", "data": data}
        self.puts.append((number, sent))
        for name, value in properties.items():
            (self.secrets[number] if known[name]["is_credential"] else source["properties"])[name] = value
        self._checked(number, good=self.accepts(self.secrets[number]))
        self.running.add(number)
        return 200, source

    def ran(self, number: int, said: str = "", *, ago: float = 0.0) -> None:
        """The last completed extraction of a source: well, or with what its tap said."""
        at = datetime.now(UTC) - timedelta(seconds=ago)
        self.extractions[number] = {
            "job_name": f"555.{number}.sync.{uuid.uuid4()}", "source_id": number, "stitch_client_id": 555,
            "source_type": "tap-" + self.sources[number]["type"].removeprefix("platform."),
            "start_time": at.isoformat().replace("+00:00", "Z"), "completion_time": at.isoformat().replace("+00:00", "Z"),
            "discovery_exit_status": 0, "discovery_description": None, "tap_exit_status": 1 if said else 0,
            "tap_description": said or None, "target_exit_status": 0, "target_description": None,
        }  # fmt: skip

    def terminated(self, number: int) -> None:
        """Stopped before its end: no exit status at all."""
        self.ran(number)
        for part in ("discovery", "tap", "target"):
            self.extractions[number] |= {f"{part}_exit_status": None, f"{part}_description": "Terminated"}

    def load_fails(self, number: int, said: str) -> None:
        error = {"error": "LOADER_WAREHOUSE_ERROR", "status": "ERROR", "action": "get-connection", "message": "failed",
                 "exception_message": "failed", "warehouse_message": said, "warehouse_error_code": 500151,
                 "warehouse_sql_state": "HY000", "column": None, "new_column": None}  # fmt: skip
        self.loads.append({"stitch_client_id": 555, "source_name": self.sources[number]["name"], "stream_name": "orders",
                           "last_batch_loaded_at": None,
                           "error_state": {"notification_data": error, "exception_chain": []}})  # fmt: skip

    def page(self, kind: str, number: int) -> tuple[int, Any]:
        rows = [self.extractions[key] for key in sorted(self.extractions)] if kind == "extractions" else self.loads
        first = (number - 1) * self.per_page
        links = {"next": f"/v4/555/{kind}?page={number + 1}"} if first + self.per_page < len(rows) else {}
        return 200, {"data": rows[first : first + self.per_page], "page": number, "total": len(rows), "links": links}

    def start(self, number: int) -> tuple[int, Any]:
        if number in self.started:
            return 200, {"error": {"type": "already_running", "message": "A job is running already"}}
        if self.ends is None:
            self.started.append(number)
        else:
            self.ran(number, self.ends)
        return 200, {"job_name": f"555.{number}.sync.{uuid.uuid4()}"}

    def look(self, number: int) -> dict[str, Any]:
        """A check runs for a while before it has a result."""
        seen = self.checks[number]
        if number in self.running:
            self.running.discard(number)
            ends = dict.fromkeys(
                ("completion_time", "check_exit_status", "discovery_exit_status", "discovery_error_message")
            )
            return {**seen, **ends, "status": "running", "error": False}
        return seen

    def _checked(self, number: int, *, good: bool) -> None:
        self.checks[number] = {
            "name": f"555.{number}.check.{uuid.uuid4()}", "mode": "check", "status": "succeeded" if good else "failed",
            "error": not good, "start_time": "2026-01-01T00:00:00Z", "completion_time": "2026-01-01T00:00:09Z",
            "check_exit_status": 0 if good else None, "discovery_exit_status": 0 if good else 1, "tap_exit_status": None,
            "target_exit_status": None, "tap_error_message": None, "target_error_message": None,
            "discovery_error_message": None if good else 'FATAL: password authentication failed for user "stitch"',
        }  # fmt: skip


class Handler(Quiet):
    state: StitchConnect

    def _answer(self, sent: dict[str, Any] | None) -> None:
        if self.headers.get("authorization") != f"Bearer {TOKEN}" or self.state.mood == "401":
            return self.say(401, "Unauthorized")
        if self.state.mood == "500":
            return self.say(500, {"error": {"message": "internal"}})
        path, _, query = self.path.partition("?")
        parts = path.strip("/").split("/")
        if parts[:2] == ["v4", "555"] and parts[2:] in (["extractions"], ["loads"]):
            return self.say(*self.state.page(parts[2], int(query.removeprefix("page=") or 1)))
        if parts == ["v4", "sources"] and sent is None:
            time.sleep(self.state.slow)
            return self.say(200, list(self.state.sources.values()))
        number = int(parts[2]) if len(parts) > 2 and parts[2].isdecimal() else 0
        if parts[:2] != ["v4", "sources"] or number not in self.state.sources:
            return self.say(404, {"status": "NOT FOUND"})
        if parts[3:] == ["last-connection-check"] and sent is None:
            return self.say(200, self.state.look(number))
        if parts[3:] == ["streams"] and sent is None:
            return self.say(200, self.state.streams.get(number, []))
        if parts[3:]:
            return self.say(404, {"status": "NOT FOUND"})
        return self.say(*(self.state.update(number, sent) if sent is not None else (200, self.state.sources[number])))

    def do_GET(self) -> None:
        self.state.got.append(self.path)
        self._answer(None)

    def do_POST(self) -> None:
        self.sent()
        parts = self.path.strip("/").split("/")
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.say(401, "Unauthorized")
        if self.state.mood == "500":
            return self.say(500, {"error": {"message": "internal"}})
        if parts[:2] == ["v4", "sources"] and parts[3:] == ["sync"]:
            if int(parts[2]) not in self.state.sources:
                return self.say(400, {"error": {"type": "invalid_source", "message": "unknown"}})
            return self.say(*self.state.start(int(parts[2])))
        self.say(404, {"status": "NOT FOUND"})

    def do_PUT(self) -> None:
        self._answer(self.sent())


@contextmanager
def stitch() -> Iterator[StitchConnect]:
    state = StitchConnect()
    with listening(Handler, state=state) as state.url:
        yield state
