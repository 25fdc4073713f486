"""Where Airbyte has the credential it takes the new one, and its next job is the proof: it looks at nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.airbyte_api import CLIENT, SECRET, AirbyteApi, airbyte
from tests.rotation.sources import PostgresSource, postgres_source
from tests.rotation.test_rotate_fivetran import TYPED, done, typed
from tests.talk import World
from tests.web.test_credentials import everything


@pytest.fixture(scope="module")
def source() -> Iterator[PostgresSource]:
    with postgres_source() as made:
        yield made


@pytest.fixture(scope="module")
def side() -> Iterator[AirbyteApi]:
    with airbyte() as made:
        yield made


@pytest.fixture(scope="module")
def world(
    database: str, source: PostgresSource, side: AirbyteApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    platform = {"kind": "airbyte", "token": f"{CLIENT}:{SECRET}", "base_url": side.url}
    folder = Path(tmp_path_factory.mktemp("mend"))
    with World(database, folder, connections={"shop": source.connection()}, platform=platform) as world:
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


def test_a_source_that_signs_in_otherwise_is_left_to_a_person(
    world: World, source: PostgresSource, side: AirbyteApi
) -> None:
    side.configuration = {"host": "db", "username": "stitch", "ssl_mode": {"mode": "verify-full"}}
    talk = typed(world, source, TYPED + "-2")
    told = talk.said("The pipeline platform did not take them")["text"]
    assert "signs in by something else: it has no password" in told
    assert side.patched[-1]["configuration"]["password"] == TYPED
    done(talk)
