"""The way to the source: directly, or through the connection's tunnel for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.checks.base import Target
from bot.checks.tunnel import through


@contextmanager
def reached(target: Target) -> Iterator[Target]:
    try:
        yield through(target) if target.tunnel else target
    finally:
        for close in target.memo.pop("close", []):
            close()
