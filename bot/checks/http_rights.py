"""May this identity read each selected resource; what each lacks, and where in the console it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import ask, said, spec
from bot.checks.http_found import failed, found
from bot.checks.http_judge import judge, own, sheet_says
from bot.checks.http_ruling import Ruling
from bot.checks.http_words import inward
from bot.drivers.http import Answer
from bot.drivers.network import Deadline, Trouble
from flows.core.finding import Finding
from flows.core.sheet import Probe

RIGHTS = ("check_permissions", "permissions_sufficient")


@dataclass
class _Seen:
    """What the probes of the resources said."""

    answering: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    needed: dict[str, None] = field(default_factory=dict)
    roles: dict[str, None] = field(default_factory=dict)
    granted: list[str] | None = None
    ruling: Ruling | None = None
    words: str = ""

    def lacks(self, target: Target, scopes: Iterable[str]) -> list[str]:
        """Scopes that are surely not granted; none when the provider does not say what is."""
        if not self.granted:
            return []
        implied = {more for one in self.granted for more in spec(target).implies.get(one, ())}
        return [one for one in scopes if one not in self.granted and one not in implied]

    def hides(self, probe: Probe, answer: Answer, lacking: list[str]) -> bool:
        """A part is surely hidden, or all of it may be: nobody says what is granted, and nothing is there."""
        return probe.partial and bool(lacking or (not self.granted and answer.body in ([], {})))

    def note(self, ruling: Ruling, words: str) -> None:
        if self.ruling is None or (self.ruling.verdict == "unclear" and ruling.verdict == "bad"):
            self.ruling, self.words = ruling, words


def verify_permissions(target: Target) -> Finding:
    """One smallest read per selected resource; names those that may not be read, and the scopes they need."""
    deadline, seen = Deadline(target.timeout * 3), _Seen()
    resources = _resources(target)
    if not resources and "forbidden" in target.memo:
        return _probe_forbidden(target)
    try:
        seen.granted = _granted_by_call(target)
        for name, probe in resources.items():
            stop = _probe(target, seen, name, probe, deadline)
            if stop:
                return stop
    except Trouble as trouble:
        return failed(RIGHTS, target, trouble, "unclear" if trouble.cause == "config_error" else "bad")
    return _summed_up(target, seen)


def _probe_forbidden(target: Target) -> Finding:
    """Nothing was selected, so what the key must be allowed is the probe itself."""
    path, answer, ruling = target.memo["forbidden"]
    facts = {
        "missing": [path],
        "scopes_needed": _named(target, answer),
        "scopes_granted": [],
        "unproven": [],
        "roles_needed": [],
    }
    return found(RIGHTS, target, f"{path}: {said(target, answer)}", ruling, answer, **facts)


def _probe(target: Target, seen: _Seen, name: str, probe: Probe | None, deadline: Deadline) -> Finding | None:
    """Ask for one resource; a Finding when its answer explains everything."""
    if probe is None or deadline.over():
        seen.unproven.append(name)
        return None
    limit = min(target.timeout, deadline.left())
    try:
        answer = ask(target, probe.path, timeout=limit, post=probe.post, one_segment=probe.one_segment, resource=name)
    except Trouble as trouble:
        if not seen.answering:
            raise
        # The others answer: it is this resource, not the way to the provider.
        seen.note(Ruling("unclear", trouble.cause, trouble.code, trouble.alternatives), f"{name}: {trouble.evidence}")
        seen.unproven.append(name)
        return None
    return _weigh(target, seen, name, probe, answer)


def _weigh(target: Target, seen: _Seen, name: str, probe: Probe, answer: Answer) -> Finding | None:
    """Take one resource's answer into `seen`; a Finding when it explains everything (down, limited, locked out)."""
    listed = answer.headers.get(spec(target).scopes_header.lower()) if spec(target).scopes_header else None
    if listed:
        seen.granted = [one.strip() for one in listed.split(",") if one.strip()]
    ruling, lacking = judge(target, answer), seen.lacks(target, probe.scopes)
    if ruling is None:
        hidden = seen.hides(probe, answer, lacking)
        (seen.partial if hidden else seen.answering).append(name)
        seen.needed.update(dict.fromkeys((lacking or probe.scopes) if hidden else ()))
        return None
    hiding = answer.status == 404 and spec(target).own_error and own(target, answer)
    if hiding and (lacking or sheet_says(target, answer) is None):
        # Providers hide what a caller may not see behind the same 404 as what does not exist.
        code = "auth.insufficient_scope" if lacking else "privilege.resource_hidden"
        ruling = Ruling("bad", "missing_privilege", code, ("config.object_missing",))
    elif answer.status == 404 and ruling.code == "config.wrong_base_path":
        ruling = Ruling("bad", "config_error", "config.path_missing", ("privilege.resource_hidden",))
    elif ruling.verdict == "bad" and ruling.cause not in ("missing_privilege", "feature_not_enabled"):
        return found(RIGHTS, target, f"{name}: {said(target, answer)}", ruling, answer)
    seen.note(ruling, f"{name}: {said(target, answer)}")
    if ruling.verdict == "unclear":
        seen.unproven.append(name)
        return None
    seen.missing.append(name)
    seen.needed.update(dict.fromkeys(_named(target, answer) or lacking or probe.scopes))
    seen.roles.update(dict.fromkeys([probe.role] if probe.role else []))
    return None


