"""One Mend for two workspaces: mend.yml is theirs together, what the vault keeps is each one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from bot.playground.oauth import add_workspace
from tests.contract.test_installs import OTHER, Installing, install
from tests.rotation.sources import PostgresSource
from tests.talk import BOB, Talk, World, wait


@pytest.fixture(scope="module")
def world(database: str, source: PostgresSource, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    connections = {"shop": source.connection(), "ledger": source.connection(tables=[])}
    folder = Path(tmp_path_factory.mktemp("mend"))
    with Installing(database, folder, http=True, connections=connections) as world:
        add_workspace(world.slack.hub, OTHER, "Other")
        for team in ("T0LOCAL", OTHER):
            assert "Mend is installed in" in install(world, requests.Session(), team=team).text
        yield world


def there(world: World, name: str) -> Talk:
    """A case in the other workspace."""
    channel, user = f"C{OTHER[1:]}", f"U{OTHER[1:]}"
    before = {m["ts"] for m in world.slack.messages(channel)}
    world.slack.command(f"/mend {name}", user=user, channel=channel)
    root = wait(lambda: [m for m in world.slack.messages(channel) if m["ts"] not in before and m.get("metadata")])
    return Talk(world, channel, root[0]["ts"], user)


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
    with psycopg.connect(world.url) as connection:
        kept = connection.execute("SELECT team, name, version FROM secrets ORDER BY team, name").fetchall()
    assert kept == [(team, f"{name}.password", "current") for team in ("T0LOCAL", OTHER) for name in ("ledger", "shop")]
