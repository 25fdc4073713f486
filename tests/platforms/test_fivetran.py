"""Fivetran as its documentation describes it: a connection is found, its last syncs are read, one is started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.platforms.base import PlatformError, moment
from bot.platforms.fivetran import Fivetran, make
from tests.fakes.fivetran_api import KEY, SECRET, SHOP, FivetranApi, fivetran

EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.123456Z"


@pytest.fixture
def side() -> Iterator[FivetranApi]:
    with fivetran() as made:
        yield made


@pytest.fixture
def known(side: FivetranApi) -> Fivetran:
    return make(f"{KEY}:{SECRET}", "", side.url)


def test_a_connection_is_found_by_its_id_or_by_the_schema_that_it_fills(known: Fivetran) -> None:
    for wanted in (SHOP, "shop"):
        found = known.find(wanted)
        assert (found.id, found.name, found.type) == (SHOP, "shop", "postgres")
    assert known.check() == "Fivetran answers"


@pytest.mark.parametrize(
    ("succeeded", "failed", "state", "ended"),
    [(None, None, "none", 0.0), (LATE, EARLY, "good", moment(LATE)), (EARLY, LATE, "bad", moment(LATE))],
)
def test_the_newer_of_the_two_ends_counts(
    known: Fivetran, side: FivetranApi, succeeded: str | None, failed: str | None, state: str, ended: float
) -> None:
    side.shop |= {"succeeded_at": succeeded, "failed_at": failed}
    job = known.last_job(SHOP)
    assert (job.state, job.ended) == (state, ended)


def test_a_failure_says_what_fivetran_wants_done(known: Fivetran, side: FivetranApi) -> None:
    side.shop["failed_at"] = LATE
    assert "its setup is connected" in known.last_job(SHOP).said
    side.shop["status"]["tasks"] = [{"code": "reconnect", "message": "Reconnect", "details": "password rejected"}]
    assert known.last_job(SHOP).said == "Reconnect: password rejected"


def test_a_connection_that_is_paused_or_put_off_says_so(known: Fivetran, side: FivetranApi) -> None:
    side.shop["paused"] = True
    side.shop["status"]["rescheduled_for"] = LATE
    job = known.last_job(SHOP)
    assert (job.paused, job.next_at) == ("somebody", moment(LATE))


def test_a_sync_is_started_and_one_that_runs_is_not_cut_off(known: Fivetran, side: FivetranApi) -> None:
    known.start_job(SHOP)
    known.start_job(SHOP)
    assert side.synced == [{"force": False}]
    assert known.last_job(SHOP).state == "running"


def test_a_token_that_cannot_be_one_says_what_it_should_be() -> None:
    with pytest.raises(PlatformError, match="KEY:SECRET"):
        make("only-one-part", "", "")
