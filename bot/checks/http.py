"""HTTP sources: careful verdicts. 401 and 403 count only in the provider's own form, and after a control probe."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import ask, clean, kind_of_auth, place, said, secret, spec
from bot.checks.http_ask import base_url as base_url
from bot.checks.http_judge import Ruling, judge, retry_after, same
from bot.drivers.http import Answer
from bot.drivers.network import Deadline, Trouble
from flows.core.finding import Finding, Verdict
from flows.core.sheet import Probe

LOGIN, RIGHTS = ("verify_credentials", "credentials_accepted"), ("check_permissions", "permissions_sufficient")

# Causes that an answer without the credential can refute; a limit or an outage is the same for everybody.
ABOUT_US = ("invalid_credentials", "token_expired", "missing_privilege")


def _finding(
    at: tuple[str, str], target: Target, words: str, ruling: Ruling | None = None, answer: Answer | None = None,
    **facts: Any,
) -> Finding:  # fmt: skip
    told = clean(target, words)
    wait = retry_after(answer) if answer and ruling else ""
    facts = {**place(target), **({"retry_after": wait} if wait else {}), **facts}
    if ruling is None:
        return Finding(*at, "good", evidence=told, facts=facts)
    return Finding(*at, ruling.verdict, ruling.cause, ruling.code, ruling.alternatives, told, facts)


def _failed(at: tuple[str, str], target: Target, trouble: Trouble, verdict: Verdict = "bad") -> Finding:
    return _finding(
        at, target, trouble.evidence, Ruling(verdict, trouble.cause, trouble.code, trouble.alternatives)
    )  # fmt: skip


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
        return None
    return _finding(LOGIN, target, words, Ruling("bad", "invalid_credentials", code))


def verify_credentials(target: Target) -> Finding:
    """The identity call, then the same call without the credential: equal answers prove nothing."""
    path = str(target.settings.get("probe") or spec(target).identity)
    open_api = kind_of_auth(target) == "none"
    try:
        unsendable = None if open_api else _unsendable(target)
        if unsendable:
            return unsendable
        answer = ask(target, path)
        ruling = judge(target, answer)
        if ruling is None and open_api:
            return _finding(LOGIN, target, f"HTTP {answer.status} from {path}; no credential is configured")
        return _with_control(target, path, answer, ruling)
    except Trouble as trouble:
        return _failed(LOGIN, target, trouble)


def _with_control(target: Target, path: str, answer: Answer, ruling: Ruling | None) -> Finding:
    decided = ruling is not None and (ruling.verdict == "unclear" or ruling.cause not in ABOUT_US)
    control = None if decided or kind_of_auth(target) == "none" else _control(target, path)
    equal = control is not None and same(answer, control)
    if ruling is None:
        if equal:
            words = f"{path} answers the same without the credential, so it proves nothing"
            return _finding(LOGIN, target, words, Ruling("unclear", "unclassified", "auth.credential_not_sent"))
        return _finding(LOGIN, target, f"HTTP {answer.status} from {path}" + ("" if control else "; not compared"))
    if equal and answer.status == 403:
        ruling = Ruling("unclear", "ip_not_allowlisted", "access.waf_blocked", (ruling.code, "access.ip_not_allowed"))
    elif equal and ruling.code != "auth.credential_not_sent":
        # The provider does not tell a bad credential from none: perhaps ours was lost on the way.
        ruling = replace(ruling, alternatives=(*ruling.alternatives, "auth.credential_not_sent"))
    if ruling.cause == "missing_privilege" and ruling.verdict == "bad" and ruling.code == "auth.insufficient_scope":
        # A good key with few rights: the permission check names what is missing.
        return _finding(LOGIN, target, f"{said(answer)} (the key is known, this call is not allowed)")
    return _finding(LOGIN, target, said(answer), ruling, answer)


def _control(target: Target, path: str) -> Answer | None:
    try:
        return ask(target, path, signed=False)
    except Trouble:
        return None


@dataclass
class _Seen:
    """What the probes of the resources said."""

    missing: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    needed: dict[str, None] = field(default_factory=dict)
    granted: list[str] | None = None
    ruling: Ruling | None = None
    words: str = ""

    def lacks(self, target: Target, scopes: Iterable[str]) -> list[str]:
        """Scopes that are surely not granted; none when the provider does not say what is."""
        if not self.granted:
            return []
        implied = {more for one in self.granted for more in spec(target).implies.get(one, ())}
        return [one for one in scopes if one not in self.granted and one not in implied]

    def note(self, ruling: Ruling, words: str) -> None:
        if self.ruling is None or (self.ruling.verdict == "unclear" and ruling.verdict == "bad"):
            self.ruling, self.words = ruling, words


def verify_permissions(target: Target) -> Finding:
    """One smallest read per selected resource; names those that may not be read, and the scopes they need."""
    deadline, seen = Deadline(target.timeout * 3), _Seen()
    resources = _resources(target)
    try:
        seen.granted = _granted_by_call(target)
        for name, probe in resources.items():
            if probe is None or deadline.over():
                seen.unproven.append(name)
                continue
            answer = ask(target, probe.path, timeout=min(target.timeout, deadline.left()), resource=name)
            stop = _weigh(target, seen, name, probe, answer)
            if stop:
                return stop
    except Trouble as trouble:
        return _failed(RIGHTS, target, trouble, "unclear" if trouble.cause == "config_error" else "bad")
    return _summed_up(target, seen, len(resources))


def _weigh(target: Target, seen: _Seen, name: str, probe: Probe, answer: Answer) -> Finding | None:
    """Take one resource's answer into `seen`; a Finding when it explains everything (down, limited, locked out)."""
    listed = answer.headers.get(spec(target).scopes_header.lower()) if spec(target).scopes_header else None
    if listed:
        seen.granted = [one.strip() for one in listed.split(",") if one.strip()]
    ruling, lacking = judge(target, answer), seen.lacks(target, probe.scopes)
    if ruling is None:
        if probe.partial and lacking:
            seen.partial.append(name)
            seen.needed.update(dict.fromkeys(lacking))
        return None
    if answer.status == 404 and not answer.is_html and spec(target).own_error:
        # Providers hide what a caller may not see behind the same 404 as what does not exist.
        code = "auth.insufficient_scope" if lacking else "privilege.resource_hidden"
        ruling = Ruling("bad", "missing_privilege", code, ("config.object_missing",))
    elif answer.status == 404 and ruling.code == "config.wrong_base_path":
        ruling = Ruling("bad", "config_error", "config.path_missing", ("privilege.resource_hidden",))
    elif ruling.verdict == "bad" and ruling.cause not in ("missing_privilege", "feature_not_enabled"):
        return _finding(RIGHTS, target, f"{name}: {said(answer)}", ruling, answer)
    seen.note(ruling, f"{name}: {said(answer)}")
    if ruling.verdict == "unclear":
        seen.unproven.append(name)
        return None
    seen.missing.append(name)
    seen.needed.update(dict.fromkeys(_named(target, answer) or lacking or probe.scopes))
    return None


