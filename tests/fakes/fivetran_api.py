"""Fivetran's REST API as https://fivetran.com/docs/rest-api/api-reference/connections describes it, over real HTTP.

Shapes of the update and of the setup tests: https://github.com/fivetran/fivetran-mcp (its OpenAPI definition).
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.serve import Quiet, listening

KEY, SECRET = "k3y", "s3cret-c4n4ry"
SHOP = "speak_inexpensive"


class FivetranApi:
    def __init__(self) -> None:
        self.url, self.mood = "", ""
        self.shop: dict[str, Any] = {
            "id": SHOP, "service": "postgres", "schema": "shop", "paused": False, "connected_by": "someone",
            "created_at": "2024-01-01T00:00:00Z", "succeeded_at": None, "failed_at": None, "sync_frequency": 360,
            "schedule_type": "auto", "group_id": "g", "service_version": 0, "config": {"host": "db", "user": "stitch", "password": "******"},
            "status": {"setup_state": "connected", "sync_state": "scheduled", "update_state": "on_schedule",
                       "is_historical_sync": False, "tasks": [], "warnings": []},
        }  # fmt: skip
        self.synced: list[Any] = []
        self.config: dict[str, Any] = {"host": "db", "user": "stitch", "password": "old"}
        self.patched: list[dict[str, Any]] = []
        # What the setup tests find: each a title, a status and a message.
        self.tests = [("Connecting to host", "PASSED", ""), ("Validating login", "PASSED", "")]
        self.slow = 0.0
        # Whether the source lets this configuration in; unset: `tests` stand as they are.
        self.accepts: Callable[[dict[str, Any]], bool] | None = None

    def tested(self) -> dict[str, Any]:
        if self.accepts is not None:
            good = self.accepts(self.config)
            self.tests[1] = (
                "Validating login",
                *(("PASSED", "") if good else ("FAILED", f"refused {self.config['password']}")),
            )
        bad = any(status in ("FAILED", "JOB_FAILED") for _, status, _ in self.tests)
        self.shop["status"]["setup_state"] = "broken" if bad else "connected"
        rows = [
            {"title": title, "status": status, **({"message": said} if said else {})}
            for title, status, said in self.tests
        ]
        return {**self.shop, "setup_tests": rows}


class Handler(Quiet):
    state: FivetranApi

    def _in(self) -> bool:
        known = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if self.headers.get("authorization") != known:
            self.say(401, {"code": "AuthFailed", "message": "Authentication failed"})
            return False
        if self.state.mood == "500":
            self.say(500, {"code": "ServerError", "message": "Something went wrong"})
            return False
        return True

    def do_GET(self) -> None:
        if not self._in():
            return
        url = urlsplit(self.path)
        if url.path == f"/v1/connections/{SHOP}":
            return self.say(200, {"code": "Success", "data": self.state.shop})
        if url.path == "/v1/connections":
            wanted = parse_qs(url.query).get("schema", ["shop"])[0]
            items = [self.state.shop] if wanted == "shop" else []
            return self.say(200, {"code": "Success", "data": {"items": items, "next_cursor": None}})
        self.say(404, {"code": "NotFound_Connection", "message": "Cannot find connection"})

    def do_PATCH(self) -> None:
        sent = self.sent()
        if not self._in():
            return
        if self.path != f"/v1/connections/{SHOP}" or not sent.get("config"):
            return self.say(400, {"code": "IllegalState", "message": "At least one parameter is needed"})
        self.state.patched.append(sent)
        self.state.config.update(sent["config"])
        data = {**self.state.shop, **(self.state.tested() if sent.get("run_setup_tests", True) else {})}
        self.say(200, {"code": "Success", "message": "Connection has been updated", "data": data})

    def do_POST(self) -> None:
        sent = self.sent()
        if not self._in():
            return
        if self.path == f"/v1/connections/{SHOP}/test":
            time.sleep(self.state.slow)
            return self.say(
                200, {"code": "Success", "message": "Setup tests were completed", "data": self.state.tested()}
            )
        if self.path != f"/v1/connections/{SHOP}/sync":
            return self.say(404, {"code": "NotFound_Connection", "message": "Cannot find connection"})
        if self.state.shop["status"]["sync_state"] == "syncing" and not sent.get("force"):
            return self.say(409, {"code": "Conflict", "message": "The connection is syncing already"})
        self.state.synced.append(sent)
        self.state.shop["status"]["sync_state"] = "syncing"
        self.say(200, {"code": "Success", "message": f"Sync has been successfully triggered for connection '{SHOP}'"})


@contextmanager
def fivetran() -> Iterator[FivetranApi]:
    state = FivetranApi()
    with listening(Handler, state=state) as state.url:
        yield state
