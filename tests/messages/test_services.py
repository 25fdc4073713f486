"""What is said of a database that somebody else runs can be done there, and says where."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from bot.checks import mssql, oracle
from bot.checks.base import Target
from bot.checks.credentials import credentials_accepted
from bot.checks.remedies import managed, remedy
from bot.checks.replication import replication_ready
from bot.drivers.mysql import _limit
from bot.drivers.mysql_catalogue import Server as MysqlServer
from bot.drivers.network import Deadline, Trouble
from bot.drivers.oracle import Reading
from bot.drivers.oracle_log import VIEWS, Log
from bot.views import sheet_view
from flows.core.sheet import sheet, sheets
from messages import render
from messages.services import service_of, services

POSTGRES = {
    "replication.wal_level": "server_misconfigured", "replication.no_free_slots": "server_misconfigured",
    "replication.no_free_wal_sender": "server_misconfigured", "privilege.replication_missing": "missing_privilege",
    "access.pg_hba_no_entry": "ip_not_allowlisted", "access.pg_hba_reject": "ip_not_allowlisted",
    "auth.wrong_password": "invalid_credentials", "auth.unknown_user": "invalid_credentials",
    "auth.method_not_allowed": "invalid_credentials", "tls.server_requires_tls": "tls_mismatch",
    "tls.server_without_tls": "tls_mismatch", "tls.unknown_ca": "tls_mismatch",
    "network.timeout_filtered": "host_unreachable", "replication.slot_invalidated": "log_position_lost",
    "availability.hot_standby_off": "connection_dropped", "capacity.temp_file_limit": "connection_dropped",
}  # fmt: skip
MYSQL = {
    "replication.binlog_off": "server_misconfigured", "replication.binlog_format": "server_misconfigured",
    "replication.binlog_row_image": "server_misconfigured", "replication.binlog_retention": "server_misconfigured",
    "replication.server_id_missing": "server_misconfigured", "replication.log_slave_updates": "server_misconfigured",
    "privilege.replication_missing": "missing_privilege", "auth.wrong_password": "invalid_credentials",
    "auth.too_many_attempts": "ip_not_allowlisted", "access.host_not_allowed": "ip_not_allowlisted",
    "capacity.packet_too_large": "connection_dropped", "capacity.statement_timeout": "connection_dropped",
    "capacity.role_connection_limit": "connection_dropped", "tls.server_requires_tls": "tls_mismatch",
    "tls.unknown_ca": "tls_mismatch", "network.timeout_filtered": "host_unreachable",
    "capacity.too_many_connections": "connection_dropped", "contention.lock_timeout": "connection_dropped",
    "config.timezone_tables_missing": "server_misconfigured",
}  # fmt: skip
MORE = {"more": "20", "slot": "'s'", "plugin": "'wal2json'"}
DRIVERS = {"postgres": POSTGRES, "mysql": MYSQL}
FLAVORS = {"postgres": ("",), "mysql": ("mysql", "maria", "mysql5")}
EVERY = [
    (key, code, flavor)
    for key, one in services().items() if one["driver"] in DRIVERS
    for code in DRIVERS[one["driver"]] for flavor in FLAVORS[one["driver"]]
]  # fmt: skip
# Nobody there is superuser, edits a file of the server or restarts it by hand.
NEVER = re.compile(
    r"ALTER SYSTEM|SET PERSIST|SET GLOBAL|pg_authid|pg_reload_conf|pg_hba|postgresql\.conf|my\.cnf"
    r"|the server must be restarted|the server restarted"
)
WANTED = {
    ("rds_postgres", "replication.wal_level"): ("rds.logical_replication = 1", "Parameter groups", "Reboot"),
    ("rds_postgres", "privilege.replication_missing"): ('GRANT rds_replication TO "stitch";',),
    ("rds_postgres", "access.pg_hba_no_entry"): ("sslmode: require", "Edit inbound rules"),
    ("rds_postgres", "tls.server_requires_tls"): ("sslmode: require", "rds.force_ssl"),
    ("rds_postgres", "tls.unknown_ca"): ("global-bundle.pem", "ssl_root_cert"),
    ("rds_postgres", "network.timeout_filtered"): ("Edit inbound rules",),
    ("rds_postgres", "replication.no_free_slots"): ("max_replication_slots = 20", "Parameter groups", "Reboot"),
    ("aurora_postgres", "replication.wal_level"): ("rds.logical_replication = 1", "DB cluster parameter group"),
    ("rds_mysql", "replication.binlog_retention"): (
        "CALL mysql.rds_set_configuration('binlog retention hours', 168);",),
    ("rds_mysql", "replication.binlog_off"): ("Backup retention period", "binlog_format = ROW"),
    ("rds_mysql", "replication.binlog_row_image"): ("binlog_row_image = FULL", "Parameter groups"),
    ("rds_mysql", "capacity.too_many_connections"): ("CALL mysql.rds_kill(<id>);",),
    ("aurora_mysql", "contention.lock_timeout"): ("CALL mysql.rds_kill(<id>);",),
    ("rds_mysql", "auth.too_many_attempts"): ("FLUSH HOSTS;", "flush-hosts", "max_connect_errors = 1000"),
    ("azure_mysql", "config.timezone_tables_missing"): ("time_zone = <time zone>", "Server parameters"),
    ("aurora_mysql", "replication.binlog_format"): ("binlog_format = ROW", "DB cluster parameter group", "Reboot"),
    ("cloud_sql_postgres", "replication.wal_level"): ("cloudsql.logical_decoding = on", "Flags"),
    ("cloud_sql_postgres", "privilege.replication_missing"): ('ALTER USER "stitch" WITH REPLICATION;',),
    ("cloud_sql_postgres", "network.timeout_filtered"): ("Authorized networks",),
    ("cloud_sql_postgres", "tls.server_requires_tls"): ("SSL mode", "sslmode: require"),
    ("cloud_sql_mysql", "replication.binlog_off"): ("Enable point-in-time recovery", "Data Protection"),
    ("azure_postgres", "replication.wal_level"): ("wal_level = logical", "Server parameters", "Overview > Restart"),
    ("azure_postgres", "privilege.replication_missing"): ('ALTER ROLE "stitch" WITH REPLICATION;', "administrator"),
    ("azure_postgres", "network.timeout_filtered"): ("Firewall rules",),
    ("azure_mysql", "tls.server_requires_tls"): ("require_secure_transport", "sslmode: require"),
    ("azure_mysql", "replication.binlog_row_image"): ("binlog_row_image = FULL", "Server parameters"),
    ("heroku_postgres", "auth.wrong_password"): ("heroku pg:credentials:rotate",),
    ("heroku_postgres", "auth.unknown_user"): ("heroku pg:credentials:create",),
    ("heroku_postgres", "replication.wal_level"): ("key-based",),
    ("heroku_postgres", "privilege.replication_missing"): ("key-based",),
}  # fmt: skip
SETTINGS = {"host": "db.example.com", "port": 5432, "database": "shop", "user": "stitch"}


def said(connector: str, code: str, flavor: str = "", **settings: Any) -> str:
    """All that a person reads of one finding, in the terminal and in Slack."""
    known = sheet(connector)
    target = Target("warehouse", connector, known, {**SETTINGS, **settings})
    facts = remedy(target, code, "", flavor=flavor, **MORE)
    cause = DRIVERS.get(known.driver, {}).get(code, "host_unreachable")
    finding = {"verdict": "bad", "cause": cause, "code": code, "facts": facts,
               "alternatives": ["access.pg_hba_reject"] if known.driver == "postgres" else []}  # fmt: skip
    view = {**sheet_view(known), "name": "warehouse", "settings": dict(target.settings)}
    parts = (render.next_step, render.explain, render.summary)
    return "\n".join(str(make(finding, view, escaping=escaping)) for make in parts for escaping in (False, True))


@pytest.mark.parametrize(("key", "code", "flavor"), EVERY, ids=lambda part: str(part))
def test_no_advice_is_for_whoever_runs_the_server(key: str, code: str, flavor: str) -> None:
    text = said(key, code, flavor)
    assert NEVER.findall(text) == []


@pytest.mark.parametrize(("key", "code"), WANTED, ids=lambda part: str(part))
def test_the_way_that_works_there_is_named(key: str, code: str) -> None:
    text = said(key, code, FLAVORS[services()[key]["driver"]][0])
    assert [part for part in WANTED[key, code] if part not in text] == []


@pytest.mark.parametrize("key", ["rds_mysql", "aurora_mysql"])
def test_nobody_kills_by_himself_on_rds(key: str) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mysql-stored-proc-ending.html"""
    for code, flavor in [(code, flavor) for code in MYSQL for flavor in FLAVORS["mysql"]]:
        assert "\nKILL" not in said(key, code, flavor)


