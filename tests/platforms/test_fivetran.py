"""Fivetran as its documentation describes it: a connection is found, its last syncs are read, one is started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.platforms import fivetran as fivetran_module
from bot.platforms.base import PlatformError, moment
from bot.platforms.fivetran import Fivetran, make
from tests.fakes.fivetran_api import KEY, SECRET, SHOP, FivetranApi, fivetran

NEW = "n3w-c4n4ry"
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


def test_what_is_sent_is_tested_at_once(known: Fivetran, side: FivetranApi) -> None:
    seen = known.send(SHOP, {"user": "reader", "password": NEW})
    assert side.patched == [{"config": {"user": "reader", "password": NEW}, "run_setup_tests": False}]
    assert side.config == {"host": "db", "user": "reader", "password": NEW}
    assert seen is not None
    assert seen.state == "good"
    assert known.last_check(SHOP).state == "good"


def test_a_setup_test_that_fails_says_which_and_why(known: Fivetran, side: FivetranApi) -> None:
    side.tests[1] = ("Validating login", "FAILED", "password authentication failed for user reader")
    seen = known.send(SHOP, {"password": NEW})
    assert seen is not None
    assert (seen.state, seen.said) == ("bad", "Validating login: password authentication failed for user reader")
    assert known.last_check(SHOP).state == "bad"


def test_a_warning_of_the_setup_tests_lets_data_through(known: Fivetran, side: FivetranApi) -> None:
    side.tests.append(("Checking lag", "WARNING", "the replica is behind"))
    seen = known.send(SHOP, {"password": NEW})
    assert seen is not None
    assert seen.state == "good"


def test_setup_tests_that_take_too_long_go_on_without_us(
    known: Fivetran, side: FivetranApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fivetran_module, "TEST_LIMIT", 0.2)
    side.slow = 1.0
    seen = known.send(SHOP, {"password": NEW})
    assert seen is not None
    assert seen.state == "running"
    assert side.config["password"] == NEW


def test_a_connection_that_signs_in_by_something_else_gets_nothing(known: Fivetran, side: FivetranApi) -> None:
    side.shop["config"] = {"auth_type": "OAuth"}
    with pytest.raises(PlatformError, match="signs in by something else: it has no password"):
        known.send(SHOP, {"password": NEW})
    assert side.patched == []


def test_a_list_without_end_is_told(known: Fivetran, side: FivetranApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fivetran, "_call", lambda *_: {"items": [{"id": "a", "schema": "b"}], "next_cursor": "c"})
    with pytest.raises(PlatformError, match="Fivetran's list of connections has no end behind 2"):
        known.sources()


@pytest.mark.parametrize("odd", [5, "abc", [1], {"a": 1}])
def test_parts_of_another_shape_are_no_fault_of_mends(
    known: Fivetran, monkeypatch: pytest.MonkeyPatch, odd: Any
) -> None:
    said = {"id": SHOP, "schema": "shop", "service": "postgres", "config": {"host": "db"}, "schemas": {"a": {"enabled": True, "tables": odd}},
            "failed_at": "2026-01-02T00:00:00Z"}  # fmt: skip
    for status in (odd, {"setup_state": "broken", "tasks": odd, "warnings": odd}):
        monkeypatch.setattr(Fivetran, "_call", lambda *_, status=status: {**said, "status": status})
        assert known.last_job(SHOP).state == "bad"
        assert known.last_check(SHOP).state in ("none", "bad")
    assert known.shown(SHOP).settings == {"host": "db"}
