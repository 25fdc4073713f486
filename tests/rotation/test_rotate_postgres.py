"""The password of a real PostgreSQL role is replaced by Mend, from `/mend` to `resolved`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bot.drivers.postgres_password import set_password
from bot.vault import Vault
from tests.rotation.killed import Trap
from tests.rotation.sources import OLD, PostgresSource
from tests.talk import ALICE, BOB, DANA, Talk, World, rows, wait
from tests.web.test_credentials import everything
from tests.web.visitor import Visitor, confirm, links_of


@pytest.fixture(scope="module")
def world(database: str, source: PostgresSource, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    source.server.run(
        "CREATE ROLE late LOGIN PASSWORD 'nobody knows'", f"CREATE ROLE keeper LOGIN CREATEROLE PASSWORD '{ADMIN}'",
        "GRANT late TO keeper WITH ADMIN OPTION", "GRANT SELECT ON public.orders TO late",
    )  # fmt: skip
    late = source.connection(tables=[], rotation={"allowed": True, "admin_user": "keeper", "admin_password": ADMIN})
    late["settings"]["user"] = "late"
    alone = {**late, "rotation": {"allowed": True}}
    connections = {"shop": source.connection(), "ledger": source.connection(tables=[]), "late": late, "lost": alone}
    with World(database, Path(tmp_path_factory.mktemp("mend")), connections=connections) as world:
        yield world


ADMIN = "adm1n-c4n4ry"


def carried(world: World, talk: Talk) -> Visitor:
    """Bob asks for the page and has it show the new one."""
    talk.press("mend_show_secret", user=ALICE)
    talk.press("mend_show_secret", user=BOB)
    wait(lambda: links_of(talk, BOB), 40)
    assert links_of(talk, ALICE) == []
    page = Visitor(links_of(talk, BOB)[-1])
    page.press("begin")
    code = re.search(r"(\d\d) This page looks again", page.text)
    assert code, page.text
    confirm(world, talk, code[1], user=BOB)
    return page.until("Show it now").press("show")


def kept(world: World, name: str, field: str = "password") -> str:
    """What Mend would log in with now."""
    os.environ["MEND_SECRET_KEY"] = world.env["MEND_SECRET_KEY"]
    try:
        return Vault(world.url).kept(name)[field].value
    finally:
        del os.environ["MEND_SECRET_KEY"]


def test_a_yes_of_somebody_allowed_replaces_the_password_and_the_case_closes_on_proof(
    world: World, source: PostgresSource
) -> None:
    talk = world.start("rotate shop")
    asked = talk.until("regenerating_credentials")["text"]
    for piece in (
        "stitch at 127.0.0.1",
        "used by ledger",
        "From step 2 on its runs fail",
        "The old one ends at that moment",
    ):
        assert piece in asked, asked
    talk.press("mend_confirm_rotation", user=ALICE)
    talk.told(ALICE, "for the people whom mend.yml names")
    assert source.opens(source.given())
    talk.press("mend_confirm_rotation", user=BOB)
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("works, and Mend's checks use it")
    new = kept(world, "shop")
    assert (source.opens(source.given()), source.opens({"password": new}), kept(world, "ledger") == new) == (
        False,
        True,
        True,
    )
    page = carried(world, talk)
    assert new in page.answer.text
    assert new not in page.look().answer.text
    talk.say("done", user=DANA)
    talk.until("resolved")
    assert len([t for t in talk.texts if "is being replaced" in t]) == 1
    seen = everything(world) + source.server.log.read_text()
    user = source.connection(tables=[])["settings"]["user"]
    assert f'ALTER ROLE "{user}" PASSWORD \'SCRAM-SHA-256$' in seen
    assert new not in seen
    assert OLD not in "\n".join(line for line in seen.splitlines() if "CREATE ROLE" not in line)


def test_who_said_yes_and_each_step_stand_in_the_history_and_in_the_log(world: World) -> None:
    lines = rows(
        world,
        "SELECT who, what->>'event' AS event, what->>'step' AS step FROM history WHERE what->>'rotation' IS NOT NULL ORDER BY id",
    )
    assert [(line.who, line.event, line.step) for line in lines] == [
        *[(BOB, "rotating", step) for step in ("prepare", "change", "test", "store", "confirm")],
        (BOB, "carry", None),
        (BOB, "shown", None),
    ]  # fmt: skip
    yes = rows(world, "SELECT who FROM history WHERE what->>'answer' = 'mend_confirm_rotation' AND who = :who", who=BOB)
    assert yes
    assert f"of shop begins, {BOB} said yes" in world.log.read_text()


def test_nothing_is_left_of_what_was_put_aside(world: World) -> None:
    with psycopg.connect(world.url) as connection:
        found = connection.execute("SELECT DISTINCT name, version FROM secrets ORDER BY name").fetchall()
    assert found == [("ledger.password", "current"), ("shop.password", "current")]


def test_a_password_that_nobody_knows_any_more_is_replaced_by_the_administrators_login(world: World) -> None:
    talk = world.start("late")
    talk.until("regenerating_credentials")
    talk.press("mend_rotate")
    assert "late at 127.0.0.1" in talk.said("Mend would replace the credential")["text"]
    talk.say("yes", user=BOB)
    talk.said("works, and Mend's checks use it")
    talk.say("done", user=BOB)
    talk.until("resolved")
    assert kept(world, "late") == kept(world, "lost")
    seen = everything(world)
    assert kept(world, "late") not in seen
    assert ADMIN not in seen


def test_a_refused_credential_is_not_offered_to_renew_itself(world: World, source: PostgresSource) -> None:
    source.server.run("ALTER ROLE late PASSWORD 'changed again'")
    talk = world.start("lost")
    asked = talk.until("regenerating_credentials")
    offered = [e["action_id"] for b in asked["blocks"] for e in b.get("elements", []) if "action_id" in e]
    assert "mend_update_credentials" in offered
    assert "mend_rotate" not in offered


def test_a_password_that_somebody_changed_in_the_middle_of_it_is_told_and_not_tried_for_ever(
    world: World, source: PostgresSource
) -> None:
    talk = world.start("rotate ledger")
    talk.until("regenerating_credentials")
    trap = Trap(world)
    trap.set("before test")
    talk.press("mend_confirm_rotation", user=BOB)
    wait(trap.held)
    source.server.run("ALTER ROLE stitch PASSWORD 'somebody else knows'")
    trap.release()
    trap.close()
    said = talk.said("The credential was not replaced")["text"]
    assert "the source did not let Mend take it back" in said
    assert "Neither the old nor the new one is accepted now" in said
    offered = [
        e["action_id"] for b in (talk.question() or {})["blocks"] for e in b.get("elements", []) if "action_id" in e
    ]
    assert "mend_update_credentials" in offered


def test_the_password_is_that_of_who_logs_in_where_the_session_begins_as_another_role(source: PostgresSource) -> None:
    source.server.run(
        f"CREATE ROLE shy LOGIN PASSWORD '{OLD}'", "CREATE ROLE readers", "GRANT readers TO shy",
        "ALTER ROLE shy SET role = readers",
    )  # fmt: skip
    place = {"host": "127.0.0.1", "port": source.server.port, "database": "postgres", "user": "shy"}
    set_password(place, OLD, "", "n3w-c4n4ry", 5)
    psycopg.connect(
        host="127.0.0.1", port=source.server.port, user="shy", password="n3w-c4n4ry", dbname="postgres"
    ).close()
    assert source.server.run("SELECT rolpassword FROM pg_authid WHERE rolname = 'readers'") == [(None,)]
