"""SendGrid's API keys: https://www.twilio.com/docs/sendgrid/api-reference/api-keys"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.drivers.authorities import authorities
from bot.drivers.http import agent
from bot.drivers.network import Trouble

# A key has the first without being asked, and nobody may ask for the second.
NOT_ASKED = ("2fa_required", "sender_verification_eligible", "sender_verification_legacy")


@dataclass(frozen=True)
class Keys:
    """The keys of one account, by one of them. Every call raises Trouble."""

    base: str
    key: str = field(repr=False)
    timeout: float
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def scopes(self) -> list[str]:
        """What this key may do."""
        found = self._call("GET", "/v3/scopes").get("scopes") or []
        return sorted(str(scope) for scope in found if scope not in NOT_ASKED)

    def named(self) -> dict[str, str]:
        """The ids of all keys with their names."""
        found = self._call("GET", "/v3/api_keys").get("result") or []
        return {str(one["api_key_id"]): str(one.get("name", "")) for one in found}

    def make(self, name: str, scopes: list[str]) -> str:
        return str(self._call("POST", "/v3/api_keys", {"name": name, "scopes": scopes})["api_key"])

    def delete(self, key_id: str) -> None:
        """A key that is not there any more is as good as deleted."""
        self._call("DELETE", f"/v3/api_keys/{key_id}", missing_is_good=True)

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, missing_is_good: bool = False
    ) -> dict[str, Any]:
        import requests

        more: dict[str, Any] = {"json": body} if body is not None else {}
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"http": self.proxy, "https": self.proxy} if self.proxy else {}
            session.headers.update({"Authorization": f"Bearer {self.key}", "User-Agent": agent()})
            try:
                answer = session.request(
                    method, self.base + path, timeout=self.timeout, allow_redirects=False,
                    verify=self.ca_file or authorities(), **more,
                )  # fmt: skip
            except requests.RequestException as error:
                said = f"SendGrid does not answer ({type(error).__name__})"
                raise Trouble("host_unreachable", "availability.no_response", said) from None
        if answer.status_code == 404 and missing_is_good:
            return {}
        return _read(answer, f"{method} {path.split('/')[2]}")


def _read(answer: Any, what: str) -> dict[str, Any]:
    status = int(answer.status_code)
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    if status < 300:
        return body
    first: Any = next(iter(body.get("errors") or []), {})
    said = f"{what}: HTTP {status} {first.get('message', '') if isinstance(first, dict) else ''}".strip()
    causes = {401: "invalid_credentials", 403: "missing_privilege", 429: "rate_limited"}
    cause = causes.get(status, "third_party_down" if status >= 500 else "config_error")
    raise Trouble(cause, "availability.provider_error", said)
