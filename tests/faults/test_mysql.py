"""Oracle's MySQL, broken for real: what it shares with MariaDB in its own words, and what MariaDB does not have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pymysql
import pytest

from tests.faults.frame import Fault, both, by_hand, prove, setting, sql
from tests.faults.mariadb_site import NAME, SECRET, USER, running
from tests.faults.mysql_site import MySqlSite
from tests.faults.test_mariadb import FOLLOW, SEEN, VIEW, crowd, locked, look_then_act, restarted
from tests.mysqld import missing_mysqld

pytestmark = pytest.mark.skipif(bool(missing_mysqld()), reason=missing_mysqld() or "-")
WRONG, DENIED, CONFIG, DROPPED = "invalid_credentials", "missing_privilege", "config_error", "connection_dropped"
SERVER, TLS = "server_misconfigured", "tls_mismatch"
LOGIN, LIMITS, RIGHTS, LOG = "mysql login", "mysql limits", "mysql rights", "mysql log"
ALTER = f"ALTER USER {NAME}"


@pytest.fixture(scope="module")
def site() -> Iterator[MySqlSite]:
    with running(MySqlSite) as made:
        yield made


def tried(site: MySqlSite) -> None:
    """Somebody's program has come with an old password, once too often."""
    site.run(f"{ALTER} FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME 2")
    with contextlib.suppress(pymysql.MySQLError):
        site.connect(unix_socket=None, host="127.0.0.1", port=site.port, user=USER, password="old")


def removed_plugin(site: MySqlSite) -> None:
    """An account from before MySQL 9, which no longer has its method."""
    site.run(
        f"UPDATE mysql.user SET plugin = 'mysql_native_password' WHERE user = '{USER.replace(chr(39), chr(39) * 2)}'"
    )
    site.run("FLUSH PRIVILEGES")


def discarded(site: MySqlSite) -> None:
    """The password was changed, the old one kept for a while, and now taken away."""
    site.run(f"{ALTER} IDENTIFIED BY 'other' RETAIN CURRENT PASSWORD")
    assert site.wire.look()[-1].verdict != "bad", "the retained password is still good"
    site.run(f"{ALTER} DISCARD OLD PASSWORD")


