"""What one live check saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["good", "bad", "unclear", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One check's verdict with its proof.

    `step` is one of `STEPS` in `flows.core.flow`, `check` the claim's name, `cause` and `code` come from
    `flows.core.causes`. `evidence` is the other side's own words, redacted. `facts` feeds the templates
    (user, host, missing tables, the GRANT to run ...): strings and lists of strings only, never a secret.
    """

    step: str
    check: str
    verdict: Verdict
    cause: str | None = None
    code: str | None = None
    alternatives: tuple[str, ...] = ()
    evidence: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    took_ms: int = 0

    def to_dict(self) -> dict[str, Any]:
        # `asdict` copies every string and list again: 30 us for each of the findings of each case that is stored.
        return {**vars(self), "alternatives": list(self.alternatives), "facts": dict(self.facts)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Finding:
        return cls(**{**raw, "alternatives": tuple(raw.get("alternatives", ()))})


def explaining(findings: Iterable[Finding]) -> Finding | None:
    """The finding that explains the others: the first bad one, else the first unclear one that matters.

    An unreadable status page never makes a connection doubtful: the live probes behind it are better proof.
    """
    seen = list(findings)
    for finding in seen:
        if finding.verdict == "bad":
            return finding
    return next((f for f in seen if f.verdict == "unclear" and f.step != "check_status"), None)


def overall(findings: Iterable[Finding]) -> Verdict:
    """`good`, `bad` or `unclear` for a whole run."""
    seen = list(findings)
    top = explaining(seen)
    if top is not None:
        return top.verdict
    return "good" if any(f.verdict == "good" and f.step != "check_status" for f in seen) else "unclear"
