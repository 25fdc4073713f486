"""Fivetran's REST API as https://fivetran.com/docs/rest-api/api-reference/connections describes it, over real HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator
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
            "schedule_type": "auto", "group_id": "g", "service_version": 0, "config": {"password": "******"},
            "status": {"setup_state": "connected", "sync_state": "scheduled", "update_state": "on_schedule",
                       "is_historical_sync": False, "tasks": [], "warnings": []},
        }  # fmt: skip
        self.synced: list[Any] = []


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

    def do_POST(self) -> None:
        sent = self.sent()
        if not self._in():
            return
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
