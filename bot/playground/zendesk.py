"""A small Zendesk: an account whose one OAuth client makes tickets, and the page on which its one agent answers them.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ , .../ticketing/oauth/grant_type_tokens/ ,
.../webhooks/event-types/ticket-events/
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

Json = dict[str, Any]
ACCOUNT, AGENT, FIRST, LARGEST = 12514403, "Sam Okafor", 1001, 100_000
SCOPES = {"tickets:read", "tickets:write"}
PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "static"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff", "referrer-policy": "same-origin", "cache-control": "no-store",
}  # fmt: skip


class Zendesk:
    """`hook` gives the address at which the account's webhook calls, once there is one."""

    def __init__(self, hook: Callable[[], str]) -> None:
        self.client_id, self.client_secret = "mend", secrets.token_hex(32)
        self.signing_secret, self.hook = secrets.token_urlsafe(32), hook
        self.tickets: list[Json] = []
        self._by_key: dict[str, Json] = {}
        self._tokens: dict[str, tuple[set[str], float]] = {}
        self._lock = threading.Lock()

    # Its API ---------------------------------------------------------------------------------------------------------

    async def grant(self, request: Request) -> Response:
        sent = await request.json()
        asked, life = set(str(sent.get("scope") or "").split()), sent.get("expires_in") or 7200
        known = hmac.compare_digest(str(sent.get("client_secret")).encode(), self.client_secret.encode())
        if sent.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if sent.get("client_id") != self.client_id or not known:
            words = {"error": "invalid_client", "error_description": "Client authentication failed"}
            return JSONResponse(words, 401)
        if not asked or asked - SCOPES:
            return JSONResponse({"error": "invalid_scope"}, 400)
        token = secrets.token_hex(32)
        self._tokens[token] = (asked, time.time() + life)
        body = {"access_token": token, "token_type": "bearer", "scope": " ".join(sorted(asked)), "expires_in": life}
        return JSONResponse(body, 201)

    async def found(self, request: Request) -> Response:
        if refused := self._refused(request, "tickets:read"):
            return refused
        wanted = request.query_params.get("external_id")
        with self._lock:
            rows = [_public(one) for one in self.tickets if wanted in (None, one["external_id"])]
        return JSONResponse({"tickets": rows, "count": len(rows), "next_page": None, "previous_page": None})

    async def create(self, request: Request) -> Response:
        """One key makes one ticket, whatever is sent again with it."""
        if refused := self._refused(request, "tickets:write"):
            return refused
        sent = (await request.json()).get("ticket") or {}
        body = str((sent.get("comment") or {}).get("body") or "")
        if not body:
            details = {"base": [{"description": "Description: cannot be blank", "error": "BlankValue"}]}
            words = {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
            return JSONResponse(words, 422)
        key = request.headers.get("idempotency-key") or uuid.uuid4().hex
        with self._lock:
            if key not in self._by_key:
                self._by_key[key] = self._made(sent, body)
                self.tickets.append(self._by_key[key])
            ticket = self._by_key[key]
        return JSONResponse({"ticket": _public(ticket)}, 201)

    def _made(self, sent: Json, body: str) -> Json:
        number = FIRST + len(self.tickets)
        return {
            "id": number, "external_id": sent.get("external_id"), "subject": str(sent.get("subject") or ""),
            "description": body, "status": "new", "tags": list(sent.get("tags") or []), "created_at": _now(),
            "updated_at": _now(), "comments": [{"by": "Mend", "body": body, "at": _now()}],
        }  # fmt: skip

    def _refused(self, request: Request, scope: str) -> Response | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        scopes, ends = self._tokens.get(token, (set(), 0.0))
        if kind.lower() != "bearer" or ends < time.time():
            return JSONResponse({"error": "Couldn't authenticate you"}, 401)
        return None if scope in scopes else JSONResponse({"error": "Forbidden"}, 403)

    # Its agent's page ------------------------------------------------------------------------------------------------

    async def overview(self, request: Request) -> Response:
        return self._page("desk_tickets.html", tickets=self.tickets[::-1])

    async def show(self, request: Request) -> Response:
        ticket = self._ticket(request)
        return self._page("desk_ticket.html", ticket=ticket, told="") if ticket else self._none()

    async def answer(self, request: Request) -> Response:
        """What the agent writes is told to whoever made the ticket by the webhook, and the page says whether it was."""
        ticket = self._ticket(request)
        if ticket is None:
            return self._none()
        if not _from_here(request):
            return HTMLResponse("<h1>Answer on the page itself.</h1>", 403)
        said = parse_qs((await request.body())[:LARGEST].decode("utf-8", "replace"))
        words, solve = said.get("words", [""])[0].strip(), said.get("do") == ["solve"]
        told = []
        if words:
            ticket["comments"].append({"by": AGENT, "body": words, "at": _now()})
            told.append(self._event(ticket, "comment_added", {"comment": _comment(words)}))
        now = "solved" if solve else "open" if words else ticket["status"]
        if now != ticket["status"]:
            before, ticket["status"] = ticket["status"], now
            told.append(self._event(ticket, "status_changed", _change(before, now)))
        ticket["updated_at"] = _now()
        failed = [why for event in told if (why := await asyncio.to_thread(self._tell, event))]
        if failed:
            return self._page("desk_ticket.html", ticket=ticket, told=failed[0])
        return RedirectResponse(str(request.url.path), 303)

    def _ticket(self, request: Request) -> Json | None:
        return next((one for one in self.tickets if one["id"] == request.path_params["id"]), None)

    def _page(self, name: str, **words: Any) -> Response:
        return HTMLResponse(PAGES.get_template(name).render(agent=AGENT, **words), headers=HEADERS)

    def _none(self) -> Response:
        return HTMLResponse("<h1>There is no such ticket.</h1>", 404, HEADERS)

    # Its webhook -----------------------------------------------------------------------------------------------------

    def _event(self, ticket: Json, what: str, event: Json) -> Json:
        detail = {**_public(ticket), "id": str(ticket["id"]), "status": str(ticket["status"]).upper()}
        return {
            "type": f"zen:event-type:ticket.{what}", "account_id": ACCOUNT, "id": str(uuid.uuid4()), "time": _now(),
            "zendesk_event_version": "2022-11-06", "subject": f"zen:ticket:{ticket['id']}", "detail": detail,
            "event": {"meta": {"sequence": {"id": uuid.uuid4().hex, "position": 1, "total": 1}}, **event},
        }  # fmt: skip

    def _tell(self, event: Json) -> str:
        """Nothing, or why the webhook failed. https://developer.zendesk.com/documentation/webhooks/verifying/"""
        body, stamp, address = json.dumps(event).encode(), _now(), self.hook()
        if not address:
            return "Mend has no address yet"
        made = hmac.new(self.signing_secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json",
            "x-zendesk-webhook-id": "01GK8E6BKWMJZD2T8Y5AXJQMG5",
            "x-zendesk-webhook-invocation-id": event["id"],
            "x-zendesk-webhook-signature": base64.b64encode(made).decode(),
            "x-zendesk-webhook-signature-timestamp": stamp,
        }
        try:
            urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=10).close()  # noqa: S310
        except urllib.error.HTTPError as refused:
            return f"the webhook was answered by HTTP {refused.code}"
        except OSError as error:
            return f"the webhook got no answer ({type(error).__name__})"
        return ""

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/oauth/tokens", self.grant, methods=["POST"]),
            Route("/api/v2/tickets.json", self.found),
            Route("/api/v2/tickets.json", self.create, methods=["POST"]),
            Route("/agent/tickets", self.overview),
            Route("/agent/tickets/{id:int}", self.show),
            Route("/agent/tickets/{id:int}", self.answer, methods=["POST"]),
        ]


def _from_here(request: Request) -> bool:
    """Other web sites reach this port too, by a form or by a name of theirs that leads here."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin", "")
    return host.rpartition(":")[0] in ("127.0.0.1", "localhost") and urlsplit(origin).netloc == host


def _public(ticket: Json) -> Json:
    """As its API and its events show it."""
    return {name: value for name, value in ticket.items() if name != "comments"}


def _comment(words: str) -> Json:
    author = {"id": "4287298837", "is_staff": True, "name": AGENT}
    return {"author": author, "body": words, "id": str(secrets.randbits(40)), "is_public": True}


def _change(before: str, now: str) -> Json:
    return {"current": now.upper(), "previous": before.upper()}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
