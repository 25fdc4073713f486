"""What runs out: the dates that checks read beside their verdict, kept as one fact of a finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flows.core.finding import Finding

# A certificate of SSH's own, a password of a database account, a token of an API.
KINDS = ("certificate", "client_certificate", "ssh_certificate", "token", "password")
FACT = "expires"
DAY = 86_400.0


@dataclass(frozen=True)
class Expiry:
    """`what` tells it from others of its kind (a host, a file, an account); `at` in seconds since 1970."""

    kind: str
    what: str
    at: float

    def days_left(self, now: float) -> int:
        return int((self.at - now) // DAY)


def ends(*things: tuple[str, str, float]) -> dict[str, Any]:
    """The fact for (kind, what, at); what has no date (0) or one beyond all calendars does not end."""
    lines = [f"{kind} {_moment(at)} {what}" for kind, what, at in things if _moment(at)]
    return {FACT: lines} if lines else {}


def _moment(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at > 0 else ""
    except (ValueError, OverflowError, OSError):
        return ""


def until(fact: dict[str, Any]) -> str:
    """The same as words to be added to evidence."""
    return "".join(f"; {line.split(' ')[0]} good until {line.split(' ')[1][:10]}" for line in fact.get(FACT, ()))


def expiries(findings: Iterable[Finding]) -> list[Expiry]:
    """Everything that runs out, as these findings say, soonest first and each once."""
    found = {}
    for finding in findings:
        for line in finding.facts.get(FACT) or ():
            kind, moment, what = str(line).split(" ", 2)
            found[kind, what] = Expiry(kind, what, datetime.fromisoformat(moment).timestamp())
    return sorted(found.values(), key=lambda one: one.at)


def threshold(one: Expiry, days: Sequence[int], now: float) -> int | None:
    """The nearest of the days before at which somebody is reminded; None while it is too early for all."""
    return min((day for day in days if one.at - now <= day * DAY), default=None)
