"""One guided conversation about one broken connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.core.effects import Order
from flows.core.finding import Finding, explaining

CLOSED = frozenset({"resolved", "cancelled", "expired"})


@dataclass
class Case:
    """The case as stored. `version` grows with each question, so that a button of an older one is known as stale.

    `reported` is what a pasted text was taken for, in words; `told` the same in labels: cause, code, connector, facts,
    confidence. Of a text that tells of nothing known only `confidence` is there.
    `repairs` are the ways of renewing credentials that Mend can go itself, kinds as in a sheet's `regeneration`.
    `rotation` is how far a rotation is: its stage, step and id, never a value.
    `confirming_at` is when it was last said to be mended: what the pipeline did before proves nothing.
    `due_at` (Unix seconds) with `due` (`nudge`, `expire`, `poll`, `desk`, `job`) is its only timer. `orders` is filled
    while the mind advances and is not stored.
    """

    id: str
    team: str
    channel: str
    owner: str
    opened_at: float
    flow: str = "reauthorize"
    thread: str = ""
    connection: str = ""
    connector: str = ""
    state: str = "choosing"
    version: int = 0
    waiting: bool = False
    findings: list[Finding] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    came_from: str = ""
    closed_from: str = ""
    reported: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    ticket: dict[str, str] = field(default_factory=dict)
    has_desk: bool = False
    regeneration: str = "update_credentials"
    repairs: list[str] = field(default_factory=list)
    rotation: dict[str, str] = field(default_factory=dict)
    confirming_at: float = 0.0
    due_at: float | None = None
    due: str = ""
    changed_at: float = 0.0
    helpful: bool | None = None
    run: int = 0
    orders: list[Order] = field(default_factory=list)

    @property
    def finding(self) -> Finding | None:
        return explaining(self.findings)

    def to_dict(self) -> dict[str, Any]:
        plain = {**vars(self), "findings": [f.to_dict() for f in self.findings]}
        del plain["orders"]
        return plain

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Case:
        return cls(**{**raw, "findings": [Finding.from_dict(f) for f in raw["findings"]]})
