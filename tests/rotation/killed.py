"""SIGKILL before and after every step of a rotation, all in one rotation: a credential that works is always known.

The worker is held at a step by a lock in Mend's own database, and killed there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.vault import Vault
from tests.contract.killing import _children as children
from tests.mysqld import missing_mysqld
from tests.rotation.sources import aws_source, mariadb_source, mysql_source, postgres_source, sendgrid_source
from tests.servers import missing_mariadb
from tests.talk import BOB, Talk, World, wait
from tests.web.test_credentials import everything

TRAP = """
CREATE TABLE trap (point text);
CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE here text;
BEGIN
    IF TG_TABLE_NAME = 'secrets' THEN here := 'keep ' || NEW.version;
    ELSIF NEW.step <> OLD.step THEN here := 'after ' || NEW.step;
    ELSIF NEW.facts->>'entered' IS DISTINCT FROM OLD.facts->>'entered' THEN here := 'before ' || (NEW.facts->>'entered');
    END IF;
    IF EXISTS (SELECT FROM trap WHERE point = here) THEN PERFORM pg_advisory_xact_lock(4711); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER spring BEFORE UPDATE ON rotations FOR EACH ROW EXECUTE FUNCTION spring();
CREATE TRIGGER spring BEFORE INSERT ON secrets FOR EACH ROW EXECUTE FUNCTION spring();
"""
STEPS = ("prepare", "change", "test", "store", "confirm")
SOURCES: dict[str, Any] = {
    "postgres": postgres_source, "mariadb": mariadb_source, "mysql": mysql_source, "aws": aws_source,
    "sendgrid": sendgrid_source,
}  # fmt: skip
MISSING: dict[str, Any] = {"mariadb": missing_mariadb, "mysql": missing_mysqld}
OVERLAP, MADE_THERE = ("mysql", "aws", "sendgrid"), ("aws", "sendgrid")
# Not secret: who it is.
NAMES = ("access_key_id",)


class Trap:
    """Holds the worker where it is set, and kills it there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.connection = psycopg.connect(world.url, autocommit=True)
        self.connection.execute(TRAP)

    def close(self) -> None:
        """Take it away."""
        self.connection.execute(
            "DROP TRIGGER spring ON rotations; DROP TRIGGER spring ON secrets; DROP FUNCTION spring; DROP TABLE trap"
        )
        self.connection.close()

    def _run(self, statement: str, *values: str) -> Any:
        return self.connection.execute(statement.encode(), values).fetchone()

    def set(self, point: str) -> None:
        self._run("WITH gone AS (DELETE FROM trap) SELECT pg_advisory_lock(4711)")
        self._run("INSERT INTO trap VALUES (%s) RETURNING 1", point)

    def held(self) -> bool:
        return bool(
            self._run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted")[0]
        )

    def spring(self, point: str) -> None:
        """Wait for the worker at `point` and kill it."""
        try:
            wait(self.held, 60)
        except AssertionError:
            raise AssertionError(f"never came to {point}: {self.world.log.read_text()[-3000:]}") from None
        for child in children(self.world.processes[0].pid):
            os.kill(child, signal.SIGKILL)

    def release(self) -> None:
        self._run("WITH gone AS (DELETE FROM trap) SELECT pg_advisory_unlock_all()")


@contextmanager
def known_to(world: World) -> Iterator[Vault]:
    os.environ["MEND_SECRET_KEY"] = world.env["MEND_SECRET_KEY"]
    try:
        yield Vault(world.url)
    finally:
        del os.environ["MEND_SECRET_KEY"]


def known(world: World, given: Mapping[str, str]) -> list[dict[str, str]]:
    """Every credential of `shop` that Mend could find again: the reference's, and each version in the vault."""
    with known_to(world) as vault, psycopg.connect(world.url) as connection:
        rows = connection.execute("SELECT version, name, value FROM secrets WHERE connection = 'shop'").fetchall()
        found: dict[str, dict[str, str]] = {"given": dict(given)}
        for version, name, value in rows:
            found.setdefault(version, {})[name.removeprefix("shop.")] = vault.cipher.decrypt(value)
    return [one for one in found.values() if set(given) <= set(one)]


def killed_everywhere(kind: str, url: str, folder: Path) -> None:
    """Before and after every step it goes on, and a working credential is always known."""
    if missing := MISSING.get(kind, str)():
        pytest.skip(missing)
    points = [f"{when} {step}" for step in STEPS for when in ("before", "after")]
    # Where the source makes the new one, it is kept only after it was made.
    points.insert(3 if kind in MADE_THERE else 1, "keep new")
    with SOURCES[kind]() as source, World(url, folder, connections={"shop": source.connection()}) as world:
        trap = Trap(world)
        talk = world.start("rotate shop")
        talk.until("regenerating_credentials")
        trap.set(points[0])
        talk.press("mend_confirm_rotation", user=BOB)
        for here, onward in zip(points, [*points[1:], ""], strict=True):
            trap.spring(here)
            assert any(map(source.opens, known(world, source.given()))), f"nothing works {here}"
            trap.release()
            if onward:
                trap.set(onward)
        talk.said("works, and Mend's checks use it")
        finish(talk, world, source, kind)


def finish(talk: Talk, world: World, source: Any, kind: str) -> None:
    """Said once, done once, and closed on proof."""
    assert len([text for text in talk.texts if "is being replaced" in text]) == 1
    with known_to(world) as vault:
        new = {name: entry.value for name, entry in vault.kept("shop").items()}
    assert source.opens(new)
    assert source.opens(source.given()) == (kind in OVERLAP)
    talk.say("done", user=BOB)
    talk.until("resolved")
    if kind in OVERLAP:
        talk.said("has ended")
        wait(lambda: not source.opens(source.given()))
    if kind in MADE_THERE:
        assert source.keys() == [new.get("access_key_id") or new["api_key"].split(".")[1]]
    assert not source.opens(source.given())
    seen = everything(world) + source.written()
    for name, value in [*new.items(), *source.given().items()]:
        assert name in NAMES or value not in seen, f"{name} was written down"
