"""PostgreSQL broken for real, named, mended by the very statement that is proposed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bot.checks import run
from bot.checks.base import Target
from flows.core.finding import Finding
from tests.servers import postgres, target

Admin = psycopg.Connection[tuple[object, ...]]
SECRET = "Tr0ub4dor&3"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres("sql") as (where, _):
        yield where


@pytest.fixture
def admin(url: str) -> Iterator[Admin]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE ROLE "Sti""tch" LOGIN PASSWORD \'{SECRET}\'')
        connection.execute("CREATE SCHEMA sales; CREATE TABLE sales.orders(id int); CREATE TABLE public.items(id int)")
        folder = connection.execute("SHOW data_directory").fetchone()[0]  # type: ignore[index]
        file = Path(f"{folder}/pg_hba.conf")
        before = file.read_text()
        ask = f'local all "Sti""tch" scram-sha-256\nlocal all nobody_here scram-sha-256\n{before}'
        file.write_text(ask)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SELECT pg_sleep(0.3)")
        yield connection
        connection.execute("DROP SCHEMA sales CASCADE; DROP TABLE public.items")
        connection.execute("GRANT CONNECT ON DATABASE postgres TO public")
        connection.execute('DROP OWNED BY "Sti""tch"; DROP ROLE "Sti""tch"')
        file.write_text(before)


@pytest.fixture
def look(url: str, admin: Admin) -> Callable[..., dict[str, Finding]]:
    where = conninfo_to_dict(url)

    def run_it(password: str = SECRET, tables: tuple[str, ...] = (), **settings: object) -> dict[str, Finding]:
        base = {"host": where["host"], "database": "postgres", "user": 'Sti"tch'}
        made: Target = target("postgres", {**base, **settings}, password, tables=tables)
        return {f.check: f for f in run.run_all(made)}

    return run_it


Look = Callable[..., dict[str, Finding]]


def test_a_wrong_password_is_named_and_permissions_stay_hidden(look: Look) -> None:
    seen = look("wrong")
    login = seen["credentials_accepted"]
    assert (login.cause, login.code) == ("invalid_credentials", "auth.wrong_password")
    assert "auth.unknown_user" in login.alternatives
    assert login.evidence == 'FATAL: password authentication failed for user "Sti"tch" (28P01)'
    assert seen["permissions_sufficient"].verdict == "skipped"
    assert look()["credentials_accepted"].verdict == "good"


def test_an_unknown_database_is_named(look: Look) -> None:
    assert look(database="shop")["credentials_accepted"].code == "config.unknown_database"


def test_a_role_without_login_is_let_in_by_the_statement(look: Look, admin: Admin) -> None:
    admin.execute('ALTER ROLE "Sti""tch" NOLOGIN')
    login = look()["credentials_accepted"]
    assert (login.cause, login.code) == ("account_locked", "auth.account_locked")
    admin.execute(login.facts["statements"][0])
    assert look()["credentials_accepted"].verdict == "good"


def test_connect_is_granted_by_the_statement(look: Look, admin: Admin) -> None:
    admin.execute("REVOKE CONNECT ON DATABASE postgres FROM public")
    login = look()["credentials_accepted"]
    assert (login.cause, login.code) == ("missing_privilege", "privilege.connect_missing")
    admin.execute(login.facts["statements"][0])
    assert look()["credentials_accepted"].verdict == "good"


def test_a_full_role_is_told_apart(look: Look, admin: Admin) -> None:
    admin.execute('ALTER ROLE "Sti""tch" CONNECTION LIMIT 0')
    assert look()["credentials_accepted"].code == "capacity.role_connection_limit"


def test_codes_do_not_depend_on_the_language(look: Look, admin: Admin) -> None:
    from bot.drivers.postgres_words import words as _words

    said = "connection failed: FATAL:  28P01: la autentificación password falló\nLOCATION:  auth_failed, auth.c:317"
    assert _words("", said).code == "auth.wrong_password"
    full = "connection failed: FATAL:  53300: demasiadas conexiones\nLOCATION:  InitializeSessionUserId, m.c:9"
    assert _words("", full).code == "capacity.role_connection_limit"


def test_missing_grants_are_mended_by_the_statements(look: Look, admin: Admin) -> None:
    tables = ("sales.orders", "items")
    seen = look(tables=tables)["permissions_sufficient"]
    assert (seen.cause, seen.code) == ("missing_privilege", "privilege.schema_usage_missing")
    assert seen.facts["missing"] == ["sales.orders", "public.items"]
    for statement in seen.facts["statements"]:
        admin.execute(statement)
    assert look(tables=tables)["permissions_sufficient"].verdict == "good"


def test_a_missing_table_and_a_misspelt_one(look: Look) -> None:
    assert look(tables=("public.nothing",))["permissions_sufficient"].code == "config.table_missing"
    seen = look(tables=("public.Items",))["permissions_sufficient"]
    assert (seen.code, seen.facts["similar"]) == ("config.identifier_case", ["public.items"])


def test_hidden_rows_are_shown_by_the_statement(look: Look, admin: Admin) -> None:
    admin.execute('ALTER TABLE public.items ENABLE ROW LEVEL SECURITY; GRANT SELECT ON public.items TO "Sti""tch"')
    seen = look(tables=("public.items",))["permissions_sufficient"]
    assert (seen.verdict, seen.code) == ("bad", "privilege.row_level_security")
    admin.execute(seen.facts["statements"][0])
    assert look(tables=("public.items",))["permissions_sufficient"].verdict == "good"


def test_one_run_is_one_login(look: Look, admin: Admin, url: str) -> None:
    made = target("postgres", {"host": conninfo_to_dict(url)["host"], "database": "postgres", "user": 'Sti"tch'}, "no")
    import bot.checks.sql_postgres as module

    calls = []
    real = module.examine
    module.examine = lambda *a: calls.append(1) or real(*a)  # type: ignore[assignment, func-returns-value]
    try:
        run.run_step(made, "verify_credentials")
        run.run_step(made, "check_permissions")
    finally:
        module.examine = real
    assert len(calls) == 1


def test_a_view_that_reads_fewer_rows_than_there_are_is_not_called_good(look: Look, admin: Admin) -> None:
    admin.execute("CREATE ROLE viewer; GRANT USAGE ON SCHEMA sales TO viewer; INSERT INTO sales.orders VALUES (1)")
    try:
        admin.execute("ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY; GRANT SELECT ON sales.orders TO viewer")
        for view, more in (("mine", "WITH (security_invoker = true)"), ("theirs", "")):
            admin.execute(f"CREATE VIEW public.{view} {more} AS SELECT id FROM sales.orders".encode())
            admin.execute(f'GRANT SELECT ON public.{view} TO "Sti""tch"'.encode())
        admin.execute("ALTER VIEW public.theirs OWNER TO viewer")
        admin.execute('GRANT USAGE ON SCHEMA sales TO "Sti""tch"; GRANT SELECT ON sales.orders TO "Sti""tch"')
        for view in ("mine", "theirs"):
            seen = look(tables=(view,))["permissions_sufficient"]
            assert (seen.verdict, seen.code) == ("bad", "privilege.row_level_security")
            for statement in seen.facts["statements"]:
                admin.execute(statement)
            assert look(tables=(view,))["permissions_sufficient"].verdict == "good"
            admin.execute("DROP POLICY mend_read_all ON sales.orders")
    finally:
        admin.execute("DROP VIEW public.mine, public.theirs; DROP OWNED BY viewer; DROP ROLE viewer")


def test_a_view_whose_owner_may_read_some_columns_below_is_not_called_good(look: Look, admin: Admin) -> None:
    admin.execute("CREATE ROLE viewer; CREATE TABLE sales.wide(a int, b int); GRANT SELECT (a) ON sales.wide TO viewer")
    admin.execute("CREATE VIEW public.wide AS SELECT a, b FROM sales.wide; ALTER VIEW public.wide OWNER TO viewer")
    admin.execute('GRANT SELECT ON public.wide TO "Sti""tch"')
    try:
        seen = look(tables=("wide",))["permissions_sufficient"]
        assert seen.code == "schema.view_definer_missing"
        for statement in seen.facts["statements"]:
            admin.execute(statement)
        assert look(tables=("wide",))["permissions_sufficient"].verdict == "good"
    finally:
        admin.execute("DROP VIEW public.wide; DROP OWNED BY viewer; DROP ROLE viewer")


def test_names_with_quotes_and_dots_are_found_and_proposed_as_they_can_be_written(look: Look, admin: Admin) -> None:
    admin.execute('CREATE TABLE sales."a""b"(); CREATE TABLE sales."Odd.Name"(); GRANT USAGE ON SCHEMA sales TO public')
    admin.execute('GRANT SELECT ON sales."a""b", sales."Odd.Name" TO public')
    assert look(tables=('sales."a""b"',))["permissions_sufficient"].verdict == "good"
    seen = look(tables=('sales."odd.name"',))["permissions_sufficient"]
    assert seen.code == "config.identifier_case"
    written = json.loads(seen.facts["settings"][0].removeprefix("tables: "))
    assert look(tables=tuple(written))["permissions_sufficient"].verdict == "good"


@pytest.mark.usefixtures("admin")
def test_what_this_machine_has_in_its_environment_is_not_what_the_connection_has(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=1")
    assert look("")["credentials_accepted"].code == "config.password_empty"
    assert look()["credentials_accepted"].verdict == "good"
    assert look()["permissions_sufficient"].code != "capacity.statement_timeout"


def test_the_end_of_a_password_is_that_of_who_logged_in(look: Look, admin: Admin) -> None:
    admin.execute('CREATE ROLE readers; GRANT readers TO "Sti""tch"')
    admin.execute('ALTER ROLE "Sti""tch" VALID UNTIL \'2042-01-01\'; ALTER ROLE "Sti""tch" SET role = readers')
    try:
        assert "2042-01-01" in look()["credentials_accepted"].evidence
    finally:
        admin.execute("DROP ROLE readers")
