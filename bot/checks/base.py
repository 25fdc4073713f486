"""What a check is: one function whose docstring is the claim that people read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.core.finding import Finding, Verdict
from flows.core.sheet import Sheet


@dataclass(frozen=True)
class Target:
    """One connection as a check sees it. `secrets` are resolved values and must never reach a Finding.

    `since` is when those that the vault holds were put in, in seconds since 1970; `instead` says where mend.yml has
    another one, for those that count in its place.
    `renew` gives secrets by their refresh token where Mend owns one: those that end soon, or with True at once.
    """

    name: str
    connector: str
    sheet: Sheet
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    tables: tuple[str, ...] = ()
    replication: str = "key"
    tunnel: Mapping[str, Any] | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    timeout: float = 5.0
    since: Mapping[str, float] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    renew: Callable[[bool], Mapping[str, str]] | None = field(default=None, repr=False, compare=False)
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Check:
    name: str
    step: str
    claim: str
    run: Callable[[Target], Finding]


CHECKS: dict[str, Check] = {}


def check(step: str, name: str) -> Callable[[Callable[[Target], Finding]], Callable[[Target], Finding]]:
    """Register a check under its claim's name; sheets list checks by these names."""

    def keep(function: Callable[[Target], Finding]) -> Callable[[Target], Finding]:
        claim = (function.__doc__ or name).strip().splitlines()[0]
        CHECKS[name] = Check(name, step, claim, function)
        return function

    return keep


def finding(
    name: str,
    verdict: Verdict,
    code: str | None = None,
    cause: str | None = None,
    *,
    evidence: str = "",
    alternatives: tuple[str, ...] = (),
    **facts: Any,
) -> Finding:
    """A Finding of the registered check `name`."""
    return Finding(CHECKS[name].step, name, verdict, cause, code, alternatives, evidence, facts)


def timed(function: Callable[[Target], Finding], target: Target) -> Finding:
    """Run one check and note how long it took, in milliseconds."""
    began = time.monotonic()
    result = function(target)
    return Finding(**{**result.__dict__, "took_ms": round((time.monotonic() - began) * 1000)})
