"""Where Stitch has the credential, it gets the new one, and its own check and its next job are the proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.fakes.stitch_connect import TOKEN, StitchConnect, stitch
from tests.rotation.sources import PostgresSource, postgres_source
from tests.rotation.test_rotate_postgres import kept
from tests.talk import BOB, World
from tests.web.test_credentials import everything
from tests.web.visitor import opened

ADMIN = "adm1n-c4n4ry"


@pytest.fixture(scope="module")
def source() -> Iterator[PostgresSource]:
    with postgres_source() as made:
        made.server.run(
            f"CREATE ROLE keeper LOGIN CREATEROLE PASSWORD '{ADMIN}'", "GRANT stitch TO keeper WITH ADMIN OPTION"
        )
        yield made


@pytest.fixture(scope="module")
def side(source: PostgresSource) -> Iterator[StitchConnect]:
    with stitch() as made:
        for number, name in enumerate(("shop", "alone"), 101):
            made.add(number, "platform.hp-postgres", name, ("password",), host="127.0.0.1", user="stitch")
        made.accepts = source.opens
        yield made


@pytest.fixture(scope="module")
def world(
    database: str, source: PostgresSource, side: StitchConnect, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    admin = {"allowed": True, "admin_user": "keeper", "admin_password": ADMIN}
    connections = {"shop": source.connection(), "alone": source.connection(secrets={}, rotation=admin)}
    platform = {"kind": "stitch", "token": TOKEN, "base_url": side.url}
    folder = Path(tmp_path_factory.mktemp("mend"))
    with World(database, folder, connections=connections, platform=platform) as world:
        yield world


def test_stitch_gets_the_new_password_and_nobody_has_to_carry_it(
    world: World, source: PostgresSource, side: StitchConnect
) -> None:
    talk = world.start("rotate shop")
    assert "Mend sends the new one to Stitch by its API" in talk.until("regenerating_credentials")["text"]
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("Stitch has the new one and accepted it")
    talk.said("Mend waits for Stitch's next job")
    side.ran(101)
    assert "works again, and data flows" in talk.until("resolved")["text"]
    new = side.secrets[101]["password"]
    assert (source.opens({"password": new}), source.opens(source.given())) == (True, False)
    assert new not in everything(world)


def test_what_stitch_alone_holds_is_not_kept_by_mend_and_closes_on_the_proof_of_stitch(
    world: World, source: PostgresSource, side: StitchConnect
) -> None:
    side.ran(102, "FATAL: password authentication failed", ago=3600)
    talk = world.start("rotate alone")
    talk.until("regenerating_credentials")
    talk.press("mend_confirm_rotation", user=BOB)
    assert "before this was mended" in talk.said("Mend waits for Stitch's next job")["text"]
    talk.press("mend_start_job")
    talk.said("Stitch runs it now")
    talk.until("resolved")
    new = side.secrets[102]["password"]
    assert source.opens({"password": new})
    with psycopg.connect(world.url) as connection:
        rows = connection.execute("SELECT count(*) FROM secrets WHERE connection = 'alone'").fetchone()
    assert rows == (0,)
    assert new not in everything(world)
    assert ADMIN not in everything(world)


def test_a_password_typed_on_the_page_goes_to_stitch_and_is_not_kept(
    world: World, source: PostgresSource, side: StitchConnect
) -> None:
    source.server.run("ALTER ROLE stitch PASSWORD 'typed-c4n4ry'")
    side._checked(102, good=False)
    talk = world.start("alone")
    talk.until("regenerating_credentials")
    page = opened(world, talk)
    page.press("try", user="stitch", password="typed-c4n4ry").until("work and are saved")
    talk.said("Stitch has them too")
    talk.said("Mend waits for Stitch's next job")
    side.ran(102, "FATAL: permission denied for table orders")
    assert "Stitch's own job failed, although all checks of Mend pass" in talk.said("permission denied")["text"]
    talk.say("start")
    talk.until("resolved")
    assert side.secrets[102]["password"] == "typed-c4n4ry"
    assert "typed-c4n4ry" not in everything(world)


def test_a_platform_that_does_not_take_it_leaves_the_way_to_a_person(
    world: World, source: PostgresSource, side: StitchConnect
) -> None:
    source.server.run(f"ALTER ROLE stitch PASSWORD '{kept(world, 'shop')}'")
    talk = world.start("rotate shop")
    talk.until("regenerating_credentials")
    side.mood = "401"
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("Stitch refuses platform.token")
    side.mood = ""
    talk.say("done", user=BOB)
    talk.said("Mend waits for Stitch's next job")
    talk.say("skip")
    talk.until("resolved")
