"""A small run of `tests.contract.killing`; the full one takes minutes."""

from __future__ import annotations

from pathlib import Path

from tests.contract.killing import run
from tests.fakes.zendesk_desk import zendesk


def test_killed_at_random_moments_nothing_is_lost_stuck_out_of_order_or_done_twice(
    database: str, tmp_path: Path
) -> None:
    with zendesk() as desk:
        figures = run(database, tmp_path, desk, kills=4, cases=2, processes=2, life=2.5)
    assert not figures.broken, figures
    assert figures.counts["tickets"] == 2
