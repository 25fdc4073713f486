"""What an answer means: first the provider's own forms, as its sheet lists them, then what HTTP says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import holds, kind_of_auth, spec
from bot.checks.http_good import DISGUISED, inner_status, success
from bot.checks.http_ruling import (
    BEHIND,
    CLIENT,
    FIREWALL,
    FORBIDDEN,
    NOT_SENT,
    OLD,
    SERVER,
    STRANGE_401,
    UPKEEP,
    Ruling,
    between,
)
from bot.checks.http_words import words_of
from bot.drivers.http import Answer
from flows.core.explain import explain
from flows.core.sheet import Match

# Which causes the words of a refusal may tell, by its status: a 404 never tells of the credential.
_WHO = ("invalid_credentials", "token_expired", "account_billing", "account_locked", "ip_not_allowlisted")
SPEAKING = {
    200: (*_WHO, "config_error", "rate_limited", "missing_privilege", "feature_not_enabled"),
    400: (*_WHO, "config_error", "rate_limited", "missing_privilege", "feature_not_enabled"),
    401: (*_WHO, "config_error", "feature_not_enabled", "missing_privilege"),
    402: ("account_billing", "feature_not_enabled", "rate_limited"),
    403: (*_WHO, "config_error", "missing_privilege", "feature_not_enabled", "rate_limited"),
    404: ("config_error", "account_billing"),
    409: ("account_billing", "config_error", "rate_limited"),
    410: ("config_error",),
    420: ("rate_limited",),
    422: (*_WHO, "config_error", "missing_privilege", "feature_not_enabled"),
    429: ("rate_limited",),
}


# What the same words mean as well. What was sent and is missed may stand where nobody looks.
ALIKE = {
    "auth.invalid_token": OLD,
    "auth.credential_not_sent": ("auth.wrong_header", "auth.wrong_scheme"),
    "auth.wrong_scheme": ("auth.malformed_header", "auth.invalid_token"),
}
BAD_KEY = Ruling("bad", "invalid_credentials", "auth.invalid_token", OLD)
BAD_PASSWORD = Ruling("bad", "invalid_credentials", "auth.wrong_password", ("auth.unknown_user", "auth.wrong_scheme"))
SCHEMES = {"bearer": "bearer", "basic": "basic", "key_as_user": "basic", "oauth1": "oauth"}


def judge(target: Target, answer: Answer, marker: str = "", *, identity: bool = False) -> Ruling | None:
    """What is wrong by this answer; None when it is a plain success. `marker` replaces the sheet's `own_error`."""
    ruling = _judged(target, answer, marker, identity)
    return _to_nobody(answer, ruling, identity) if ruling and kind_of_auth(target) == "none" else ruling


def _to_nobody(answer: Answer, ruling: Ruling, identity: bool) -> Ruling:
    """What a refusal means to who has no credential to show."""
    if ruling.cause in ("invalid_credentials", "token_expired"):
        return replace(NOT_SENT, verdict=ruling.verdict)
    if ruling.code == STRANGE_401.code and answer.status == 401:
        if "www-authenticate" in answer.headers:
            return NOT_SENT
        return replace(NOT_SENT, verdict="unclear", alternatives=(STRANGE_401.code, "access.ip_not_allowed"))
    if ruling.cause == "missing_privilege" and identity:
        return replace(NOT_SENT, verdict="unclear", alternatives=(ruling.code, "access.ip_not_allowed"))
    return ruling


def _judged(target: Target, answer: Answer, marker: str, identity: bool) -> Ruling | None:
    refused = answer.status in (401, 403)
    if answer.without_credential and (refused or answer.changed_method):
        alike = ("config.wrong_region",)
        return Ruling("bad", "config_error", "config.redirect_drops_authorization", alike)
    if answer.changed_method:
        return Ruling("bad", "config_error", "config.redirect_changes_method")
    stranger = between(answer, target.proxy)
    if stranger:
        return stranger
    if refused and not own(target, answer, marker):
        return _schemed(target, answer, STRANGE_401) if answer.status == 401 else FIREWALL
    ours = sheet_says(target, answer, marker, identity=identity)
    if ours:
        return ours
    if 200 <= answer.status < 300:
        inner = replace(answer, status=inner_status(answer))
        if inner.status:
            return _judged(target, inner, marker, identity)
        ruling = success(target, answer)
        return (_by_words(answer) if ruling is DISGUISED and answer.is_json else None) or ruling
    return _by_words(answer) or _by_status(target, answer)


def sheet_says(target: Target, answer: Answer, marker: str = "", *, identity: bool = False) -> Ruling | None:
    """What the sheet itself says of this answer. The same words in somebody's data, in no error's form, say nothing."""
    data = answer.status < 300 and not own(target, answer, marker)
    for match in spec(target).answers:
        if data and match.status is None and not match.header:
            continue
        if _fits(match, answer) and (identity or not match.identity) and holds(target, match.when):
            return Ruling(match.verdict, match.cause, match.code, match.alternatives)
    return None


