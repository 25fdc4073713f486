"""Desks and platforms that do not end, answer with too much, or in another shape than theirs."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
import requests

from bot.desks import calls as desks
from bot.desks.base import DeskError
from bot.drivers.calls import call, json_in
from bot.platforms import airbyte, api, fivetran, stitch
from bot.platforms.base import PlatformError
from tests.fakes.serve import serving
from tests.servers import in_time, listener

DEEP = "[" * 200_000 + "]" * 200_000


def drips(first: bytes) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(first)
        while True:
            time.sleep(0.05)
            peer.sendall(b" ")

    return talk


def floods(peer: socket.socket) -> None:
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 307 Elsewhere\r\nLocation: /there\r\n\r\n")
    while True:
        peer.sendall(b" " * 65536)


@pytest.mark.parametrize(
    "talk",
    [drips(b"HTTP/1.1 200 OK\r\nX-Slow: "), drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), floods],
    ids=["in its head", "in its body", "a redirect without an end"],
)
def test_an_answer_that_does_not_end_is_given_up(talk: Callable[[socket.socket], None]) -> None:
    def given_up() -> None:
        with pytest.raises(requests.Timeout):
            call("GET", f"http://127.0.0.1:{port}/", 0.2)

    with listener(talk) as port:
        in_time(10, given_up)


def test_a_desk_or_platform_that_drips_is_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "LIMIT", 0.2)
    with listener(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")) as port:
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(DeskError) as desk:
            in_time(10, lambda: desks.ask("Zendesk", "GET", url, {}))
        with pytest.raises(PlatformError) as platform:
            in_time(10, lambda: api.ask("Stitch", "GET", url, {}, limit=0.2))
    assert (desk.value.kind, platform.value.kind) == ("down", "down")


def test_what_is_nested_too_deep_to_be_read_is_no_json() -> None:
    with serving(lambda path, headers: (200, {}, DEEP)) as url:
        with pytest.raises(ValueError, match="deep"):
            json_in(call("GET", url, 5))
        with pytest.raises(DeskError, match="JSON"):
            desks.json_of("Jira", desks.ask("Jira", "GET", url, {}), "desk.site")


@pytest.mark.parametrize(
    "body", [DEEP, '{"data": {}}', '{"data": [1, 2]}', '{"data": {"items": 5}}', '{"code": "Success"}']
)
def test_an_answer_of_another_shape_is_the_platforms_and_no_crash(body: str) -> None:
    with serving(lambda path, headers: (200, {}, body)) as url:
        for platform in (airbyte.make("a:b", "", url), fivetran.make("a:b", "", url), stitch.make("a", "", url)):
            with pytest.raises(PlatformError):
                platform.find("shop")
    with serving(lambda path, headers: (200, {}, {"data": [1], "access_token": "a"})) as url:
        assert airbyte.make("a:b", "", url).last_job("101").state == "none"
