"""Zendesk by its documented API: https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/

Who has no API token yet gets none any more; the desk then is an OAuth client that gets tokens for itself (grant type
client_credentials): https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import requests

from bot.desks.base import Address, DeskError, Ticket
from bot.desks.calls import LIMIT, Bearer, ask, json_of, wait_of
from bot.drivers.granted import Granted
from bot.drivers.network import Trouble
from bot.drivers.oauth import Client, Refused

BY_TOKEN, BY_CLIENT = ("email", "token"), ("client_id", "client_secret")
KEYS = ("subdomain", *BY_CLIENT, *BY_TOKEN, "base_url")
SCOPE = "tickets:read tickets:write"
# From 300 to 172,800 seconds may be asked for; without it the token of an older client has no end.
LIFE = 1800
CLIENTS = "Admin Center > Apps and integrations > APIs > OAuth clients"
# https://developer.zendesk.com/documentation/api-basics/authentication/oauth-migration/
ENDS = (
    "Zendesk ends API tokens that are not used for 30 days, and all on April 30, 2027: use client_id and client_secret"
)


@dataclass(frozen=True)
class ZendeskDesk:
    """`Idempotency-Key` holds two hours there, so a later retry also searches by `external_id` first."""

    finds_again: ClassVar[bool] = True
    base_url: str
    email: str = ""
    token: str = field(default="", repr=False)
    granted: Granted | None = field(default=None, repr=False)

    def open(self, ticket: Ticket) -> Address:
        known = self._known(ticket.id)
        found = known[0] if known else self._create(ticket)
        return Address(f"{self.base_url}/agent/tickets/{found['id']}", str(found["id"]))

    def check(self) -> str:
        """By the question that comes before every ticket: it needs no right that tickets do not need."""
        self._known("mend-doctor")
        return "" if self.granted else ENDS

    def _known(self, key: str) -> list[Any]:
        return list(self._call("GET", "/api/v2/tickets.json", params={"external_id": key}).get("tickets") or [])

    def _create(self, ticket: Ticket) -> Mapping[str, Any]:
        body = {
            "subject": ticket.subject,
            "comment": {"body": ticket.body},
            "external_id": ticket.id,
            "tags": ["mend", *filter(None, [ticket.cause])],
        }
        answer = self._call("POST", "/api/v2/tickets.json", {"Idempotency-Key": ticket.id}, json={"ticket": body})
        if not isinstance(answer.get("ticket"), dict):
            raise DeskError("down", "Zendesk answered without a ticket")
        return dict(answer["ticket"])

    def _call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        call = functools.partial(ask, "Zendesk", method, self.base_url + path, headers or {}, **more)
        auth = self._auth()
        answer = call(auth=auth)
        if answer.status_code == 401 and isinstance(auth, Bearer):  # revoked, or it ended while this machine slept
            answer = call(auth=self._auth(auth.token))
        _refused(answer, by_client=self.granted is not None)
        body = json_of("Zendesk", answer, "desk.subdomain")
        return body if isinstance(body, dict) else {}

    def _auth(self, refused: str = "") -> tuple[str, str] | Bearer:
        if self.granted is None:
            return f"{self.email}/token", self.token
        try:
            return Bearer(self.granted.token(refused))
        except Trouble as trouble:
            raise _no_token(trouble) from None


def _refused(answer: requests.Response, by_client: bool) -> None:
    status, wait = answer.status_code, wait_of(answer.headers)
    if status in (401, 403) and by_client:
        # It acts for who made it: https://developer.zendesk.com/documentation/api-basics/authentication/api-tokens-to-oauth/
        needs = f"it needs the scopes {SCOPE}, and who made it the right to make tickets"
        raise DeskError("auth", f"Zendesk refuses the desk's OAuth client (HTTP {status}): {needs}")
    if status in (401, 403):
        hint = f": {ENDS}" if status == 401 else ""
        raise DeskError("auth", f"Zendesk refuses the desk's token (HTTP {status}){hint}")
    if status == 429:
        raise DeskError("rate", "Zendesk asks to wait", wait or 60.0)
    if status >= 500:
        raise DeskError("down", f"Zendesk has trouble (HTTP {status})", wait)
    if status >= 300:
        raise DeskError("config", f"Zendesk does not take the ticket (HTTP {status}): check desk.subdomain")


def _no_token(trouble: Trouble) -> DeskError:
    if trouble.code == "auth.insufficient_scope":
        return DeskError("auth", f"Zendesk refuses the desk's OAuth client the scopes {SCOPE}: allow them in {CLIENTS}")
    if trouble.cause == "rate_limited":
        return DeskError("rate", "Zendesk asks to wait", 60.0)
    if trouble.cause == "third_party_down":
        return DeskError("down", f"Zendesk has trouble ({trouble.evidence})")
    if isinstance(trouble, Refused):
        return DeskError("auth", f"Zendesk refuses the desk's client_id or client_secret ({trouble.error})")
    if trouble.code == "config.wrong_base_path" or trouble.cause == "unclassified":
        said = f"Zendesk gives no token ({trouble.evidence}): check desk.subdomain, client_id and client_secret"
        return DeskError("config", said)
    return DeskError("down", f"Zendesk does not answer ({trouble.code})")


@functools.lru_cache(maxsize=8)
def _granted(client: Client) -> Granted:
    """One for all tickets of this process: a desk is made anew for each."""
    return Granted(client, scope=SCOPE, expires_in=LIFE)


def _client(base: str, client_id: str, client_secret: str) -> Client:
    """Through the proxy, and with the authorities, that requests takes from the environment for the tickets."""
    proxy = requests.utils.select_proxy(base, requests.utils.get_environ_proxies(base))
    authorities = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return Client(
        client_id, client_secret, f"{base}/oauth/tokens", "client_secret_post", LIMIT, proxy, authorities, as_json=True
    )


def make(raw: Mapping[str, Any]) -> ZendeskDesk:
    old, new = ([name for name in way if raw.get(name)] for way in (BY_TOKEN, BY_CLIENT))
    if old and new:
        other = f"take {' and '.join(old)} out"
        raise DeskError("config", f"desk: zendesk has {' and '.join(new)}, so {other} of mend.yml: one way to sign in")
    missing = [name for name in (BY_TOKEN if old else BY_CLIENT) if not raw.get(name)]
    missing += [] if raw.get("subdomain") or raw.get("base_url") else ["subdomain"]
    if missing:
        raise DeskError("config", f"desk: zendesk needs {', '.join(missing)} in mend.yml")
    base = str(raw.get("base_url") or f"https://{raw['subdomain']}.zendesk.com").rstrip("/")
    if old:
        return ZendeskDesk(base, str(raw["email"]), str(raw["token"]))
    return ZendeskDesk(base, granted=_granted(_client(base, str(raw["client_id"]), str(raw["client_secret"]))))
