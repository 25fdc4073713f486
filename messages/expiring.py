"""What runs out, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from messages import blocks
from messages.escape import clean, one_line, raw_mention, scrub, utc, when

DAY = 86_400


def left(row: Mapping[str, Any], now: float) -> str:
    """How long that is from now."""
    if row["kind"] == "person":
        return "is deactivated"
    days = int((row["at"] - now) // DAY)
    if row["at"] <= now:
        return "has run out"
    return "runs out within a day" if days < 1 else f"runs out in {days} day{'s' if days > 1 else ''}"


def advice(kind: str) -> str:
    return str(_known(kind).get("do", ""))


def _known(kind: str) -> Mapping[str, str]:
    known: Mapping[str, str] = blocks.words()["expiries"].get(kind, {"thing": "{}"})
    return known


def _which(row: Mapping[str, Any]) -> str:
    what = one_line(scrub(row["what"]), 120)
    return what.replace("_", " ") if row["kind"] == "token" else what


def expires(row: Mapping[str, Any], now: float) -> Markup:
    """For Slack: "the password of *stitch at db.example.com* runs out in 6 days, 1 December at 10:00"."""
    before, _, after = _known(row["kind"])["thing"].partition("{}")
    which = raw_mention(row["what"]) if row["kind"] == "person" else f"*{clean(_which(row))}*"
    date = "" if row["kind"] == "person" else f", {when(row['at'])}"
    return Markup(f"{before}{which}{after} {left(row, now)}{date}")  # noqa: S704 - escaped above


def plainly(row: Mapping[str, Any], now: float) -> str:
    """For the terminal: "the password of stitch at db.example.com runs out in 6 days (2026-12-01 10:00 UTC)"."""
    return f"{_known(row['kind'])['thing'].replace('{}', _which(row))} {left(row, now)} ({utc(row['at'])})"
