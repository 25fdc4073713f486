"""MariaDB, broken for real: who may come in, what they may read, and whether its log can be followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.faults.frame import Chosen, Fault, Told, both, by_hand, prove, setting, sql
from tests.faults.mariadb_site import NAME, MariaSite, running
from tests.servers import missing_mariadb

pytestmark = pytest.mark.skipif(bool(missing_mariadb()), reason=missing_mariadb() or "-")
WRONG, DENIED, CONFIG, DROPPED, TLS = (
    "invalid_credentials",
    "missing_privilege",
    "config_error",
    "connection_dropped",
    "tls_mismatch",
)
SERVER = "server_misconfigured"


@pytest.fixture(scope="module")
def site() -> Iterator[MariaSite]:
    with running(MariaSite) as made:
        yield made


def choose(site: MariaSite, remedy: Told) -> Told:
    """The owner runs the first line; what it shows decides which of the others."""
    if not remedy.statements[-1].startswith("-- when ssl_type"):
        return remedy
    look, known, unknown, tls, shown = (remedy.statements[at] for at in (0, 1, 2, -2, -1))
    rows = [row for row in site.ask(look) if row["host"] in ("127.0.0.1", "%")]
    if rows and rows[0]["ssl_type"] in ("X509", "SPECIFIED"):
        said = shown.partition("set ")[2].replace(" and ", "\n")
        return replace(remedy, statements=[], settings=yaml.safe_load(said))
    if rows and (rows[0]["ssl_type"] or rows[0]["tls_only"]):
        return replace(remedy, statements=[], settings=yaml.safe_load(tls.partition("set ")[2]))
    if rows and not rows[0]["plugin"].endswith(("password", "ed25519")):
        return replace(remedy, statements=[remedy.statements[3].partition(": ")[2]])
    return replace(remedy, statements=[known if rows else unknown.partition(": ")[2]])


look_then_act = Chosen(choose)


def crowd(site: MariaSite) -> None:
    for _ in range(12):
        site.stay()


def restarted(*without: str, **settings: Any) -> Any:
    return lambda site: (site.configure(*without, **settings), site.restart())


def locked(site: MariaSite) -> None:
    session = site.connect()
    site.open.append(session)
    session.cursor().execute("LOCK TABLES shop.orders WRITE, shop.seen WRITE")


ROLES = (
    "CREATE ROLE reader",
    "GRANT SELECT ON shop.* TO reader",
    f"REVOKE SELECT ON shop.orders FROM {NAME}",
    f"GRANT reader TO {NAME}",
)
VIEW = ("CREATE USER 'dora'@'%'", "GRANT SELECT ON shop.orders TO 'dora'@'%'",
        "CREATE DEFINER = 'dora'@'%' VIEW shop.seen AS SELECT id FROM shop.orders", f"GRANT SELECT ON shop.seen TO {NAME}")  # fmt: skip
SEEN = setting(tables=("shop.seen",))
LOGIN, LIMITS, RIGHTS = "mariadb login", "mariadb limits", "mariadb rights"
FAULTS = [
    Fault("the password was changed", LOGIN, WRONG, "auth.wrong_password", sql(f"ALTER USER {NAME} IDENTIFIED BY 'other'"), look_then_act,
          also=("auth.unknown_user", "access.account_for_other_host", "tls.account_requires_tls")),
    Fault("the user was dropped", LOGIN, WRONG, "auth.wrong_password", sql("CREATE USER 'x'@'127.0.0.1'", f"DROP USER {NAME}"), look_then_act,
          also=("auth.unknown_user",), rounds=3),
    Fault("another user is written in mend.yml", LOGIN, WRONG, "auth.wrong_password", setting(user="stich"), look_then_act,
          also=("auth.unknown_user",), rounds=3),
    Fault("the user may come only from another host", LOGIN, WRONG, "auth.wrong_password",
          sql("CREATE USER 'x'@'127.0.0.1'", f"RENAME USER {NAME} TO 'sti''tch'@'10.0.0.1'"), look_then_act,
          also=("access.account_for_other_host",), rounds=3),
    Fault("the user may come only over TLS", LOGIN, WRONG, "auth.wrong_password",
          both(sql(f"ALTER USER {NAME} REQUIRE SSL"), setting(sslmode="disable")), look_then_act, also=("tls.account_requires_tls",)),
    Fault("the user must show a certificate", LOGIN, WRONG, "auth.wrong_password", sql(f"ALTER USER {NAME} REQUIRE X509"), look_then_act,
          also=("tls.account_requires_tls",)),
    Fault("no password is configured", LOGIN, WRONG, "config.password_empty", setting(password="")),
    Fault("the user has no password", LOGIN, WRONG, "auth.wrong_password", sql(f"ALTER USER {NAME} IDENTIFIED BY ''"), look_then_act),
    Fault("the account is locked", LOGIN, "account_locked", "auth.account_locked", sql(f"ALTER USER {NAME} ACCOUNT LOCK")),
    Fault("the password has expired", LOGIN, WRONG, "auth.password_expired", sql(f"ALTER USER {NAME} PASSWORD EXPIRE")),
    Fault("the password has expired, and the server hangs up", LOGIN, WRONG, "auth.password_expired",
          sql("SET GLOBAL disconnect_on_expired_password = ON", f"ALTER USER {NAME} PASSWORD EXPIRE")),
    Fault("the user logs in by the socket only", LOGIN, WRONG, "auth.plugin_not_usable_remotely",
          sql(f"ALTER USER {NAME} IDENTIFIED VIA unix_socket")),
    Fault("the user logs in by PAM", LOGIN, WRONG, "auth.plugin_unsupported_by_client",
          # The newer module starts a tool that root alone may run; else it kills its whole process group.
          lambda site: (site.run("INSTALL SONAME 'auth_pam_v1'"), site.run(f"ALTER USER {NAME} IDENTIFIED VIA pam"))),
    Fault("the user's plugin was removed", LOGIN, SERVER, "auth.plugin_not_usable_remotely",
          sql("INSTALL SONAME 'auth_ed25519'", f"ALTER USER {NAME} IDENTIFIED VIA ed25519 USING PASSWORD('x')", "UNINSTALL SONAME 'auth_ed25519'")),
    Fault("nobody may come from this host", LOGIN, "ip_not_allowlisted", "access.host_not_allowed",
          sql(f"RENAME USER {NAME} TO 'sti''tch'@'10.0.0.1'"), rounds=3),
    Fault("the server takes encrypted callers only", "mariadb TLS", WRONG, "auth.wrong_password",
          both(sql("SET GLOBAL require_secure_transport = ON"), setting(sslmode="disable")), look_then_act, also=("tls.account_requires_tls",)),
    Fault("the server has no TLS", "mariadb TLS", TLS, "tls.server_without_tls",
          both(restarted("ssl_cert", "ssl_key", "ssl_ca"), setting(sslmode="require"))),
    Fault("the server's authority is not known", "mariadb TLS", TLS, "tls.unknown_ca", setting(sslmode="verify-ca")),
    Fault("the database has another name", LOGIN, DENIED, "privilege.database_missing", setting(database="shopp"),
          also=("config.unknown_database",), rounds=3),
    Fault("the database does not exist, and the user may see all", LOGIN, CONFIG, "config.unknown_database",
          both(sql(f"GRANT SELECT ON *.* TO {NAME}"), setting(database="shopp"))),
    Fault("no right in the database", LOGIN, DENIED, "privilege.database_missing",
          both(sql("CREATE DATABASE other", "CREATE TABLE other.t(id int)"), setting(database="other", tables=("t",)),
               lambda site: site.open.append(Gone(site, "other")))),
    Fault("the server has no connection left", LIMITS, DROPPED, "capacity.too_many_connections", crowd),
    Fault("no user may have another connection", LIMITS, DROPPED, "capacity.role_connection_limit",
          both(sql("SET GLOBAL max_user_connections = 1"), lambda site: site.stay())),
    Fault("this user may not have another connection", LIMITS, DROPPED, "capacity.account_quota",
          both(sql(f"ALTER USER {NAME} WITH MAX_USER_CONNECTIONS 1"), lambda site: site.stay())),
    Fault("this user has logged in too often this hour", LIMITS, DROPPED, "capacity.account_quota",
          sql(f"ALTER USER {NAME} WITH MAX_CONNECTIONS_PER_HOUR 1")),
    Fault("this user has asked too often this hour", LIMITS, DROPPED, "capacity.account_quota",
          sql(f"ALTER USER {NAME} WITH MAX_QUERIES_PER_HOUR 4")),
    Fault("every query may take a second", LIMITS, DROPPED, "capacity.statement_timeout", sql("SET GLOBAL max_statement_time = 1"),
          verdict="unclear"),
    Fault("every query of this user may take a second", LIMITS, DROPPED, "capacity.statement_timeout",
          sql(f"ALTER USER {NAME} WITH MAX_STATEMENT_TIME 1"), verdict="unclear"),
    Fault("another session holds the tables", LIMITS, DROPPED, "contention.lock_timeout", both(sql(*VIEW), SEEN, locked)),
    Fault("SELECT on one table was revoked", RIGHTS, DENIED, "privilege.table_select_missing", sql(f"REVOKE SELECT ON shop.orders FROM {NAME}"),
          also=("config.table_missing",)),
    Fault("SELECT on names with spaces was revoked", RIGHTS, DENIED, "privilege.table_select_missing",
          sql(f"REVOKE SELECT ON `back office`.`Staff list` FROM {NAME}")),
    Fault("everything but the login was revoked", RIGHTS, DENIED, "privilege.table_select_missing",
          both(sql(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {NAME}"), setting(database=""),
               setting(tables=("shop.orders", "shop.items", "back office.Staff list")))),
    Fault("only writing is granted", RIGHTS, DENIED, "privilege.table_select_missing",
          sql(f"REVOKE SELECT ON shop.orders FROM {NAME}", f"GRANT INSERT ON shop.orders TO {NAME}")),
    Fault("only one column is granted", RIGHTS, DENIED, "privilege.column_denied",
          sql(f"REVOKE SELECT ON shop.orders FROM {NAME}", f"GRANT SELECT (id) ON shop.orders TO {NAME}")),
    Fault("one column is not granted", RIGHTS, DENIED, "privilege.column_denied",
          sql(f"REVOKE SELECT ON shop.orders FROM {NAME}", f"GRANT SELECT (id, total) ON shop.orders TO {NAME}")),
    Fault("the role is not a default role", RIGHTS, DENIED, "privilege.role_not_active", sql(*ROLES)),
    Fault("the table is written in other letters", RIGHTS, CONFIG, "config.identifier_case", setting(tables=("shop.Orders", "items"))),
    Fault("the table was dropped, and the user may see the database", RIGHTS, CONFIG, "config.table_missing",
          sql(f"GRANT SELECT ON shop.* TO {NAME}", "DROP TABLE shop.items")),
    Fault("the table was dropped, its grant remains", RIGHTS, CONFIG, "config.table_missing", sql("DROP TABLE shop.items")),
    Fault("the table was renamed", RIGHTS, CONFIG, "config.table_missing", sql("RENAME TABLE shop.items TO shop.things", f"GRANT SELECT ON shop.things TO {NAME}")),
    Fault("a table that never was", RIGHTS, DENIED, "privilege.table_select_missing", setting(tables=("shop.nothing",)),
          by_hand(setting(tables=("shop.orders",))), also=("config.table_missing",)),
    Fault("the owner of a view was dropped", RIGHTS, DENIED, "schema.view_definer_missing", both(sql(*VIEW, "DROP USER 'dora'@'%'"), SEEN)),
    Fault("the owner of a view lost access", RIGHTS, DENIED, "schema.view_definer_missing",
          both(sql(*VIEW, "REVOKE SELECT ON shop.orders FROM 'dora'@'%'"), SEEN), also=("config.table_missing",)),
    Fault("the table below a view was dropped", RIGHTS, DENIED, "schema.view_definer_missing",
          both(sql(*VIEW, "RENAME TABLE shop.orders TO shop.gone"), SEEN), by_hand(sql("RENAME TABLE shop.gone TO shop.orders")),
          also=("config.table_missing",)),
    Fault("a view is not granted", RIGHTS, DENIED, "privilege.table_select_missing", both(sql(*VIEW, f"REVOKE SELECT ON shop.seen FROM {NAME}"), SEEN)),
    Fault("the server knows no named time zones", RIGHTS, SERVER, "config.timezone_tables_missing", setting(time_zone="Europe/Berlin")),
]  # fmt: skip


class Gone:
    """A database that is dropped with the sessions."""

    def __init__(self, site: MariaSite, name: str) -> None:
        self.site, self.name = site, name

    def close(self) -> None:
        self.site.run(f"DROP DATABASE IF EXISTS {self.name}")


FOLLOW = both(setting(replication="log"), sql(f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {NAME}"))
LOG = [
    Fault("the log is off", "mariadb log", SERVER, "replication.binlog_off", both(FOLLOW, restarted("log_bin"))),
    Fault("the log holds statements", "mariadb log", SERVER, "replication.binlog_format", both(FOLLOW, sql("SET GLOBAL binlog_format = 'STATEMENT'"))),
    Fault("the log holds a mixture", "mariadb log", SERVER, "replication.binlog_format", both(FOLLOW, sql("SET GLOBAL binlog_format = 'MIXED'"))),
    Fault("the log holds parts of rows", "mariadb log", SERVER, "replication.binlog_row_image",
          both(FOLLOW, sql("SET GLOBAL binlog_row_image = 'MINIMAL'"))),
    Fault("the log leaves out large columns", "mariadb log", SERVER, "replication.binlog_row_image",
          both(FOLLOW, sql("SET GLOBAL binlog_row_image = 'NOBLOB'"))),
    Fault("the log is kept for a day", "mariadb log", SERVER, "replication.binlog_retention", both(FOLLOW, sql("SET GLOBAL expire_logs_days = 1"))),
    Fault("the account may not follow the log", "mariadb log", DENIED, "privilege.replication_missing", setting(replication="log")),
    Fault("REPLICATION SLAVE is missing", "mariadb log", DENIED, "privilege.replication_missing",
          both(FOLLOW, sql(f"REVOKE REPLICATION SLAVE ON *.* FROM {NAME}"))),
    Fault("BINLOG MONITOR is missing", "mariadb log", DENIED, "privilege.replication_missing",
          both(FOLLOW, sql(f"REVOKE BINLOG MONITOR ON *.* FROM {NAME}"))),
    Fault("the server only reads", "mariadb log", CONFIG, "config.read_only_standby", both(FOLLOW, restarted(innodb_read_only=1)),
          by_hand(restarted())),
    Fault("a copy does not log what it takes over", "mariadb log", SERVER, "replication.log_slave_updates",
          both(FOLLOW, restarted(log_slave_updates="OFF", read_only="ON"))),
    Fault("packets are small", "mariadb log", DROPPED, "capacity.packet_too_large", both(FOLLOW, sql("SET GLOBAL max_allowed_packet = 65536"))),
    Fault("everything about the log at once", "mariadb log", SERVER, "replication.binlog_format",
          both(setting(replication="log"), sql("SET GLOBAL binlog_format = 'MIXED'", "SET GLOBAL binlog_row_image = 'MINIMAL'",
                                               "SET GLOBAL expire_logs_days = 2"))),
]  # fmt: skip


@pytest.mark.parametrize("fault", [*FAULTS, *LOG], ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: MariaSite) -> None:
    prove(fault, site)
