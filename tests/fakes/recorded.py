"""A provider as `tests/data/providers/<key>.yaml` describes it from its documentation.

The file says which credential is right, what good calls answer, and one answer per outcome: `bad_credential`,
`missing_scope` (only for requests with `at` in them), `rate_limit`, `down`. Each has the code that Mend must `expect`;
`missing` and `scopes` are the resources and scopes that it must name, `waits` the seconds to wait where no Retry-After
says them, `verdict: unclear` is for a wrong credential that is not told from a firewall. `credential` is a header or
parameter of a good call, where {key} stands for the secret; behind `Basic` in plain text. `settings` and further
`secrets` are the connection's. `none` is the answer without any credential, where it differs; `always` are headers of
every answer; `token_path` is where an app's own credentials become a token.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from authlib.oauth1.rfc5849.signature import generate_signature_base_string
from authlib.oauth1.rfc5849.wrapper import OAuth1Request

from bot.scaffold import BLANK
from tests.fakes.serve import Reply

FOLDER = Path(__file__).parent.parent / "data" / "providers"
KEY = "key-that-must-never-be-seen"
Told = Mapping[str, Any]


def recorded(key: str) -> dict[str, Any]:
    file = FOLDER / f"{key}.yaml"
    assert file.exists(), f"tests/data/providers/{key}.yaml is missing: the provider's answers, from its documentation"
    text = file.read_text(encoding="utf-8")
    assert BLANK not in text, (
        f"tests/data/providers/{key}.yaml has blanks: what stands behind {BLANK} tells what belongs there"
    )
    loaded: dict[str, Any] = yaml.safe_load(text)
    assert loaded["docs"].startswith("https://")
    return loaded


def answer(told: Told, outcome: str, path: str, headers: Mapping[str, str]) -> Reply:
    """What the provider says to one request."""
    shown, exchange = credential_is(told, path, headers), path.startswith(told.get("token_path", "\0"))
    if exchange and outcome != "bad_credential":
        return 200, {}, {"access_token": KEY, "token_type": "bearer", "expires_in": 3600}
    says = told[outcome] if exchange else _refusal(told, outcome, path + headers.get(":posted", ""), shown)
    if says is None and shown != "right":
        says = told.get("none", told["bad_credential"]) if shown == "nothing" else told["bad_credential"]
    if says is None:
        fitting = [known for known in told["good"] if path.startswith(known)]
        assert fitting, f"{path} is no call of the documentation"
        return 200, told.get("always", {}), told["good"][max(fitting, key=len)]
    return says["status"], {**told.get("always", {}), **says.get("headers", {})}, says["body"]


def _refusal(told: Told, outcome: str, asked: str, shown: str) -> Told | None:
    says: Told | None = None
    if outcome in ("rate_limit", "down") or (outcome == "bad_credential" and shown != "nothing"):
        says = told[outcome]
    elif outcome == "missing_scope" and shown == "right" and told["missing_scope"]["at"] in asked:
        says = told["missing_scope"]
    return says


def _signed(keys: list[str], path: str, headers: Mapping[str, str]) -> str:
    """OAuth 1.0a as Authlib reads it; the credential names hash, consumer key and secret, token and its secret."""
    sha, consumer, consumer_secret, token, secret = keys
    url = f"http://{headers['host']}{path}"
    asked = OAuth1Request(
        "POST" if ":posted" in headers else "GET", url, headers={"Authorization": headers["authorization"]}
    )
    base = generate_signature_base_string(asked)
    mac = hmac.new(f"{consumer_secret}&{secret}".encode(), base.encode(), sha.lower())
    right = (consumer, token, base64.b64encode(mac.digest()).decode())
    return "right" if (asked.client_id, asked.token, asked.signature) == right else "wrong"


def credential_is(told: Told, path: str, headers: Mapping[str, str]) -> str:
    """Is the credential of a request `right`, `wrong`, or `nothing`."""
    found = []
    for name, wanted in told["credential"].items():
        given = headers.get(name, parse_qs(urlsplit(path).query).get(name, [""])[0])
        right = wanted.replace("{key}", KEY)
        if right.startswith("OAuth1 ") and given:
            found.append(_signed(right.split()[1:], path, headers))
            continue
        if right.startswith("Basic ") and ":" in right:
            right = "Basic " + base64.b64encode(right.removeprefix("Basic ").encode()).decode()
        found.append("right" if given == right else "wrong" if given else "nothing")
    return "wrong" if len(set(found)) > 1 else found[0]