def _by_status(target: Target, answer: Answer) -> Ruling:
    if answer.status in CLIENT:
        return CLIENT[answer.status]
    if answer.status >= 500:
        # Only with 503 a word of maintenance anywhere is about this answer.
        told = answer.head if answer.status == 503 else answer.title if answer.is_html else words_of(answer)
        code = SERVER.get(answer.status, "bad_gateway" if BEHIND.search(answer.head) else "provider_error")
        return Ruling("bad", "third_party_down", f"availability.{'maintenance' if UPKEEP.search(told) else code}")
    if answer.status in (401, 403):
        return _refusal(target, answer)
    return Ruling("unclear", "unclassified", "availability.malformed_response", ("config.wrong_base_path",))


def _by_words(answer: Answer) -> Ruling | None:
    """A refusal in words that the sheet does not list: what these words mean elsewhere."""
    if answer.is_html or answer.status not in SPEAKING:
        return None
    words = words_of(answer)[:1000]
    found = explain(words)
    if found.confidence == "unclear" or found.code is None or found.cause not in SPEAKING[answer.status]:
        return None
    if found.code == CLIENT[429].code and "quota" in words.lower():
        return CLIENT[429]  # of a minute or of a month: a quota's words do not tell
    return Ruling("bad", found.cause, found.code, ALIKE.get(found.code, ()))


def _fits(match: Match, answer: Answer) -> bool:
    if match.status not in (None, answer.status) or not re.search(match.body, answer.head, re.I):
        return False
    name, _, pattern = match.header.partition(":")
    given = answer.headers.get(name.strip().lower())
    return not name or (given is not None and bool(re.search(pattern.strip(), given, re.I)))


def _refusal(target: Target, answer: Answer) -> Ruling:
    """A refusal in the provider's own form, in words that the sheet does not list."""
    if answer.status == 403:
        return FORBIDDEN
    told = bad_credential(target)
    if told is BAD_KEY:
        return _schemed(target, answer, told)
    # A page is a web server's own, which may stand before what was meant.
    return replace(told, alternatives=(*told.alternatives, STRANGE_401.code)) if answer.is_html else told


def bad_credential(target: Target) -> Ruling:
    """The credential is refused, and nobody says why."""
    return BAD_PASSWORD if kind_of_auth(target) == "basic" and not spec(target).own_error else BAD_KEY


def _schemed(target: Target, answer: Answer, ruling: Ruling) -> Ruling:
    """The same, and that the server names other schemes than the one in which the credential was sent."""
    wanted = _schemes(answer)
    if not wanted or SCHEMES.get(kind_of_auth(target)) in wanted:
        return ruling
    return replace(ruling, alternatives=(*ruling.alternatives, "auth.wrong_scheme"))


def _schemes(answer: Answer) -> list[str]:
    """The schemes in which a server wants a credential."""
    challenges = re.sub(r'"[^"]*"', "", answer.headers.get("www-authenticate", "")[:2000]).lower()
    return re.findall(r"(?:^|,) *([a-z][\w-]*)(?= +\w| *(?:,|$))", challenges)


def own(target: Target, answer: Answer, marker: str = "") -> bool:
    """The refusal has the provider's own form: JSON with the key or header that the sheet names, never a page."""
    text, body, header = spec(target).own_text, answer.body, spec(target).own_header.lower()
    if answer.is_html:
        # A web server that asks for the scheme in which the credential came has looked at it.
        looked = answer.status == 401 and SCHEMES.get(kind_of_auth(target)) in _schemes(answer)
        return looked and not marker and plain(target)
    if text and re.search(text, answer.head):
        return True
    marker = marker or spec(target).own_error
    parts = [one for one in (body if isinstance(body, list) else [body]) if isinstance(one, dict)]
    if marker or header or text:
        return any(marker and marker in part for part in parts) or bool(header and parts and header in answer.headers)
    return bool(parts) or (answer.status == 401 and "www-authenticate" in answer.headers)


def plain(target: Target) -> bool:
    """Nobody knows in which form this API refuses."""
    return not (spec(target).own_error or spec(target).own_text or spec(target).own_header)


def same(one: Answer, other: Answer) -> bool:
    """Equal but for ids, counters and times, which differ in every answer."""

    def bare(text: str) -> str:
        return re.sub(
            r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{16,}\b|\breq_\w+|\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\d{9,}", "", text
        )

    return one.status == other.status and bare(one.text) == bare(other.text)


def alike(one: Answer, other: Answer) -> bool:
    """Equal but for words and numbers."""
    return one.status == other.status and _shape(one.body) == _shape(other.body)


def volatile(signed: Answer, first: Answer, second: Answer) -> bool:
    """Answers that differ by themselves: then only another shape tells the caller with the key from everybody."""
    return not same(first, second) and alike(signed, first)


def _shape(body: Any, depth: int = 6) -> Any:
    if isinstance(body, dict) and depth:
        return sorted((str(key), str(_shape(value, depth - 1))) for key, value in list(body.items())[:100])
    if isinstance(body, list) and depth:
        return [_shape(one, depth - 1) for one in body[:1]]
    return body is None
