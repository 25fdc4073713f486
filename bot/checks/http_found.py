"""A Finding about an HTTP source: redacted words, the place, and how long to wait."""

from __future__ import annotations

from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import clean, place
from bot.checks.http_ruling import Ruling
from bot.checks.http_time import retry_after
from bot.drivers.http import Answer
from bot.drivers.network import Trouble
from flows.core.finding import Finding, Verdict


def found(
    at: tuple[str, str], target: Target, words: str, ruling: Ruling | None = None, answer: Answer | None = None,
    **facts: Any,
) -> Finding:  # fmt: skip
    told = clean(target, words)
    wait = retry_after(target, answer, limited=ruling.cause == "rate_limited") if answer and ruling else ""
    facts = {**place(target), **({"retry_after": wait} if wait else {}), **facts}
    if ruling is None:
        return Finding(*at, "good", evidence=told, facts=facts)
    return Finding(*at, ruling.verdict, ruling.cause, ruling.code, ruling.alternatives, told, facts)


def failed(at: tuple[str, str], target: Target, trouble: Trouble, verdict: Verdict = "bad") -> Finding:
    return found(
        at, target, trouble.evidence, Ruling(verdict, trouble.cause, trouble.code, trouble.alternatives)
    )  # fmt: skip
