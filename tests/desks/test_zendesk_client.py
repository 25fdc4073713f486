"""Zendesk's desk as an OAuth client: its token comes, ends and is refused without a word of it or a second ticket."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.desks.base import Desk, DeskError
from bot.desks.registry import desk_for
from bot.settings import Desk as Settings
from tests.desks.test_desks import TICKET, of_zendesk_client, refusal
from tests.fakes.zendesk_desk import Zendesk, zendesk


@pytest.fixture
def other_side() -> Iterator[Zendesk]:
    with zendesk() as state:
        yield state


def made(**keys: Any) -> Desk:
    return desk_for(Settings(**{"kind": "zendesk", **keys}))


def test_a_ticket_is_opened_with_a_token_that_zendesk_gave_for_tickets_alone(other_side: Zendesk) -> None:
    assert of_zendesk_client(other_side).make().open(TICKET).url == f"{other_side.url}/agent/tickets/35436"
    assert [(status, path.split("?")[0]) for status, path, _, _ in other_side.asked] == [
        (201, "/oauth/tokens"),
        (200, "/api/v2/tickets.json"),
        (201, "/api/v2/tickets.json"),
    ]
    assert '"scope": "tickets:read tickets:write"' in other_side.asked[0][3]


def test_one_token_serves_all_tickets_of_the_process_also_those_at_once(other_side: Zendesk) -> None:
    make = of_zendesk_client(other_side).make
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda n: make().open(replace(TICKET, id=f"c{n}")), range(5)))
    make().check()
    assert (len(other_side.issued), len(other_side.tickets)) == (1, 5)


def test_a_token_that_ended_is_replaced_and_the_ticket_opened_once(other_side: Zendesk) -> None:
    make = of_zendesk_client(other_side).make
    make().open(TICKET)
    other_side.live.clear()
    assert make().open(TICKET) == make().open(TICKET)
    other_side.live.clear()
    other_side.blind = True  # it ends, and the search is behind
    make().open(TICKET)
    assert (len(other_side.issued), len(other_side.tickets)) == (3, 1)


def test_a_token_that_ends_between_the_search_and_the_ticket_is_replaced_too(
    other_side: Zendesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = of_zendesk_client(other_side).make()
    desk.check()
    known = type(desk)._known  # type: ignore[attr-defined]

    def then_it_ends(self: Any, key: str) -> Any:
        found = known(self, key)
        other_side.live.clear()
        return found

    monkeypatch.setattr(type(desk), "_known", then_it_ends)
    assert desk.open(TICKET).id == "35436"
    assert (len(other_side.issued), len(other_side.tickets)) == (2, 1)


def test_a_token_is_renewed_before_its_end_so_that_none_is_refused(
    other_side: Zendesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("bot.drivers.granted.time", SimpleNamespace(monotonic=lambda: now[0]))
    make = of_zendesk_client(other_side).make
    make().check()
    now[0] += 1700
    make().check()
    assert len(other_side.issued) == 1
    now[0] += 60
    make().check()
    assert len(other_side.issued) == 2
    assert 401 not in [status for status, *_ in other_side.asked]


def test_a_new_token_that_is_refused_too_is_for_the_admin(other_side: Zendesk) -> None:
    other_side.mood = "401"
    error = refusal(of_zendesk_client(other_side).make())
    assert (error.kind, "tickets:read tickets:write" in str(error)) == ("auth", True)
    assert len(other_side.issued) == 2


@pytest.mark.parametrize(("key", "value"), [("client_id", "mond"), ("token", "wr0ng-canary")])
def test_a_wrong_client_is_told_as_a_wrong_token_is(other_side: Zendesk, key: str, value: str) -> None:
    error = refusal(of_zendesk_client(other_side).make(**{key: value}))
    assert error.kind == "auth"
    assert str(error) == "Zendesk refuses the desk's client_id or client_secret (invalid_client)"


def test_scopes_that_the_client_may_not_have_are_named_with_the_place_that_gives_them(other_side: Zendesk) -> None:
    other_side.allowed = {"tickets:read"}
    error = refusal(of_zendesk_client(other_side).make())
    assert error.kind == "auth"
    assert "the scopes tickets:read tickets:write: allow them in Admin Center >" in str(error)


def test_a_token_endpoint_elsewhere_is_a_wrong_subdomain_and_gets_the_secret_once(other_side: Zendesk) -> None:
    other_side.mood = "redirect"
    error = refusal(of_zendesk_client(other_side).make())
    assert (error.kind, "subdomain" in str(error), len(other_side.asked)) == ("config", True, 1)


def test_secret_and_token_are_in_no_log_no_ticket_and_no_word(
    other_side: Zendesk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk = of_zendesk_client(other_side).make()
    desk.open(TICKET)
    other_side.live.clear()
    desk.open(TICKET)
    wrong = refusal(of_zendesk_client(other_side).make(token="t0ken-canary"))
    told = f"{caplog.text} {desk!r} {wrong} {other_side.tickets} {[path for _, path, _, _ in other_side.asked]}"
    sent = "".join(body for _, path, _, body in other_side.asked if path != "/oauth/tokens")
    assert "35436" in told
    assert TICKET.subject in sent
    for secret in ("t0ken", "canary", *other_side.issued):
        assert secret not in told + sent


CLIENT = {"client_id": "mend", "client_secret": "t0ken-canary"}
TOKEN = {"email": "bot@acme.test", "token": "t0ken-canary"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({**CLIENT, **TOKEN}, "zendesk has client_id and client_secret, so take email and token out of mend.yml"),
        ({**CLIENT, "email": "bot@acme.test"}, "so take email out of mend.yml"),
        ({"client_id": "mend"}, "zendesk needs client_secret in mend.yml"),
        ({"client_secret": "t0ken-canary"}, "zendesk needs client_id in mend.yml"),
        ({"email": "bot@acme.test"}, "zendesk needs token in mend.yml"),
        ({}, "zendesk needs client_id, client_secret in mend.yml"),
    ],
)
def test_both_ways_at_once_and_half_of_one_are_told_in_one_line(keys: dict[str, str], said: str) -> None:
    with pytest.raises(DeskError) as caught:
        made(subdomain="acme", **keys)
    assert caught.value.kind == "config"
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)
