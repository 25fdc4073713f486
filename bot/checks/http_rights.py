"""May this identity read each selected resource; what each lacks, and where in the console it is given."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import ask, clean, kind_of_auth, said, spec
from bot.checks.http_found import failed, found
from bot.checks.http_good import DISGUISED
from bot.checks.http_judge import BAD_KEY, judge, own, plain, same, sheet_says
from bot.checks.http_ruling import FIREWALL, FORBIDDEN, STRANGE_401, Ruling, walled
from bot.checks.http_seen import KEY, MISSING, Seen, Word
from bot.checks.http_words import inward
from bot.drivers.http import Answer
from bot.drivers.network import Deadline, Trouble
from flows.core.finding import Finding, Verdict
from flows.core.sheet import Probe

RIGHTS = ("check_permissions", "permissions_sufficient")
# So many refusals at most are asked for again without the credential.
CONTROLS = 2
# A no with a status of success, to a key that was accepted.
UNSAID = Ruling(
    "unclear", "missing_privilege", "auth.insufficient_scope", ("auth.invalid_token", "availability.provider_error")
)

WALLS = ("access.waf_blocked", "access.ip_not_allowed")


def verify_permissions(target: Target) -> Finding:
    """One smallest read per selected resource; names those that may not be read, and the scopes they need."""
    deadline = Deadline(target.timeout * 3)
    try:
        resources = _resources(target)
        seen = Seen(list(spec(target).resources), spec(target).implies)
    except Trouble as trouble:
        return failed(RIGHTS, target, trouble)
    if not resources and "forbidden" in target.memo:
        return _probe_forbidden(target)
    seen.granted = _granted_by_call(target)
    for name, probe in resources.items():
        if probe is None or seen.stopped or deadline.over():
            seen.unproven.append(name)
            seen.unknown.extend([] if probe else [name])
        else:
            _probe(target, seen, name, probe, deadline)
    if seen.held:
        seen.stopped = seen.held[0][0]
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


def _probe(target: Target, seen: Seen, name: str, probe: Probe, deadline: Deadline) -> None:
    """Ask for one resource."""
    limit = min(target.timeout, deadline.left())
    try:
        answer = _asked(target, name, probe, timeout=limit)
    except Trouble as trouble:
        if limit < target.timeout and deadline.over():
            seen.unproven.append(name)  # it had no whole time
            return
        verdict: Verdict = "unclear" if trouble.cause == "config_error" else "bad"
        ruling = Ruling(verdict, trouble.cause, trouble.code, trouble.alternatives)
        seen.general(Word(name, ruling, f"{name}: {clean(target, trouble.evidence)}", passing=True))
    else:
        _weigh(target, seen, name, probe, answer)


def _asked(target: Target, name: str, probe: Probe, **how: Any) -> Answer:
    """The smallest read of one resource. Raises Trouble."""
    return ask(target, probe.path, post=probe.post, one_segment=probe.one_segment, resource=name, **how)


def _weigh(target: Target, seen: Seen, name: str, probe: Probe, answer: Answer) -> None:
    """Take one resource's answer into `seen`."""
    listed = answer.headers.get(spec(target).scopes_header.lower()) if spec(target).scopes_header else None
    if listed:
        seen.granted = _split(listed)
    ruling, lacking = _ruled(target, seen, name, probe, answer), seen.lacks(probe.scopes)
    if ruling is None:
        if not seen.hides(probe, answer, lacking):
            seen.answers(name)
            return
        seen.partly(name, lacking or probe.scopes)
        return
    word = Word(name, ruling, f"{name}: {said(target, answer)}", answer, ruling.cause == "third_party_down")
    if ruling.verdict == "unclear":
        seen.open(word)
    elif ruling.cause in MISSING or ruling.code == "config.path_missing":
        seen.lacking(word, probe, _named(target, answer))
    elif ruling.cause in KEY:
        _refused(target, seen, word, probe)
    else:
        seen.general(word)


def _ruled(target: Target, seen: Seen, name: str, probe: Probe, answer: Answer) -> Ruling | None:
    """What this answer means where a resource was asked for."""
    ruling, http = judge(target, answer), spec(target)
    if ruling is None or _reads(target, answer, ruling):
        return None
    if ruling is DISGUISED:
        return UNSAID
    if answer.status == 404 and http.own_error and own(target, answer):
        lacking = seen.lacks(probe.scopes)
        if lacking or sheet_says(target, answer) is None:
            # Providers hide what a caller may not see behind the same 404 as what does not exist.
            code = "auth.insufficient_scope" if lacking else "privilege.resource_hidden"
            return Ruling("bad", "missing_privilege", code, ("config.object_missing",))
    elif answer.status == 404 and ruling.code == "config.wrong_base_path":
        return Ruling("bad", "config_error", "config.path_missing", ("privilege.resource_hidden",))
    if ruling is FORBIDDEN and _for_everybody(target, seen, name, probe, answer):
        return replace(UNSAID, alternatives=WALLS) if _accepted(target) and plain(target) else walled(ruling)
    if not (_accepted(target) and plain(target)):
        return ruling
    if ruling is STRANGE_401:
        # No challenge and no words: the server of what was probed, which knows the credential, or a gate's page.
        return replace(ruling, alternatives=(*ruling.alternatives, UNSAID.code)) if answer.is_html else BAD_KEY
    return _behind_a_page(target, seen, name, probe) if ruling is FIREWALL and answer.status == 403 else ruling


