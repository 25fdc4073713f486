"""Evidence: the other side's words, on one line, without our secrets."""

from __future__ import annotations

from bot.checks.base import Target


def evidence(target: Target, text: str) -> str:
    """At most 500 characters, secrets replaced, longest first so that no part of one remains."""
    for value in sorted((v for v in target.secrets.values() if len(v) >= 3), key=len, reverse=True):
        text = text.replace(value, "***")
    return " ".join(text.split())[:500]
