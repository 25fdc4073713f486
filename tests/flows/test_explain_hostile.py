"""No pattern of a sheet or a rule may hold up all others, whatever somebody pastes or a server answers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from flows.core.errors_file import load
from flows.core.sheet import sheets

SIZE = 8192


def patterns() -> Iterator[str]:
    rules = load()
    for part in ("words", "languages", "finer", "beside", "names"):
        yield from (row[key] for row in rules[part] for key in ("has", "and") if key in row)
    for known in sheets().values():
        if http := known.http:
            yield from (http.good, http.own_text, http.scopes_said, *(one.body for one in http.answers))


@pytest.mark.parametrize("text", ["1", "a", "A_", "a ", "no ", "1.", "error: ", "the ", "é", '"a": '])
def test_no_pattern_takes_longer_than_all_others_together(text: str) -> None:
    hostile, took = (text * SIZE)[:SIZE], dict[str, float]()
    for pattern in {one for one in patterns() if one}:
        known = re.compile(pattern, re.I)
        began = time.process_time()
        known.search(hostile)
        took[pattern] = time.process_time() - began
    slowest = max(took, key=lambda one: took[one])
    assert took[slowest] < sum(took.values()) - took[slowest], slowest
