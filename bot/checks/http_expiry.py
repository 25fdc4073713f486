"""Until when a credential of an HTTP source is good: as the provider says it, as it says itself, or by its age."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC
from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import secret, spec
from bot.checks.http_time import date_of
from bot.checks.http_words import inward
from bot.drivers.http import Answer
from flows.core.expiry import DAY, ends

# Signed claims in three parts: https://www.rfc-editor.org/rfc/rfc7519#section-3
CLAIMS = re.compile(r"eyJ[\w-]+\.(eyJ[\w-]+)\.[\w-]*")
# A token that lives shorter is renewed by a program: a reminder would come every day.
SHORT = 3 * DAY


def lifetime(target: Target, answer: Answer) -> dict[str, Any]:
    """The fact of when the credential ends, or nothing."""
    if target.renew:
        return {}
    known = spec(target)
    said: Any = answer.headers.get(known.expires_header.lower(), "") if known.expires_header else ""
    if known.expires_body:
        said = next((one for one in inward(answer.body, known.expires_body) if one), said)
    at = _moment(said) or _claimed(secret(target)) or _by_age(target)
    return ends(("token", known.secret, at))


def _moment(said: Any) -> float:
    """Seconds since 1970 of a date or number as providers write it; 0 for none, or never."""
    text = str(said or "").strip()[:60]
    if re.fullmatch(r"\d{9,14}", text):
        return float(text) / (1000 if len(text) > 11 else 1)
    when = date_of(re.sub(r" (?=[+-]\d\d)", "", re.sub(r" ?(UTC|GMT|Z)$", "+00:00", text)))
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() if when else 0.0


def _claimed(token: str) -> float:
    found = CLAIMS.fullmatch(token.strip())
    try:
        claims = json.loads(base64.urlsafe_b64decode(found[1] + "==")) if found else {}
        until, since = float(claims["exp"]), float(claims.get("iat") or claims.get("nbf") or 0)
    except (ValueError, KeyError, TypeError):
        return 0.0
    return until if not since or until - since > SHORT else 0.0


def _by_age(target: Target) -> float:
    """A token that the provider ends after so many days, and of which we know when it was put in."""
    known = target.sheet.regeneration
    since = target.since.get(spec(target).secret)
    return since + known.lifetime_days * DAY if known and known.lifetime_days and since else 0.0
