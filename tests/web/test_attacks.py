"""What strangers try on the secure page, and what they get."""

from __future__ import annotations

import base64
import concurrent.futures
import re
from typing import Any

import psycopg
import pytest
import requests

from tests.servers import listener
from tests.talk import BOB, Talk, World, wait
from tests.web.visitor import Visitor, confirm, fresh_link, opened


def number(page: Visitor) -> str:
    found = re.search(r"(\d\d) This page looks again", page.text)
    assert found, page.text
    return found[1]


def row(world: World, what: str = "state") -> Any:
    with psycopg.connect(world.url) as connection:
        found = connection.execute(f"SELECT {what} FROM links ORDER BY expires_at DESC LIMIT 1").fetchone()
    assert found
    return found[0]


@pytest.mark.attack("an older link", "410; looking uses nothing up")
def test_looking_at_a_link_uses_nothing_up_and_an_older_link_ends(world: World, talk: Talk) -> None:
    first = fresh_link(talk)
    for _ in range(3):
        assert "Begin" in Visitor(first).text
    assert row(world) == "issued"
    assert fresh_link(talk) != first
    assert Visitor(first).answer.status_code == 410


@pytest.mark.attack("link reuse, in another browser", "410, its form 403")
def test_a_second_browser_gets_nothing_at_any_stage(world: World, talk: Talk) -> None:
    mine = opened(world, talk)
    other = Visitor(mine.url)
    assert (other.answer.status_code, "Password" in other.text) == (410, False)
    other.session.cookies.set("mend_page", "x" * 43)
    assert other.look().answer.status_code == 410
    assert other.press("try", password="stolen", csrf=mine.csrf).answer.status_code == 403
    assert row(world) == "confirmed"


@pytest.mark.attack("another person's yes, stolen link", "the page waits; a no closes it")
def test_only_the_persons_own_yes_opens_the_page_and_their_no_closes_it(world: World, talk: Talk) -> None:
    page = Visitor(fresh_link(talk)).press("begin")
    code = number(page)
    talk.say("it was me", user=BOB)
    wait(lambda: any("No page of yours" in m["text"] for m in world.slack.ephemerals(BOB)), 40)
    assert "Say in Slack that it is you" in page.look().text
    assert page.press("try", password="x", user="y").answer.status_code == 403
    confirm(world, talk, code, action="mend_not_me")
    wait(lambda: page.look().answer.status_code == 410, 40)


