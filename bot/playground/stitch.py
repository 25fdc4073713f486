"""A small Stitch: one account with one source that really runs, over the documented shapes of its Connect API.

https://www.stitchdata.com/docs/developers/stitch-connect/api
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

Json = dict[str, Any]
# Reads the source with Stitch's own copy of the credentials: nothing, or why not, in the source's words.
Tap = Callable[[Mapping[str, str]], str]
CLIENT, SOURCE = 171717, 101
# Stitch runs nothing more often than each minute; nobody should have to wait for that here.
EVERY, JOB, CHECK = 20.0, 2.0, 0.5


def _at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Stitch:
    """`credentials` are what its source has for a secret; they are never given back, as at Stitch."""

    def __init__(self, name: str, kind: str, properties: Mapping[str, str], credentials: Mapping[str, str], tap: Tap,
                 streams: tuple[str, ...]) -> None:  # fmt: skip
        self.token, self.name, self.kind, self.streams = secrets.token_hex(32), name, kind, streams
        self.properties, self.credentials, self.tap = dict(properties), dict(credentials), tap
        self.paused_at: str | None = None
        self.made_at = time.time()
        self.next_at = 0.0
        self.job = ""
        self.extraction: Json | None = None
        self.loads: list[Json] = []
        self.check: Json = {}
        self._wanted: queue.Queue[str] = queue.Queue()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._new_check()

    def start(self) -> None:
        """The schedule begins with a job."""
        if self._thread is None:
            self.next_at = time.time()
            self._thread = threading.Thread(target=self._work, name="demo-stitch", daemon=True)
            self._thread.start()

    def due(self) -> None:
        """The time of the schedule's next job has come."""
        self._wanted.put("due")

    def stop(self) -> None:
        self._over.set()
        self._wanted.put("")
        if self._thread is not None:
            self._thread.join(10)

    # What it does by itself ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._over.is_set():
            wanted = "due"
            with contextlib.suppress(queue.Empty):
                wanted = self._wanted.get(timeout=max(0.0, self.next_at - time.time()))
            if wanted == "due":  # before it runs: whoever sees how a job ended sees when the next one is
                self.next_at = time.time() + EVERY
            if wanted == "check":
                self._look()
            elif (wanted == "sync" and self.job) or (wanted == "due" and not self.paused_at):
                self._run()

    def _run(self) -> None:
        name, began = self.job or self._job_name("sync"), time.time()
        self.job = name
        self._over.wait(JOB)
        said, ended = self.tap(self.credentials), time.time()
        self.extraction = {
            "job_name": name, "source_id": SOURCE, "stitch_client_id": CLIENT,
            "source_type": "tap-" + self.kind.rpartition("-")[2],
            "start_time": _at(began), "completion_time": _at(ended),
            "discovery_exit_status": 1 if said else 0, "discovery_description": said or None,
            "tap_exit_status": None if said else 0, "tap_description": None,
            "target_exit_status": None if said else 0, "target_description": None,
        }  # fmt: skip
        if not said:
            load = {"stitch_client_id": CLIENT, "source_name": self.name, "last_batch_loaded_at": _at(ended)}
            self.loads = [{**load, "stream_name": stream, "error_state": None} for stream in self.streams]
        self.job = ""

    def _look(self) -> None:
        self._over.wait(CHECK)
        said = self.tap(self.credentials)
        self.check |= {
            "status": "failed" if said else "succeeded", "error": bool(said), "completion_time": _at(time.time()),
            "check_exit_status": None if said else 0, "discovery_exit_status": 1 if said else 0,
            "discovery_error_message": said or None,
        }  # fmt: skip

    def _new_check(self) -> None:
        """What every update is followed by."""
        jobs = [f"{job}_{said}" for job in ("discovery", "tap", "target") for said in ("exit_status", "error_message")]
        ends = ("completion_time", "check_exit_status", *jobs)
        begun = {"name": self._job_name("check"), "mode": "check", "status": "running", "error": False}
        self.check = {**begun, "start_time": _at(time.time()), **dict.fromkeys(ends)}
        self._wanted.put("check")

    def _job_name(self, mode: str) -> str:
        return f"{CLIENT}.{SOURCE}.{mode}.{uuid.uuid4()}"

    # What it is asked ------------------------------------------------------------------------------------------------

    def source(self) -> Json:
        schedule = {"type": "interval", "unit": "minute", "interval": EVERY / 60, "next_fire_time": _at(self.next_at)}
        form = [
            {"name": n, "is_required": True, "is_credential": n in self.credentials, "provided": True,
             "property_type": "user_provided", "json_schema": {"type": "string"}}
            for n in (*self.properties, *self.credentials)
        ]  # fmt: skip
        card = {"type": self.kind, "current_step": 3, "current_step_type": "fully_configured",
                "steps": [{"type": "form", "properties": form}, {"type": "discover_schema", "properties": []},
                          {"type": "fully_configured", "properties": []}]}  # fmt: skip
        return {
            "id": SOURCE, "name": self.name, "display_name": self.name.title(), "type": self.kind,
            "stitch_client_id": CLIENT, "properties": dict(self.properties), "check_job_name": self.check["name"],
            "schedule": None if self.paused_at else schedule, "paused_at": self.paused_at, "system_paused_at": None,
            "deleted_at": None, "created_at": _at(self.made_at), "updated_at": _at(self.made_at), "report_card": card,
        }  # fmt: skip

    async def sources(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse([self.source()])

    async def one(self, request: Request) -> Response:
        if refused := self._refused(request, request.path_params["id"]):
            return refused
        if request.method == "PUT" and (wrong := self._update(await request.json())):
            return wrong
        return JSONResponse(self.source())

    def _update(self, sent: Json) -> Response | None:
        """Values are strings, and those that are left out stay."""
        given = sent.get("properties") or {}
        known = {**self.properties, **self.credentials}
        bad = [name for name, value in given.items() if name not in known or not isinstance(value, str) or not value]
        if bad:
            data = {"message": "Invalid properties", "bad_properties": bad, "report_card": self.source()["report_card"]}
            return JSONResponse({"error": "InvalidProperties", "data": data}, 400)
        if "paused_at" in sent:
            self.paused_at = sent["paused_at"]
        for name, value in given.items():
            (self.credentials if name in self.credentials else self.properties)[name] = value
        self._new_check()
        return None

    async def last_check(self, request: Request) -> Response:
        return self._refused(request, request.path_params["id"]) or JSONResponse(self.check)

    async def sync(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if request.path_params["id"] != SOURCE:
            return JSONResponse({"error": {"type": "invalid_source", "message": "Unknown source"}}, 400)
        if self.job:
            running = {"type": "already_running", "message": "A job of this source is running already"}
            return JSONResponse({"error": running})
        self.job = self._job_name("sync")
        self._wanted.put("sync")
        return JSONResponse({"job_name": self.job})

    async def listed(self, request: Request) -> Response:
        """Extractions or loads: one page, since there is one source."""
        kinds = {"extractions": [self.extraction] if self.extraction else [], "loads": self.loads}
        kind = request.path_params["kind"]
        there = kind in kinds and request.path_params["client"] == CLIENT
        if refused := self._refused(request, SOURCE if there else 0):
            return refused
        rows = kinds[kind]
        return JSONResponse({"data": rows, "page": 1, "total": len(rows), "links": {}})

    def _refused(self, request: Request, number: int = SOURCE) -> Response | None:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            return PlainTextResponse("Unauthorized", 401)
        return None if number == SOURCE else JSONResponse({"status": "NOT FOUND"}, 404)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/v4/sources", self.sources),
            Route("/v4/sources/{id:int}", self.one, methods=["GET", "PUT"]),
            Route("/v4/sources/{id:int}/last-connection-check", self.last_check),
            Route("/v4/sources/{id:int}/sync", self.sync, methods=["POST"]),
            Route("/v4/{client:int}/{kind}", self.listed),
        ]