def test_a_server_of_ones_own_is_told_as_before() -> None:
    text = said("postgres", "replication.wal_level")
    assert "ALTER SYSTEM SET wal_level = 'logical';" in text
    assert "Then the server must be restarted." in text
    assert "pg_hba.conf" in said("postgres", "access.pg_hba_no_entry")


def test_mysql_before_8_is_told_only_what_it_knows() -> None:
    """https://dev.mysql.com/doc/refman/8.0/en/added-deprecated-removed.html"""
    for code in MYSQL:
        text = said("mysql", code, "mysql5")
        assert [word for word in ("SET PERSIST", "caching_sha2", "binlog_expire_logs_seconds") if word in text] == []
    text = said("mysql", "replication.binlog_retention", "mysql5")
    assert "SET GLOBAL expire_logs_days = 7;" in text, "at once"
    assert re.search("^expire_logs_days = 7$", text, re.M), "and after a restart too"
    assert "SET PERSIST binlog_expire_logs_seconds = 604800;" in said("mysql", "replication.binlog_retention", "mysql")


@pytest.mark.parametrize(
    ("version", "flavor"),
    [("5.6.51", "mysql5"), ("5.7.44-log", "mysql5"), ("8.0.36", "mysql"), ("9.7.0", "mysql"), ("", "mysql"),
     ("5.5.5-10.6.18-MariaDB", "maria"), ("11.8.3-MariaDB-ubu2404", "maria")],
)  # fmt: skip
def test_the_dialect_is_told_by_the_version(version: str, flavor: str) -> None:
    assert MysqlServer(version).flavor == flavor


