"""What strangers try on the way to the provider and back, and what they get."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.fakes.oauth_provider import OAuthProvider
from tests.talk import ALICE, BOB, Talk, World, rows, wait
from tests.web.oauth_visit import asked, bare, come_back, consent, crm, departure, number, ready
from tests.web.visitor import Visitor, confirm, links_of


@pytest.fixture(scope="module")
def world(database: str, provider: OAuthProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    config = {
        "connections": {"crm": crm(provider), "other": crm(provider)},
        "oauth": {"hubspot": provider.registration()},
    }
    with World(database, Path(tmp_path_factory.mktemp("mend")), **config) as world:
        yield world


@pytest.fixture
def talk(world: World, provider: OAuthProvider) -> Talk:
    provider.revoke()
    talk = world.start("crm")
    talk.until("regenerating_credentials")
    return talk


def kept(world: World) -> int:
    return int(rows(world, "SELECT count(*) FROM secrets")[0][0])


@pytest.mark.attack("code and state reuse (OAuth)", "410, no second exchange")
def test_an_answer_works_once(world: World, talk: Talk, provider: OAuthProvider) -> None:
    page = ready(world, talk)
    back = consent(departure(page))
    come_back(page, back).until("Is this right?")
    calls = len(provider.calls)
    again = requests.get(back, cookies=page.session.cookies, timeout=20)  # type: ignore[arg-type]
    assert again.status_code == 410
    assert len(provider.calls) == calls
    page.look().press("accept").until("work and are saved")
    talk.until("resolved")


@pytest.mark.attack("state swap, code injection (OAuth)", "410; the code is refused by PKCE")
def test_two_people_cannot_swap_their_answers(world: World, talk: Talk) -> None:
    alice = ready(world, talk)
    bobs_talk = world.start("other", user=BOB)
    bobs_talk.until("regenerating_credentials")
    bob = Visitor(asked(bobs_talk, BOB)).press("begin")
    confirm(world, bobs_talk, number(bob), BOB)
    bob.until("Go to")
    alices, bobs = consent(departure(alice)), consent(departure(bob), account="99")
    for browser, foreign in ((bob, alices), (alice, bobs)):
        answer = browser.session.get(foreign, timeout=20)
        assert (answer.status_code, "does not work" in answer.text) == (410, True)
    # Bob's code under Alice's state: it was made for another challenge.
    code = parse_qs(urlsplit(bobs).query)["code"][0]
    state = parse_qs(urlsplit(alices).query)["state"][0]
    before = kept(world)
    come_back(alice, f"{alices.split('?')[0]}?{urlencode({'code': code, 'state': state})}")
    alice.until("no longer accepts the answer")
    assert kept(world) == before
    bobs_talk.say("cancel", user=BOB)


@pytest.mark.attack("another account's code (OAuth)", "refused by PKCE, nothing kept")
def test_a_code_of_somebody_elses_account_cannot_be_put_in(world: World, talk: Talk, provider: OAuthProvider) -> None:
    page = ready(world, talk)
    away = departure(page)
    proof = {"code_challenge": create_s256_code_challenge(secrets.token_urlsafe(48)), "code_challenge_method": "S256"}
    query = {name: value[0] for name, value in parse_qs(urlsplit(away).query).items()}
    theirs = consent(f"{away.split('?')[0]}?{urlencode({**query, **proof})}", account="99")
    before = kept(world)
    come_back(page, theirs).until("no longer accepts the answer")
    assert kept(world) == before
    assert not any(token.account == "99" for token in provider.tokens)


@pytest.mark.attack("coming back in another browser (OAuth)", "410")
def test_a_second_browser_cannot_go_on_with_what_the_first_began(world: World, talk: Talk) -> None:
    page = ready(world, talk)
    back = consent(departure(page), account="99")
    stranger = requests.get(back, timeout=20)
    other = requests.get(back, cookies={"mend_page": "x" * 43}, timeout=20)
    only_half = requests.get(back, cookies={"mend_page": page.session.cookies["mend_page"]}, timeout=20)
    assert [one.status_code for one in (stranger, other, only_half)] == [410, 410, 410]
    assert "code=" not in only_half.url or "24601" not in only_half.text
    assert come_back(page, back).until("Is this right?").press("reject").until("Go to")


@pytest.mark.attack("an earlier departure comes back (OAuth)", "410")
def test_going_twice_makes_the_first_way_back_void(world: World, talk: Talk) -> None:
    page = ready(world, talk)
    first = consent(departure(page))
    page.look()
    assert "Go again to" in page.text
    second = consent(departure(page), account="99")
    assert page.session.get(first, timeout=20).status_code == 410
    come_back(page, second).until("Is this right?")


@pytest.mark.attack("CSRF, redirect abuse, host header (OAuth)", "403; 410; only paths of its own")
def test_forms_and_addresses_from_elsewhere_are_refused(world: World, talk: Talk) -> None:
    page = ready(world, talk)
    for headers, data in (
        ({}, {"do": "go", "csrf": "0" * 64}),
        ({"Origin": "https://evil.example"}, {"do": "go", "csrf": page.csrf}),
        ({"Sec-Fetch-Site": "cross-site"}, {"do": "go", "csrf": page.csrf}),
    ):
        assert page.session.post(page.url, data=data, headers=headers, timeout=20).status_code == 403
    base = page.url.split("/oauth/")[0]
    for query in (
        "",
        "?state=",
        "?error=access_denied",
        "?code=x&state=y&next=https://evil.example",
        "?state=" + "z" * 9000,
    ):
        answer = requests.get(f"{base}/oauth/callback{query}", timeout=20, allow_redirects=False)
        assert answer.status_code == 410
        assert "evil" not in answer.text + str(answer.headers)
    evil = requests.get(page.url, headers={"Host": "evil.example"}, cookies=page.session.cookies, timeout=20)  # type: ignore[arg-type]
    assert "evil" not in evil.text


@pytest.mark.attack("HTML in a provider's error (OAuth)", "words of ours instead")
def test_what_the_provider_says_is_shown_as_words_of_ours(world: World, talk: Talk) -> None:
    page = ready(world, talk)
    departure_ = departure(page)
    state = parse_qs(urlsplit(departure_).query)["state"][0]
    callback = parse_qs(urlsplit(departure_).query)["redirect_uri"][0]
    mean = urlencode({"error": "<script>alert(1)</script>", "error_description": "call 555", "state": state})
    come_back(page, f"{callback}?{mean}")
    assert "without an answer that Mend can use" in page.text
    assert "script" not in bare(page)
    assert "555" not in page.text


@pytest.mark.attack("departures without end (OAuth)", "410 after six")
def test_after_six_departures_the_link_ends(world: World, talk: Talk) -> None:
    page = ready(world, talk)
    csrf = page.csrf
    for left in range(5, -1, -1):
        come_back(page, consent(departure(page), deny=True))
        assert f"try {left} more" in page.text
    assert "last try of this link" in page.text
    page.press("go", csrf=csrf)
    assert page.look().answer.status_code == 410


def test_a_no_in_slack_while_the_tokens_are_tried_keeps_nothing(
    world: World, talk: Talk, provider: OAuthProvider
) -> None:
    page = ready(world, talk)
    back = consent(departure(page), account="99")
    before = rows(world, "SELECT max(at) FROM secrets WHERE version = 'current'")
    provider.slow = 2.0
    try:
        come_back(page, back)
        talk.say("not me")
        wait(lambda: page.look().answer.status_code == 410, 40)
    finally:
        provider.slow = 0.0
    wait(lambda: not rows(world, "SELECT 1 FROM procrastinate_jobs WHERE task_name = 'redeem_code'"), 40)
    assert rows(world, "SELECT max(at) FROM secrets WHERE version = 'current'") == before
    talk.say("status")
    talk.said("Waiting for new credentials")


def test_a_new_link_of_either_kind_ends_the_one_before(world: World, talk: Talk) -> None:
    page = Visitor(asked(talk)).press("begin")
    before = len(links_of(talk, ALICE))
    talk.say("update credentials")
    wait(lambda: len(links_of(talk, ALICE)) > before, 40)
    other = links_of(talk, ALICE)[-1]
    assert page.look().answer.status_code == 410
    assert Visitor(other).answer.status_code == 200