def _behind_a_page(target: Target, seen: Seen, name: str, probe: Probe) -> Ruling:
    """403 in no form of an API, with a credential that is accepted elsewhere."""
    control = _control(target, seen, name, probe)
    if control is not None and control.status == 401:
        return replace(UNSAID, verdict="bad", alternatives=WALLS)
    return replace(FIREWALL, alternatives=(*FIREWALL.alternatives, UNSAID.code))


def _reads(target: Target, answer: Answer, ruling: Ruling) -> bool:
    """There is nothing (https://www.rfc-editor.org/rfc/rfc9110#section-15.3.5), or too much of it."""
    marks = (spec(target).own_error, spec(target).own_text)
    begun = answer.text.lstrip()[:1] in ("[", "{") and not any(f'"{one}"' in answer.head for one in marks if one)
    nothing = answer.status == 204 and not answer.hops and ruling.code == "availability.empty_response"
    return nothing or (begun and answer.status == 200 and ruling.code == "limit.response_too_large")


def _for_everybody(target: Target, seen: Seen, name: str, probe: Probe, answer: Answer) -> bool:
    """A refusal in nobody's words, and who shows no credential gets the same: it is not about ours."""
    if any(one.identity and one.status in (None, 403) for one in spec(target).answers):
        return False  # a provider that refuses everything alike
    if seen.controls < CONTROLS and kind_of_auth(target) != "none":
        control = _control(target, seen, name, probe)
        if control is None:
            return False
        seen.for_everybody = same(answer, control)
    return seen.for_everybody


def _control(target: Target, seen: Seen, name: str, probe: Probe) -> Answer | None:
    """The same call without the credential."""
    if seen.controls >= CONTROLS:
        return None
    seen.controls += 1
    try:
        return _asked(target, name, probe, signed=False)
    except Trouble:
        return None


def _refused(target: Target, seen: Seen, word: Word, probe: Probe) -> None:
    """The key is refused. Whether it has ended is told by what it could read before, or reads later."""
    if not seen.answering and _accepted(target, now=True):
        seen.refuses(word, probe)
    elif not seen.answering:
        seen.held.append((word, probe))
        seen.unproven.append(word.name)
        seen.stopped = seen.held[0][0] if len(seen.held) > 1 else None
    elif seen.proven or _still_answers(target, seen.answering[0]):
        seen.refuses(word, probe)
    else:
        seen.unproven.append(word.name)
        seen.stopped = word


def _accepted(target: Target, *, now: bool = False) -> bool:
    """The identity call has told the credential from none; `now`: it still does."""
    path = target.memo.get("accepted")
    if path is None or not now:
        return path is not None
    if "still" not in target.memo:
        target.memo["still"] = _reading(target, lambda: ask(target, path, post=spec(target).post), identity=True)
    return bool(target.memo["still"])


def _still_answers(target: Target, name: str) -> bool:
    probe = _resources(target)[name]
    assert probe
    return _reading(target, lambda: _asked(target, name, probe))


def _reading(target: Target, call: Callable[[], Answer], *, identity: bool = False) -> bool:
    """The key is not what this call is refused for."""
    try:
        ruling = judge(target, call(), identity=identity)
    except Trouble:
        return False
    return ruling is None or ruling.cause not in KEY


def _named(target: Target, answer: Answer) -> list[str]:
    """The scopes that the provider's own refusal names."""
    pattern = spec(target).scopes_said
    found = re.search(pattern, answer.text) if pattern else None
    # https://www.rfc-editor.org/rfc/rfc6750#section-3
    found = found or re.search(r'\bscope="([^"]{1,500})"', answer.headers.get("www-authenticate", ""))
    return re.findall(r"[\w.:-]+", found[1] or "") if found else []


def _summed_up(target: Target, seen: Seen) -> Finding:
    told = seen.first()
    if told is None:
        return found(RIGHTS, target, _all_answer(len(seen.answering)), **seen.facts())
    return found(RIGHTS, target, told.words + seen.others(told), told.ruling, told.answer, **seen.facts())


def _all_answer(number: int) -> str:
    if not number:
        return "no resource is named, so none was asked"
    return "the one resource answers" if number == 1 else f"all {number} resources answer"


def _split(listed: str) -> list[str]:
    """Scopes with commas between, as GitHub's, or spaces: https://www.rfc-editor.org/rfc/rfc6749#section-3.3"""
    return [one for one in re.split(r"[\s,]+", listed) if one]


def _granted_by_call(target: Target) -> list[str] | None:
    """The granted scopes, where the provider has a call for them; the resources themselves tell more."""
    http = spec(target)
    if not http.scopes_path:
        return None
    try:
        listed = inward(ask(target, http.scopes_path).body, http.scopes_body)
    except Trouble:
        return None
    return [part for one in listed if isinstance(one, str) for part in _split(one)] or None


def _resources(target: Target) -> dict[str, Probe | None]:
    """What was selected, or for the generic connector the configured paths, or everything the sheet knows."""
    http, paths = spec(target), target.settings.get("resources")
    generic = not http.resources and not http.other
    if generic:
        given = [*(paths if isinstance(paths, list) else [paths] if paths else []), *target.tables]
        return {str(one): Probe(path="/" + str(one).lstrip("/")) for one in given}
    return {name: http.resources.get(name, http.other) for name in target.tables or tuple(http.resources)}
