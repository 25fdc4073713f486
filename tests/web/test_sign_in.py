"""Who opened a page signs in to Slack instead of pressing "It was me", and what others try on that way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from joserfc.jwk import RSAKey

from bot.playground.oauth import add_workspace
from tests.dump import dumped
from tests.talk import ALICE, BOB, Talk, World, rows
from tests.web.oauth_visit import bare
from tests.web.visitor import Visitor, fresh_link

OTHER = "T0OTHER"


class SigningIn(World):
    """`mend serve` that knows its app's id and secret."""

    def serve(self, **more: Any):  # type: ignore[no-untyped-def]
        app = self.slack.hub.oauth
        app.redirect_urls.append("http://127.0.0.1/openid/callback")
        self.env |= {"SLACK_CLIENT_ID": app.client_id, "SLACK_CLIENT_SECRET": app.client_secret}
        return super().serve(**more)


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with SigningIn(database, Path(tmp_path_factory.mktemp("mend"))) as world:
        add_workspace(world.slack.hub, OTHER, "Other")
        yield world


@pytest.fixture
def talk(world: World) -> Iterator[Talk]:
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    yield talk
    world.slack.hub.openid.says = {}
    talk.say("cancel")
    talk.until("cancelled")


def departure(page: Visitor) -> str:
    """Press the button; the address at Slack."""
    page.press("sign_in")
    found = re.match(r"0; url=(.+)", page.answer.headers.get("Refresh", ""))
    assert found, page.text
    return found[1]


def consent(url: str, **chosen: str) -> str:
    """Answer Slack's question; the address that it sends the browser back to."""
    answer = requests.get(f"{url}&{urlencode(chosen)}", timeout=20, allow_redirects=False)
    assert answer.status_code == 307, answer.text
    return answer.headers["Location"]


def come_back(page: Visitor, url: str) -> Visitor:
    page.answer = page.session.get(url, timeout=20)
    return page


def refused_as_dead(page: Visitor, back: str) -> None:
    """The same as for a link that never was, and the page can still be begun."""
    answer = page.session.get(back, timeout=20)
    unknown = Visitor(page.url[:-4] + "AAAA")
    assert (answer.status_code, re.sub(r'nonce="[^"]*"', "", answer.text)) == (410, bare(unknown))
    assert "Begin" in page.look().text


def asked(world: World) -> int:
    return len(world.slack.calls_of("openid.connect.token"))


def test_who_signs_in_comes_to_the_form_without_a_press_in_slack(world: World, talk: Talk) -> None:
    page = Visitor(fresh_link(talk))
    private = len(world.slack.ephemerals(ALICE))
    at_slack = departure(page)
    wanted = parse_qs(urlsplit(at_slack).query)
    assert (wanted["scope"], wanted["team"], wanted["response_type"]) == (["openid"], ["T0LOCAL"], ["code"])
    question = requests.get(at_slack, timeout=20).text
    assert "Sign in as Alice" in question
    assert f"U{OTHER[1:]}" not in question
    back = consent(at_slack, user=ALICE)
    come_back(page, back)
    assert page.answer.url == page.url, "code and state stay in no address bar"
    assert "Try and save" in page.text
    assert len(world.slack.ephemerals(ALICE)) == private
    page.press("try", password="wrong", user="stitch_warehouse").until("were tried and are not used")


def test_who_declines_or_finds_slack_down_can_go_on(world: World, talk: Talk) -> None:
    page = Visitor(fresh_link(talk))
    come_back(page, consent(departure(page), deny="1"))
    assert "You did not sign in to Slack" in page.text
    for trouble in (
        lambda: world.slack.faults.fail("openid.connect.token"),
        lambda: world.slack.faults.drop("openid.connect.token"),
        lambda: world.slack.faults.rate_limit("openid.connect.token"),
        lambda: world.slack.faults.refuse("openid.connect.token", "bad_client_secret"),
    ):
        trouble()
        come_back(page.look(), consent(departure(page), user=ALICE))
        assert "did not take the sign-in just now" in page.text
        assert page.answer.url.endswith("?sign_in=down")
    assert "bad_client_secret" in world.log.read_text()
    come_back(page.look(), consent(departure(page), user=ALICE))
    assert "Try and save" in page.text


def test_the_yes_in_slack_still_works_beside_it(world: World, talk: Talk) -> None:
    page = Visitor(fresh_link(talk))
    departure(page)
    page.look().press("begin")
    assert "Say in Slack that it is you" in page.text


@pytest.mark.attack("another person or workspace signs in (OpenID)", "410, nothing used up")
def test_another_person_and_another_workspace_open_nothing(world: World, talk: Talk) -> None:
    page = Visitor(fresh_link(talk))
    for chosen in (BOB, f"U{OTHER[1:]}"):
        refused_as_dead(page, consent(departure(page.look()), user=chosen))
    world.slack.hub.openid.says = {"https://slack.com/team_id": OTHER}
    refused_as_dead(page, consent(departure(page.look()), user=ALICE))


