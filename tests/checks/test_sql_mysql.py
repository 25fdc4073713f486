"""MariaDB broken for real, named, mended by the very statement that is proposed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

from bot.checks import run
from bot.drivers.mysql_renew import Seen, set_password
from bot.drivers.mysql_renew import look as look_at
from bot.drivers.network import Trouble
from flows.core.finding import Finding
from tests.servers import mariadb, missing_mariadb, target

pytestmark = pytest.mark.skipif(bool(missing_mariadb()), reason=missing_mariadb() or "-")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    folder: Path = tmp_path_factory.mktemp("m")
    with mariadb(folder) as made:
        yield made


@pytest.fixture
def admin(server: tuple[int, str]) -> Iterator[pymysql.cursors.Cursor]:
    connection = pymysql.connect(unix_socket=server[1], user="root", autocommit=True)
    cursor = connection.cursor()
    for line in ("CREATE DATABASE shop", "CREATE TABLE shop.orders(id int)", "CREATE TABLE shop.items(id int, b int)",
                 "CREATE USER 'sti''tch'@'127.0.0.1' IDENTIFIED BY 'S3cret!'",
                 "GRANT SELECT ON shop.items TO 'sti''tch'@'127.0.0.1'"):  # fmt: skip
        cursor.execute(line)
    yield cursor
    cursor.execute("DROP DATABASE shop")
    cursor.execute("DROP USER 'sti''tch'@'127.0.0.1'")
    connection.close()


def look(
    server: tuple[int, str], password: str = "S3cret!", tables: tuple[str, ...] = (), **more: object
) -> dict[str, Finding]:
    settings = {"host": "127.0.0.1", "port": server[0], "database": "shop", "user": "sti'tch", **more}
    return {f.check: f for f in run.run_all(target("mysql", settings, password, tables=tables))}


@pytest.mark.usefixtures("admin")
def test_a_wrong_password_is_named(server: tuple[int, str]) -> None:
    login = look(server, "wrong")["credentials_accepted"]
    assert (login.verdict, login.cause, login.code) == ("bad", "invalid_credentials", "auth.wrong_password")
    assert "auth.unknown_user" in login.alternatives
    assert look(server)["credentials_accepted"].verdict == "good"


@pytest.mark.usefixtures("admin")
def test_an_unencrypted_server_gets_no_password_when_tls_is_required(server: tuple[int, str]) -> None:
    login = look(server, sslmode="require")["credentials_accepted"]
    assert (login.cause, login.code) == ("tls_mismatch", "tls.server_without_tls")


def test_another_database_is_not_open(server: tuple[int, str], admin: pymysql.cursors.Cursor) -> None:
    assert look(server, database="elsewhere")["credentials_accepted"].code == "privilege.database_missing"
    admin.execute("GRANT SELECT ON *.* TO 'sti''tch'@'127.0.0.1'")
    assert look(server, database="elsewhere")["credentials_accepted"].code == "config.unknown_database"


def test_a_locked_account_is_told(server: tuple[int, str], admin: pymysql.cursors.Cursor) -> None:
    admin.execute("ALTER USER 'sti''tch'@'127.0.0.1' ACCOUNT LOCK")
    assert look(server)["credentials_accepted"].cause == "account_locked"


def test_a_missing_grant_is_mended_by_the_statement(server: tuple[int, str], admin: pymysql.cursors.Cursor) -> None:
    tables = ("shop.orders", "items")
    seen = look(server, tables=tables)["permissions_sufficient"]
    assert (seen.cause, seen.code) == ("missing_privilege", "privilege.table_select_missing")
    assert seen.facts["missing"] == ["shop.orders"]
    for statement in seen.facts["statements"]:
        admin.execute(statement)
    assert look(server, tables=tables)["permissions_sufficient"].verdict == "good"


def test_a_role_that_may_read_some_columns_is_not_called_good(
    server: tuple[int, str], admin: pymysql.cursors.Cursor
) -> None:
    user = "'sti''tch'@'127.0.0.1'"
    for line in ("CREATE ROLE some", "CREATE TABLE shop.`wi``de`(id int, b int)", "GRANT SELECT (id) ON shop.`wi``de` TO some",
                 f"GRANT some TO {user}", f"SET DEFAULT ROLE some FOR {user}"):  # fmt: skip
        admin.execute(line)
    try:
        seen = look(server, tables=("`wi``de`",))["permissions_sufficient"]
        assert (seen.verdict, seen.code) == ("bad", "privilege.column_denied")
        for statement in seen.facts["statements"]:
            admin.execute(statement)
        assert look(server, tables=("`wi``de`",))["permissions_sufficient"].verdict == "good"
    finally:
        admin.execute("DROP ROLE some")


def test_a_name_with_a_dot_is_one_table(server: tuple[int, str], admin: pymysql.cursors.Cursor) -> None:
    admin.execute("CREATE TABLE shop.`Odd.Name`(id int)")
    admin.execute("GRANT SELECT ON shop.`Odd.Name` TO 'sti''tch'@'127.0.0.1'")
    assert look(server, tables=("shop.`Odd.Name`",))["permissions_sufficient"].verdict == "good"
    seen = look(server, tables=("`odd.name`",))["permissions_sufficient"]
    assert seen.code == "config.identifier_case"
    written = json.loads(seen.facts["settings"][0].removeprefix("tables: "))
    assert look(server, tables=tuple(written))["permissions_sufficient"].verdict == "good"


def test_an_administrator_sets_the_password_of_an_account_of_any_host(
    server: tuple[int, str], admin: pymysql.cursors.Cursor
) -> None:
    for line in ("CREATE USER any@'%' IDENTIFIED BY 'old-pass'", "CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'adm1n'",
                 "GRANT ALL ON *.* TO keeper@'127.0.0.1' WITH GRANT OPTION"):  # fmt: skip
        admin.execute(line)
    try:
        keeper = {"host": "127.0.0.1", "port": server[0], "user": "keeper"}
        (seen,) = look_at(keeper, "adm1n", "any", 5)
        for native in (True, False):
            new = f"new-{native}"
            set_password(keeper, "adm1n", new, 5, replace(seen, native=native), own=False)
            pymysql.connect(host="127.0.0.1", port=server[0], user="any", password=new).close()
    finally:
        admin.execute("DROP USER any@'%', keeper@'127.0.0.1'")


@pytest.mark.usefixtures("admin")
def test_a_statement_that_a_server_repeats_shows_no_password(server: tuple[int, str]) -> None:
    """A server that speaks MySQL's protocol and not all of its language, as MariaDB here."""
    place = {"host": "127.0.0.1", "port": server[0], "user": "sti'tch"}
    other = Seen("''@''", maria=False, native=False, safe=True, two=False, read_only=False, naming=True)
    with pytest.raises(Trouble) as told:
        set_password(place, "S3cret!", "n3w-c4n4ry", 5, other, own=True)
    assert "IDENTIFIED BY" in told.value.evidence
    assert "n3w-c4n4ry" not in told.value.evidence
    assert "S3cret!" not in told.value.evidence
