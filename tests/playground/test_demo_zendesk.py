"""The demo's Zendesk, in the shapes that Zendesk documents, as Mend's desk uses it and as its agent answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests
from starlette.routing import Mount

from bot.desks import zendesk as ours
from bot.desks.base import DeskError, Ticket
from bot.playground.provider import DemoProvider
from bot.playground.zendesk import Zendesk
from tests.fakes.serve import listening

SAID = "The password <script>alert(1)</script> was refused."
TICKET = Ticket(
    id="c1", subject="warehouse: <b>refused</b>", body=SAID, connection="warehouse", connector="postgres",
    cause="invalid_credentials", code="auth.wrong_password", requester="U0ALICE",
)  # fmt: skip


class Hook(BaseHTTPRequestHandler):
    """What the webhook calls: keeps what it was sent, and answers with `status`."""

    status = 200
    heard: list[dict[str, str]]
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        with self.lock:
            self.heard.append({**{name.lower(): value for name, value in self.headers.items()}, "body": body})
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def desk() -> Iterator[tuple[Zendesk, str, type[Hook]]]:
    hook = type("Hooked", (Hook,), {"heard": []})
    with listening(hook) as address:
        account = Zendesk(lambda: address)
        provider = DemoProvider(more=[Mount("/zendesk", routes=account.routes())])
        provider.start()
        yield account, provider.url + "/zendesk", hook
        provider.stop()


def made(account: Zendesk, url: str, **changes: str) -> Any:
    mine = {"base_url": url, "client_id": account.client_id, "client_secret": account.client_secret, **changes}
    return ours.make(mine)


def test_one_case_is_one_ticket_whatever_is_sent_again(desk: tuple[Zendesk, str, type[Hook]]) -> None:
    account, url, _ = desk
    address = made(account, url).open(TICKET)
    assert address == made(account, url).open(TICKET)
    assert address.url == f"{url}/agent/tickets/{address.id}"
    assert len(account.tickets) == 1


def test_a_wrong_secret_is_refused_and_makes_nothing(desk: tuple[Zendesk, str, type[Hook]]) -> None:
    account, url, _ = desk
    with pytest.raises(DeskError, match="client_id or client_secret"):
        made(account, url, client_secret="wrong").open(TICKET)
    assert requests.get(f"{url}/api/v2/tickets.json", timeout=10).status_code == 401
    assert account.tickets == []


def test_its_page_shows_the_ticket_and_runs_nothing_of_it(desk: tuple[Zendesk, str, type[Hook]]) -> None:
    account, url, _ = desk
    address = made(account, url).open(TICKET)
    page = requests.get(address.url, timeout=10)
    assert "<script>" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert address.id in requests.get(f"{url}/agent/tickets", timeout=10).text
    assert requests.get(f"{url}/agent/tickets/7", timeout=10).status_code == 404


def test_an_answer_that_nobody_hears_is_kept_and_said(desk: tuple[Zendesk, str, type[Hook]]) -> None:
    account, url, hook = desk
    address = made(account, url).open(TICKET)
    origin = {"origin": url.removesuffix("/zendesk")}
    hook.status = 503
    page = requests.post(address.url, {"words": "We look into it", "do": "reply"}, headers=origin, timeout=10)
    assert "the webhook was answered by HTTP 503" in page.text
    assert account.tickets[0]["comments"][-1]["body"] == "We look into it"
    assert len(hook.heard) == 2


def test_another_site_answers_for_nobody(desk: tuple[Zendesk, str, type[Hook]]) -> None:
    account, url, hook = desk
    address = made(account, url).open(TICKET)
    for headers in ({}, {"origin": "https://evil.example"}, {"host": "evil.example", "origin": "http://evil.example"}):
        assert requests.post(address.url, {"words": "x"}, headers=headers, timeout=10).status_code == 403
    assert hook.heard == []
    assert len(account.tickets[0]["comments"]) == 1
