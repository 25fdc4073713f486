"""One line per goal: number, measure, goal, seen, met or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """`met` is None where nothing could be judged."""

    number: str
    measure: str
    goal: str
    seen: str
    met: bool | None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "missed", None: "-"}[self.met]


def printed(lines: Sequence[Line]) -> str:
    """A Markdown table, which a terminal shows well enough."""
    rows = [("#", "measure", "goal", "seen", "")] + [(x.number, x.measure, x.goal, x.seen, x.verdict) for x in lines]
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    shown = [f"| {' | '.join(cells)} |" for cells in padded]
    return "\n".join([shown[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *shown[1:]])
