"""Good answers stay good, whatever their words; tests/data/good_answers.yaml has them. -s shows the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.checks.test_http_rulings import look
from tests.fakes.recorded import FOLDER, KEY

ROWS: list[dict[str, Any]] = yaml.safe_load((FOLDER.parent / "good_answers.yaml").read_text(encoding="utf-8"))
RIGHT: list[int] = []


@pytest.fixture(scope="module", autouse=True)
def numbers() -> Iterator[None]:
    yield
    print(f"\n{len(RIGHT)} of {len(ROWS)} as expected")


@pytest.mark.parametrize("place", range(len(ROWS)), ids=[f"{one['of']}-{one['at']}" for one in ROWS])
def test_an_answer_is_what_it_is(place: int) -> None:
    row = ROWS[place]
    found, _ = look(row["of"], {"status": 200, **row})
    wanted = f"bad {row['means']}" if "means" in row else "good"
    assert f"{found.verdict} {found.cause or ''}".strip() == row.get("yet", wanted), found
    assert KEY not in repr(found)
    RIGHT.extend([place] if "yet" not in row else [])


def test_every_row_says_where_it_was_read_and_there_are_enough() -> None:
    assert all(one["from"].startswith("https://") for one in ROWS)
    good = [one for one in ROWS if "means" not in one]
    assert len(good) >= 120
    assert sum(one["of"] == "http_api" for one in good) >= 40
