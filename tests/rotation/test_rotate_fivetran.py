"""Where Fivetran has the credential it takes the new one, and its own setup tests are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.fivetran_api import KEY, SECRET, FivetranApi, fivetran
from tests.rotation.sources import PostgresSource, postgres_source
from tests.talk import BOB, Talk, World
from tests.web.test_credentials import everything
from tests.web.visitor import opened

ADMIN, TYPED = "adm1n-c4n4ry", "typed-c4n4ry"


@pytest.fixture(scope="module")
def source() -> Iterator[PostgresSource]:
    with postgres_source() as made:
        made.server.run(
            f"CREATE ROLE keeper LOGIN CREATEROLE PASSWORD '{ADMIN}'", "GRANT stitch TO keeper WITH ADMIN OPTION"
        )
        yield made


@pytest.fixture(scope="module")
def side(source: PostgresSource) -> Iterator[FivetranApi]:
    with fivetran() as made:
        yield made


@pytest.fixture(scope="module")
def world(
    database: str, source: PostgresSource, side: FivetranApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    admin = {"allowed": True, "admin_user": "keeper", "admin_password": ADMIN}
    config = {
        "connections": {"shop": source.connection(rotation=admin)},
        "platform": {"kind": "fivetran", "token": f"{KEY}:{SECRET}", "base_url": side.url},
    }
    with World(database, Path(tmp_path_factory.mktemp("mend")), **config) as world:
        yield world


@pytest.fixture(autouse=True)
def _as_the_source_says(source: PostgresSource, side: FivetranApi) -> None:
    side.accepts = source.opens


def typed(world: World, source: PostgresSource, password: str) -> Talk:
    """A case in which a person has put in this password, which the source accepts."""
    source.server.run(f"ALTER ROLE stitch PASSWORD '{password}'")
    talk = world.start("shop")
    talk.until("regenerating_credentials")
    opened(world, talk).press("try", user="stitch", password=password).until("work and are saved")
    return talk


def done(talk: Talk) -> None:
    talk.say("cancel")
    talk.until("cancelled")


def test_what_is_typed_goes_to_fivetran_and_its_own_test_is_told(
    world: World, source: PostgresSource, side: FivetranApi
) -> None:
    talk = typed(world, source, TYPED)
    talk.said("Fivetran has them too, and its own test passes")
    assert side.config == {"host": "db", "user": "stitch", "password": TYPED}
    assert TYPED not in everything(world)
    done(talk)


def test_a_test_of_its_own_that_fails_is_told_without_the_secret(
    world: World, source: PostgresSource, side: FivetranApi
) -> None:
    side.accepts = lambda _: False
    talk = typed(world, source, TYPED + "-2")
    assert "Validating login: refused" in talk.said("Fivetran has them too, and its own test fails")["text"]
    assert TYPED not in everything(world)
    done(talk)


def test_a_rotation_ends_on_the_setup_tests_and_nobody_has_to_carry_it(
    world: World, source: PostgresSource, side: FivetranApi
) -> None:
    before = side.config["password"]
    talk = world.start("rotate shop")
    assert "Mend sends the new one to Fivetran by its API" in talk.until("regenerating_credentials")["text"]
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("Fivetran has the new one and accepted it")
    new = side.config["password"]
    assert (new != before, source.opens({"password": new})) == (True, True)
    assert new not in everything(world)
    done(talk)


def test_a_rotation_that_fivetran_does_not_confirm_is_for_a_person(
    world: World, source: PostgresSource, side: FivetranApi
) -> None:
    side.accepts = lambda _: False
    talk = world.start("rotate shop")
    talk.until("regenerating_credentials")
    talk.press("mend_confirm_rotation", user=BOB)
    told = talk.said("its own check fails: Validating login: refused")["text"]
    assert "put the new one in and save" in told
    assert side.config["password"] not in everything(world)
    done(talk)
