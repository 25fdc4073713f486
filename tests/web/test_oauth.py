"""Authorizing again, as the people at it see it: against a real provider, from `/mend` to `resolved`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.contract.killing import _children as children
from tests.fakes.oauth_provider import OAuthProvider
from tests.talk import ALICE, BOB, DANA, GUEST, Talk, World, case_of, rows, wait
from tests.web.oauth_visit import bare, come_back, consent, crm, departure, everything, number, ready
from tests.web.visitor import Visitor, links_of

# Each test has its connection, which was never authorized before.
NAMES = ("crm", "known", "denied", "scopes", "down", "killed", "shared", "words", "late", "unfinished")


@pytest.fixture(scope="module")
def world(database: str, provider: OAuthProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    connections = {name: crm(provider) for name in NAMES}
    config = {"connections": connections, "oauth": {"hubspot": provider.registration()}}
    with World(database, Path(tmp_path_factory.mktemp("mend")), **config) as world:
        yield world


def started(world: World, name: str) -> Talk:
    talk = world.start(name)
    talk.until("regenerating_credentials")
    return talk


def finish(page: Visitor, talk: Talk) -> None:
    """The account was never seen before: the person says that it is right."""
    page.until("Is this right?").press("accept").until("work and are saved")
    talk.until("resolved")


def test_an_authorization_is_tried_kept_and_closes_the_case(world: World, provider: OAuthProvider) -> None:
    talk = started(world, "crm")
    page = ready(world, talk)
    assert "crm.objects.deals.read" in page.text
    away = departure(page)
    asked = parse_qs(urlsplit(away).query)
    assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
    assert asked["scope"] == ["oauth crm.objects.contacts.read crm.objects.deals.read"]
    back = consent(away)
    come_back(page, back)
    hops = [one.url for one in (*page.answer.history, page.answer)]
    assert hops == [back, page.url]  # the address that stays in the browser holds neither code nor state
    assert page.answer.history[0].headers["Referrer-Policy"] == "no-referrer"
    page.until("Is this right?")
    assert "24601" in page.text
    finish(page, talk)
    seen = everything(world)
    code = parse_qs(urlsplit(back).query)["code"][0]
    verifier = next(form["code_verifier"] for path, form in provider.calls if "code_verifier" in form)
    for secret in (*provider.secrets(), code, verifier, asked["state"][0]):
        assert secret not in seen
    assert not any("page of yours" in text for text in talk.texts)


def test_who_says_no_at_the_provider_may_try_again(world: World) -> None:
    talk = started(world, "denied")
    page = ready(world, talk)
    come_back(page, consent(departure(page), deny=True))
    assert "You did not allow it at HubSpot" in page.text
    come_back(page, consent(departure(page)))
    finish(page, talk)


def test_another_account_is_shown_beside_the_known_one(world: World, provider: OAuthProvider) -> None:
    talk = started(world, "known")
    page = ready(world, talk)
    finish(come_back(page, consent(departure(page))), talk)
    provider.revoke()
    talk = started(world, "known")
    page = ready(world, talk)
    assert "the same account as before, 24601" in page.text
    come_back(page, consent(departure(page), account="99")).until("Is this right?")
    assert "another account: 99 , until now 24601" in page.text
    page.press("reject").until("Go to")
    come_back(page, consent(departure(page))).until("work and are saved")
    talk.until("resolved")


def test_a_permission_left_out_is_named_and_can_be_asked_for_again(world: World) -> None:
    talk = started(world, "scopes")
    page = ready(world, talk)
    come_back(page, consent(departure(page), without=("crm.objects.deals.read",))).until("Not all was allowed")
    assert "crm.objects.deals.read" in page.text
    assert "crm.objects.contacts.read" not in page.text
    page.press("reject").until("Go to")
    come_back(page, consent(departure(page)))
    finish(page, talk)


def test_a_provider_that_is_down_uses_nothing_up(world: World, provider: OAuthProvider) -> None:
    talk = started(world, "down")
    page = ready(world, talk)
    back = consent(departure(page))
    provider.down = True
    try:
        come_back(page, back).until("HTTP 502")
    finally:
        provider.down = False
    come_back(page, consent(departure(page)))
    finish(page, talk)


def test_a_worker_that_dies_while_it_redeems_a_code_does_not_redeem_it_twice(
    world: World, provider: OAuthProvider
) -> None:
    talk = started(world, "killed")
    page = ready(world, talk)
    back = consent(departure(page))
    code = parse_qs(urlsplit(back).query)["code"][0]

    def redeemed() -> int:
        return sum(form.get("code") == code for path, form in provider.calls if path == "/oauth/token")

    provider.slow = 3.0
    come_back(page, back)
    wait(redeemed, 40)
    for child in children(world.processes[0].pid):
        os.kill(child, signal.SIGKILL)
    page.until("no longer accepts the answer", 90)
    provider.slow = 0.0
    assert redeemed() == 1
    come_back(page, consent(departure(page)))
    finish(page, talk)


def direct(world: World, user: str, piece: str, after: int = 0) -> dict[str, Any]:
    """What Mend wrote to this person in a direct message, behind so many others; numbers of pages may come again."""

    def found() -> Any:
        return next((m for m in reversed(world.slack.messages("D" + user[1:])[after:]) if piece in m["text"]), None)

    return dict(wait(found, 40))


def test_the_step_is_given_to_somebody_else_and_followed_in_the_thread(world: World, provider: OAuthProvider) -> None:
    talk = started(world, "shared")
    talk.say(f"reauthorize <@{GUEST}>")
    talk.told(ALICE, "cannot be asked")
    talk.press("mend_reauthorize")
    wait(lambda: links_of(talk, ALICE), 40)
    talk.say(f"reauthorize <@{BOB}>")
    asked = direct(world, BOB, "asks you to authorize shared again")
    url = next(
        e["url"] for b in asked["blocks"] for e in b.get("elements", []) if e.get("action_id") == "mend_open_page"
    )
    assert links_of(talk, BOB) == []
    talk.said("was asked in a direct message")
    before = len(world.slack.messages("D" + BOB[1:]))
    page = Visitor(url).press("begin")
    question = direct(world, BOB, f"number {number(page)}", before)
    talk.said("has opened the page")
    world.slack.press("mend_it_was_me", question["ts"], user=BOB, channel="D" + BOB[1:])
    page.until("Go to")
    talk.said("is on the page")
    come_back(page, consent(departure(page), deny=True))
    talk.said("it was not allowed there")
    come_back(page, consent(departure(page)))
    finish(page, talk)
    talk.said("has authorized it")
    assert sum("asked in a direct message" in text or "has authorized it" in text for text in talk.texts) == 1
    public = [str(c) for c in world.slack.calls if c.args.get("channel") != BOB]
    assert not any(url in call for call in public)


def test_who_was_asked_may_answer_in_words(world: World) -> None:
    talk = started(world, "words")
    talk.say(f"reauthorize <@{BOB}|bob>")
    asked = direct(world, BOB, "asks you to authorize words again")
    url = next(
        e["url"] for b in asked["blocks"] for e in b.get("elements", []) if e.get("action_id") == "mend_open_page"
    )
    before = len(world.slack.messages("D" + BOB[1:]))
    page = Visitor(url).press("begin")
    direct(world, BOB, f"number {number(page)}", before)
    world.slack.say("it was me", user=BOB, channel="D" + BOB[1:])
    finish(come_back(page.until("Go to"), consent(departure(page))), talk)


def test_a_link_that_ran_out_or_was_replaced_is_shown_so_by_itself(world: World) -> None:
    talk = started(world, "late")
    talk.say(f"reauthorize <@{BOB}>")
    talk.said("was asked in a direct message")
    talk.say(f"reauthorize <@{BOB}>")
    talk.said("a newer link took its place")
    talk.said("was asked in a direct message")
    case = case_of(talk)
    late = "UPDATE links SET expires_at = :at WHERE case_id = :case AND state = 'issued' AND asked_by <> '' RETURNING 1"
    assert rows(world, late, at=time.time() - 1, case=case)
    talk.said("did not finish in time. Say reauthorize @name to ask again")
    assert "was asked in a direct message" not in str(talk.texts)
    talk.say(f"reauthorize <@{DANA}>")
    talk.said("was asked in a direct message")
    talk.say("cancel")
    talk.until("cancelled")
    assert rows(world, late, at=time.time() - 1, case=case)
    talk.said("was asked, and it is not needed any more")


def test_a_link_that_nobody_finished_looks_like_one_that_never_was(world: World) -> None:
    talk = started(world, "unfinished")
    page = ready(world, talk)
    back = consent(departure(page))
    shift = "UPDATE links SET expires_at = expires_at + :seconds WHERE case_id = :case AND state = 'away' RETURNING 1"
    assert rows(world, shift, seconds=-1000, case=case_of(talk))
    assert come_back(page, back).answer.status_code == 410
    late = bare(page)
    unknown = come_back(page, back.split("?")[0] + "?code=x&state=" + "A" * 43)
    assert (unknown.answer.status_code, bare(unknown)) == (410, late)
    assert rows(world, shift, seconds=1000, case=case_of(talk))
    finish(come_back(page, back), talk)