@pytest.mark.parametrize(
    ("version", "known"), [("5.6.51", ""), ("10.0.38-MariaDB", ""), ("8.4.8", "max_execution_time")]
)
def test_a_limit_is_set_only_where_the_server_has_one(version: str, known: str) -> None:
    asked: list[str] = []
    cursor = SimpleNamespace(execute=asked.append)
    _limit(cursor, MysqlServer(version, {known: "0"} if known else {}), Deadline(10))
    assert [line for line in asked if "_time = " in line] == ([asked[0]] if known else [])


@pytest.mark.parametrize(
    ("driver", "host", "key"),
    [
        ("postgres", "shop.abc123.us-east-1.rds.amazonaws.com", "rds_postgres"),
        ("postgres", "shop.cluster-abc123.us-east-1.rds.amazonaws.com", "aurora_postgres"),
        ("postgres", "shop.cluster-ro-abc123.eu-west-1.rds.amazonaws.com", "aurora_postgres"),
        ("mysql", "SHOP.abc123.us-east-1.rds.amazonaws.com", "rds_mysql"),
        ("postgres", "acme.postgres.database.azure.com", "azure_postgres"),
        ("mysql", "acme.mysql.database.azure.com", "azure_mysql"),
        ("postgres", "/cloudsql/acme:europe-west1:shop", "cloud_sql_postgres"),
        ("mongodb", "cluster0.ab1cd.mongodb.net", "atlas_mongodb"),
        ("mssql", "acme.database.windows.net", "azure_mssql"),
        ("mssql", "shop.abc123.us-east-1.rds.amazonaws.com", "rds_mssql"),
        ("oracle", "shop.abc123.us-east-1.rds.amazonaws.com", "rds_oracle"),
        ("postgres", "rds.amazonaws.com.example.org", ""),
        ("postgres", "db.example.com", ""),
    ],
)
def test_a_plain_connector_is_recognised_by_its_host(driver: str, host: str, key: str) -> None:
    assert service_of(driver, driver, host) == key


def test_the_host_changes_what_a_plain_connector_is_told() -> None:
    text = said("postgres", "access.pg_hba_no_entry", host="shop.abc123.us-east-1.rds.amazonaws.com")
    assert "Edit inbound rules" in text
    assert NEVER.findall(text) == []


@pytest.mark.parametrize(
    ("version", "variables", "key"),
    [
        ("8.0.40", {"basedir": "/rdsdbbin/mysql-8.0.40.R2/"}, "rds_mysql"),
        ("8.0.39", {"basedir": "/rdsdbbin/oscar-8.0/", "aurora_version": "3.08.0"}, "aurora_mysql"),
        ("8.0.37-google", {"basedir": "/usr/"}, "cloud_sql_mysql"),
        ("8.0.40-azure", {}, "azure_mysql"),
        ("8.0.40", {"basedir": "/usr/"}, ""),
    ],
)
def test_a_mysql_behind_any_name_gives_its_service_away(version: str, variables: dict[str, str], key: str) -> None:
    assert service_of("mysql", "mysql", "10.0.0.5", MysqlServer(version, variables).service) == key


