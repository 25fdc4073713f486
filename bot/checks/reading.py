"""One look at the other side, shared by all checks of a run, and what its refusal is as a finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bot.checks.base import Target, finding
from bot.checks.text import evidence
from bot.drivers.network import Trouble
from flows.core.expiry import ends
from flows.core.finding import Finding, Verdict

T = TypeVar("T")


def once(target: Target, name: str, look: Callable[[], T]) -> T | Trouble:
    """What `look` gives; it is done once in a run, and a refusal is remembered too, so that no login is repeated."""
    if name not in target.memo:
        try:
            target.memo[name] = look()
        except Trouble as trouble:
            target.memo[name] = trouble
    kept: T | Trouble = target.memo[name]
    return kept


def or_raise(kept: T | Trouble) -> T:
    """Raises the Trouble that `once` has remembered."""
    if isinstance(kept, Trouble):
        raise kept
    return kept


def told(name: str, trouble: Trouble, target: Target, facts: Mapping[str, Any]) -> Finding:
    """The finding of a refusal; one that nobody has classified is unclear."""
    verdict: Verdict = "unclear" if trouble.cause == "unclassified" else "bad"
    words = evidence(target, trouble.evidence)
    return finding(
        name, verdict, trouble.code, trouble.cause, evidence=words, alternatives=trouble.alternatives, **facts
    )


def interrupted(name: str, trouble: Trouble, target: Target, facts: Mapping[str, Any]) -> Finding:
    """What ended a look behind the login: a limit is proved by it, a line that broke says nothing of rights."""
    proved = trouble.code.partition(".")[0] in ("capacity", "contention", "config")
    found = told(name, trouble, target, facts)
    return found if proved else replace(found, verdict="unclear")


def out_of_time(unproven: Sequence[str]) -> Trouble:
    """Of what was selected some was not asked for: that is no fault of the source."""
    named = f"{', '.join(unproven[:8])}{' ...' if len(unproven) > 8 else ''}"
    return Trouble("unclassified", "availability.too_slow", f"time ran out; not proven: {named}")


def password_ends(target: Target, at: float) -> dict[str, Any]:
    """The fact that the password of this login ends; nothing for 0."""
    return ends(("password", f"{target.settings.get('user', '')} at {target.settings.get('host', '')}", at))
