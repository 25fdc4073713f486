"""What a stranger tries where two processes serve one database: races between them, callers' addresses, what lies around."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests
import yaml

from bot.web.guard import caller
from tests.fakes.oauth_provider import OAuthProvider
from tests.talk import Talk, World, rows, wait
from tests.web.oauth_visit import consent, crm, departure, ready
from tests.web.visitor import Visitor, fresh_link, opened

ALERTS = "hook-canary-4711"


class Fronts(World):
    """Behind no proxy: what a caller says of its own address is not believed. Its log is for machines."""

    def serve(self, **more: Any):  # type: ignore[no-untyped-def]
        self.env |= {"FORWARDED_ALLOW_IPS": "10.99.99.99", "MEND_LOG": "json"}
        return super().serve(**more)

    def at(self, front: int, url: str) -> str:
        """The same page at another process."""
        return self.addresses[front] + urlsplit(url).path


@pytest.fixture(scope="module")
def world(database: str, provider: OAuthProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = Path(tmp_path_factory.mktemp("fronts"))
    hooks = {"alert": {"secret": ALERTS, "channel": "C0DATA"}}
    oauth = {"hubspot": provider.registration()}
    world = Fronts(database, folder, http=True, hooks=hooks, oauth=oauth)
    demo = world.demo.connections
    world.demo.connections = lambda: {**demo(), "crm": crm(provider)}  # type: ignore[method-assign]
    with world:
        world.serve()
        yield world


def at_once(work: Any, times: int) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor(times) as many:
        return list(many.map(work, range(times)))


@pytest.mark.attack("one link begun by ten browsers at two fronts at once", "one of them has it, nine get 410")
def test_of_many_browsers_one_begins_a_link(world: Fronts, talk: Talk) -> None:
    url = fresh_link(talk)
    browsers = [Visitor(world.at(n % 2, url)) for n in range(10)]
    at_once(lambda n: browsers[n].press("begin"), 10)
    shown = [page.look().answer.status_code for page in browsers]
    assert sorted(shown) == [200] + [410] * 9
    rows(world, "UPDATE links SET state = 'closed'")


@pytest.mark.attack("forms as multipart, text, nothing, utf-7; from a sibling host", "415; 403")
def test_a_form_that_no_page_of_ours_sends_is_refused(world: Fronts, talk: Talk) -> None:
    page = opened(world, talk)
    good = f"csrf={page.csrf}&do=reject"
    kinds = ("multipart/form-data; boundary=x", "text/plain", "", "application/x-www-form-urlencoded2",
             "application/xml", "application/json; application/x-www-form-urlencoded")  # fmt: skip
    for kind in kinds:
        assert page.session.post(page.url, good, headers={"Content-Type": kind}, timeout=20).status_code == 415, kind
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-7"}
    ours = world.addresses[0]
    for where in (
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": ours + ".evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null, " + ours},
        {"Origin": "https" + ours.removeprefix("http")},
        {"Cookie": "mend_page="},
        {"Cookie": "mend_page=x; mend_page=" + page.session.cookies["mend_page"], "Origin": "https://evil.example"},
    ):
        assert page.session.post(page.url, good, headers={**form, **where}, timeout=20).status_code == 403, where
    assert page.session.post(page.url, "csrf=%2BADw-&do=try", headers=form, timeout=20).status_code == 403
    assert rows(world, "SELECT count(*) FROM links WHERE state = 'confirmed'")[0][0] == 1
    talk.say("cancel")
    talk.until("cancelled")


def redeemed(provider: OAuthProvider) -> int:
    return sum(form.get("grant_type") == "authorization_code" for _, form in provider.calls)


@pytest.mark.attack("a provider's answer brought twice at once, at two fronts (OAuth)", "redeemed once")
def test_an_answer_that_comes_twice_at_once_is_redeemed_once(world: Fronts, provider: OAuthProvider) -> None:
    provider.revoke()
    talk = world.start("crm")
    talk.until("regenerating_credentials")
    page = ready(world, talk)
    back = consent(departure(page))
    before = redeemed(provider)
    cookies = page.session.cookies

    def bring(number: int) -> int:
        url = world.at(number % 2, back) + "?" + urlsplit(back).query
        return requests.get(url, cookies=cookies, timeout=30, allow_redirects=False).status_code  # type: ignore[arg-type]

    got = at_once(bring, 8)
    assert sorted(got) == [303] + [410] * 7
    page.until("Is this right?")
    assert redeemed(provider) == before + 1
    page.press("reject")
    talk.say("cancel")
    talk.until("cancelled")


@pytest.mark.attack("X-Forwarded-For made up against the limit", "429 all the same")
def test_a_made_up_address_is_no_new_caller(world: Fronts) -> None:
    url = world.addresses[1] + "/credentials/" + "A" * 43
    named = [{"X-Forwarded-For": f"203.0.113.{n % 250}", "Forwarded": f"for=203.0.113.{n}"} for n in range(400)]
    codes = [requests.get(url, headers=one, timeout=20).status_code for one in named]
    assert codes.count(429) > 100


@pytest.mark.attack("an IPv6 network of one caller against the limit", "one caller")
def test_a_network_of_one_customer_is_one_caller() -> None:
    from starlette.requests import Request

    def who(host: str) -> str:
        return caller(Request({"type": "http", "headers": [], "client": (host, 1)}))

    assert who("2001:db8:1:2::1") == who("2001:db8:1:2:ffff::9") != who("2001:db8:1:3::1")
    assert who("::ffff:192.0.2.1") == who("192.0.2.1") != who("192.0.2.2")
    assert who("fe80::1%eth0") == who("fe80::2")
    assert who("<script>") == "<script>"


@pytest.mark.attack("a look at other addresses: /.env, docs, files, methods", "404, 405; no words of the inside")
def test_other_addresses_tell_nothing(world: Fronts) -> None:
    base = world.addresses[0]
    odd = ("/", "/.env", "/docs", "/openapi.json", "/static/..%2fmend.yml", "/hooks/desk/..%2f..", "/slack/install",
           "/credentials", "/..;/metrics", "/%00", "/healthz/%0d%0aSet-Cookie:a=b")  # fmt: skip
    told = {"X-Forwarded-Host": "evil.example", "X-Original-URL": "/metrics", "X-Rewrite-URL": "/metrics",
            "X-HTTP-Method-Override": "POST", "Origin": "https://evil.example"}  # fmt: skip
    for path in odd:
        answer = requests.get(base + path, headers=told, timeout=20, allow_redirects=False)
        assert answer.status_code == 404, path
        hints = {"server", "x-powered-by", "location", "set-cookie", "access-control-allow-origin"}
        assert not hints & {name.lower() for name in answer.headers}
        assert "evil" not in answer.text + str(answer.headers)
        assert "Traceback" not in answer.text
    for method in ("OPTIONS", "TRACE", "PUT", "DELETE"):
        for path in ("/slack/events", "/hooks/alert", "/healthz", "/metrics"):
            answer = requests.request(method, base + path, headers=told, timeout=20)
            assert (answer.status_code, "evil" in answer.text) == (405, False)
    names = yaml.safe_load((world.folder / "mend.yml").read_text())["connections"]
    figures = requests.get(base + "/metrics", timeout=20).text
    assert not [name for name in (*names, "T0LOCAL", "U0ALICE") if name in figures]


@pytest.mark.attack("arguments, files and children of the running bot", "no secret, nothing others may write or read")
def test_nothing_secret_lies_around(world: Fronts) -> None:
    canaries = [world.slack.bot_token, world.slack.signing_secret, world.env["MEND_SECRET_KEY"], ALERTS]
    password = urlsplit(world.url).password
    for process in world.processes:
        front = psutil.Process(process.pid)
        for one in (front, *front.children(recursive=True)):
            words = " ".join(one.cmdline())
            assert not [secret for secret in (*canaries, password) if secret and secret in words]
            assert os.stat(f"/proc/{one.pid}/environ").st_mode & 0o077 == 0
    ours = {world.folder / "mend.yml", world.log}  # made by the test itself
    for path in world.folder.rglob("*"):
        if path not in ours and not path.is_symlink():
            assert not path.stat().st_mode & stat.S_IWOTH, path


@pytest.mark.attack("a log for machines under attack", "every line is JSON, and holds no secret")
def test_every_line_of_the_log_is_json(world: Fronts) -> None:
    """The last: it reads what all the others have left."""
    base = world.addresses[0]
    requests.post(base + "/slack/events", b"[" * 100_000, headers={"content-type": "application/json"}, timeout=20)
    for body in (b"\x16\x03\x01\x02", b"GET / HTTP/9.9\r\n\r\n", b"GET /%\x00 HTTP/1.1\r\n\r\n"):
        parts = urlsplit(base)
        with socket.create_connection((str(parts.hostname), int(parts.port or 0)), 10) as peer:
            peer.sendall(body)
            peer.settimeout(2)
            with contextlib.suppress(TimeoutError, ConnectionError):
                peer.recv(100)
    time.sleep(0.5)
    lines = world.log.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines if not line.startswith("{")] == []
    assert all({"timestamp", "level", "event"} <= set(json.loads(line)) for line in lines)
    secret = (world.slack.bot_token, world.slack.signing_secret, ALERTS)
    assert not [one for one in secret if one in "\n".join(lines)]
    wait(lambda: requests.get(base + "/readyz", timeout=20).status_code == 200)