def _named(target: Target, answer: Answer) -> list[str]:
    """The scopes that the provider's own refusal names."""
    pattern = spec(target).scopes_said
    found = re.search(pattern, answer.text) if pattern else None
    return re.findall(r"[\w.:-]+", found[1]) if found else []


def _summed_up(target: Target, seen: _Seen, count: int) -> Finding:
    facts: dict[str, Any] = {"missing": [*seen.missing, *seen.partial], "scopes_needed": list(seen.needed)}
    facts |= {"scopes_granted": seen.granted or [], "unproven": seen.unproven}
    if seen.ruling and seen.ruling.verdict == "bad":
        return _finding(RIGHTS, target, seen.words, seen.ruling, **facts)
    if seen.partial:
        words = f"{', '.join(seen.partial)} answer, but a part stays hidden without {', '.join(seen.needed)}"
        return _finding(RIGHTS, target, words, Ruling("unclear", "missing_privilege", "privilege.rows_hidden"), **facts)
    if seen.ruling:
        return _finding(RIGHTS, target, seen.words, seen.ruling, **facts)
    if seen.unproven:
        words = f"no probe or no time for {', '.join(seen.unproven)}; the others answer"
        return _finding(RIGHTS, target, words, Ruling("unclear", "unclassified", "availability.too_slow"), **facts)
    return _finding(RIGHTS, target, f"all {count} resources answer", **facts)


def _granted_by_call(target: Target) -> list[str] | None:
    """The granted scopes, where the provider has a call for them."""
    http = spec(target)
    if not http.scopes_path:
        return None
    parts: list[Any] = [ask(target, http.scopes_path).body]
    for key in http.scopes_body.split("."):
        inner = [part.get(key) for part in parts if isinstance(part, dict)]
        parts = [one for part in inner for one in (part if isinstance(part, list) else [part])]
    return [one for one in parts if isinstance(one, str)] or None


def _resources(target: Target) -> dict[str, Probe | None]:
    """What was selected, or for the generic connector the configured paths, or everything the sheet knows."""
    http, paths = spec(target), target.settings.get("resources")
    generic = not http.resources and not http.other
    if generic:
        given = [*(paths if isinstance(paths, list) else []), *target.tables]
        return {str(one): Probe(path="/" + str(one).lstrip("/")) for one in given}
    return {name: http.resources.get(name, http.other) for name in target.tables or tuple(http.resources)}
