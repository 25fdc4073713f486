"""What the demo provider remembers: who may do what, and which service is down."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

HUBSPOT_SCOPES = ("crm.objects.companies.read", "crm.objects.contacts.read", "crm.objects.deals.read", "oauth")
GITHUB_SCOPES = ("read:user", "repo")
SERVICES = {
    "hubspot": ("HubSpot", ("API", "CRM", "Marketing email", "Reporting")),
    "github": ("GitHub", ("API Requests", "Git Operations", "Webhooks", "Pull Requests", "Actions")),
    "stripe": ("Stripe", ("API", "Dashboard", "Webhooks", "Checkout")),
}


def now() -> str:
    """The moment as status pages write it: UTC, milliseconds, a Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def short_id() -> str:
    """An id of the length status pages use."""
    return secrets.token_hex(6)


@dataclass
class Update:
    """One entry of an incident's story."""

    status: str
    body: str
    before: str
    after: str
    at: str = field(default_factory=now)
    id: str = field(default_factory=short_id)


@dataclass
class Incident:
    """An incident on one component of a service."""

    service: str
    component: str
    name: str
    impact: str
    updates: list[Update]
    created_at: str = field(default_factory=now)
    resolved_at: str | None = None
    id: str = field(default_factory=short_id)

    @property
    def status(self) -> str:
        return self.updates[-1].status


def stripe_incident() -> Incident:
    """The outage a playground starts with."""
    story = [
        Update("investigating", "We are investigating elevated error rates on the API.", "operational", "major_outage"),
        Update("identified", "We found the cause and are working on a fix.", "major_outage", "major_outage"),
    ]
    return Incident("stripe", "API", "Elevated API error rates", "major", story)


@dataclass
class Grant:
    """What a person allowed: a refresh token, and the access tokens that it gave, each with its end."""

    refresh_token: str
    scopes: set[str]
    access_tokens: dict[str, float] = field(default_factory=dict)


@dataclass
class ProviderState:
    """Tokens, scopes and incidents; every request reads it afresh."""

    hubspot_token: str = field(default_factory=lambda: f"pat-na1-{uuid.uuid4()}")
    hubspot_rotated: str = field(default_factory=lambda: f"pat-na1-{uuid.uuid4()}")
    client_id: str = "mend-on-this-machine"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    grants: dict[str, Grant] = field(default_factory=dict)
    github_token: str = field(default_factory=lambda: f"ghp_{secrets.token_hex(18)}")
    stripe_key: str = field(default_factory=lambda: f"rk_test_{secrets.token_hex(24)}")
    organization: str = "acme"
    hubspot_revoked: bool = True
    # Whether the last call came with the new token: then nothing is broken any more.
    hubspot_new_in_use: bool = False
    hubspot_scopes: set[str] = field(default_factory=lambda: set(HUBSPOT_SCOPES))
    github_scopes: set[str] = field(default_factory=lambda: set(GITHUB_SCOPES))
    stripe_denied: set[str] = field(default_factory=set)
    incidents: list[Incident] = field(default_factory=lambda: [stripe_incident()])

    def hubspot_accepts(self, token: str) -> bool:
        """The token that the admin rotated to, the old one unless it is revoked, and those of a person's grant."""
        self.hubspot_new_in_use = token == self.hubspot_rotated
        by_hand = self.hubspot_new_in_use or (token == self.hubspot_token and not self.hubspot_revoked)
        return by_hand or self.granted(token) is not None

    def granted(self, token: str) -> Grant | None:
        return next((g for g in self.grants.values() if g.access_tokens.get(token, 0.0) > time.time()), None)

    def hubspot_scopes_of(self, token: str) -> set[str]:
        grant = self.granted(token)
        return grant.scopes if grant else self.hubspot_scopes

    def open_incidents(self, service: str) -> list[Incident]:
        return [one for one in self.incidents if one.service == service and one.resolved_at is None]

    @property
    def stripe_down(self) -> bool:
        return bool(self.open_incidents("stripe"))

    def start_outage(self) -> None:
        """Open Stripe's incident unless one is open."""
        if not self.stripe_down:
            self.incidents = [*self.incidents, stripe_incident()]

    def end_outage(self) -> None:
        """Resolve what is open; the incidents stay in the history."""
        for one in self.open_incidents("stripe"):
            last = Update("resolved", "This incident is resolved.", "major_outage", "operational")
            one.updates = [*one.updates, last]
            one.resolved_at = now()
