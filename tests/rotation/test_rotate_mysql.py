"""Oracle's MySQL keeps the old password beside the new one until the pipeline has it, where the account may do that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.checks.base import Target
from bot.repairs.rotation import mysql
from bot.repairs.rotation.base import Job
from flows.core.sheet import sheet
from tests.mysqld import missing_mysqld
from tests.rotation.killed import Trap
from tests.rotation.sources import OLD, MysqlSource, mysql_source
from tests.rotation.test_rotate_postgres import carried, kept
from tests.talk import ALICE, BOB, World, rows, wait
from tests.web.test_credentials import everything

pytestmark = pytest.mark.skipif(bool(missing_mysqld()), reason=missing_mysqld() or "-")
ADMIN, NEWER = "adm1n-c4n4ry", "n3wer-c4n4ry"
RETAIN = " IDENTIFIED BY <secret> REPLACE <secret> RETAIN CURRENT PASSWORD"


@pytest.fixture(scope="module")
def source() -> Iterator[MysqlSource]:
    with mysql_source() as made:
        yield made


@pytest.fixture(scope="module")
def world(database: str, source: MysqlSource, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    source.add("poor")
    source.site.run(f"CREATE USER anywhere@'%' IDENTIFIED WITH caching_sha2_password BY '{OLD}'")
    source.site.run("GRANT SELECT ON shop.* TO anywhere@'%'")
    source.add("strict", "PASSWORD REQUIRE CURRENT")
    source.add("late")
    for name in ("torn", "bare"):
        source.add(name, dual=True)
    for older in ("older", "twice"):
        source.add(older, dual=True)
        source.site.run(f"ALTER USER {older}@'127.0.0.1' IDENTIFIED BY '{NEWER}' RETAIN CURRENT PASSWORD")
    for statement in (
        f"CREATE USER keeper@'127.0.0.1' IDENTIFIED BY '{ADMIN}'", "GRANT CREATE USER ON *.* TO keeper@'127.0.0.1'",
        "GRANT SELECT ON mysql.* TO keeper@'127.0.0.1'",
    ):  # fmt: skip
        source.site.run(statement)
    keeper = {"allowed": True, "admin_user": "keeper", "admin_password": ADMIN}
    connections = {
        "shop": source.connection(), "poor": source.connection("poor"), "strict": source.connection("strict"),
        "late": source.connection("late", rotation=keeper), "older": source.connection("older"),
        "twice": source.connection("twice", rotation=keeper), "torn": source.connection("torn"),
        "bare": source.connection("bare"), "anywhere": source.connection("anywhere", rotation=keeper),
    }  # fmt: skip
    with World(database, Path(tmp_path_factory.mktemp("mend")), connections=connections) as world:
        yield world


def unseen(world: World, source: MysqlSource, *secrets: str) -> None:
    """In no payload, history, table, log of Mend or statement that the server wrote down."""
    seen = everything(world) + source.log.read_text()
    for secret in secrets:
        assert secret not in seen


def test_both_passwords_open_it_until_somebody_allowed_says_that_the_pipeline_has_the_new_one(
    world: World, source: MysqlSource
) -> None:
    talk = world.start("rotate shop")
    asked = talk.until("regenerating_credentials")["text"]
    assert "Put the new one in force beside the old one." in asked
    assert "stays valid until you have put the new one there" in asked
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("is still valid, so nothing is interrupted")
    new = kept(world, "shop")
    assert (source.opens({"password": OLD}), source.opens({"password": new})) == (True, True)
    assert new in carried(world, talk).answer.text
    talk.say("done", user=ALICE)
    talk.until("resolved")
    assert source.opens({"password": OLD}), "Alice may close the case, and not end a password"
    rows(world, "UPDATE rotations SET due_at = 1 WHERE ended_at IS NULL")
    reminder = talk.said("is still valid. When the pipeline has the new one")
    talk.slack.press("mend_revoke", reminder["ts"], user=BOB, channel=talk.channel)
    talk.said("has ended. Only the new one is valid")
    wait(lambda: not source.opens({"password": OLD}))
    assert source.opens({"password": new})
    log = source.log.read_text()
    assert f"'stitch'@'127.0.0.1'{RETAIN}" in log
    assert "DISCARD OLD PASSWORD" in log
    unseen(world, source, OLD, new)


@pytest.mark.parametrize("name", ["poor", "strict"])
def test_an_account_that_may_keep_one_alone_is_said_to_and_the_old_one_ends_at_once(
    name: str, world: World, source: MysqlSource
) -> None:
    """Also one that must name the password it replaces."""
    talk = world.start(f"rotate {name}")
    asked = talk.until("regenerating_credentials")["text"]
    assert "The old one ends at that moment" in asked
    assert "From step 2 on its runs fail" in asked
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("works, and Mend's checks use it")
    new = kept(world, name)
    assert (source.opens({"password": OLD}, name), source.opens({"password": new}, name)) == (False, True)
    talk.say("done", user=BOB)
    talk.until("resolved")
    unseen(world, source, OLD, new)


@pytest.mark.parametrize("name", ["late", "anywhere"])
def test_an_administrator_keeps_the_old_one_of_another_account_and_ends_it(
    world: World, source: MysqlSource, name: str
) -> None:
    talk = world.start(f"rotate {name}")
    talk.until("regenerating_credentials")
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("is still valid, so nothing is interrupted")
    new = kept(world, name)
    assert (source.opens({"password": OLD}, name), source.opens({"password": new}, name)) == (True, True)
    talk.say("done", user=BOB)
    talk.until("resolved")
    wait(lambda: not source.opens({"password": OLD}, name))
    assert source.opens({"password": new}, name)
    unseen(world, source, OLD, new, ADMIN)


def test_the_older_of_two_passwords_is_not_pushed_out_by_a_third(world: World, source: MysqlSource) -> None:
    """The account itself learns it when it names the one that it replaces: the server takes the newer one alone."""
    talk = world.start("rotate older")
    talk.until("regenerating_credentials")
    talk.press("mend_confirm_rotation", user=BOB)
    said = talk.said("The credential was not replaced")["text"]
    assert "keeps two passwords of this login already" in said
    assert "What was in force before is in force now" in said
    assert (source.opens({"password": OLD}, "older"), source.opens({"password": NEWER}, "older")) == (True, True)


def test_an_administrator_sees_two_passwords_before_anything_is_asked(world: World, source: MysqlSource) -> None:
    talk = world.start("rotate twice")
    asked = talk.until("regenerating_credentials")["text"]
    assert "Mend cannot replace this credential itself" in asked
    assert "DISCARD OLD PASSWORD" in asked
    assert (source.opens({"password": OLD}, "twice"), source.opens({"password": NEWER}, "twice")) == (True, True)


UNDONE = [("u_dual", True, "", False), ("u_one", False, "", False), ("u_strict", True, "PASSWORD REQUIRE CURRENT", False),
          ("u_late", True, "", True), ("u_late_one", False, "", True)]  # fmt: skip


@pytest.mark.parametrize(("user", "dual", "more", "by_admin"), UNDONE, ids=[row[0] for row in UNDONE])
def test_what_went_in_and_does_not_work_is_taken_back_and_the_old_one_alone_opens_it(
    user: str, dual: bool, more: str, by_admin: bool, source: MysqlSource
) -> None:
    """Done twice, as by somebody who was stopped in between, it ends the same, and there is room for another new one."""
    source.add(user, more, dual=dual)
    admin = ("root_by_tcp", ADMIN) if by_admin else None
    source.site.run(f"CREATE USER IF NOT EXISTS root_by_tcp@'127.0.0.1' IDENTIFIED BY '{ADMIN}'")
    source.site.run("GRANT ALL PRIVILEGES ON *.* TO root_by_tcp@'127.0.0.1'")
    settings = source.connection(user)["settings"]
    target = Target(user, "mysql", sheet("mysql"), settings, {"password": OLD}, timeout=5)
    new = mysql.make(Job("r1", target))
    job = Job("r1", target, admin, new)
    for again in (1, 2):
        mysql.change(job)
        assert source.opens(new, user)
        for _ in range(again):
            mysql.undo(job)
            assert (source.opens({"password": OLD}, user), source.opens(new, user)) == (True, False)
        assert not kept_beside(source, user)


def kept_beside(source: MysqlSource, user: str) -> bool:
    """Whether the server holds a second password of this account."""
    rows = source.site.run(f"SELECT user_attributes FROM mysql.user WHERE user = '{user}'")
    return "additional_password" in str(rows[0][0])


def refused_by(world: World, source: MysqlSource, name: str, *deeds: str) -> str:
    """What the thread says when, between the change and its test, these are done at the server."""
    talk = world.start(f"rotate {name}")
    talk.until("regenerating_credentials")
    trap = Trap(world)
    trap.set("before test")
    talk.press("mend_confirm_rotation", user=BOB)
    wait(trap.held)
    for deed in deeds:
        source.site.run(deed)
    trap.release()
    trap.close()
    # The tests that follow are in some minutes, as keys of a cloud need them; here it is always the next one's turn.
    late = "UPDATE rotations SET facts = facts || '{\"tries\": 7}' WHERE ended_at IS NULL AND connection = :name"
    said: Any = None

    def told() -> Any:
        rows(world, late, name=name)
        return next((text for text in talk.texts if "The credential was not replaced" in text), None)

    said = wait(told, 60)
    return str(said)


def test_another_password_that_somebody_set_meanwhile_stays_and_the_old_one_too(
    world: World, source: MysqlSource
) -> None:
    said = refused_by(world, source, "torn", f"ALTER USER torn@'127.0.0.1' IDENTIFIED BY '{NEWER}'")
    assert "What was in force before is in force now" in said
    assert (source.opens({"password": OLD}, "torn"), source.opens({"password": NEWER}, "torn")) == (True, True)
    unseen(world, source, OLD, NEWER)


def test_a_new_one_that_is_let_in_and_may_nothing_is_taken_back(world: World, source: MysqlSource) -> None:
    """The right to the database went while the password was replaced."""
    said = refused_by(world, source, "bare", "REVOKE SELECT ON shop.* FROM bare@'127.0.0.1'")
    assert "so Mend took it back" in said
    assert "What was in force before is in force now" in said
    assert source.opens({"password": OLD}, "bare")
    assert not kept_beside(source, "bare")
