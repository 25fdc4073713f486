"""A changed MariaDB password, from `/mend` to `resolved`; the worker is killed while the new one is tried."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest

from tests.contract.killing import _children as children
from tests.servers import mariadb, missing_mariadb
from tests.talk import World
from tests.web.visitor import opened

pytestmark = pytest.mark.skipif(bool(missing_mariadb()), reason=missing_mariadb() or "-")
OLD, NEW = "c4n4ry-0ld", "c4n4ry-n3w"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    with mariadb(Path(tmp_path_factory.mktemp("m"))) as made:
        yield made


@pytest.fixture(scope="module")
def world(database: str, server: tuple[int, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    admin = pymysql.connect(unix_socket=server[1], user="root", autocommit=True)
    for line in ("CREATE DATABASE shop", "CREATE TABLE shop.orders(id int)",
                 f"CREATE USER 'stitch'@'127.0.0.1' IDENTIFIED BY '{NEW}'", "GRANT SELECT ON shop.* TO 'stitch'@'127.0.0.1'"):  # fmt: skip
        admin.cursor().execute(line)
    folder = Path(tmp_path_factory.mktemp("mend"))
    (folder / "pw").write_text(OLD)
    shop = {
        "connector": "mariadb",
        "settings": {
            "host": "127.0.0.1",
            "port": server[0],
            "database": "shop",
            "user": "stitch",
            "sslmode": "disable",
        },
        "secrets": {"password": f"${{file:{folder / 'pw'}}}"},
        "tables": ["orders"],
    }
    with World(database, folder, connections={"shop": shop}) as world:
        yield world
    admin.close()


def test_a_killed_worker_loses_no_credential_and_the_case_closes_on_proof(world: World) -> None:
    talk = world.start("shop")
    talk.until("regenerating_credentials")
    page = opened(world, talk)
    page.press("try", user="stitch", password=NEW)
    for child in children(world.processes[0].pid):
        os.kill(child, signal.SIGKILL)
    page.until("work and are saved", 90)
    talk.until("resolved", 90)
    with psycopg.connect(world.url) as connection:
        versions = connection.execute(
            "SELECT name, version FROM secrets WHERE connection = 'shop' ORDER BY name"
        ).fetchall()
    assert versions == [("shop.password", "current"), ("shop.user", "current")]
    assert sum("were proven and saved" in text for text in talk.texts) == 1
