"""SIGKILL in the middle of the daily look: whatever was due is told once, to each whom it is for.

The worker is held at a point by a lock in Mend's own database, and killed there.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bot.playground.state import BOT_USER, User
from tests.contract.killing import _children as children
from tests.talk import ALICE, DANA, World, wait

DAY = 86_400
TRAP = """
CREATE TABLE trap (point text);
CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE here text := TG_TABLE_NAME;
BEGIN
    IF TG_TABLE_NAME = 'reminders' THEN here := NEW.state; END IF;
    IF EXISTS (SELECT FROM trap WHERE point = here) THEN PERFORM pg_advisory_xact_lock(4711); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER spring BEFORE UPDATE OF done_at ON looks FOR EACH ROW EXECUTE FUNCTION spring();
CREATE TRIGGER spring BEFORE INSERT OR UPDATE OF state ON reminders FOR EACH ROW EXECUTE FUNCTION spring();
CREATE TRIGGER spring BEFORE INSERT ON directs FOR EACH ROW EXECUTE FUNCTION spring();
"""
# That it was looked at, that a reminder is due, that it is being sent, that it was.
POINTS = ("looks", "due", "sending", "sent")
# Slack has shown the post and told where, and nobody wrote that down yet.
UNKNOWN = ("looks", "due", "sending", "directs", "sent")
TOLD = {"D0ALICE": "mine", "D0DANA": "team", "D0ERIN": "team", "C0DATA": "nobodys"}


@pytest.fixture
def world(fresh: str, tmp_path: Path) -> Iterator[World]:
    owners = {"mine": ALICE, "team": "S0DATATEAM", "nobodys": None}
    until = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(time.time() + 5 * DAY))
    with psycopg.connect(fresh, autocommit=True) as admin:
        for name in owners:
            admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'S3cret!' VALID UNTIL '{until}'".encode())
    known = conninfo_to_dict(fresh)
    where = {"host": known["host"], "database": known["dbname"]}
    connections = {
        name: {"connector": "postgres", "settings": {**where, "user": name}, "secrets": {"password": "S3cret!"}}
        | ({"owner": owner} if owner else {})
        for name, owner in owners.items()
    }
    watch = {"channel": "C0DATA", "days": [10]}
    with World(fresh, tmp_path, connections=connections, watch=watch) as world:
        world.slack.add_user(User("U0ERIN", "erin", "Erin Moss"))
        world.slack.space.groups["S0DATATEAM"] = [DANA, "U0ERIN"]
        yield world
    with psycopg.connect(fresh, autocommit=True) as admin:
        for name in owners:
            admin.execute(f"DROP ROLE {name}".encode())


def killed_at(world: World, run: Any, point: str) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
    try:
        wait(lambda: run(held)[0], 60)
    except AssertionError:
        raise AssertionError(f"never came to {point}: {world.log.read_text()[-3000:]}") from None
    for child in children(world.processes[0].pid):
        os.kill(child, signal.SIGKILL)


def reminders(world: World) -> dict[str, list[str]]:
    told = {c: [m["text"] for m in world.slack.messages(c) if m["user"] == BOT_USER] for c in TOLD}
    return {c: [name for text in texts for name in ("mine", "team", "nobodys") if f"Connection: {name}." in text]
            for c, texts in told.items()}  # fmt: skip


@pytest.mark.parametrize("points", [POINTS, UNKNOWN])
def test_what_is_due_is_told_once_wherever_the_look_is_killed(world: World, points: tuple[str, ...]) -> None:
    with psycopg.connect(world.url, autocommit=True) as trap:

        def run(statement: str, *values: str) -> Any:
            found = trap.execute(statement.encode(), values)
            return found.fetchone() if found.description else None

        run(TRAP)
        # Slack tells which direct messages are theirs when people open the Home tab.
        for user in (ALICE, DANA, "U0ERIN") if points == POINTS else ():
            world.slack.open_home(user)
            wait(lambda user=user: world.slack.home(user))
        run("SELECT pg_advisory_lock(4711)")
        run("INSERT INTO trap VALUES (%s)", points[0])
        wait(lambda: run("SELECT count(*) FROM looks")[0] == 3)
        run("UPDATE looks SET due_at = 0")
        for point, onward in zip(points, (*points[1:], ""), strict=True):
            killed_at(world, run, point)
            run("UPDATE trap SET point = %s", onward)
            run("SELECT pg_advisory_unlock_all()")
            if onward:
                run("SELECT pg_advisory_lock(4711)")
        wait(lambda: run("SELECT count(*) FROM reminders WHERE state = 'sent'")[0] == len(TOLD))
    assert reminders(world) == {channel: [name] for channel, name in TOLD.items()}
