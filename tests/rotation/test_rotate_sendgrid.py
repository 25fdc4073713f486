"""A SendGrid key gives way to one of the same rights, and is deleted when the pipeline has the new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.sendgrid_keys import READS, RENEWS, SendGrid, sendgrid
from tests.rotation.test_rotate_postgres import kept
from tests.talk import ALICE, BOB, World, rows, wait
from tests.web.test_credentials import everything


@pytest.fixture(scope="module")
def side() -> Iterator[SendGrid]:
    with sendgrid() as made:
        yield made


@pytest.fixture(scope="module")
def world(database: str, side: SendGrid, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = Path(tmp_path_factory.mktemp("mend"))

    def mail(name: str, scopes: list[str]) -> dict[str, Any]:
        (folder / name).write_text(side.make(name, scopes)["api_key"])
        return {
            "connector": "sendgrid", "settings": {"base_url": side.url}, "tables": ["lists"],
            "secrets": {"api_key": f"${{file:{folder / name}}}"}, "rotation": {"allowed": True},
        }  # fmt: skip

    connections = {"mail": mail("pipeline", [*READS, *RENEWS]), "poor": mail("poor", READS)}
    with World(database, folder, connections=connections) as world:
        yield world


def test_the_old_key_lives_until_somebody_allowed_says_that_the_pipeline_has_the_new_one(
    world: World, side: SendGrid
) -> None:
    old = next(k for k in side.keys.values() if k["name"] == "pipeline")
    talk = world.start("rotate mail")
    asked = talk.until("regenerating_credentials")["text"]
    assert "stays valid until you have put the new one there" in asked
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("is still valid, so nothing is interrupted")
    new = next(k for k in side.keys.values() if k["name"].startswith("Mend mail"))
    assert kept(world, "mail", "api_key") == new["api_key"]
    assert set(new["scopes"]) == set(old["scopes"])
    assert old["api_key_id"] in side.keys
    talk.say("done", user=ALICE)
    talk.until("resolved")
    assert old["api_key_id"] in side.keys, "Alice may close the case, and not end a key"
    rows(world, "UPDATE rotations SET due_at = 1 WHERE ended_at IS NULL")
    reminder = talk.said("is still valid. When the pipeline has the new one")
    talk.slack.press("mend_revoke", reminder["ts"], user=ALICE, channel=talk.channel)
    talk.told(ALICE, "for the people whom mend.yml names")
    talk.slack.press("mend_revoke", reminder["ts"], user=BOB, channel=talk.channel)
    talk.said("has ended. Only the new one is valid")
    wait(lambda: old["api_key_id"] not in side.keys)
    seen = everything(world)
    assert old["api_key"] not in seen
    assert new["api_key"] not in seen


def test_a_key_that_may_not_make_keys_is_left_to_people(world: World, side: SendGrid) -> None:
    before = set(side.keys)
    talk = world.start("rotate poor")
    asked = talk.until("regenerating_credentials")["text"]
    assert "Mend cannot replace this credential itself" in asked
    assert "Nothing was changed" in asked
    assert set(side.keys) == before


def test_two_cases_at_once_make_one_new_key(world: World, side: SendGrid) -> None:
    first = world.start("rotate mail")
    first.until("regenerating_credentials")
    second = world.start("rotate mail", user=BOB)
    second.until("regenerating_credentials")
    first.press("mend_confirm_rotation", user=BOB)
    first.said("is still valid, so nothing is interrupted")
    made = set(side.keys)
    second.press("mend_confirm_rotation")
    said = second.said("The credential was not replaced")["text"]
    assert "is being replaced already" in said
    assert "What was in force before is in force now" in said
    assert set(side.keys) == made
