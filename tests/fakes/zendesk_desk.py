"""Zendesk's ticket API and its token endpoint as the documentation describes them, over real HTTP.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ , .../introduction/requests/#idempotency ,
.../introduction/rate-limits/ , .../ticketing/oauth/grant_type_tokens/ (JSON in, 201 out, a scope must be named). A scope
that the client may not have: https://support.zendesk.com/hc/en-us/articles/11093380955674. A wrong client is refused as
RFC 6749 has it, since Zendesk does not say how; a token that ended as in https://github.com/fprimex/zdesk/issues/58.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.serve import Quiet, listening

WHO = base64.b64encode(b"bot@acme.test/token:t0ken").decode()
MOODS: dict[str, tuple[int, dict[str, str]]] = {
    "401": (401, {}),
    "429": (429, {"retry-after": "7"}),
    "500": (500, {}),
    "redirect": (302, {"location": "https://www.zendesk.com/"}),
    "422": (422, {}),
}
CLIENT = ("mend", "t0ken")
REFUSED = {"error": "invalid_client", "error_description": "Client authentication failed"}
ENDED = "The access token provided is expired, revoked, malformed or invalid for other reasons."


class Zendesk:
    """`blind`: the search does not know new tickets yet. `loses_answer`: the ticket is made, its answer is lost.

    `allowed`: the scopes that its client may ask for. `issued`: every token; `live`: those that are taken.
    `asked`: every call as (status, path, authorization, body).
    """

    def __init__(self) -> None:
        self.allowed = {"tickets:read", "tickets:write"}
        self.issued: list[str] = []
        self.live: set[str] = set()
        self.asked: list[tuple[int, str, str, str]] = []
        self.tickets: list[dict[str, Any]] = []
        self.by_key: dict[str, dict[str, Any]] = {}
        self.mood, self.url = "good", ""
        self.blind = self.loses_answer = False
        self.lock = threading.Lock()

    def create(self, key: str, sent: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            if key not in self.by_key:
                self.by_key[key] = {**sent["ticket"], "id": 35436 + len(self.tickets)}
                self.tickets.append(self.by_key[key])
            return self.by_key[key]

    def grant(self, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        scopes, life = str(sent.get("scope") or "").split(), sent.get("expires_in")
        if sent.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        if (sent.get("client_id"), sent.get("client_secret")) != CLIENT:
            return 401, REFUSED
        if not scopes or set(scopes) - self.allowed:
            return 400, {"error": "invalid_scope"}
        if life is not None and not (isinstance(life, int) and 300 < life < 172_800):
            return 400, {"error": "invalid_request"}
        with self.lock:
            token = f"access-canary-{len(self.issued)}"
            self.issued.append(token)
            self.live.add(token)
        return 201, {"access_token": token, "token_type": "bearer", "scope": " ".join(scopes), "expires_in": life}


class Handler(Quiet):
    state: Zendesk
    body = ""

    def sent(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.body = raw.decode()
        return json.loads(raw) if raw and "json" in self.headers.get("content-type", "") else {}

    def say(self, status: int, body: Any, headers: Any = None) -> None:
        self.state.asked.append((status, self.path, self.headers.get("authorization", ""), self.body))
        super().say(status, body, headers)

    def _refused(self) -> bool:
        kind, _, shown = self.headers.get("authorization", "").partition(" ")
        known = shown == WHO if kind == "Basic" else kind == "Bearer" and shown in self.state.live
        mood = self.state.mood if known else "401"
        if mood in MOODS:
            status, headers = MOODS[mood]
            words = {"error": "invalid_token", "error_description": ENDED} if kind == "Bearer" else {"error": "refused"}
            self.say(status, words, headers)
        return mood in MOODS

    def do_GET(self) -> None:
        if self._refused():
            return
        wanted = parse_qs(urlsplit(self.path).query).get("external_id", [""])[0]
        found = [] if self.state.blind else [t for t in self.state.tickets if t["external_id"] == wanted]
        self.say(200, {"tickets": found})

    def do_POST(self) -> None:
        sent = self.sent()
        if self.path == "/oauth/tokens":
            if self.state.mood in ("429", "500", "redirect"):
                status, headers = MOODS[self.state.mood]
                self.say(status, None, headers)
            else:
                self.say(*self.state.grant(sent))
            return
        if self._refused():
            return
        made = self.state.create(self.headers["idempotency-key"], sent)
        if self.state.loses_answer:
            self.close_connection = True
            self.connection.close()
            return
        self.say(201, {"ticket": made})


@contextmanager
def zendesk() -> Iterator[Zendesk]:
    state = Zendesk()
    with listening(Handler, state=state) as state.url:
        yield state
