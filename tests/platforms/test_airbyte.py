"""Airbyte as its documentation describes it: a connection is found, its jobs are read, one is started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.platforms.airbyte import Airbyte, make
from bot.platforms.base import PlatformError, moment
from tests.fakes.airbyte_api import CLIENT, SECRET, SHOP, AirbyteApi, airbyte

NEW = "n3w-c4n4ry"


@pytest.fixture
def side() -> Iterator[AirbyteApi]:
    with airbyte() as made:
        yield made


@pytest.fixture
def known(side: AirbyteApi) -> Airbyte:
    return make(f"{CLIENT}:{SECRET}", "", side.url)


def test_a_connection_is_found_by_its_id_or_name_and_is_of_the_kind_of_its_source(known: Airbyte) -> None:
    for wanted in (SHOP, "shop"):
        found = known.find(wanted)
        assert (found.id, found.type) == (SHOP, "source-postgres")
    assert known.check() == "Airbyte answers, 120 connections"


def test_the_6000th_connection_is_found_too(known: Airbyte, side: AirbyteApi) -> None:
    plain = side.connections[-1]
    side.connections[:0] = [{**plain, "connectionId": f"c{n}", "name": f"n{n}"} for n in range(6000)]
    assert known.find("shop").id == SHOP
    assert len(known.sources()) == 6120


def test_a_list_without_end_is_told(known: Airbyte, side: AirbyteApi) -> None:
    """As by a server in between that drops what stands behind the question mark."""

    class Same(list[dict[str, Any]]):
        def __getitem__(self, asked: Any) -> Any:
            return super().__getitem__(slice(0, 100)) if isinstance(asked, slice) else super().__getitem__(asked)

    side.connections = Same(side.connections)
    with pytest.raises(PlatformError, match="Airbyte's list of connections has no end behind 100"):
        known.find("shop")


def test_the_newest_job_counts(known: Airbyte, side: AirbyteApi) -> None:
    assert known.last_job(SHOP).state == "none"
    side.ran("failed")
    assert "its API does not tell why" in known.last_job(SHOP).said
    side.ran("succeeded", ended="2026-01-02T00:00:00Z")
    assert (known.last_job(SHOP).state, known.last_job(SHOP).ended) == ("good", moment("2026-01-02T00:00:00Z"))


@pytest.mark.parametrize(("status", "state"), [("running", "running"), ("incomplete", "running"), ("cancelled", "bad")])
def test_each_way_a_job_stands_is_read(known: Airbyte, side: AirbyteApi, status: str, state: str) -> None:
    side.ran(status)
    assert known.last_job(SHOP).state == state


def test_a_connection_that_is_switched_off_says_by_whom(known: Airbyte, side: AirbyteApi) -> None:
    for status, paused in (("inactive", "somebody"), ("locked", "platform"), ("active", "")):
        side.connections[-1]["status"] = status
        assert known.last_job(SHOP).paused == paused


def test_a_job_is_started_once(known: Airbyte, side: AirbyteApi) -> None:
    known.start_job(SHOP)
    known.start_job(SHOP)
    assert len(side.jobs) == 1


def test_a_token_that_cannot_be_one_says_what_it_should_be() -> None:
    with pytest.raises(PlatformError, match="CLIENT_ID:CLIENT_SECRET"):
        make("only-one-part", "", "")


def test_what_is_sent_replaces_only_itself_in_the_source_of_the_connection(known: Airbyte, side: AirbyteApi) -> None:
    assert known.send(SHOP, {"username": "reader", "password": NEW}) is None
    assert side.patched == [{"configuration": {"username": "reader", "password": NEW}}]
    assert side.configuration == {"host": "db", "username": "reader", "password": NEW}


def test_names_with_dots_lead_inward_and_the_rest_of_the_object_stays(known: Airbyte, side: AirbyteApi) -> None:
    side.configuration = {"credentials": {"credentials_title": "Private App Credentials", "access_token": "old"}}
    known.send(SHOP, {"credentials.access_token": NEW})
    assert side.configuration["credentials"] == {"credentials_title": "Private App Credentials", "access_token": NEW}


def test_a_source_that_signs_in_by_something_else_gets_nothing(known: Airbyte, side: AirbyteApi) -> None:
    side.configuration = {"credentials": {"auth_type": "oauth2.0", "client_secret": "x"}}
    with pytest.raises(PlatformError, match=r"signs in by something else: it has no credentials\.access_token"):
        known.send(SHOP, {"credentials.access_token": NEW})
    assert side.patched == []


def test_a_token_that_airbyte_renews_itself_is_left_alone(known: Airbyte, side: AirbyteApi) -> None:
    side.configuration = {"credentials": {"access_token": "short", "refresh_token": "long"}}
    with pytest.raises(PlatformError, match="signs in by something else"):
        known.send(SHOP, {"credentials.access_token": NEW})
    assert side.patched == []


def test_what_airbyte_does_not_take_is_said_without_the_value(known: Airbyte, side: AirbyteApi) -> None:
    side.mood = "422"
    with pytest.raises(PlatformError, match="does not take it") as caught:
        known.send(SHOP, {"password": NEW})
    assert NEW not in str(caught.value)


@pytest.mark.parametrize("odd", [5, "abc", [1], {"a": 1}])
def test_streams_of_another_shape_are_not_known(known: Airbyte, side: AirbyteApi, odd: Any) -> None:
    side.connections[-1]["configurations"] = {"streams": odd}
    known.sources()
    assert known.shown(SHOP).streams is None
