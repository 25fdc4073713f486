"""A connection that a user group owns: whoever is in it acts as the owner, whoever is not does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rotation.sources import PostgresSource
from tests.talk import ALICE, BOB, DANA, Talk, World, wait
from tests.web.visitor import Visitor, confirm, links_of

TEAM, UNKNOWN = "S0DATATEAM", "S0OTHERTEAM"


@pytest.fixture(scope="module")
def world(database: str, source: PostgresSource, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    source.server.run("CREATE ROLE other LOGIN PASSWORD 'first'")
    other = source.connection(tables=[], owner=UNKNOWN)
    other = {**other, "settings": {**other["settings"], "user": "other"}, "secrets": {"password": "first"}}
    connections = {"shop": source.connection(owner=TEAM), "other": other}
    with World(database, Path(tmp_path_factory.mktemp("mend")), connections=connections) as world:
        world.slack.space.groups |= {TEAM: [DANA], UNKNOWN: [DANA]}
        yield world


def asked(world: World) -> list[str]:
    return [call.args["usergroup"] for call in world.slack.calls_of("usergroups.users.list")]


def offered(world: World, name: str) -> Talk:
    talk = world.start(f"rotate {name}")
    talk.until("regenerating_credentials")
    return talk


def test_a_member_says_yes_and_carries_the_new_one_and_nobody_else_does(world: World, source: PostgresSource) -> None:
    talk = offered(world, "shop")
    talk.said(f"Who may say yes: <@{BOB}>, <!subteam^{TEAM}>.")
    talk.say("status", user=DANA)
    wait(lambda: sum("Led by" in text for text in talk.texts) > 1)
    assert asked(world) == []
    talk.press("mend_confirm_rotation", user=ALICE)
    assert f"<!subteam^{TEAM}>" in talk.told(ALICE, "for the people whom mend.yml names")["text"]
    assert source.opens(source.given())
    talk.say("yes", user=DANA)
    talk.said("works, and Mend's checks use it")
    assert not source.opens(source.given())
    talk.press("mend_show_secret", user=DANA)
    page = Visitor(wait(lambda: links_of(talk, DANA), 40)[-1]).press("begin")
    code = re.search(r"(\d\d) This page looks again", page.text)
    assert code, page.text
    confirm(world, talk, code[1], user=DANA)
    assert "This page shows it only now" in page.until("Show it now").press("show").text
    assert asked(world) == [TEAM]  # once, and for no word that is open to everybody


def test_where_mend_may_not_ask_who_is_in_it_an_admin_says_yes_and_the_log_why(world: World) -> None:
    world.slack.hub.scopes.discard("usergroups:read")
    try:
        talk = offered(world, "other")
        talk.press("mend_confirm_rotation", user=DANA)
        assert "mend doctor" in talk.told(DANA, "for the people whom mend.yml names")["text"]
        talk.press("mend_confirm_rotation", user=BOB)
        talk.said("works, and Mend's checks use it")
    finally:
        world.slack.hub.scopes.add("usergroups:read")
    (line,) = [line for line in world.log.read_text().splitlines() if UNKNOWN in line]
    assert "(missing_scope): only admins act for it" in line
    assert "usergroups:read" in line
