"""HTTP sources: careful verdicts. 401 and 403 count only in the provider's own form, and after a control probe."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import (
    ask,
    clean,
    exchange,
    fill,
    holds,
    kind_of_auth,
    renew,
    said,
    secret,
    spec,
    written,
)
from bot.checks.http_ask import base_url as base_url
from bot.checks.http_expiry import lifetime
from bot.checks.http_found import failed, found
from bot.checks.http_good import NOBODY
from bot.checks.http_judge import alike, bad_credential, judge, plain, same, volatile
from bot.checks.http_rights import verify_permissions as verify_permissions
from bot.checks.http_ruling import FIREWALL, FORBIDDEN, Ruling, walled
from bot.checks.http_time import skew, spoken
from bot.checks.http_words import inward, words_of
from bot.drivers.http import Answer
from bot.drivers.network import Trouble
from flows.core.expiry import until
from flows.core.finding import Finding

LOGIN = ("verify_credentials", "credentials_accepted")

# Causes that an answer without the credential can refute; a limit or an outage is the same for everybody.
ABOUT_US = ("invalid_credentials", "token_expired", "missing_privilege")


def _unsendable(target: Target) -> Finding | None:
    """A credential that cannot be right is not tried."""
    key, name = secret(target), spec(target).secret
    if not key:
        code, words = "auth.credential_not_sent", f"{name} is empty"
    elif key != key.strip() or "\n" in key or "\r" in key:
        code, words = "auth.secret_with_whitespace", f"{name} begins or ends with white space, or has a line break"
    elif kind_of_auth(target) != "basic" and not (key.isascii() and key.isprintable()):
        code, words = "auth.malformed_header", f"{name} holds a character that cannot be sent in a header"
    else:
        return _wrong_kind(target, key)
    return found(LOGIN, target, words, Ruling("bad", "invalid_credentials", code))


def _wrong_kind(target: Target, key: str) -> Finding | None:
    forms = (one for one in spec(target).keys if re.search(one.pattern, key) and holds(target, one.when))
    form = next(forms, None)
    if form is None:
        return None
    other = " and ".join(f"{name} is {written(target, name)}" for name in form.when)
    words = f"{spec(target).secret} has the form of another kind of key, so it was not tried"
    if other:
        words = f"{other}, but {spec(target).secret} has the form of a key of another environment, so it was not tried"
    return found(LOGIN, target, words, Ruling("bad", form.cause, form.code))


def verify_credentials(target: Target) -> Finding:
    """The identity call, then the same call without the credential: equal answers prove nothing."""
    probe = str(target.settings.get("probe") or spec(target).identity)
    path = probe if probe.startswith(("/", "?", "{")) or not probe else f"/{probe}"
    open_api = kind_of_auth(target) == "none"
    try:
        unsendable = None if open_api else _unsendable(target)
        if unsendable:
            return unsendable
        refused = judge(target, exchange(target), "error") if spec(target).token_url else None
        if refused:
            return found(LOGIN, target, said(target, exchange(target)), refused, exchange(target))
        path = fill(path, target, path=True)
        answer = ask(target, path, post=spec(target).post)
        ruling = judge(target, answer, identity=True) or _without_mark(target, answer)
        if ruling and ruling.cause == "token_expired" and renew(target, at_once=True):
            # Not every provider says how long a token lives.
            answer = ask(target, path, post=spec(target).post)
            ruling = judge(target, answer, identity=True) or _without_mark(target, answer)
        if ruling is None and open_api:
            return found(LOGIN, target, f"HTTP {answer.status} from {path}; no credential is configured")
        return _with_control(target, path, answer, ruling)
    except Trouble as trouble:
        return failed(LOGIN, target, trouble)


def _without_mark(target: Target, answer: Answer) -> Ruling | None:
    """A provider that says 200 to everybody: a good answer holds what the sheet says it holds."""
    if not spec(target).good or re.search(spec(target).good, answer.head):
        return None
    return Ruling("unclear", "invalid_credentials", "auth.invalid_token", ("auth.credential_not_sent",))


def _with_control(target: Target, path: str, answer: Answer, ruling: Ruling | None) -> Finding:
    stranger = ruling is FIREWALL and answer.status == 403 and plain(target)
    decided = ruling is not None and not stranger and (ruling.verdict == "unclear" or ruling.cause not in ABOUT_US)
    control = None if decided or kind_of_auth(target) == "none" else _control(target, path)
    equal = control is not None and same(answer, control)
    if ruling is None:
        return _proven(target, path, answer, control, equal)
    if control is not None:
        ruling = _compared(target, answer, control, ruling, equal)
    if ruling.code == "auth.credential_not_sent" and kind_of_auth(target) == "none":
        words = f"{said(target, answer)}; no credential is configured (auth is none)"
        return found(LOGIN, target, words, ruling, answer)
    if ruling.cause == "missing_privilege" and ruling.verdict == "bad" and ruling.code == "auth.insufficient_scope":
        if ruling is FORBIDDEN:
            # In nobody's words, an account that is off or an address that is kept out may be refused too.
            return found(LOGIN, target, said(target, answer), replace(ruling, verdict="unclear"), answer)
        # A good key with few rights: the permission check names what is missing.
        target.memo["forbidden"] = (path, answer, ruling)
        return found(LOGIN, target, f"{said(target, answer)} (the key is known, this call is not allowed)")
    return found(LOGIN, target, *_clocked(said(target, answer), ruling, answer), answer)


def _compared(target: Target, answer: Answer, control: Answer, ruling: Ruling, equal: bool) -> Ruling:
    """What a refusal means beside that of the same call without the credential."""
    if ruling is FIREWALL:
        # Who shows no credential is asked for one: ours has been looked at.
        others = (ruling.code, *FORBIDDEN.alternatives)
        return replace(FORBIDDEN, verdict="unclear", alternatives=others) if control.status == 401 else ruling
    # A refusal in nobody's words that everybody gets, with words of its own for each, is no provider's.
    nobodys = ruling is FORBIDDEN and alike(answer, control) and not _asks_who(answer, control)
    if (equal or nobodys) and answer.status == 403 and ruling.cause == "missing_privilege":
        return _unknown(target, ruling) if ruling is FORBIDDEN and plain(target) else walled(ruling)
    if not equal:
        return ruling
    if ruling.code != "auth.credential_not_sent":
        # The provider does not tell a bad credential from none: perhaps ours was lost on the way.
        return replace(ruling, alternatives=tuple(dict.fromkeys((*ruling.alternatives, "auth.credential_not_sent"))))
    if not NOBODY.search(words_of(answer)[:300]):
        return ruling
    # It says that nobody is logged in, not that nothing was sent. A password is seldom lost on the way.
    bad = bad_credential(target)
    first, then = (bad, ruling) if kind_of_auth(target) == "basic" else (ruling, bad)
    return replace(first, alternatives=tuple(dict.fromkeys((*first.alternatives, then.code, *then.alternatives))))


def _asks_who(answer: Answer, control: Answer) -> bool:
    """Only who shows no credential is told that one is missing."""
    return bool(NOBODY.search(words_of(control)[:300])) and not NOBODY.search(words_of(answer)[:300])


def _unknown(target: Target, ruling: Ruling) -> Ruling:
    """An API that says no to everybody alike does not know the credential, or does not look at it."""
    bad = bad_credential(target)
    others = (ruling.code, "auth.credential_not_sent", "access.waf_blocked", "access.ip_not_allowed")
    return replace(bad, verdict="unclear", alternatives=others)


def _clocked(words: str, ruling: Ruling, answer: Answer) -> tuple[str, Ruling]:
    """A refusal may be about the time that a token or a signature holds."""
    ahead = skew(answer) if ruling.cause in ("invalid_credentials", "token_expired") else 0
    if not ahead:
        return words, ruling
    return f"{words}; {spoken(ahead)}", replace(ruling, alternatives=(*ruling.alternatives, "clock.skew"))


def _proven(target: Target, path: str, answer: Answer, control: Answer | None, equal: bool) -> Finding:
    """A success counts when the same call without the credential gets another answer."""
    if control is None or control.status == 429 or control.status >= 500:
        # A limit, an outage, or a refusal of this provider's own: the next call with the credential tells.
        second = ask(target, path, post=spec(target).post)
        if later := judge(target, second, identity=True) or _without_mark(target, second):
            words = f"{said(target, second)}, after HTTP {answer.status} to the same call"
            return found(LOGIN, target, words, replace(later, verdict="unclear"), second)
    if control and not equal and control.status < 300:
        again = _control(target, path)
        equal = again is not None and volatile(answer, control, again)
    if equal:
        words = f"{path} answers the same without the credential, so it proves nothing"
        return found(LOGIN, target, words, Ruling("unclear", "unclassified", "auth.credential_not_sent"))
    other = "another answer" if control and control.status == answer.status else control and control.status
    compared = f", and {other or 'no answer'} without the credential"
    ending = lifetime(target, answer)
    words = f"HTTP {answer.status} from {path}{compared}{until(ending)}"
    if control:
        target.memo["accepted"] = path
    return found(LOGIN, target, words, **_account(target, answer), **ending)


def _account(target: Target, answer: Answer) -> dict[str, Any]:
    """Whose the credential is, for comparing a new one with the old."""
    names = [one for one in inward(answer.body, spec(target).account) if isinstance(one, str | int)]
    return {"account": clean(target, str(names[0]))[:100]} if spec(target).account and names else {}


def _control(target: Target, path: str) -> Answer | None:
    try:
        return ask(target, path, signed=False, post=spec(target).post)
    except Trouble:
        return None