@pytest.mark.attack("CSRF; oversized and malformed bodies", "403; 413, 415, 400")
def test_forms_from_elsewhere_are_refused(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    good = {"csrf": page.csrf, "do": "try", "password": "x", "user": "stitch_warehouse"}
    for headers, data in (
        ({}, {**good, "csrf": ""}),
        ({}, {**good, "csrf": "0" * 64}),
        ({"Origin": "https://evil.example"}, good),
        ({"Sec-Fetch-Site": "cross-site"}, good),
    ):
        answer = page.session.post(page.url, data=data, headers=headers, timeout=20)
        assert (answer.status_code, "Nothing was changed" in answer.text) == (403, True)
    assert page.session.post(page.url, json=good, timeout=20).status_code == 415
    assert page.session.post(page.url, data={**good, "password": "x" * 200_000}, timeout=20).status_code == 413
    junk = {"Content-Type": "application/x-www-form-urlencoded"}
    assert page.session.post(page.url, data=b"\xff\xfe=%%%", headers=junk, timeout=20).status_code == 400
    assert (
        page.session.post(page.url, data="&".join("a=1" for _ in range(100)), headers=junk, timeout=20).status_code
        == 400
    )
    assert page.session.post(page.url, data={**good, "do": "drop"}, timeout=20).status_code == 400
    assert row(world) == "confirmed"


@pytest.mark.attack("host header, redirect abuse", "only paths of its own")
def test_the_host_header_and_the_address_lead_nowhere_else(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    evil = {"Host": "evil.example", "Cookie": f"mend_page={page.session.cookies['mend_page']}"}
    answer = requests.post(
        page.url, data={"csrf": page.csrf, "do": "reject"}, headers=evil, timeout=20, allow_redirects=False
    )
    assert answer.headers["Location"] == re.sub(r"^https?://[^/]+", "", page.url)
    assert "evil" not in requests.get(page.url, headers=evil, timeout=20).text
    base = page.url.split("/credentials")[0]
    for path in ("/credentials//evil.example", "/credentials/https:%2F%2Fevil.example", "/credentials/..%2Fmetrics"):
        answer = requests.get(base + path, timeout=20, allow_redirects=False)
        assert answer.status_code in (404, 410)
        assert "evil" not in str(answer.headers)


@pytest.mark.attack("scripts, frames, caches, referrers", "forbidden on every page")
def test_every_page_forbids_scripts_frames_caches_and_referrers(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    for answer in (page.answer, requests.get(page.url + "x", timeout=20)):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "<script" not in answer.text
    cookie = requests.get(fresh_link(talk), timeout=20).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


@pytest.mark.attack("HTML typed into a field", "comes back as text; a secret never")
def test_what_is_typed_comes_back_harmless_and_a_secret_never(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    page.press("try", password="", user="<script>alert(1)</script>")
    assert page.answer.status_code == 422
    assert "<script" not in page.answer.text
    page.press("try", password="s3cret-typed\nwith a line", user="stitch")
    assert "more than one line" in page.text
    assert "s3cret-typed" not in page.answer.text


@pytest.mark.attack("SSRF by typed addresses", "no such field; what is sent is dropped")
def test_no_address_can_be_typed(world: World, talk: Talk) -> None:
    """Host, port and the like are mend.yml's alone, so nobody reaches another host through this page."""
    page = opened(world, talk)
    assert re.findall(r'<(?:input|textarea)[^>]* name="(\w+)"', page.answer.text) == ["csrf", "user", "password"]
    page.press(
        "try", password="x", user="stitch_warehouse", host="169.254.169.254", port="80", base_url="http://10.0.0.1"
    )
    page.until("were tried and are not used")
    with psycopg.connect(world.url) as connection:
        assert connection.execute("SELECT count(*) FROM secrets WHERE name LIKE '%host%'").fetchone() == (0,)
    assert "169.254" not in page.text


@pytest.mark.attack("guessing a password on the page", "410 after six tries")
def test_after_six_wrong_tries_the_page_closes(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    for left in range(5, -1, -1):
        page.press("try", password=f"wrong {left}", user="stitch_warehouse").until(f"try {left} more")
    page.press("try", password="once more", user="stitch_warehouse")
    assert page.look().answer.status_code == 410


@pytest.mark.attack("a late link, a stopped case", "410, the same page as for an unknown one")
def test_a_stopped_case_and_a_late_hour_end_a_page(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    with psycopg.connect(world.url) as connection:
        connection.execute("UPDATE links SET expires_at = expires_at - 1000 WHERE state = 'confirmed'")
    late = page.look().answer
    unknown = requests.get(page.url[:-4] + "AAAA", timeout=20)
    shown = [re.sub(r'nonce="[^"]*"', "", one.text) for one in (late, unknown)]
    assert (late.status_code, unknown.status_code, shown[0] == shown[1]) == (410, 410, True)
    with psycopg.connect(world.url) as connection:
        connection.execute("UPDATE links SET expires_at = expires_at + 1000 WHERE state = 'confirmed'")
    assert page.look().answer.status_code == 200
    talk.say("cancel")
    talk.until("cancelled")
    assert page.look().answer.status_code == 410


@pytest.mark.attack("a look into database and log", "no token, only its hash")
def test_no_links_token_is_stored_or_logged(world: World, talk: Talk) -> None:
    from tests.dump import dumped

    page = opened(world, talk)
    token = page.url.rsplit("/", 1)[1]
    assert token not in dumped(world.url)
    assert token not in world.log.read_text()
    public = [call for call in world.slack.calls if call.method != "chat.postEphemeral"]
    assert token not in str(public)


@pytest.mark.attack("another workspace's link", "410, the same page as for an unknown one")
def test_a_link_of_another_workspace_is_none(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    with psycopg.connect(world.url) as connection:
        connection.execute("UPDATE links SET team = 'T0PARTNER' WHERE state = 'confirmed'")
    foreign = page.look().answer
    unknown = requests.get(page.url[:-4] + "AAAA", timeout=20)
    assert (foreign.status_code, bare(foreign) == bare(unknown)) == (410, True)
    assert page.session.post(page.url, data={"do": "try", "password": "x"}, timeout=20).status_code == 410
    with psycopg.connect(world.url) as connection:
        connection.execute("UPDATE links SET state = 'closed' WHERE team = 'T0PARTNER'")


def bare(answer: requests.Response) -> str:
    return re.sub(r'nonce="[^"]*"', "", answer.text)


@pytest.mark.attack("guessing a link, its hash or its number", "410 for each; 256 bits")
def test_a_link_cannot_be_guessed(world: World, talk: Talk) -> None:
    url = fresh_link(talk)
    base, token = url.rsplit("/", 1)
    assert len(base64.urlsafe_b64decode(token + "==")) >= 32
    hashed = row(world, "id")
    near = [token[:-1], token + "A", token.swapcase(), token[::-1], hashed, hashed[:16], "%00", "..", "'--", "A" * 5000]
    codes = [requests.get(f"{base}/{one}", timeout=20).status_code for one in near]
    assert set(codes) <= {404, 410, 414, 431}
    assert Visitor(url).answer.status_code == 200


@pytest.mark.attack(
    "SSRF: loopback, private, link-local, metadata, rebinding", "no connection is made; the values are dropped"
)
def test_nothing_that_is_typed_makes_mend_connect_anywhere(world: World, talk: Talk) -> None:
    reached: list[object] = []
    with listener(lambda peer: reached.append(peer.getpeername())) as port:
        page = opened(world, talk)
        here = (
            f"127.0.0.1:{port}",
            f"localhost:{port}",
            f"[::1]:{port}",
            f"127.0.0.1.nip.io:{port}",
            f"0x7f000001:{port}",
        )
        for place in (*here[:3], "169.254.169.254"):
            bad = dict.fromkeys(("base_url", "status_url", "token_url", "proxy", "ca_file", "url"), f"http://{place}/")
            bad |= {"host": place.rpartition(":")[0], "port": str(port), "tunnel": place, "database": f"host={place}"}
            page.press("try", password=f"host={place}", user="stitch_warehouse", **bad)
            page.until("were tried and are not used")
        assert "password authentication failed" in page.text
    assert reached == []


@pytest.mark.attack("1,000 requests at once", "429; the bot answers on")
def test_a_thousand_requests_at_once_are_limited_and_the_bot_lives_on(world: World, talk: Talk) -> None:
    """The last, since the limit holds for a minute."""
    url = fresh_link(talk)
    with concurrent.futures.ThreadPoolExecutor(50) as many:
        codes = list(many.map(lambda n: requests.get(f"{url}{n}", timeout=60).status_code, range(1000)))
    assert set(codes) <= {410, 429}
    assert codes.count(429) > 500
    assert requests.get(url.split("/credentials")[0] + "/healthz", timeout=20).status_code == 200
    talk.say("status")
    wait(lambda: any("Led by" in text and "Waiting for new credentials" in text for text in talk.texts[1:]), 40)
