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
        # More connections, and what is selected of each.
        self.others: list[dict[str, Any]] = []
        self.schemas: dict[str, dict[str, dict[str, bool]]] = {}
        self.per_page, self.got = 1000, list[str]()
        self.config: dict[str, Any] = {"host": "db", "user": "stitch", "password": "old"}
        self.patched: list[dict[str, Any]] = []
        # What the setup tests find: each a title, a status and a message.
        self.tests = [("Connecting to host", "PASSED", ""), ("Validating login", "PASSED", "")]
        self.slow = 0.0
        # Whether the source lets this configuration in; unset: `tests` stand as they are.
        self.accepts: Callable[[dict[str, Any]], bool] | None = None

    def add(self, number: str, service: str, schema: str, config: dict[str, Any], **more: Any) -> None:
        self.others.append({**self.shop, "id": number, "service": service, "schema": schema, "config": config, **more})

    def page(self, asked: dict[str, list[str]]) -> dict[str, Any]:
        """Without the config of each, which the documentation of the list leaves open."""
        wanted = asked.get("schema", [""])[0]
        rows = [one for one in (self.shop, *self.others) if wanted in ("", one["schema"])]
        first, most = int(asked.get("cursor", ["0"])[0]), min(int(asked.get("limit", ["100"])[0]), self.per_page)
        items = [{name: value for name, value in one.items() if name != "config"} for one in rows[first : first + most]]
        return {"items": items, **({"next_cursor": str(first + most)} if first + most < len(rows) else {})}

    def selected(self, number: str) -> dict[str, Any]:
        return {"schema_change_handling": "ALLOW_ALL", "enable_new_by_default": True, "schemas": {
            place: {"name_in_destination": place, "enabled": any(tables.values()), "tables": {
                name: {"name_in_destination": name, "enabled": on, "columns": {}, "supports_columns_config": True,
                       "enabled_patch_settings": {"allowed": True}} for name, on in tables.items()}}
            for place, tables in self.schemas[number].items()}}  # fmt: skip

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
            self.state.got.append(self.path)
            return self.say(200, {"code": "Success", "data": self.state.page(parse_qs(url.query))})
        number, _, rest = url.path.removeprefix("/v1/connections/").partition("/")
        other = next((one for one in self.state.others if one["id"] == number), None)
        if rest == "schemas" and number in self.state.schemas:
            return self.say(200, {"code": "Success", "data": self.state.selected(number)})
        if other and self.state.mood == "no details":
            return self.say(500, {"code": "ServerError", "message": "Something went wrong"})
        if other and not rest:
            return self.say(200, {"code": "Success", "data": other})
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
