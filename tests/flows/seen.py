"""What is asked of a set of error texts that were labelled before Mend saw them: `test_explain_seen.py`, `test_explain_fresh.py`.

A row: `message`, the address `source` where it was read, `cause`, other causes that are as good in `also`, codes in `code` (an
empty one says that none is proven), and `unclear` where saying so is honest.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

from flows.core.causes import CAUSES
from flows.core.explain import explain

DATA = Path(__file__).parent.parent / "data"
Row = dict[str, str]


def rows(name: str) -> list[Row]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def half(row: Row) -> str:
    return "AB"[hashlib.sha256(row["message"].encode()).digest()[0] % 2]


def causes(row: Row) -> list[str]:
    return [cause for cause in [*row["cause"].split("|"), *row.get("also", "").split("|")] if cause]


def outcome(row: Row) -> str:
    """`right`, `unclear`, or `wrong` with how sure it was."""
    found = explain(row["message"])
    if found.confidence == "unclear":
        return "right" if row["unclear"] else "unclear"
    return "right" if found.cause in causes(row) else f"wrong, {found.confidence}"


def labelled(given: list[Row]) -> bool:
    """Every label is a cause, and every text has its address."""
    known = {cause for row in given for cause in causes(row)} <= set(CAUSES)
    return known and all(row["source"].startswith("https://") for row in given)


def counted(name: str, given: list[Row]) -> Counter[str]:
    seen = Counter(map(outcome, given))
    print(f"\n{name}: {seen['right']} of {len(given)} right, {dict(seen)}")
    return seen


def proven(name: str, given: list[Row]) -> float:
    """How often the code is one that the text proves, of the texts whose cause was understood."""
    coded = [row for row in given if row["code"] and outcome(row) == "right"]
    told = [(explain(row["message"]), row["code"].split("|")) for row in coded]
    sure = [((found.code or "") in codes) for found, codes in told if found.confidence != "unclear"]
    print(f"\n{name}: codes {sum(sure)} of {len(sure)}")
    return sum(sure) / len(sure)
