"""Zendesk's ticket API as its documentation describes it, over real HTTP.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ , .../introduction/requests/#idempotency ,
.../introduction/rate-limits/
"""

from __future__ import annotations

import base64
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


class Zendesk:
    """`blind`: the search does not know new tickets yet. `loses_answer`: the ticket is made, its answer is lost."""

    def __init__(self) -> None:
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


class Handler(Quiet):
    state: Zendesk

    def _refused(self) -> bool:
        wrong = self.headers.get("authorization") != f"Basic {WHO}"
        mood = "401" if wrong else self.state.mood
        if mood in MOODS:
            status, headers = MOODS[mood]
            self.say(status, {"error": "refused"}, headers)
        return mood in MOODS

    def do_GET(self) -> None:
        if self._refused():
            return
        if self.path == "/api/v2/users/me.json":
            self.say(200, {"user": {"id": 1, "email": "bot@acme.test"}})
            return
        wanted = parse_qs(urlsplit(self.path).query).get("external_id", [""])[0]
        found = [] if self.state.blind else [t for t in self.state.tickets if t["external_id"] == wanted]
        self.say(200, {"tickets": found})

    def do_POST(self) -> None:
        sent = self.sent()
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