@pytest.mark.attack("reused, unknown, late or swapped state (OpenID)", "410, no exchange")
def test_a_state_works_once_in_time_and_for_its_own_departure(world: World, talk: Talk) -> None:
    page = Visitor(fresh_link(talk))
    older = consent(departure(page), user=ALICE)
    back = consent(departure(page.look()), user=ALICE)
    calls = asked(world)
    place, query = back.split("?")[0], {k: v[0] for k, v in parse_qs(urlsplit(back).query).items()}
    token, at = query["state"].split(".")
    for state in ("", "x", token, f"{token}.{int(at) + 500}", "A" * 5000):
        refused_as_dead(page, f"{place}?{urlencode({**query, 'state': state})}")
    refused_as_dead(page, older)
    refused_as_dead(page, place)
    assert asked(world) == calls
    assert "Try and save" in come_back(page, back).text
    assert page.session.get(back, timeout=20).status_code == 410
    assert asked(world) == calls + 1


@pytest.mark.attack("a late answer, a stopped case (OpenID)", "410, no exchange")
def test_a_late_answer_and_one_for_a_stopped_case_open_nothing(world: World) -> None:
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    page = Visitor(fresh_link(talk))
    back = consent(departure(page), user=ALICE)
    calls = asked(world)
    rows_changed = "UPDATE links SET expires_at = expires_at {} WHERE state = 'issued' RETURNING 1"
    rows(world, rows_changed.format("- 1000"))
    assert page.session.get(back, timeout=20).status_code == 410
    rows(world, rows_changed.format("+ 1000"))
    talk.say("cancel")
    talk.until("cancelled")
    assert page.session.get(back, timeout=20).status_code == 410
    assert asked(world) == calls


@pytest.mark.attack("a sign-in brought to another browser (OpenID)", "410, no exchange; its own goes on")
def test_only_the_browser_that_left_can_come_back(world: World, talk: Talk) -> None:
    url = fresh_link(talk)
    mine, stolen = Visitor(url), Visitor(url)
    back = consent(departure(mine), user=ALICE)
    calls = asked(world)
    refused_as_dead(stolen, back)
    assert requests.get(back, timeout=20).status_code == 410
    assert asked(world) == calls
    assert "Try and save" in come_back(mine, back).text
    assert stolen.look().answer.status_code == 410


@pytest.mark.attack(
    "code injection, replayed or forged id_token (OpenID)", "410: nonce, issuer, audience, time, signature"
)
def test_a_token_of_another_sign_in_app_issuer_time_or_key_proves_nothing(world: World, talk: Talk) -> None:
    side, page = world.slack.hub.openid, Visitor(fresh_link(talk))
    for claim in ({"nonce": "x"}, {"nonce": None}, {"aud": "other"}, {"iss": "https://evil.example"}, {"exp": 1}):
        side.says = claim
        refused_as_dead(page, consent(departure(page.look()), user=ALICE))
    side.says = {}
    for stranger in (RSAKey.generate_key(2048),):
        side.signer = stranger
        refused_as_dead(page, consent(departure(page.look()), user=ALICE))
        side.signer = side.key
    # A code that Alice got elsewhere, under the state of this browser: its nonce is another's.
    elsewhere = Visitor(page.url)
    code = parse_qs(urlsplit(consent(departure(elsewhere), user=ALICE)).query)["code"][0]
    back = consent(departure(page.look()), user=BOB)
    place, state = back.split("?")[0], parse_qs(urlsplit(back).query)["state"][0]
    refused_as_dead(page, f"{place}?{urlencode({'code': code, 'state': state})}")
    back = consent(departure(page.look()), user=ALICE)
    refused_as_dead(page, re.sub(r"code=\w+", "code=made-up", back))


@pytest.mark.attack("a look for code, state and id_token (OpenID)", "in no database, log, message or address bar")
def test_nothing_of_a_sign_in_is_kept(world: World, talk: Talk) -> None:
    page = Visitor(fresh_link(talk))
    back = consent(departure(page), user=ALICE)
    come_back(page, back)
    code, state = (parse_qs(urlsplit(back).query)[name][0] for name in ("code", "state"))
    answered = world.slack.calls_of("openid.connect.token")[-1]
    tokens = [str(answered.response[name]) for name in ("id_token", "access_token")]
    said = [str(c) for c in world.slack.calls if c.method != "openid.connect.token"]
    everything = "\n".join(
        [dumped(world.url), world.log.read_text(), *said, *[str(d) for d in world.slack.deliveries], page.answer.text]
    )
    secret = world.slack.hub.oauth.client_secret
    assert [canary for canary in (code, state, state.split(".")[0], secret, *tokens) if canary in everything] == []
