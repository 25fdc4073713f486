"""ProxySQL before a real MariaDB: it lets people in by a list of its own, which no password of the server's reaches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from flows.core.finding import explaining
from tests.fakes.proxysql import ProxySql
from tests.faults.frame import Wire, told
from tests.rotation.sources import OLD, MariadbSource, mariadb_source
from tests.servers import listener, missing_mariadb
from tests.talk import World
from tests.web.test_credentials import everything

pytestmark = pytest.mark.skipif(bool(missing_mariadb()), reason=missing_mariadb() or "-")


@pytest.fixture(scope="module")
def source() -> Iterator[MariadbSource]:
    with mariadb_source() as made:
        yield made


@pytest.fixture(scope="module")
def pooler(source: MariadbSource) -> Iterator[tuple[int, ProxySql]]:
    def behind(sql: str) -> list[tuple[Any, ...]]:
        line = pymysql.connect(host="127.0.0.1", port=source.port, user="stitch", password=OLD, database="shop")
        with line, line.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    played = ProxySql({"stitch": OLD}, behind)
    with listener(played.talk) as port:
        yield port, played


def connection(source: MariadbSource, port: int) -> dict[str, Any]:
    made = source.connection(tables=[])
    made["settings"]["port"] = port
    return made


@pytest.fixture(scope="module")
def world(
    database: str, source: MariadbSource, pooler: tuple[int, ProxySql], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    connections = {"pooled": connection(source, pooler[0]), "direct": source.connection()}
    with World(database, Path(tmp_path_factory.mktemp("mend")), connections=connections) as world:
        yield world


def test_before_a_list_of_its_own_it_is_left_to_people_and_said_before_anything_is_changed(
    world: World, source: MariadbSource, pooler: tuple[int, ProxySql]
) -> None:
    talk = world.start("rotate pooled")
    asked = talk.until("regenerating_credentials")["text"]
    assert "Mend cannot replace this credential itself" in asked
    assert "goes through a pooler, which has its own list of passwords" in asked
    assert "(ProxySQL)" in asked
    assert "Nothing was changed" in asked
    assert not [sql for sql in pooler[1].asked if not sql.lower().startswith(("select", "show", "set names"))]
    assert source.opens({"password": OLD})
    assert OLD not in everything(world)


def test_the_server_itself_is_not_taken_for_one(world: World) -> None:
    talk = world.start("rotate direct")
    assert "Mend would replace the credential" in talk.until("regenerating_credentials")["text"]


def test_a_refusal_of_its_own_names_its_list(source: MariadbSource, pooler: tuple[int, ProxySql]) -> None:
    settings = connection(source, pooler[0])["settings"]
    one = Wire("mysql", settings, {"password": "of last year"}, ())
    top = explaining(one.look())
    assert top is not None
    assert (top.cause, top.code) == ("invalid_credentials", "auth.pooler_user_missing")
    assert "LOAD MYSQL USERS TO RUNTIME;" in told(one, top).statements
