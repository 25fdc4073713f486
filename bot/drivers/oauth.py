"""A provider's token endpoint: one call, no redirect, and no secret in what is said about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from bot.drivers.http import Answer, get
from bot.drivers.network import Trouble

# What was redeemed is no longer good: a code that was used, a refresh token that was revoked.
SPENT = ("token_expired", "auth.refresh_token_revoked")
# https://www.rfc-editor.org/rfc/rfc6749#section-5.2; GitHub, HubSpot, Slack and Meta have words of their own.
ERRORS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("invalid_grant", "invalid_code", "bad_verification_code", "invalid_refresh_token", "code_expired",
                     "bad_auth_code", "bad_refresh_token", "code_already_used", "oauthexception"), SPENT),
    **dict.fromkeys(("invalid_client", "unauthorized_client", "invalid_client_id", "bad_client_secret",
                     "incorrect_client_credentials"), ("config_error", "auth.invalid_client")),
    **dict.fromkeys(("redirect_uri_mismatch", "bad_redirect_uri"), ("config_error", "config.malformed_url")),
    "invalid_scope": ("missing_privilege", "auth.insufficient_scope"),
    **dict.fromkeys(("temporarily_unavailable", "server_error"), ("third_party_down", "availability.provider_error")),
}  # fmt: skip


@dataclass
class Refused(Trouble):
    """The provider's own no; `error` is its name for it, without anything that it may have echoed."""

    error: str = ""


@dataclass(frozen=True)
class Client:
    """Mend as one provider knows it. `as_json`: its token endpoint takes JSON in place of RFC 6749's form."""

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str
    method: str
    timeout: float = 5.0
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    as_json: bool = False

    def redeem(self, grant_type: str, **form: str | int) -> dict[str, Any]:
        """Tokens for a code, a refresh token or the client alone. Raises Trouble, or Refused: the provider's no."""
        body = prepare_token_request(grant_type, "", **form)
        method = self.method if self.client_secret else "none"
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url, headers, body = ClientAuth(self.client_id, self.client_secret, method).prepare(
            "POST", self.token_url, kind, body
        )
        if self.as_json:
            body, headers = (
                json.dumps({**dict(parse_qsl(body)), **form}),
                {**headers, "Content-Type": "application/json"},
            )
        more = {"proxy": self.proxy, "ca_file": self.ca_file, "redirects": False}
        answer = get(url, headers, self.timeout, post=body, **more)  # type: ignore[arg-type]
        return self._read(answer, [self.client_secret, *map(str, form.values())])

    def _read(self, answer: Answer, sent: list[str]) -> dict[str, Any]:
        body = answer.body if isinstance(answer.body, dict) else {}
        error = _error(body)
        if error or answer.status >= 300 or not isinstance(body.get("access_token"), str):
            raise self._refusal(answer, error, sent)
        if not body["access_token"].isprintable():
            raise Trouble("third_party_down", "availability.malformed_response", "the token has unprintable characters")
        return body

    def _refusal(self, answer: Answer, error: str, sent: list[str]) -> Trouble:
        words = f"HTTP {answer.status} from the token endpoint"
        if told := ": ".join(part for part in (error, _described(answer.body, sent)) if part):
            words += f": {told}"
        if error in ERRORS:
            cause, code = ERRORS[error]
        elif answer.status == 429:
            cause, code = "rate_limited", "limit.rate_limited"
        elif answer.status >= 500:
            cause, code = "third_party_down", "availability.provider_error"
        elif answer.status in (301, 302, 303, 307, 308, 404, 405):
            cause, code = "config_error", "config.wrong_base_path"
        else:
            cause, code = "unclassified", "availability.malformed_response"
        if "reuse" in words.lower() and code == "auth.refresh_token_revoked":
            code = "auth.refresh_token_reused"
        return Refused(cause, code, words, error=error) if error else Trouble(cause, code, words)


def _error(body: dict[str, Any]) -> str:
    """The error's name; Meta wraps it, HubSpot calls it `status`."""
    found = body.get("error") or ("" if "access_token" in body else body.get("status"))
    found = found.get("type") if isinstance(found, dict) else found
    return re.sub(r"\W", "_", str(found or "")).lower()[:60]


def _described(body: Any, sent: list[str]) -> str:
    """The provider's words, without anything that was sent to it or that looks like a token."""
    found = body.get("error_description") or body.get("message") if isinstance(body, dict) else ""
    words = str(found or "")[:300]
    for value in sorted((v for v in sent if len(v) > 3), key=len, reverse=True):
        for form in (value, quote(value), quote(value, safe="")):
            words = words.replace(form, "***")
    return re.sub(r"[\w.~+/=-]{24,}", "***", " ".join(words.split()))
