"""One Mend for two workspaces: mend.yml is theirs together, what the vault keeps is each one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from bot.playground.oauth import add_workspace, uninstall
from tests.contract.test_installs import OTHER, Installing, install
from tests.rotation.killed import Trap, known_to
from tests.rotation.sources import PostgresSource, postgres_source
from tests.talk import BOB, Talk, World, wait

LATER = "T0LATER"


@pytest.fixture
def source() -> Iterator[PostgresSource]:
    """Of each test its own, as each replaces its password."""
    with postgres_source() as made:
        yield made


@pytest.fixture
def world(fresh: str, source: PostgresSource, tmp_path: Path) -> Iterator[World]:
    connections = {"shop": source.connection(), "ledger": source.connection(tables=[])}
    with Installing(fresh, tmp_path, http=True, connections=connections) as world:
        for team, name in ((OTHER, "Other"), (LATER, "Later")):
            add_workspace(world.slack.hub, team, name)
        for team in ("T0LOCAL", OTHER):
            assert "Mend is installed in" in install(world, requests.Session(), team=team).text
        yield world


def there(world: World, name: str, team: str = OTHER) -> Talk:
    """A case in another workspace."""
    channel, user = f"C{team[1:]}", f"U{team[1:]}"
    before = {m["ts"] for m in world.slack.messages(channel)}
    world.slack.command(f"/mend {name}", user=user, channel=channel)
    root = wait(lambda: [m for m in world.slack.messages(channel) if m["ts"] not in before and m.get("metadata")])
    return Talk(world, channel, root[0]["ts"], user)


def kept(world: World) -> list[tuple[str, str, str]]:
    with psycopg.connect(world.url) as connection:
        rows = connection.execute("SELECT team, name, version FROM secrets ORDER BY team, name, version").fetchall()
    return [(team, name, version) for team, name, version in rows]


def test_another_workspace_that_logs_in_with_the_same_is_counted_before_the_yes_and_gets_the_new_one(
    world: World, source: PostgresSource
) -> None:
    talk = world.start("rotate shop")
    asked = talk.until("regenerating_credentials")["text"]
    assert "1 other workspace of this Mend logs in with the same credential, and gets the new one too" in asked
    assert "Other" not in asked.replace("Other workspaces", ""), "who else uses this Mend is nobody's business"
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("works, and Mend's checks use it")
    assert not source.opens(source.given())
    for name in ("shop", "ledger"):
        there(world, name).until("resolved")
    teams = ("", "T0LOCAL", OTHER)  # "": who installs Mend later
    assert kept(world) == [(team, f"{name}.password", "current") for team in teams for name in ("ledger", "shop")]


def test_a_workspace_that_comes_after_a_rotation_gets_the_new_one_though_mend_yml_names_the_old(
    world: World, source: PostgresSource
) -> None:
    talk = world.start("rotate shop")
    talk.until("regenerating_credentials")
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("works, and Mend's checks use it")
    assert "Mend is installed in" in install(world, requests.Session(), team=LATER).text
    assert not source.opens(source.given())
    for name in ("shop", "ledger"):
        there(world, name, LATER).until("resolved")


@pytest.mark.parametrize("point", ["before change", "after change", "after store"])
def test_a_workspace_that_removes_mend_in_the_middle_of_a_rotation_leaves_a_credential_that_works(
    world: World, source: PostgresSource, point: str
) -> None:
    """Mend is killed there besides: who takes over knows nothing but what is written down."""
    trap = Trap(world)
    talk = world.start("rotate shop")
    talk.until("regenerating_credentials")
    trap.set(point)
    talk.press("mend_confirm_rotation", user=BOB)
    wait(trap.held)
    said = len(talk.thread)
    uninstall(world.slack.hub, "T0LOCAL")
    # Whoever is held has the rotation's row locked, and so holds up the removal until it is killed.
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
    wait(lambda: trap._run(waiting)[0])
    trap.spring(point)
    trap.release()
    wait(lambda: "replaced for workspace T0LOCAL, which is gone" in world.log.read_text(), 120)
    trap.close()
    assert not source.opens(source.given())
    with known_to(world) as vault:
        assert source.opens({"password": vault.read("shop.password")})
    assert "T0LOCAL" not in {team for team, _, _ in kept(world)}, "of a workspace that left nothing is kept"
    assert len(talk.thread) == said, "nobody is told where nobody can be"
    for team in (OTHER, LATER):
        install(world, requests.Session(), team=team)
        there(world, "shop", team).until("resolved")