def test_each_service_has_its_pages_and_where_they_were_read() -> None:
    for key, one in services().items():
        assert one["network"], key
        assert one["source"], key
        assert bool(one.get("parameters")) == bool(one.get("restart")), key
        own = key in sheets()  # the others are known by their hosts alone
        assert managed(Target("w", key, sheet(key), SETTINGS)) == key if own else one["hosts"], key


def test_atlas_is_sent_to_its_console_and_not_to_the_shell() -> None:
    refused, settings = Trouble("invalid_credentials", "auth.wrong_password", "no"), {"host": "c0.ab1cd.mongodb.net"}
    view = {**sheet_view(sheet("mongodb")), "name": "w", "settings": settings}
    target = Target("w", "mongodb", sheet("mongodb"), settings, memo={"mongodb": refused})
    text = render.next_step(credentials_accepted(target).to_dict(), view)
    assert "Database Users > Edit" in text
    assert "db." not in text


RDS = {"host": "shop.abc123.us-east-1.rds.amazonaws.com", "user": "stitch", "database": "shop"}
AZURE = {"host": "acme.database.windows.net", "user": "stitch@acme", "database": "shop"}


def refused(driver: str, settings: dict[str, Any], code: str, evidence: str = "no") -> list[str]:
    """The statements for a login that this server refused."""
    trouble = Trouble("invalid_credentials", code, evidence)
    target = Target("warehouse", driver, sheet(driver), settings, memo={driver: trouble})
    lines: list[str] = credentials_accepted(target).facts["statements"]
    return lines


@pytest.mark.parametrize("code", oracle.REMEDIES)
def test_rds_for_oracle_is_not_told_to_alter_the_system(code: str) -> None:
    assert not re.search(r"ALTER (SYSTEM|DATABASE)|listener", "\n".join(refused("oracle", RDS, code)))


def test_rds_for_oracle_ends_a_session_and_grants_by_its_own_procedures() -> None:
    kill = "EXEC rdsadmin.rdsadmin_util.kill(sid => <sid>, serial => <serial#>, method => 'IMMEDIATE');"
    assert kill in refused("oracle", RDS, "capacity.too_many_connections")
    assert kill not in refused("oracle", {**RDS, "host": "db.example.com"}, "capacity.too_many_connections")
    hidden = Reading(log=Log(seen=False, lacking=["v$database", *VIEWS, "LOGMINING"]))
    target = Target("w", "oracle", sheet("oracle"), RDS, replication="log", memo={"oracle": hidden})
    lines = replication_ready(target).facts["statements"]
    assert "EXEC rdsadmin.rdsadmin_util.grant_sys_object('V_$DATABASE', 'STITCH', 'SELECT');" in lines
    assert "EXEC rdsadmin.rdsadmin_util.grant_sys_object('V_$LOGMNR_CONTENTS', 'STITCH', 'SELECT');" in lines
    assert 'GRANT LOGMINING TO "STITCH";' in lines
    assert not any(" sys." in line or "ALTER DATABASE" in line for line in lines)


@pytest.mark.parametrize("code", mssql.REMEDIES)
def test_azure_sql_is_told_nothing_that_it_does_not_know(code: str) -> None:
    """https://learn.microsoft.com/en-us/azure/azure-sql/database/transact-sql-tsql-differences-sql-server"""
    plain, _, number = code.partition("(")
    text = "\n".join(refused("mssql", AZURE, plain, f"no ({number}" if number else "no"))
    assert not re.search(r"\bUSE \[|UNLOCK|CHECK_EXPIRATION|restart the server", text)
    if re.search(r"(CREATE|ALTER) LOGIN", text):
        assert text.startswith("-- connected to database master:")


@pytest.mark.parametrize(
    ("facts", "who"),
    [({"statements": ["SELECT 1;"]}, "The owner of the database"), ({}, "Whoever set up warehouse"),
     ({"settings": ["sslmode: require"]}, "Whoever set up warehouse")],
)  # fmt: skip
def test_a_wrong_setting_that_statements_mend_is_the_owners(facts: dict[str, Any], who: str) -> None:
    view = {**sheet_view(sheet("postgres")), "name": "warehouse", "settings": SETTINGS}
    finding = {"verdict": "bad", "cause": "config_error", "code": "config.unknown_database", "facts": facts}
    assert render.who(finding, view) == who
