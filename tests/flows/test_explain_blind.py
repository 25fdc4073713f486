"""How a message is understood that nobody wrote a rule for.

errors_blind.csv: 109 messages that people reported, each with its address. Each got its cause, or the causes that fit it
alike, before any rule was written for it; then the hash of its message put it into half A or B. A was used to write
rules. Of B only the numbers were looked at: 38 of 56 before (1 wrong and certain, 11 wrong and likely, 6 unclear), and
four times while the rules grew; two broad rules that made it worse were taken back; later rules, written for other sets, brought it to 47. Whoever wrote the rules had also
collected the set, so that B is held out and not unknown to them. Whoever writes a rule because of a message in B should
move that message to A.
errors_common.csv: what clients of many languages and providers say, written down for the rules, half of it before: of
those 126 the rules understood 90 at first sight, 30 were unclear and 6 wrong; of 76 later ones 59, the others were mostly
unclear. It proves only that they stay. Run with -s.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest

from flows.core.causes import CAUSES
from flows.core.explain import explain

DATA = Path(__file__).parent.parent / "data"


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


BLIND, COMMON = rows("errors_blind.csv"), rows("errors_common.csv")


def half(row: dict[str, str]) -> str:
    return "AB"[int(hashlib.sha256(row["message"].encode()).hexdigest(), 16) % 2]


def outcome(row: dict[str, str]) -> str:
    """`right`, `unclear`, or `wrong` with how sure it was."""
    found = explain(row["message"])
    if found.cause in row["cause"].split("|"):
        return "right"
    return "unclear" if found.confidence == "unclear" else f"wrong, {found.confidence}"


def counted(which: str) -> Counter[str]:
    given = [row for row in BLIND if half(row) == which]
    seen = Counter(outcome(row) for row in given)
    print(f"\nhalf {which}: {seen['right']} of {len(given)} right ({seen['right'] / len(given):.1%}), {dict(seen)}")
    return seen


def test_every_label_is_a_cause_and_every_message_has_its_address() -> None:
    assert len(BLIND) >= 80
    for row in BLIND:
        assert row["source"].startswith("https://github.com/")
        assert set(row["cause"].split("|")) <= set(CAUSES)


def test_the_half_that_taught_the_rules_is_understood() -> None:
    seen = counted("A")
    assert seen["right"] / seen.total() >= 0.95


def test_the_half_that_did_not_is_mostly_understood_and_never_wrong_and_certain() -> None:
    seen = counted("B")
    assert seen["right"] / seen.total() >= BLIND_GOAL
    assert seen["wrong, certain"] == 0


# What was reached, not what was hoped for: 85 %.
BLIND_GOAL = 0.83


@pytest.mark.parametrize("row", COMMON, ids=lambda row: row["message"][:40])
def test_what_clients_of_many_languages_say_is_understood(row: dict[str, str]) -> None:
    assert outcome(row) == "right", explain(row["message"])
