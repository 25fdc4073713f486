"""Where Airbyte has the credential it takes the new one, and its next job is the proof: it looks at nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.airbyte_api import CLIENT, SECRET, AirbyteApi, airbyte
from tests.rotation.sources import PostgresSource
from tests.rotation.test_rotate_fivetran import ADMIN, TYPED, done, source, typed
from tests.talk import BOB, World
from tests.web.test_credentials import everything

__all__ = ["source"]  # the fixture of its neighbour


@pytest.fixture(scope="module")
def side() -> Iterator[AirbyteApi]:
    with airbyte() as made:
        yield made


@pytest.fixture(scope="module")
def world(
    database: str, source: PostgresSource, side: AirbyteApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    platform = {"kind": "airbyte", "token": f"{CLIENT}:{SECRET}", "base_url": side.url}
    admin = {"allowed": True, "admin_user": "keeper", "admin_password": ADMIN}
    folder = Path(tmp_path_factory.mktemp("mend"))
    with World(database, folder, connections={"shop": source.connection(rotation=admin)}, platform=platform) as world:
        yield world


def test_what_is_typed_goes_to_airbyte_and_its_next_job_is_waited_for(
    world: World, source: PostgresSource, side: AirbyteApi
) -> None:
    talk = typed(world, source, TYPED)
    talk.said("Airbyte has them too. It does not test them by itself: its next job tells")
    assert side.configuration == {"host": "db", "username": "stitch", "password": TYPED}
    talk.said("Mend waits for Airbyte's next job")
    assert TYPED not in everything(world)
    done(talk)


def test_a_rotation_goes_there_too_and_its_job_closes_the_case(
    world: World, source: PostgresSource, side: AirbyteApi
) -> None:
    talk = world.start("rotate shop")
    asked = talk.until("regenerating_credentials")["text"]
    assert "Mend sends the new one to Airbyte by its API" in asked
    assert "a person says that the pipeline works with it" in asked
    talk.press("mend_confirm_rotation", user=BOB)
    told = talk.said("Airbyte has the new one too")["text"]
    assert "Now the pipeline" not in told
    new = side.configuration["password"]
    assert source.opens({"password": new})
    talk.say("done", user=BOB)
    talk.said("Mend waits for Airbyte's next job")
    began = datetime.now(UTC)
    side.ran("succeeded", began.isoformat(), (began + timedelta(seconds=5)).isoformat())
    talk.until("resolved")
    assert new not in everything(world)


def test_a_source_that_signs_in_otherwise_is_left_to_a_person(
    world: World, source: PostgresSource, side: AirbyteApi
) -> None:
    side.configuration = {"host": "db", "username": "stitch", "ssl_mode": {"mode": "verify-full"}}
    side.jobs.clear()
    before = len(side.patched)
    talk = typed(world, source, TYPED + "-2")
    told = talk.said("The pipeline platform did not take them")["text"]
    assert "signs in by something else: it has no password" in told
    assert len(side.patched) == before
    done(talk)
