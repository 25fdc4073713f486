"""Whoever reads a finding knows whose it is, where it is done, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from bot.views import sheet_view
from flows.core.sheet import sheet
from messages import render

PLACE = {
    "host": "db.acme.com",
    "port": 1234,
    "database": "shop",
    "user": "stitch",
    "account": "acme-shop",
    "project": "acme",
    "region": "eu-west-1",
}
# What people call the one who runs statements there, and where they run them.
OWNERS = {
    "postgres": ("The owner of the database", "on db.acme.com:1234, in database shop"),
    "mysql": ("The owner of the database", "on db.acme.com:1234, in database shop"),
    "mssql": ("The owner of the database", "on db.acme.com:1234, in database shop"),
    "oracle": ("The owner of the database", "on db.acme.com:1234, in database shop"),
    "mongodb": ("The owner of the database", "on db.acme.com:1234, in database shop"),
    "redis": ("The owner of the database", "on db.acme.com:1234, in database shop"),
    "sftp": ("The owner of the SSH server", "on db.acme.com"),
    "snowflake": ("An administrator of Snowflake", "in account acme-shop"),
    "bigquery": ("An administrator of the Google Cloud project", "in project acme"),
    "s3": ("An administrator of the AWS account", "in region eu-west-1"), "dynamodb": ("An administrator of the AWS account", "in region eu-west-1"),
}  # fmt: skip


def view(connector: str, **settings: Any) -> dict[str, Any]:
    return {**sheet_view(sheet(connector)), "name": "warehouse", "settings": {**PLACE, **settings}}


def found(cause: str, code: str, **facts: Any) -> dict[str, Any]:
    return {
        "verdict": "bad",
        "check": "permissions_sufficient",
        "cause": cause,
        "code": code,
        "facts": {**PLACE, **facts},
    }


@pytest.mark.parametrize("connector", OWNERS)
@pytest.mark.parametrize(
    ("cause", "code"),
    [("missing_privilege", "privilege.table_select_missing"), ("invalid_credentials", "auth.wrong_password"),
     ("account_locked", "auth.account_locked"), ("server_misconfigured", "replication.binlog_off"),
     ("ip_not_allowlisted", "access.ip_not_allowed"), ("connection_dropped", "capacity.too_many_connections")],
)  # fmt: skip
def test_who_must_act_is_who_runs_the_statements_and_where(connector: str, cause: str, code: str) -> None:
    owner, where = OWNERS[connector]
    finding, place = found(cause, code, statements=["SELECT 1;"]), view(connector)
    assert render.who(finding, place) == owner
    assert f"{owner} runs this {where}:\n\n```\nSELECT 1;" in render.next_step(finding, place)


def test_a_statement_for_a_login_is_run_on_the_server_whatever_the_database() -> None:
    finding = {
        **found("invalid_credentials", "auth.wrong_password", statements=["ALTER ROLE x;"]),
        "check": "credentials_accepted",
    }
    assert "runs this on db.acme.com:1234:" in render.next_step(finding, view("postgres"))


def test_through_a_tunnel_the_server_is_named_and_not_our_end_of_the_tunnel() -> None:
    finding = found(
        "missing_privilege", "privilege.table_select_missing", statements=["GRANT;"], host="127.0.0.1", port="40000"
    )
    said = render.next_step(finding, view("postgres"))
    assert "on db.acme.com:1234" in said
    assert "127.0.0.1" not in said


@pytest.mark.parametrize("connector", ["postgres", "mysql", "sftp"])
def test_a_password_that_ssh_refuses_is_no_databases(connector: str) -> None:
    finding = {**found("invalid_credentials", "auth.wrong_password"), "check": "tunnel_opens"}
    place = view(connector)
    said = " ".join((render.summary(finding, place), render.explain(finding, place), render.next_step(finding, place)))
    assert "ALTER" not in said
    assert "database" not in said
    assert render.who(finding, place) == "The owner of the SSH server"


@pytest.mark.parametrize(
    ("statements", "ends", "goes_on"),
    [(["SELECT 1;", "ALTER ROLE x PASSWORD '<new password>';"], True, True),
     (["CREATE ROLE x PASSWORD '<new password>';"], False, True), (["GRANT SELECT ON t TO x;"], False, False)],
)  # fmt: skip
def test_what_a_new_password_ends_and_where_it_goes_is_said(statements: list[str], ends: bool, goes_on: bool) -> None:
    said = render.next_step(
        found("invalid_credentials", "auth.wrong_password", statements=statements), view("postgres")
    )
    assert ("for every program that uses this login" in said) is ends
    assert ("goes into Mend and into the pipeline" in said) is goes_on


@pytest.mark.parametrize(
    ("connector", "facts", "told"),
    [("redis", {"statements": ["ACL SETUSER x +@read"]}, "ACL SAVE"),
     ("mariadb", {"statements": ["SET GLOBAL max_statement_time = 0;"]}, "configuration file too"),
     ("mariadb", {"statements": ["SET GLOBAL binlog_format = 'ROW';"], "lines": ["binlog_format = ROW"]}, ""),
     ("mysql", {"statements": ["SET PERSIST max_execution_time = 0;"]}, "")],
)  # fmt: skip
def test_what_a_restart_undoes_is_said(connector: str, facts: dict[str, Any], told: str) -> None:
    said = render.next_step(found("connection_dropped", "capacity.statement_timeout", **facts), view(connector))
    assert told in said if told else "over a restart" not in said


def test_what_both_must_do_names_both() -> None:
    finding = found(
        "config_error", "config.unknown_database", statements=["SHOW DATABASES;"], settings=["database: <one of these>"]
    )
    assert render.who(finding, view("mysql")) == "Whoever set up warehouse, with the owner of the database"


def test_a_proxy_is_mends_own_and_not_the_pipelines() -> None:
    finding = found(
        "host_unreachable", "proxy.wrong_credentials", settings=["proxy: http://<user>:<password>@127.0.0.1:80"]
    )
    said = render.next_step(finding, view("postgres"))
    assert "and in the pipeline" not in said
    assert render.who(finding, view("postgres")) == "Whoever runs Mend, with the network admin"


def test_a_server_that_lacks_something_else_is_not_said_to_lack_a_log() -> None:
    other = found("server_misconfigured", "config.timezone_tables_missing")
    assert "log" not in render.explain(other, view("mysql")).replace("login", "")
    assert "log of them" in render.explain(found("server_misconfigured", "replication.binlog_off"), view("mysql"))
