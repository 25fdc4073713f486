"""Authorizing a connection again: where the person is sent, and what the provider's answer is worth."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bot.checks.base import Target
from bot.checks.http_ask import address
from bot.checks.oauth import GRANT, Grant, app_of, client_of, filled, granted
from bot.checks.run import Seen
from bot.drivers.network import Trouble
from bot.drivers.oauth import SPENT, Refused
from bot.repairs.form import Form
from bot.repairs.trial import Outcome, try_out
from bot.settings import App, SettingsError, public_url, resolve
from bot.vault import opened
from flows.core.finding import Finding
from flows.core.sheet import OAuth
from flows.core.sheet_oauth import missing, scopes_of

# What the provider may say instead of a code: https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1
ANSWERS = {
    **dict.fromkeys(("access_denied", "user_denied", "consent_required", "user_cancelled_authorize",
                     "user_cancelled_login"), "denied"),
    **dict.fromkeys(("invalid_scope", "invalid_scope_requested"), "scope"),
    **dict.fromkeys(("server_error", "temporarily_unavailable"), "down"),
}  # fmt: skip


def callback() -> str:
    """The redirect URI to register with every provider."""
    return f"{public_url(os.environ)}/oauth/callback"


@dataclass(frozen=True)
class Provider:
    """Where one connection is authorized, and Mend's registration there."""

    form: Form
    spec: OAuth
    app: App

    @property
    def authorize_url(self) -> str:
        """Raises Trouble when a setting is missing."""
        return self.app.authorize_url or self._filled(self.spec.authorize_url)

    def _filled(self, text: str) -> str:
        connection = self.form.connection
        return address(text, Target(self.form.name, connection.connector, self.form.known, connection.settings))

    @property
    def origin(self) -> str:
        """Where the button leads, for a person to read; '' when a setting is missing."""
        with contextlib.suppress(Trouble):
            parts = urlsplit(self.authorize_url)
            return f"{parts.scheme}://{parts.netloc}"
        return ""

    @property
    def fields(self) -> dict[str, str]:
        """Which secret each key of the provider's answer fills."""
        http = self.form.known.http
        return dict(self.spec.stores) or {"access_token": http.secret if http else "access_token"}

    def scopes(self) -> list[str]:
        return scopes_of(self.spec, self.form.known.http, self.form.connection.tables, self.app.scopes)

    def departure(self, state: str, *, force: bool) -> tuple[str, str]:
        """The address that asks the person, and what must be kept until they come back. Raises Trouble."""
        verifier = secrets.token_urlsafe(48) if self.spec.pkce else ""
        proof = {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
        more = {**self.spec.params, **(self.spec.force if force else {}), **(proof if verifier else {})}
        client_id = resolve(self.app.client_id, os.environ, self.form.settings.folder)
        if self.spec.signature and not self._secret():
            raise SettingsError(f"oauth: {self.form.known.key}: client_secret is missing: the answer is signed with it")
        scope = self.spec.separator.join(self.scopes())
        url = prepare_grant_uri(self.authorize_url, client_id, "code", callback(), scope, state, **more)
        return str(url), json.dumps({"verifier": verifier, "scopes": self.scopes(), "redirect_uri": callback()})

    def _secret(self) -> str:
        return resolve(self.app.client_secret, os.environ, self.form.settings.folder)

    def _signed(self, answer: Mapping[str, str]) -> bool:
        """Whether the provider signed all that it said. A secret that is gone since the departure proves nothing."""
        with contextlib.suppress(SettingsError):
            if secret := self._secret():
                others = sorted((name, value) for name, value in answer.items() if name != self.spec.signature)
                made = hmac.new(
                    secret.encode(), urlencode(others, quote_via=quote).encode(), hashlib.sha256
                ).hexdigest()
                return hmac.compare_digest(answer.get(self.spec.signature, "").lower().encode(), made.encode())
        return False

    def _accounts(self) -> list[tuple[str, str]]:
        return [(name, self._filled(text)) for name, text in self.spec.account.items()]

    def returned(self, answer: Mapping[str, str]) -> str:
        """What is wrong with what the browser brought back, '' for a code."""
        issuer = answer.get("iss", "")
        # https://www.rfc-editor.org/rfc/rfc9207#section-2.4
        if self.spec.issuer and issuer and not hmac.compare_digest(issuer.encode(), self.spec.issuer.encode()):
            return "issuer"
        if self.spec.signature and not self._signed(answer):
            return "issuer"
        if "error" in answer:
            return ANSWERS.get(re.sub(r"\W", "", answer["error"]).lower(), "refused")
        with contextlib.suppress(Trouble):
            if any(answer.get(name, text) != text for name, text in self._accounts()):
                return "account"
        return "" if answer.get("code") else "refused"


def provider_of(form: Form | None) -> Provider | None:
    """None where the sheet knows no authorization, or Mend is not registered there."""
    if form is None or form.known.oauth is None:
        return None
    app = app_of(form.settings, form.known, form.connection)
    return Provider(form, form.known.oauth, app) if app else None


def holds_grant(form: Form, team: str) -> bool:
    return GRANT in opened().kept(form.name, team)


def exchange(provider: Provider, sealed: Mapping[str, Any], team: str) -> dict[str, str]:
    """Secrets by their names in the vault, for a code. Raises Trouble, SettingsError."""
    form, fields = provider.form, provider.fields
    client = client_of(form.settings, form.known, form.connection, provider.app)
    proof = {"code_verifier": sealed["verifier"]} if sealed["verifier"] else {}
    proof |= provider.spec.exchange
    answer = client.redeem("authorization_code", code=sealed["code"], redirect_uri=sealed["redirect_uri"], **proof)
    if extend := provider.spec.extend:
        # https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived: named like the grant.
        # A longer life that is not said is not the shorter one.
        answer |= {"expires_in": 0, **client.redeem(extend, **{extend: answer["access_token"]})}
    # https://www.rfc-editor.org/rfc/rfc6749#section-5.1: scopes that are not said are those that were asked for.
    grant = granted(provider.spec, fields, answer, Grant("", 0.0, fields, " ".join(sealed["scopes"]), team))
    values = {**filled(fields, answer), **provider.spec.sets, GRANT: grant.text()}
    return {f"{form.name}.{field}": value for field, value in values.items()}


def try_grant(provider: Provider, link: Any, known_account: str, on_finding: Seen | None = None) -> Outcome:
    """The tokens of a link's batch are tried as typed ones are; what was not granted is named in `missing`."""
    form = provider.form
    stored = {name.removeprefix(f"{form.name}."): value for name, value in opened().of_batch(link.batch).items()}
    if GRANT not in stored:
        return {"state": "failed", "problem": "code", "finding": None}
    grant = Grant.read(stored.pop(GRANT))
    if provider.spec.force and not provider.spec.extend and grant.expires_at and not grant.refresh_token:
        return {"state": "failed", "problem": "short", "finding": None, "force": True}
    outcome = try_out(form, link.team, stored, known_account, on_finding)
    lacking = missing(provider.scopes(), re.split(r"[\s,]+", grant.scopes), form.known.http)
    state = "differs" if lacking and outcome["state"] == "good" else outcome["state"]
    return {**outcome, "state": state, "missing": lacking, "problem": "tried" if state == "failed" else ""}


def failure(error: Trouble | SettingsError) -> Outcome:
    """An exchange that gave no tokens, as the page shows it."""
    if isinstance(error, Refused) and (error.cause, error.code) == SPENT:
        return {"state": "failed", "problem": "code", "finding": None}
    at = ("verify_credentials", "credentials_accepted")
    if isinstance(error, SettingsError):
        found = Finding(*at, "bad", "config_error", "config.wrong_format", evidence=str(error)[:300])
    else:
        found = Finding(*at, "bad", error.cause, error.code, error.alternatives, error.evidence)
    return {"state": "failed", "problem": "exchange", "finding": found.to_dict()}
