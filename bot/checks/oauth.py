"""Access tokens that Mend got itself are renewed by their refresh token; nobody else's refresh token is ever sent."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import address
from bot.drivers.oauth import Client
from bot.settings import App, Connection, Settings, resolve
from bot.vault import Entry, opened
from flows.core.sheet import OAuth, Sheet

# Its name in the vault beside the fields: no sheet has a field of this name.
GRANT = "oauth"
# An access token that ends within this many seconds is renewed first.
SOON = 90.0


@dataclass(frozen=True)
class Grant:
    """What keeps access going; `fields` are the secrets that an answer of the provider fills, by its keys."""

    refresh_token: str = field(repr=False)
    expires_at: float
    fields: Mapping[str, str]
    scopes: str = ""
    team: str = ""

    @classmethod
    def read(cls, text: str) -> Grant:
        return cls(**json.loads(text))

    def text(self) -> str:
        return json.dumps(self.__dict__)

    def ends_soon(self) -> bool:
        return bool(self.expires_at) and time.time() > self.expires_at - SOON


def granted(oauth: OAuth, fields: Mapping[str, str], answer: Mapping[str, Any], before: Grant) -> Grant:
    """The grant after an answer of the token endpoint; what it does not say stays as it was."""
    lives = answer.get("expires_in") or oauth.lives
    try:
        expires_at = time.time() + float(lives) if lives else 0.0
    except (TypeError, ValueError):
        expires_at = 0.0
    token = answer.get("refresh_token")
    scopes = answer.get("scope") or answer.get("scopes")
    scopes = " ".join(map(str, scopes)) if isinstance(scopes, list) else scopes
    return Grant(
        token if isinstance(token, str) and token else before.refresh_token, expires_at, fields,
        scopes if isinstance(scopes, str) and scopes.strip() else before.scopes, before.team,
    )  # fmt: skip


def filled(fields: Mapping[str, str], answer: Mapping[str, Any]) -> dict[str, str]:
    """The secrets that an answer of the token endpoint gives, by their fields."""
    return {field: str(answer[key]) for key, field in fields.items() if answer.get(key)}


def app_of(settings: Settings, known: Sheet, connection: Connection) -> App | None:
    """Mend's registration with this connection's provider, where there is one."""
    return connection.oauth or settings.oauth.get(known.key) or settings.oauth.get(connection.connector)


def client_of(settings: Settings, known: Sheet, connection: Connection, app: App) -> Client:
    """Raises SettingsError for a secret that cannot be read, Trouble for an address that lacks a setting."""
    assert known.oauth is not None
    where = Target("", connection.connector, known, connection.settings)
    proxy = resolve(connection.proxy, os.environ, settings.folder) if connection.proxy else None
    return Client(
        resolve(app.client_id, os.environ, settings.folder),
        resolve(app.client_secret, os.environ, settings.folder),
        app.token_url or address(known.oauth.token_url, where),
        known.oauth.client_auth,
        max(settings.check_timeout, 10.0),
        proxy,
        str(connection.settings.get("ca_file") or "") or None,
    )


@dataclass(frozen=True)
class Renewal:
    """Renews one connection's tokens: one at a time in all processes, and stored before anybody uses them."""

    settings: Settings
    name: str
    known: Sheet
    connection: Connection
    app: App
    seen: Grant

    def __call__(self, at_once: bool) -> Mapping[str, str]:
        """The secrets that changed; none when there is no need. Raises Trouble."""
        if not at_once and not self.seen.ends_soon():
            return {}
        with opened().alone(f"{self.seen.team}:{self.name}"):
            kept = opened().kept(self.name, self.seen.team)
            grant = Grant.read(kept[GRANT].value) if GRANT in kept else self.seen
            if grant.refresh_token != self.seen.refresh_token or grant.expires_at != self.seen.expires_at:
                return self._values(kept)  # somebody else was quicker
            return self._redeem(grant)

    def _redeem(self, grant: Grant) -> Mapping[str, str]:
        assert self.known.oauth is not None
        client = client_of(self.settings, self.known, self.connection, self.app)
        answer = client.redeem("refresh_token", refresh_token=grant.refresh_token, **self.known.oauth.refresh)
        values = filled(grant.fields, answer)
        after = granted(self.known.oauth, grant.fields, answer, grant)
        opened().renewed(grant.team, self.name, {**values, GRANT: after.text()})
        return values

    def _values(self, kept: Mapping[str, Entry]) -> Mapping[str, str]:
        return {field: kept[field].value for field in self.seen.fields.values() if field in kept}


def renewal_of(
    settings: Settings, name: str, known: Sheet, connection: Connection, kept: Mapping[str, Entry]
) -> Renewal | None:
    """How the secrets in use are renewed: only when they are those that Mend's own grant gave."""
    app = app_of(settings, known, connection)
    if GRANT not in kept or known.oauth is None or app is None:
        return None
    grant = Grant.read(kept[GRANT].value)
    mine = bool(grant.refresh_token) and all(field in kept for field in grant.fields.values())
    return Renewal(settings, name, known, connection, app, grant) if mine else None
