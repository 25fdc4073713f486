"""Zendesk by its documented API: https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import requests

from bot.desks.base import Address, DeskError, Ticket

KEYS = ("subdomain", "email", "token", "base_url")
LIMIT = 15


@dataclass(frozen=True)
class ZendeskDesk:
    """`Idempotency-Key` holds two hours there, so a later retry also searches by `external_id` first."""

    finds_again: ClassVar[bool] = True
    base_url: str
    email: str
    token: str = field(repr=False)

    def open(self, ticket: Ticket) -> Address:
        known = self._call("GET", "/api/v2/tickets.json", params={"external_id": ticket.id}).get("tickets") or []
        found = known[0] if known else self._create(ticket)
        return Address(f"{self.base_url}/agent/tickets/{found['id']}", str(found["id"]))

    def _create(self, ticket: Ticket) -> Mapping[str, Any]:
        body = {
            "subject": ticket.subject,
            "comment": {"body": ticket.body},
            "external_id": ticket.id,
            "tags": ["mend", *filter(None, [ticket.cause])],
        }
        answer = self._call(
            "POST", "/api/v2/tickets.json", json={"ticket": body}, headers={"Idempotency-Key": ticket.id}
        )
        if not isinstance(answer.get("ticket"), dict):
            raise DeskError("down", "Zendesk answered without a ticket")
        return dict(answer["ticket"])

    def check(self) -> None:
        self._call("GET", "/api/v2/users/me.json")

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            answer = requests.request(
                method,
                self.base_url + path,
                auth=(f"{self.email}/token", self.token),
                timeout=LIMIT,
                allow_redirects=False,
                **more,
            )
        except requests.RequestException as error:
            raise DeskError("down", f"Zendesk does not answer ({type(error).__name__})") from None
        _refused(answer)
        try:
            body = answer.json()
        except ValueError:
            raise DeskError("down", "Zendesk did not answer in JSON: check desk.subdomain") from None
        return body if isinstance(body, dict) else {}


def _refused(answer: requests.Response) -> None:
    status, after = answer.status_code, answer.headers.get("retry-after", "")
    wait = float(after) if after.isdigit() else 0.0
    if status in (401, 403):
        raise DeskError("auth", f"Zendesk refuses the desk's token (HTTP {status})")
    if status == 429:
        raise DeskError("rate", "Zendesk asks to wait", wait or 60.0)
    if status >= 500:
        raise DeskError("down", f"Zendesk has trouble (HTTP {status})", wait)
    if status >= 300:
        raise DeskError("config", f"Zendesk does not take the ticket (HTTP {status}): check desk.subdomain")


def make(raw: Mapping[str, Any]) -> ZendeskDesk:
    missing = [name for name in ("email", "token") if not raw.get(name)]
    missing += [] if raw.get("subdomain") or raw.get("base_url") else ["subdomain"]
    if missing:
        raise DeskError("config", f"desk: zendesk needs {', '.join(missing)} in mend.yml")
    base = str(raw.get("base_url") or f"https://{raw['subdomain']}.zendesk.com").rstrip("/")
    return ZendeskDesk(base, str(raw["email"]), str(raw["token"]))