def _named(target: Target, answer: Answer) -> list[str]:
    """The scopes that the provider's own refusal names."""
    pattern = spec(target).scopes_said
    found = re.search(pattern, answer.text) if pattern else None
    # https://www.rfc-editor.org/rfc/rfc6750#section-3
    found = found or re.search(r'\bscope="([^"]{1,500})"', answer.headers.get("www-authenticate", ""))
    return re.findall(r"[\w.:-]+", found[1] or "") if found else []


def _summed_up(target: Target, seen: _Seen) -> Finding:
    facts: dict[str, Any] = {"missing": [*seen.missing, *seen.partial], "scopes_needed": list(seen.needed)}
    facts |= {"scopes_granted": seen.granted or [], "unproven": seen.unproven, "roles_needed": list(seen.roles)}
    ruling, words = seen.ruling, seen.words
    if seen.partial and (ruling is None or ruling.verdict != "bad"):
        needs = f" without {', '.join(seen.needed)}" if seen.needed else ""
        words = f"{', '.join(seen.partial)} answer, but a part may stay hidden{needs}"
        ruling = Ruling("unclear", "missing_privilege", "privilege.rows_hidden")
    elif seen.unproven and ruling is None:
        words = "no call is known for these, or time ran out"
        ruling = Ruling("unclear", "unclassified", "availability.too_slow")
    if ruling is None:
        return found(RIGHTS, target, _all_answer(len(seen.answering)), **facts)
    return found(RIGHTS, target, words + _others(seen), ruling, **facts)


def _all_answer(number: int) -> str:
    if not number:
        return "no resource is named, so none was asked"
    return "the one resource answers" if number == 1 else f"all {number} resources answer"


def _others(seen: _Seen) -> str:
    """What else is known beside the first trouble, so that nobody asks one by one."""
    parts = (("also without access", seen.missing[1:]), ("not proven", seen.unproven), ("answering", seen.answering))
    told = [f"{what}: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}" for what, names in parts if names]
    return "; " + "; ".join(told) if told else ""


def _granted_by_call(target: Target) -> list[str] | None:
    """The granted scopes, where the provider has a call for them."""
    http = spec(target)
    if not http.scopes_path:
        return None
    listed = inward(ask(target, http.scopes_path).body, http.scopes_body)
    return [one for one in listed if isinstance(one, str)] or None


def _resources(target: Target) -> dict[str, Probe | None]:
    """What was selected, or for the generic connector the configured paths, or everything the sheet knows."""
    http, paths = spec(target), target.settings.get("resources")
    generic = not http.resources and not http.other
    if generic:
        given = [*(paths if isinstance(paths, list) else [paths] if paths else []), *target.tables]
        return {str(one): Probe(path="/" + str(one).lstrip("/")) for one in given}
    return {name: http.resources.get(name, http.other) for name in target.tables or tuple(http.resources)}
