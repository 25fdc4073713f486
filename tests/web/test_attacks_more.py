"""More of what strangers try on the secure page: machines that look at links, odd addresses, requests within requests."""

from __future__ import annotations

import concurrent.futures
import http.client
import socket
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from bot.repairs.links import hashed
from bot.web.guard import csrf
from messages.page import page as rendered
from tests.talk import Talk, World, case_of, rows, wait
from tests.web.test_attacks import row
from tests.web.visitor import Visitor, confirm, fresh_link, opened

# As they call themselves: https://api.slack.com/robots, Microsoft's preview service, and scanners of mail.
MACHINES = (
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slack-ImgProxy (+https://api.slack.com/robots)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1) SafeLinks", "facebookexternalhit/1.1", "",
)  # fmt: skip


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


@pytest.mark.attack("previews, mail scanners, prefetch: GET, HEAD", "a page without its form's effect; nothing used up")
def test_a_machine_that_looks_ahead_uses_nothing_up(world: World, talk: Talk) -> None:
    url = fresh_link(talk)
    for name in MACHINES:
        for method in ("GET", "HEAD", "OPTIONS"):
            ahead = {"User-Agent": name, "Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"}
            answer = requests.request(method, url, headers=ahead, timeout=20)
            assert answer.status_code in (200, 405)
            assert answer.headers.get("Cache-Control") == "no-store" or method == "OPTIONS"
    assert (row(world), row(world, "session"), row(world, "code")) == ("issued", "", "")
    page = Visitor(url).press("begin")
    assert "Say in Slack that it is you" in page.text


@pytest.mark.attack("other methods, method overrides", "405; a GET stays a look")
def test_only_a_look_and_a_form_are_taken(world: World, talk: Talk) -> None:
    url = fresh_link(talk)
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        assert requests.request(method, url, data={"do": "begin"}, timeout=20).status_code == 405
    over = {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"}
    assert "Begin" in requests.get(url + "?_method=POST&do=begin", headers=over, timeout=20).text
    assert row(world) == "issued"


@pytest.mark.attack("two pages of a person open at once", "one yes opens neither")
def test_a_yes_meant_for_ones_own_page_opens_no_other(world: World, talk: Talk) -> None:
    """Somebody has got hold of another link of the same person and case, and opens it at the same time."""
    page = Visitor(fresh_link(talk)).press("begin")
    number = str(row(world, "code"))
    other = """INSERT INTO links (id, kind, team, case_id, connection, person, state, session, code, expires_at)
        SELECT CASE WHEN id LIKE 'f%%' THEN 'e' ELSE 'f' END || substr(id, 2), 'carry', team, case_id, connection, person, state, 'theirs', '99', expires_at
        FROM links WHERE case_id = :case AND state = 'opened' RETURNING id"""
    assert rows(world, other, case=case_of(talk))
    confirm(world, talk, number)
    wait(lambda: page.look().answer.status_code == 410)
    states = rows(world, "SELECT DISTINCT state FROM links WHERE case_id = :case", case=case_of(talk))
    assert [one.state for one in states] == ["closed"]


@pytest.mark.attack("a form of a browser without a session", "403: nobody's session has no forms")
def test_who_only_knows_the_link_cannot_make_up_its_form(world: World, talk: Talk) -> None:
    """What is drawn from an empty session and the link could be worked out by whoever has seen the link."""
    url = fresh_link(talk)
    forged = {"csrf": csrf("", hashed(url.rpartition("/")[2])), "do": "begin"}
    assert requests.post(url, data=forged, timeout=20).status_code == 403
    assert requests.post(url, data=forged, headers={"Cookie": "mend_page="}, timeout=20).status_code == 403
    assert row(world) == "issued"


@pytest.mark.attack("two tabs; tries multiplied by racing", "one trial at a time, six in all")
def test_many_forms_at_once_cost_one_try_each_and_six_are_all(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    cookies, form = dict(page.session.cookies), {"csrf": page.csrf, "do": "try", "user": "stitch_warehouse"}

    def post(number: int) -> int:
        data = {**form, "password": f"wrong {number}"}
        return requests.post(page.url, data=data, cookies=cookies, timeout=40, allow_redirects=False).status_code

    with concurrent.futures.ThreadPoolExecutor(5) as many:
        for start in range(0, 40, 5):
            assert set(many.map(post, range(start, start + 5))) <= {303, 410, 429}
            wait(lambda: row(world) != "trying", 40)
    assert row(world) == "closed"
    tried = "SELECT count(*) FROM history WHERE case_id = :case AND what->>'event' = 'tried'"
    assert rows(world, tried, case=case_of(talk))[0][0] == 6
    with psycopg.connect(world.url) as connection:
        assert connection.execute("SELECT count(*) FROM secrets").fetchone() == (0,)


@pytest.mark.attack("a case that is stopped while its form is tried", "410; what was typed is dropped")
def test_what_was_typed_for_a_case_that_is_stopped_meanwhile_is_not_kept(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    with psycopg.connect(world.url) as hold:
        hold.execute("LOCK TABLE health IN ACCESS EXCLUSIVE MODE")  # a trial looks there first
        page.press("try", user="stitch_warehouse", password=world.demo.database.changed_password)
        assert row(world) == "trying"
        talk.say("cancel")
        talk.until("cancelled")
    wait(lambda: row(world) == "closed", 40)
    assert page.look().answer.status_code == 410
    with psycopg.connect(world.url) as connection:
        assert connection.execute("SELECT count(*) FROM secrets").fetchone() == (0,)


@pytest.mark.attack("a form sent after the case was stopped", "410; nothing is tried")
def test_a_form_that_comes_after_the_end_is_not_taken(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    talk.say("cancel")
    talk.until("cancelled")
    right = {"user": "stitch_warehouse", "password": world.demo.database.changed_password}
    for deed in ("try", "begin", "accept", "reject"):
        assert page.session.post(page.url, data={"csrf": page.csrf, "do": deed, **right}, timeout=20).status_code == 410
    with psycopg.connect(world.url) as connection:
        assert connection.execute("SELECT count(*) FROM secrets").fetchone() == (0,)


@pytest.mark.attack("doubled fields, __proto__, thousands of fields", "400; unknown names are dropped")
def test_strange_fields_are_refused_or_dropped(world: World, talk: Talk) -> None:
    page = opened(world, talk)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    csrf = f"csrf={page.csrf}"
    for body in (
        f"{csrf}&do=reject&do=try&user=a&password=b", f"{csrf}&do=try&user=a&password=b&password=c",
        f"{csrf}&{csrf}&do=try&user=a&password=b", f"{csrf}&do=try&" + "&".join(f"f{n}=" for n in range(5000)),
        f"{csrf}&do=try;user=a", f"{csrf}&do=try&user=%ff%fe&password=b", f"{csrf}&do=__class__&user=a&password=b",
    ):  # fmt: skip
        assert page.session.post(page.url, data=body, headers=kind, timeout=20).status_code == 400, body[:120]
    assert row(world) == "confirmed"
    odd = {
        "__proto__": "x",
        "constructor[prototype]": "x",
        "password[]": "x",
        "Password": "x",
        "pass\x00word": "x",
        "": "x",
    }
    page.press("try", user="stitch_warehouse", password="wrong", **odd).until("were tried and are not used")
    with psycopg.connect(world.url) as connection:
        names = {one for (one,) in connection.execute("SELECT DISTINCT name FROM secrets")}
    assert names <= {"warehouse.password", "warehouse.user"}


@pytest.mark.attack("path tricks: encoded slashes, dots, doubled", "404 or 410, never a redirect")
def test_only_the_address_itself_is_a_page_and_no_other_leads_there(world: World, talk: Talk) -> None:
    url = fresh_link(talk)
    token = url.rsplit("/", 1)[1]
    odd = ("/credentials/{}/", "/credentials/{}%2F", "/credentials//{}", "//credentials/{}", "/credentials/./{}",
           "/credentials/x/../{}", "/credentials/%2e%2e/credentials/{}", "/credentials/{}%00", "/credentials/{};a=b",
           "/CREDENTIALS/{}", "/credentials/{}%20", "/credentials/{}/../../metrics", "/credentials/%252e%252e/{}",
           "/credentials/{}%0d%0aSet-Cookie:a=b", "/credentials/\\{}", "/carry/{}", "/oauth/start/{}")  # fmt: skip
    for path in odd:
        line = http.client.HTTPConnection(*place(url), timeout=20)
        # Not as Python's client would tidy it, and with a host of somebody else.
        line.putrequest("GET", path.format(token), skip_host=True)
        line.putheader("Host", "evil.example")
        line.endheaders()
        answer = line.getresponse()
        text = answer.read().decode()
        assert answer.status in (404, 410), path
        assert answer.getheader("Location") is None
        assert answer.getheader("Set-Cookie") is None
        assert token not in text
        line.close()
    assert row(world) == "issued"


def said(url: str, raw: bytes) -> bytes:
    """Everything that comes back for these bytes."""
    got = b""
    with socket.create_connection(place(url), 20) as line:
        line.sendall(raw)
        line.settimeout(3)
        try:
            while part := line.recv(65536):
                got += part
        except TimeoutError:
            pass
    return got


SMUGGLED = [
    ("two lengths", b"Content-Length: 5\r\nContent-Length: 60\r\n"),
    ("a length and chunks", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    ("chunks under another name", b"Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n"),
    ("chunks behind a space", b"Content-Length: 5\r\nTransfer-Encoding : chunked\r\n"),
    ("a length with a sign", b"Content-Length: +5\r\n"),
    ("a folded line", b"X-A: b\r\n Content-Length: 5\r\n"),
]


@pytest.mark.attack("requests within requests (smuggling)", "400 or closed: what follows is not answered")
@pytest.mark.parametrize(("name", "headers"), SMUGGLED, ids=[row[0] for row in SMUGGLED])
def test_a_request_hidden_in_another_is_not_answered(name: str, headers: bytes, world: World, talk: Talk) -> None:
    url = fresh_link(talk)
    path = urlsplit(url).path.encode()
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
    first = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + kind + headers + b"\r\n" + b"0\r\n\r\n" + hidden
    answer = said(url, first)
    assert b"alive" not in answer, (name, answer[:300])
    assert row(world) == "issued"


@pytest.mark.attack("letters that look like others (confusables)", "the foreign letters are named")
@pytest.mark.parametrize("template", ["differs", "oauth_differs"])
def test_an_account_that_only_looks_the_same_is_told_apart(template: str) -> None:
    shown = {"connection": {"name": "crm", "title": "HubSpot"}, "nonce": "x"}

    def page(before: str, after: str) -> str:
        return rendered(template, {**shown, "difference": {"kind": "account", "before": before, "after": after}})

    for other, letter in (("\u0430cme.com", "CYRILLIC SMALL LETTER A"), ("acm\u0435.com", "CYRILLIC SMALL LETTER IE"),
                          ("\uff41cme.com", "FULLWIDTH LATIN SMALL LETTER A")):  # fmt: skip
        assert letter in page("acme.com", other)
    for usual in ("acne.com", "Caf\u00e9 M\u00fcller", "S\u00f8ren", "\u0141\u00f3d\u017a"):
        assert "LETTER" not in page("acme.com", usual)
    assert "LETTER" not in page("\u0438\u0432\u0430\u043d", "\u043f\u0451\u0442\u0440"), (
        "a name of one script is a name"
    )
    assert "\u202e" not in page("acme.com", "moc.\u202eemca")


@pytest.fixture
def over_tls(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MEND_PUBLIC_URL", "https://mend.example.com")
    from starlette.responses import Response

    from bot.web import guard

    made = Response()
    guard.set_session(made, "s" * 43)
    return made.headers["Set-Cookie"]


@pytest.mark.attack("a cookie set by a neighbouring host (fixation)", "__Host- over TLS: not taken")
def test_a_neighbour_cannot_choose_the_session(over_tls: str) -> None:
    """A browser takes such a name from this host alone, over TLS: https://www.rfc-editor.org/rfc/rfc6265#section-8.6"""
    from starlette.requests import Request

    from bot.web import guard

    assert over_tls.startswith("__Host-mend_page=")
    assert "Secure" in over_tls
    assert "Domain" not in over_tls
    assert "Path=/" in over_tls
    tossed = Request({"type": "http", "headers": [(b"cookie", b"mend_page=of-the-neighbour")]})
    assert guard.session_of(tossed) == ""
