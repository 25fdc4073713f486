"""Sign in with Slack: https://docs.slack.dev/authentication/sign-in-with-slack"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bot.drivers.http import get
from bot.drivers.network import Trouble
from bot.drivers.oauth import SPENT, Client, Refused

# Clocks differ; Slack's tokens live five minutes.
LEEWAY = 60


class Unproven(Exception):
    """What was brought back does not say who it is: a code that was used, a token of another sign-in or signature."""


@dataclass(frozen=True)
class OpenId:
    """Slack as issuer (`https://slack.com`), and Mend's app there.

    The addresses are those of https://slack.com/.well-known/openid-configuration
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout: float = 5.0

    def departure(self, back: str, team: str, state: str, nonce: str) -> str:
        """Where a browser goes to sign in to this workspace."""
        asked = {"response_type": "code", "scope": "openid", "client_id": self.client_id, "team": team}
        asked |= {"redirect_uri": back, "state": state, "nonce": nonce}
        return f"{self.issuer}/openid/connect/authorize?{urlencode(asked)}"

    def who(self, code: str, back: str, nonce: str) -> tuple[str, str]:
        """(team, person) that signed in. Raises Unproven, or Trouble when Slack does not answer as it should."""
        client = Client(
            self.client_id, self.client_secret, f"{self.issuer}/api/openid.connect.token", "client_secret_post",
            self.timeout,
        )  # fmt: skip
        try:
            answer = client.redeem("authorization_code", code=code, redirect_uri=back)
        except Refused as error:
            if (error.cause, error.code) == SPENT:
                raise Unproven(error.error) from None
            raise
        claims = self._read(str(answer.get("id_token") or ""), nonce)
        return str(claims["https://slack.com/team_id"]), str(claims["https://slack.com/user_id"])

    def _read(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of a token that this issuer signed for us and this sign-in."""
        keys = get(f"{self.issuer}/openid/connect/keys", {}, self.timeout, redirects=False)
        try:
            known = KeySet.import_key_set(keys.body)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            said = f"HTTP {keys.status} without keys from {self.issuer}/openid/connect/keys"
            raise Trouble("third_party_down", "availability.malformed_response", said) from None
        named: Any = {
            name: {"essential": True} for name in ("exp", "https://slack.com/team_id", "https://slack.com/user_id")
        }
        named |= {
            name: {"essential": True, "value": value}
            for name, value in (("iss", self.issuer), ("aud", self.client_id), ("nonce", nonce))
        }
        try:
            claims = jwt.decode(token, known, algorithms=["RS256"]).claims
            jwt.JWTClaimsRegistry(leeway=LEEWAY, **named).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unproven(type(error).__name__) from None
        return claims
