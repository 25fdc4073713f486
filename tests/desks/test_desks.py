"""What every desk must do: open, open once, and say plainly why it cannot. One contract for all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from bot.desks.base import Desk, DeskError, Ticket
from bot.desks.registry import desk_for, kinds
from bot.settings import Desk as Settings
from tests.fakes.github_desk import GitHub, github
from tests.fakes.jira_desk import Jira, jira
from tests.fakes.mail_desk import Mailbox, mailbox
from tests.fakes.zendesk_desk import Zendesk, zendesk

TICKET = Ticket(
    id="c42",
    subject="warehouse: invalid_credentials",
    body="The server refused the *password*: \u201cno\u201d.",
    connection="warehouse",
    connector="postgres",
    cause="invalid_credentials",
    code="auth.wrong_password",
    requester="U0ALICE",
    evidence=[{"check": "credentials_accepted"}],
)


@dataclass
class Side:
    """One kind of desk with its other side: how to break it, and how many tickets a support agent sees.

    `nowhere` are settings under which nobody answers, `misspelt` is a wrong key and the right one.
    """

    make: Callable[..., Desk]
    break_: Callable[[str], None]
    seen: Callable[[], int]
    nowhere: dict[str, Any]
    misspelt: tuple[str, str]
    finds_again: bool = True


def of_zendesk(state: Zendesk) -> Side:
    def make(**more: Any) -> Desk:
        return desk_for(
            Settings(**{"kind": "zendesk", "base_url": state.url, "email": "bot@acme.test", "token": "t0ken", **more})
        )

    moods = {"rate": "429", "down": "500", "config": "422", "good": "good"}
    nowhere = {"base_url": "http://127.0.0.1:1"}
    return Side(
        make,
        lambda kind: setattr(state, "mood", moods[kind]),
        lambda: len(state.tickets),
        nowhere,
        ("subdomian", "subdomain"),
    )


def of_zendesk_client(state: Zendesk) -> Side:
    """The same desk for who has no API token: an OAuth client that gets its tokens itself."""

    def make(**more: Any) -> Desk:
        given = {"client_id": "mend", "client_secret": more.pop("token", "t0ken"), **more}
        return desk_for(Settings(**{"kind": "zendesk", "base_url": state.url, **given}))

    return replace(of_zendesk(state), make=make, misspelt=("client_secrt", "client_secret"))


def of_email(state: Mailbox) -> Side:
    def make(**more: Any) -> Desk:
        keys = {
            "kind": "email",
            "host": "127.0.0.1",
            "port": state.port,
            "from": "mend@acme.test",
            "to": "help@acme.test",
        }
        given = {"password": more.pop("token", "t0ken"), "user": "bot", **more}
        return desk_for(Settings(**{**keys, **given}))

    moods = {"rate": "busy", "config": "unknown", "good": "good"}
    return Side(
        make,
        lambda kind: setattr(state, "mood", moods[kind]),
        lambda: len(state.ids()),
        {"port": 1},
        ("pasword", "password"),
        finds_again=False,
    )


def of_jira(state: Jira) -> Side:
    """Cloud by e-mail and token, Data Center by a personal token."""

    def make(**more: Any) -> Desk:
        keys = {"kind": "jira", "base_url": state.url, "project": "DATA", "token": "t0ken"}
        return desk_for(Settings(**{**keys, **({"email": "bot@acme.test"} if state.cloud else {}), **more}))

    moods = {"rate": "429", "down": "500", "config": "400", "good": "good"}
    return Side(
        make,
        lambda kind: setattr(state, "mood", moods[kind]),
        lambda: len(state.issues),
        {"base_url": "http://127.0.0.1:1"},
        ("projct", "project"),
    )


def of_github(state: GitHub) -> Side:
    def make(**more: Any) -> Desk:
        keys = {"kind": "github", "base_url": state.url, "repository": "acme/data", "token": "t0ken"}
        return desk_for(Settings(**{**keys, **more}))

    moods = {"rate": "429", "down": "500", "config": "422", "good": "good"}
    return Side(
        make,
        lambda kind: setattr(state, "mood", moods[kind]),
        lambda: len(state.issues),
        {"base_url": "http://127.0.0.1:1"},
        ("repositry", "repository"),
    )


@pytest.fixture(params=[*kinds(), "zendesk client", "jira data center"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """A new desk module without an entry here fails: every desk keeps the contract."""
    if request.param == "zendesk":
        with zendesk() as state:
            yield of_zendesk(state)
    elif request.param == "zendesk client":
        with zendesk() as state:
            yield of_zendesk_client(state)
    elif request.param == "github":
        with github() as repository:
            yield of_github(repository)
    elif request.param.startswith("jira"):
        with jira(cloud=request.param == "jira") as site:
            yield of_jira(site)
    elif request.param == "email":
        with mailbox() as box:
            yield of_email(box)
    else:
        pytest.fail(f"desk {request.param} has no other side here: write a fake in tests/fakes/ and add it")


def refusal(desk: Desk, ticket: Ticket = TICKET) -> DeskError:
    with pytest.raises(DeskError) as caught:
        desk.open(ticket)
    assert "t0ken" not in str(caught.value)
    return caught.value


def test_it_takes_a_ticket_and_gives_its_address(side: Side) -> None:
    assert side.make().open(TICKET).id
    assert side.seen() == 1


def test_the_same_case_is_one_ticket_however_often_it_is_sent(side: Side) -> None:
    assert len({side.make().open(TICKET) for _ in range(3)}) == 1
    assert side.seen() == 1


def test_two_at_once_are_one_ticket(side: Side) -> None:
    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(lambda _: side.make().open(TICKET), range(5)))) == 1
    assert side.seen() == 1


def test_another_case_is_another_ticket(side: Side) -> None:
    assert side.make().open(TICKET) != side.make().open(replace(TICKET, id="c43"))
    assert side.seen() == 2


def test_a_wrong_token_is_for_the_admin_and_is_not_shown(side: Side) -> None:
    assert refusal(side.make(token="t0ken-old")).kind == "auth"


def test_a_busy_desk_says_when_to_come_back(side: Side) -> None:
    side.break_("rate")
    error = refusal(side.make())
    assert (error.kind, error.retry_after > 0) == ("rate", True)


def test_a_refused_ticket_is_for_the_admin(side: Side) -> None:
    side.break_("config")
    assert refusal(side.make()).kind == "config"


def test_after_trouble_the_same_ticket_is_taken(side: Side) -> None:
    side.break_("rate")
    refusal(side.make())
    side.break_("good")
    assert side.make().open(TICKET).id
    assert side.seen() == 1


def test_a_desk_that_does_not_answer_is_down(side: Side) -> None:
    assert refusal(side.make(**side.nowhere)).kind == "down"


def test_its_check_opens_nothing(side: Side) -> None:
    side.make().check()
    assert side.seen() == 0
    with pytest.raises(DeskError):
        side.make(token="t0ken-old").check()


def test_a_subject_of_many_lines_cannot_smuggle_headers(side: Side) -> None:
    side.make().open(replace(TICKET, subject="a\r\nBcc: everybody@acme.test\r\n\r\nb"))
    assert side.seen() == 1


def test_its_repr_shows_no_secret(side: Side) -> None:
    assert "t0ken" not in repr(side.make())


def test_an_unknown_key_is_named_with_the_nearest_right_one(side: Side) -> None:
    wrong, right = side.misspelt
    with pytest.raises(DeskError, match=rf"unknown key; did you mean {right}\?"):
        side.make(**{wrong: "x"})


def test_what_is_missing_is_named() -> None:
    for kind in kinds():
        with pytest.raises(DeskError, match=f"desk: {kind} needs "):
            desk_for(Settings(kind=kind))


def test_a_desk_that_is_not_known_is_answered_with_those_that_are() -> None:
    with pytest.raises(DeskError, match=f"carrier-pigeon.*choose from {', '.join(kinds())}"):
        desk_for(Settings(kind="carrier-pigeon"))


def test_a_secret_of_the_desk_is_read_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n", encoding="utf-8")
    with zendesk() as state:
        settings = Settings(kind="zendesk", base_url=state.url, email="bot@acme.test", token="${file:token}")
        desk_for(settings, tmp_path).check()


# What only one of them has --------------------------------------------------------------------------------------------


def test_a_zendesk_ticket_made_before_the_answer_was_lost_is_found_again() -> None:
    with zendesk() as state:
        state.loses_answer = True
        assert refusal(of_zendesk(state).make()).kind == "down"
        state.loses_answer = False
        assert of_zendesk(state).make().open(TICKET).url == f"{state.url}/agent/tickets/35436"
        assert len(state.tickets) == 1


def test_zendesk_makes_no_second_ticket_while_its_search_is_behind() -> None:
    with zendesk() as state:
        state.blind = True
        assert of_zendesk(state).make().open(TICKET) == of_zendesk(state).make().open(TICKET)
        assert len(state.tickets) == 1


def test_zendesk_elsewhere_is_a_wrong_subdomain_and_gets_no_token_twice() -> None:
    with zendesk() as state:
        state.mood = "redirect"
        error = refusal(of_zendesk(state).make())
        assert (error.kind, "subdomain" in str(error)) == ("config", True)


def test_the_wait_that_zendesk_asks_for_is_kept() -> None:
    with zendesk() as state:
        state.mood = "429"
        assert refusal(of_zendesk(state).make()).retry_after == 7


def test_a_mail_carries_the_case_in_its_message_id_and_the_evidence_beside_the_text() -> None:
    with mailbox() as box:
        of_email(box).make().open(TICKET)
        assert box.mails[0]["Message-ID"] == "<mend-c42@acme.test>"
        sent = parsedate_to_datetime(box.mails[0]["Date"])
        assert abs(sent.timestamp() - time.time()) < 3600
        assert box.mails[0]["Auto-Submitted"] == "auto-generated"  # no answering machine writes back
        text, evidence = box.mails[0].get_payload()
        assert text.get_payload(decode=True).decode().strip() == TICKET.body
        assert json.loads(evidence.get_payload(decode=True)) == [{"check": "credentials_accepted"}]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"tls": "maybe"}, "desk.tls"),
        ({"port": "smtp"}, "desk.port"),
        ({"password": "töken"}, "desk.password"),
        ({"user": "böt"}, "desk.user"),
        ({"to": "help\n@acme.test"}, "desk.to"),
        ({"to": "<"}, "desk.to"),
        ({"from": "Mend\n<mend@acme.test>"}, "desk.from"),
    ],
)
def test_a_bad_value_of_the_mail_desk_is_named(keys: dict[str, str], said: str) -> None:
    with mailbox() as box, pytest.raises(DeskError, match=said):
        of_email(box).make(**keys)


def test_a_mail_server_without_starttls_is_said_so() -> None:
    with mailbox() as box:
        error = refusal(of_email(box).make(tls="starttls"))
        assert (error.kind, "STARTTLS" in str(error)) == ("config", True)


def test_a_mail_whose_answer_is_lost_is_in_doubt_and_not_sent_again_by_itself() -> None:
    with mailbox() as box:
        box.mood = "cut"
        assert refusal(of_email(box).make()).kind == "unsure"
        assert len(box.mails) == 1


def test_what_a_mail_server_says_after_it_took_the_mail_does_not_matter() -> None:
    with mailbox() as box:
        box.mood = "rude"
        assert of_email(box).make().open(TICKET).id == "mend-c42"


def test_a_desk_that_finds_its_tickets_again_says_so(side: Side) -> None:
    """Where it does not, Mend asks a person before it sends again what may have arrived."""
    assert side.make().finds_again is side.finds_again
