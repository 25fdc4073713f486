"""Finds answers of a sheet that are never reached, as an earlier one fits everything that they fit."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import product
from typing import Any

from flows.core.sheet import Match, Sheet

# Python keeps how it reads a pattern to itself.
READ = importlib.import_module("re._parser")
MOST = 100
# What stands for "any character", twice: a text counts only where both are found.
ANY = ({"CATEGORY_DIGIT": "7", "CATEGORY_SPACE": " "}, {"CATEGORY_DIGIT": "3", "CATEGORY_SPACE": "\t"})
LETTERS = ("q", "z")
# Google's names stand beside all that is finer: https://github.com/googleapis/googleapis (google/rpc/code.proto)
GOOGLES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


def unreached(sheet: Sheet) -> Iterator[tuple[Sequence[str], str]]:
    """Places and words for `mend lint`."""
    answers = sheet.http.answers if sheet.http else ()
    for number, later in enumerate(answers):
        where = ["http", "answers", str(number)]
        before = [(place, one) for place, one in enumerate(answers[:number], 1) if _as_wide(one, later)]
        texts = [both for both in _texts(later.body) if _fits(later, *both)]
        dead = {both: place for both in texts for place, one in before if _fits(one, *both)}
        if dead and len(dead) == len(texts):
            yield where, f"this answer is never reached: number {min(dead.values())} fits whatever it fits"
        else:
            for (text, _), place in dead.items():
                yield [*where, "body"], f"{text!r} is never reached: number {place} fits it too, and stands before"
        for place, one in before if not dead else ():
            name = next((name for name in _names(later.status) if re.search(one.body, name, re.I)), "")
            if name and not later.header:
                yield where, f"number {place} fits {name!r}, which stands beside all that is finer: it belongs behind"


def _as_wide(one: Match, later: Match) -> bool:
    """But for the body it holds whenever the later one does."""
    return (
        one.status in (None, later.status)
        and one.header in ("", later.header)
        and one.when in ({}, later.when)
        and (later.identity or not one.identity)
    )


def _fits(one: Match, *texts: str) -> bool:
    return all(re.search(one.body, text, re.I) for text in texts)


def _names(status: int | None) -> tuple[str, ...]:
    """How a status alone is called."""
    if status is None or status < 400 or status not in {one.value for one in HTTPStatus}:
        return ()
    phrase = HTTPStatus(status).phrase
    return (phrase, phrase.upper().replace(" ", "_"), *(name for at, name in GOOGLES.items() if at == status))


def _texts(pattern: str) -> list[tuple[str, str]]:
    """The shortest texts that a pattern fits, one for each of its branches, each in two ways."""
    parsed = READ.parse(pattern, re.I)
    return list(dict.fromkeys(zip(_written(parsed, 0), _written(parsed, 1), strict=True)))


def _written(parsed: Iterable[Any], way: int) -> list[str]:
    parts = [_part(str(kind), given, way) for kind, given in parsed]
    made = ["".join(one) for _, one in zip(range(MOST), product(*parts), strict=False)]
    return made or [""]


def _part(kind: str, given: Any, way: int) -> list[str]:
    if kind == "LITERAL":
        return [chr(given)]
    if kind == "BRANCH":
        return [text for branch in given[1] for text in _written(branch, way)]
    if kind == "SUBPATTERN":
        return _written(given[3], way)
    if kind in ("MAX_REPEAT", "MIN_REPEAT"):
        least, _, inner = given
        return [text * min(least, MOST) for text in _written(inner, way)] if least else [""]
    if kind == "IN":
        return [_one_of(given, way)]
    return [LETTERS[way]] if kind in ("ANY", "NOT_LITERAL") else [""]


def _one_of(given: Sequence[tuple[Any, Any]], way: int) -> str:
    kind, first = given[-way]
    if str(given[0][0]) == "NEGATE":
        return LETTERS[way]
    if str(kind) == "LITERAL":
        return chr(first)
    if str(kind) == "RANGE":
        return chr(first[way])
    return ANY[way].get(str(first), LETTERS[way])
