"""What every desk must do: open, open once, and say plainly why it cannot."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from bot.desks.base import DeskError, Ticket
from bot.desks.registry import desk_for
from bot.settings import Desk
from tests.fakes.zendesk_desk import Zendesk, zendesk

TICKET = Ticket("c42", "warehouse: invalid_credentials", "The server refused the password.", "warehouse", "postgres",
                "invalid_credentials", "auth.wrong_password", "U0ALICE")  # fmt: skip


@pytest.fixture
def fake() -> Iterator[Zendesk]:
    with zendesk() as state:
        yield state


def desk(state: Zendesk) -> Any:
    return desk_for(Desk(kind="zendesk", base_url=state.url, email="bot@acme.test", token="t0ken"))


def test_zendesk_takes_a_ticket_and_gives_its_address(fake: Zendesk) -> None:
    address = desk(fake).open(TICKET)
    assert address.url == f"{fake.url}/agent/tickets/{address.id}"
    assert fake.tickets[0]["comment"]["body"] == TICKET.body


def test_the_same_case_never_makes_a_second_ticket(fake: Zendesk) -> None:
    assert desk(fake).open(TICKET) == desk(fake).open(TICKET)
    assert len(fake.tickets) == 1


@pytest.mark.parametrize(("mood", "kind"), [("401", "auth"), ("429", "rate"), ("500", "down")])
def test_zendesk_says_why_it_cannot_and_later_can(fake: Zendesk, mood: str, kind: str) -> None:
    fake.mood = mood
    with pytest.raises(DeskError) as caught:
        desk(fake).open(TICKET)
    assert caught.value.kind == kind
    assert "t0ken" not in str(caught.value)
    fake.mood = "good"
    assert desk(fake).open(TICKET).id


def test_the_wait_that_zendesk_asks_for_is_kept(fake: Zendesk) -> None:
    fake.mood = "429"
    with pytest.raises(DeskError) as caught:
        desk(fake).open(TICKET)
    assert caught.value.retry_after == 7


class Inbox:
    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        return "250 OK"


def test_a_mail_desk_gets_the_ticket_with_a_message_id_of_the_case() -> None:
    inbox = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        settings = Desk(kind="email", host="127.0.0.1", port=port, **{"from": "mend@acme.test", "to": "help@acme.test"})
        desk_for(settings).open(TICKET)
    finally:
        server.stop()
    text = inbox.mails[0].content.decode()
    assert "<mend-c42@acme.test>" in text
    assert TICKET.body in text


def test_a_mail_server_that_is_down_is_said_to_be_down() -> None:
    settings = Desk(kind="email", host="127.0.0.1", port=1, **{"from": "a@b.test", "to": "c@d.test"})
    with pytest.raises(DeskError) as caught:
        desk_for(settings).open(TICKET)
    assert caught.value.kind == "down"


def test_a_desk_that_is_not_known_is_named() -> None:
    with pytest.raises(DeskError, match="carrier-pigeon"):
        desk_for(Desk(kind="carrier-pigeon"))