SIMILAR = ("auth.unknown_user", "access.account_for_other_host")
FAULTS = [
    Fault("the password was changed", LOGIN, WRONG, "auth.wrong_password", sql(f"{ALTER} IDENTIFIED BY 'other'"), look_then_act, also=SIMILAR),
    Fault("the old of two passwords was discarded", LOGIN, WRONG, "auth.wrong_password", discarded, look_then_act, also=SIMILAR),
    Fault("the user was dropped", LOGIN, WRONG, "auth.wrong_password", sql("CREATE USER 'x'@'127.0.0.1'", f"DROP USER {NAME}"), look_then_act,
          also=("auth.unknown_user",), rounds=3),
    Fault("another user is written in mend.yml", LOGIN, WRONG, "auth.wrong_password", setting(user="stich"), look_then_act,
          also=("auth.unknown_user",), rounds=3),
    Fault("the user may come only from another host", LOGIN, WRONG, "auth.wrong_password",
          sql("CREATE USER 'x'@'127.0.0.1'", f"RENAME USER {NAME} TO 'sti''tch'@'10.0.0.1'"), look_then_act,
          also=("access.account_for_other_host",), rounds=3),
    Fault("the user may come only over TLS", LOGIN, WRONG, "auth.wrong_password",
          both(sql(f"{ALTER} REQUIRE SSL"), setting(sslmode="disable")), look_then_act, also=("tls.account_requires_tls",)),
    Fault("the user must show a certificate", LOGIN, WRONG, "auth.wrong_password", sql(f"{ALTER} REQUIRE X509"), look_then_act,
          also=("tls.account_requires_tls",)),
    Fault("no password is configured", LOGIN, WRONG, "config.password_empty", setting(password="")),
    Fault("the user has no password", LOGIN, WRONG, "auth.wrong_password", sql(f"{ALTER} IDENTIFIED BY ''"), look_then_act),
    Fault("the account is locked", LOGIN, "account_locked", "auth.account_locked", sql(f"{ALTER} ACCOUNT LOCK")),
    Fault("the account is locked after failed logins", LOGIN, "account_locked", "auth.account_locked", tried),
    Fault("the password has expired", LOGIN, WRONG, "auth.password_expired", sql(f"{ALTER} PASSWORD EXPIRE")),
    Fault("the password has expired, and the server hangs up", LOGIN, WRONG, "auth.password_expired",
          both(restarted(disconnect_on_expired_password="ON"), sql(f"{ALTER} PASSWORD EXPIRE"))),
    Fault("the user logs in by the socket only", LOGIN, WRONG, "auth.plugin_not_usable_remotely",
          sql("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'", f"{ALTER} IDENTIFIED WITH auth_socket")),
    Fault("nobody may log in as this user", LOGIN, WRONG, "auth.wrong_password",
          sql("INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'", f"{ALTER} IDENTIFIED WITH mysql_no_login"), look_then_act),
    Fault("the user's method is gone since MySQL 9", LOGIN, SERVER, "auth.plugin_not_usable_remotely", removed_plugin),
    Fault("nobody may come from this host", LOGIN, "ip_not_allowlisted", "access.host_not_allowed",
          sql(f"RENAME USER {NAME} TO 'sti''tch'@'10.0.0.1'"), rounds=3),
    Fault("the server takes encrypted callers only", "mysql TLS", TLS, "tls.server_requires_tls",
          both(sql("SET GLOBAL require_secure_transport = ON"), setting(sslmode="disable"))),
    Fault("the server has no TLS", "mysql TLS", TLS, "tls.server_without_tls", both(restarted(tls_version=""), setting(sslmode="require")),
          by_hand(restarted())),
    Fault("the server's authority is not known", "mysql TLS", TLS, "tls.unknown_ca", setting(sslmode="verify-ca")),
    Fault("the database has another name", LOGIN, DENIED, "privilege.database_missing", setting(database="shopp"),
          also=("config.unknown_database",), rounds=3),
    Fault("the server has no connection left", LIMITS, DROPPED, "capacity.too_many_connections", crowd),
    Fault("no user may have another connection", LIMITS, DROPPED, "capacity.role_connection_limit",
          both(sql("SET GLOBAL max_user_connections = 1"), lambda site: site.stay())),
    Fault("this user may not have another connection", LIMITS, DROPPED, "capacity.account_quota",
          both(sql(f"{ALTER} WITH MAX_USER_CONNECTIONS 1"), lambda site: site.stay())),
    Fault("this user has logged in too often this hour", LIMITS, DROPPED, "capacity.account_quota",
          both(sql(f"{ALTER} WITH MAX_CONNECTIONS_PER_HOUR 1"), lambda site: site.stay().close())),
    Fault("this user has asked too often this hour", LIMITS, DROPPED, "capacity.account_quota", sql(f"{ALTER} WITH MAX_QUERIES_PER_HOUR 4")),
    Fault("every query may take a second", LIMITS, DROPPED, "capacity.statement_timeout", sql("SET GLOBAL max_execution_time = 1000"),
          verdict="unclear"),
    Fault("another session holds the tables", LIMITS, DROPPED, "contention.lock_timeout", both(sql(*VIEW), SEEN, locked)),
    Fault("SELECT on one table was revoked", RIGHTS, DENIED, "privilege.table_select_missing", sql(f"REVOKE SELECT ON shop.orders FROM {NAME}"),
          also=("config.table_missing",)),
    Fault("SELECT on names with spaces was revoked", RIGHTS, DENIED, "privilege.table_select_missing",
          sql(f"REVOKE SELECT ON `back office`.`Staff list` FROM {NAME}")),
    Fault("a partial revoke takes one database from all", RIGHTS, DENIED, "privilege.table_select_missing",
          sql("SET GLOBAL partial_revokes = ON", f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {NAME}", f"GRANT SELECT ON *.* TO {NAME}",
              f"REVOKE SELECT ON `back office`.* FROM {NAME}")),
    Fault("only writing is granted", RIGHTS, DENIED, "privilege.table_select_missing",
          sql(f"REVOKE SELECT ON shop.orders FROM {NAME}", f"GRANT INSERT ON shop.orders TO {NAME}")),
    Fault("only one column is granted", RIGHTS, DENIED, "privilege.column_denied",
          sql(f"REVOKE SELECT ON shop.orders FROM {NAME}", f"GRANT SELECT (id) ON shop.orders TO {NAME}")),
    Fault("the role is not a default role", RIGHTS, DENIED, "privilege.role_not_active",
          sql("CREATE ROLE reader", "GRANT SELECT ON shop.* TO reader", f"REVOKE SELECT ON shop.orders FROM {NAME}", f"GRANT reader TO {NAME}")),
    Fault("the table is written in other letters", RIGHTS, CONFIG, "config.identifier_case", setting(tables=("shop.Orders", "items"))),
    Fault("the table was dropped, and the user may see the database", RIGHTS, CONFIG, "config.table_missing",
          sql(f"GRANT SELECT ON shop.* TO {NAME}", "DROP TABLE shop.items")),
    Fault("the table was dropped, its grant remains", RIGHTS, CONFIG, "config.table_missing", sql("DROP TABLE shop.items")),
    Fault("the owner of a view was dropped", RIGHTS, DENIED, "schema.view_definer_missing", both(sql(*VIEW, "DROP USER 'dora'@'%'"), SEEN)),
    Fault("the owner of a view lost access", RIGHTS, DENIED, "schema.view_definer_missing",
          both(sql(*VIEW, "REVOKE SELECT ON shop.orders FROM 'dora'@'%'"), SEEN), also=("config.table_missing",)),
    Fault("a view is not granted", RIGHTS, DENIED, "privilege.table_select_missing", both(sql(*VIEW, f"REVOKE SELECT ON shop.seen FROM {NAME}"), SEEN)),
    Fault("the log is off", LOG, SERVER, "replication.binlog_off", both(FOLLOW, restarted("log_bin", "log_replica_updates", skip_log_bin="ON"))),
    Fault("the log holds statements", LOG, SERVER, "replication.binlog_format", both(FOLLOW, sql("SET GLOBAL binlog_format = 'STATEMENT'"))),
    Fault("the log holds a mixture", LOG, SERVER, "replication.binlog_format", both(FOLLOW, sql("SET GLOBAL binlog_format = 'MIXED'"))),
    Fault("the log holds parts of rows", LOG, SERVER, "replication.binlog_row_image", both(FOLLOW, sql("SET GLOBAL binlog_row_image = 'MINIMAL'"))),
    Fault("the log is kept for a day", LOG, SERVER, "replication.binlog_retention",
          both(FOLLOW, sql("SET GLOBAL binlog_expire_logs_seconds = 86400"))),
    Fault("the account may not follow the log", LOG, DENIED, "privilege.replication_missing", setting(replication="log")),
    Fault("REPLICATION SLAVE is missing", LOG, DENIED, "privilege.replication_missing",
          both(FOLLOW, sql(f"REVOKE REPLICATION SLAVE ON *.* FROM {NAME}"))),
    Fault("REPLICATION CLIENT is missing", LOG, DENIED, "privilege.replication_missing",
          both(FOLLOW, sql(f"REVOKE REPLICATION CLIENT ON *.* FROM {NAME}"))),
    Fault("packets are small", LOG, DROPPED, "capacity.packet_too_large", both(FOLLOW, sql("SET GLOBAL max_allowed_packet = 65536"))),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: MySqlSite) -> None:
    prove(fault, site)


def test_the_old_of_two_passwords_is_still_good(site: MySqlSite) -> None:
    site.run(f"{ALTER} IDENTIFIED BY 'other' RETAIN CURRENT PASSWORD")
    assert site.wire.secrets == {"password": SECRET}
    verdicts = {f.verdict for f in site.wire.look()}
    site.restore()
    assert verdicts <= {"good", "skipped"}


def test_a_log_that_is_never_purged_by_itself_is_kept_long_enough(site: MySqlSite) -> None:
    FOLLOW(site)
    site.run("SET GLOBAL binlog_expire_logs_seconds = 86400, binlog_expire_logs_auto_purge = OFF")
    try:
        assert site.wire.look()[-1].verdict == "good"
        site.run("SET GLOBAL binlog_expire_logs_auto_purge = ON")
        assert site.wire.look()[-1].code == "replication.binlog_retention"
    finally:
        site.run("SET GLOBAL binlog_expire_logs_auto_purge = ON, binlog_expire_logs_seconds = 2592000")
