"""SendGrid's API keys and scopes as its documentation describes them, over real HTTP.

https://www.twilio.com/docs/sendgrid/api-reference/api-keys and .../api-key-permissions/retrieve-a-list-of-scopes...
A key is shown once; a list has names and ids only; at most 100 keys; a key may not give what it has not got.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes.serve import Quiet, listening

FORCED = ["2fa_required", "sender_verification_eligible"]
READS = ["suppression.read", "marketing.read", "templates.read"]
RENEWS = ["api_keys.create", "api_keys.read", "api_keys.delete"]


class SendGrid:
    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()

    def make(self, name: str, scopes: list[str]) -> dict[str, Any]:
        with self.lock:
            key_id = secrets.token_urlsafe(16)[:22].replace(".", "-")
            key = f"SG.{key_id}.{secrets.token_urlsafe(32)[:43]}"
            self.keys[key_id] = {"name": name, "api_key_id": key_id, "api_key": key, "scopes": [*scopes, *FORCED]}
            return self.keys[key_id]

    def who(self, header: str | None) -> dict[str, Any] | None:
        return next((k for k in self.keys.values() if header == f"Bearer {k['api_key']}"), None)

    def answer(self, method: str, path: str, me: dict[str, Any], body: Any) -> tuple[int, Any]:
        if path.startswith("/v3/scopes"):
            return 200, {"scopes": me["scopes"]}
        if path.startswith("/v3/api_keys"):
            return self._keys(method, path.removeprefix("/v3/api_keys").strip("/"), me, body)
        return (200, {"result": []}) if any(s in me["scopes"] for s in READS) else refused(403, "access forbidden")

    def _keys(self, method: str, key_id: str, me: dict[str, Any], body: Any) -> tuple[int, Any]:
        right = {"GET": "api_keys.read", "POST": "api_keys.create", "DELETE": "api_keys.delete"}[method]
        if right not in me["scopes"]:
            return refused(403, "access forbidden")
        if method == "GET":
            return 200, {"result": [{k: one[k] for k in ("name", "api_key_id")} for one in self.keys.values()]}
        if method == "DELETE":
            gone = self.keys.pop(key_id, None)
            return (204, None) if gone else refused(404, "unable to find API Key")
        scopes = (body or {}).get("scopes") or []
        if len(self.keys) >= 100 or set(scopes) & set(FORCED) or not set(scopes) <= set(me["scopes"]):
            return refused(403, "one or more of your scopes cannot be given")
        return 201, self.make(body["name"], scopes)


def refused(status: int, message: str) -> tuple[int, Any]:
    return status, {"errors": [{"field": None, "message": message}]}


class Handler(Quiet):
    state: SendGrid

    def _do(self) -> None:
        sent = self.sent()
        me = self.state.who(self.headers.get("authorization"))
        none = "The provided authorization grant is invalid, expired, or revoked"
        path = self.path.split("?")[0]
        self.say(*(self.state.answer(self.command, path, me, sent) if me else refused(401, none)))

    do_GET = do_POST = do_DELETE = _do


@contextmanager
def sendgrid() -> Iterator[SendGrid]:
    state = SendGrid()
    with listening(Handler, state=state) as state.url:
        yield state
