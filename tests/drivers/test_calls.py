"""Desks and platforms that do not end, answer with too much, or in another shape than theirs."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.desks import calls as desks
from bot.desks.base import DeskError
from bot.drivers.aws import Account, Keys
from bot.drivers.calls import call, json_in
from bot.drivers.network import Deadline, Trouble
from bot.drivers.sendgrid_keys import Keys as Sendgrid
from bot.platforms import airbyte, api, fivetran, stitch
from bot.platforms.base import PlatformError
from tests.checks.test_http_odd import encrypted
from tests.fakes.serve import serving
from tests.faults.certificates import Authority
from tests.servers import dripping, in_time, listener

DEEP = "[" * 200_000 + "]" * 200_000


def drips(first: bytes) -> Callable[[socket.socket], None]:
    return dripping(first, b" ", 0.05, asked=True)


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


def test_the_token_that_is_given_is_sent_whatever_netrc_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login bob password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen: list[str] = []

    def answers(path: str, headers: Any) -> tuple[int, dict[str, str], str]:
        seen.append(headers["authorization"])
        return 200, {}, "{}"

    with serving(answers) as url:
        call("GET", url, 5, headers={"Authorization": "Bearer token"})
    assert seen == ["Bearer token"]


def of_s3(url: str) -> None:
    Account({"endpoint_url": url, "region": "eu-west-1"}, Keys("a", "b"), Deadline(5)).call("s3", "list_buckets")


@pytest.mark.parametrize("ask", [lambda url: call("GET", url, 5), of_s3, lambda url: Sendgrid(url, "k", 5).scopes()])
def test_an_authority_that_the_system_knows_is_believed(
    ask: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handshake's check believes it: the call behind it has to."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("own", "localhost", "localhost"))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))
    seen: list[bytes] = []

    def answers(peer: socket.socket, request: bytes) -> None:
        seen.append(request)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")

    with encrypted(answers, context) as url, contextlib.suppress(Trouble):
        ask(url)
    assert seen
