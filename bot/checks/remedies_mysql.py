"""What a refused login to MySQL or MariaDB is mended with, ready to be copied.

`code@maria` is for MariaDB, where it differs, `code@mysql5` for MySQL before 8.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.drivers.mysql_catalogue import literal, quoted

# fmt: off
WHO = ("SELECT user, host, plugin, ssl_type, @@global.require_secure_transport AS tls_only FROM mysql.user "
       "WHERE user = {literal};")
WHO_IS_IN = ("SELECT id, user, host, db, time FROM information_schema.processlist WHERE command = 'Sleep' "
             "ORDER BY time DESC LIMIT 50;")
END = "KILL <id>;"
NATIVE = "ALTER USER {account} IDENTIFIED VIA mysql_native_password USING PASSWORD('<new password>');"
SHA = "ALTER USER {account} IDENTIFIED WITH caching_sha2_password BY '<new password>';"
LOG_ON = ["log_bin = mysql-bin", "binlog_format = ROW", "binlog_row_image = FULL", "server_id = <unique number>"]
TLS_ON = ["ssl_cert = <certificate of the server>", "ssl_key = <key of the server>"]
KNOWN = [WHO, "ALTER USER {account} IDENTIFIED BY '<new password>';",
         "-- when no host in the first answer fits {address}: "
         "CREATE USER {literal}@{address_literal} IDENTIFIED BY '<new password>';"]
# A new password leaves an account of MySQL with its method, also one that takes no password at all.
METHOD = f"-- when plugin is no password's, such as mysql_no_login: {SHA}"
SECURE = ["-- when ssl_type is ANY or tls_only is 1: only over TLS, set sslmode: require",
          "-- when ssl_type is X509 or SPECIFIED: only by certificate, set ssl_cert: <certificate> and ssl_key: <key>"]
REMEDIES: dict[str, dict[str, Any]] = {
    "auth.wrong_password": {"statements": [*KNOWN, METHOD, *SECURE]},
    "auth.wrong_password@maria": {"statements": [*KNOWN, *SECURE]},
    # At ProxySQL's admin interface, all but the first: https://proxysql.com/documentation/main-runtime/#mysql_users
    "auth.pooler_user_missing": {"statements": [
        "ALTER USER {account} IDENTIFIED BY '<new password>';",
        "UPDATE mysql_users SET password = '<new password>' WHERE username = {literal};",
        "LOAD MYSQL USERS TO RUNTIME;", "SAVE MYSQL USERS TO DISK;"]},
    "auth.unknown_user": {"statements": ["CREATE USER {account} IDENTIFIED BY '<new password>';"]},
    "auth.account_locked": {"statements": [WHO, "ALTER USER {account} ACCOUNT UNLOCK;"]},
    "auth.password_expired": {"statements": [
        WHO, "ALTER USER {account} IDENTIFIED BY '<new password>' PASSWORD EXPIRE NEVER;"]},
    "auth.password_expired@maria": {"statements": [
        WHO, "ALTER USER {account} IDENTIFIED BY '<new password>';", "ALTER USER {account} PASSWORD EXPIRE NEVER;"]},
    "auth.plugin_unsupported_by_client": {"statements": [WHO, SHA]},
    "auth.plugin_unsupported_by_client@maria": {"statements": [WHO, NATIVE]},
    "auth.plugin_not_usable_remotely": {"statements": [WHO, SHA]},
    "auth.plugin_not_usable_remotely@maria": {"statements": [WHO, NATIVE]},
    "auth.password_hash_method_mismatch": {"statements": [WHO, SHA]},
    "auth.password_hash_method_mismatch@maria": {"statements": [WHO, NATIVE]},
    "auth.too_many_attempts": {"statements": [
        "FLUSH HOSTS;", "SET GLOBAL max_connect_errors = 1000;"]},
    "auth.too_many_attempts@mysql": {"statements": [
        "TRUNCATE TABLE performance_schema.host_cache;", "SET PERSIST max_connect_errors = 1000;"]},
    "access.host_not_allowed": {"statements": [
        WHO, "CREATE USER {literal}@{address_literal} IDENTIFIED BY '<new password>';"]},
    "privilege.database_missing": {"statements": ["GRANT SELECT ON {database}.* TO {account};"]},
    "privilege.replication_missing": {"statements": [
        "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {account};"]},
    "config.unknown_database": {"statements": ["SHOW DATABASES;"]},
    "capacity.too_many_connections": {"statements": [WHO_IS_IN, END]},
    "capacity.role_connection_limit": {"statements": [
        "SHOW GLOBAL VARIABLES LIKE 'max_user_connections';", "SET GLOBAL max_user_connections = 0;"]},
    "capacity.account_quota": {"statements": [
        WHO, "ALTER USER {account} WITH MAX_USER_CONNECTIONS 0 MAX_CONNECTIONS_PER_HOUR 0 "
        "MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0;"]},
    "capacity.statement_timeout": {"statements": ["SET PERSIST max_execution_time = 0;"]},
    "capacity.statement_timeout@maria": {"statements": [
        "SET GLOBAL max_statement_time = 0;", "ALTER USER {account} WITH MAX_STATEMENT_TIME 0;"]},
    "capacity.packet_too_large": {"statements": ["SET PERSIST max_allowed_packet = 67108864;"]},
    "capacity.packet_too_large@maria": {
        "file": "my.cnf", "part": "[mariadb]", "lines": ["max_allowed_packet = 64M"],
        "statements": ["SET GLOBAL max_allowed_packet = 67108864;"]},
    "contention.lock_timeout": {"statements": [WHO_IS_IN, END]},
    "replication.binlog_off": {"file": "my.cnf", "part": "[mysqld]", "lines": LOG_ON, "restart": "yes"},
    "replication.binlog_off@maria": {"file": "my.cnf", "part": "[mariadb]", "lines": LOG_ON, "restart": "yes"},
    "replication.binlog_format": {"statements": ["SET PERSIST binlog_format = 'ROW';"]},
    "replication.binlog_format@maria": {
        "file": "my.cnf", "part": "[mariadb]", "lines": ["binlog_format = ROW"],
        "statements": ["SET GLOBAL binlog_format = 'ROW';"]},
    "replication.binlog_row_image": {"statements": ["SET PERSIST binlog_row_image = 'FULL';"]},
    "replication.binlog_row_image@maria": {
        "file": "my.cnf", "part": "[mariadb]", "lines": ["binlog_row_image = FULL"],
        "statements": ["SET GLOBAL binlog_row_image = 'FULL';"]},
    "replication.binlog_retention": {"statements": ["SET PERSIST binlog_expire_logs_seconds = 604800;"]},
    "replication.binlog_retention@maria": {
        "file": "my.cnf", "part": "[mariadb]", "lines": ["expire_logs_days = 7"],
        "statements": ["SET GLOBAL expire_logs_days = 7;"]},
    "replication.server_id_missing": {"statements": ["SET PERSIST server_id = <unique number>;"]},
    "replication.server_id_missing@maria": {
        "file": "my.cnf", "part": "[mariadb]", "lines": ["server_id = <unique number>"],
        "statements": ["SET GLOBAL server_id = <unique number>;"]},
    "replication.log_slave_updates": {
        "file": "my.cnf", "part": "[mysqld]", "lines": ["log_slave_updates = ON"], "restart": "yes"},
    "replication.log_slave_updates@maria": {
        "file": "my.cnf", "part": "[mariadb]", "lines": ["log_slave_updates = ON"], "restart": "yes"},
    "tls.server_without_tls": {"file": "my.cnf", "part": "[mysqld]", "lines": TLS_ON, "restart": "yes"},
    "tls.server_without_tls@maria": {"file": "my.cnf", "part": "[mariadb]", "lines": TLS_ON, "restart": "yes"},
    "config.timezone_tables_missing": {
        "commands": ["mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql --user=root mysql"]},
    "config.timezone_tables_missing@maria": {
        "commands": ["mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb --user=root mysql"]},
}
# fmt: on
PERSIST = re.compile(r"SET PERSIST (\w+) = (.*);")


def _before_8(parts: dict[str, Any]) -> dict[str, Any]:
    """The same for MySQL 5: no SET PERSIST, no caching_sha2_password, and the log is kept for days.

    https://dev.mysql.com/doc/refman/8.0/en/added-deprecated-removed.html
    """
    made, kept = {**parts}, [*parts.get("lines", [])]
    statements = []
    for line in parts.get("statements", []):
        old = line.replace("caching_sha2_password", "mysql_native_password")
        old = old.replace("binlog_expire_logs_seconds = 604800", "expire_logs_days = 7")
        if found := PERSIST.fullmatch(old):
            kept.append(f"{found[1]} = {found[2].strip(chr(39))}")
            old = old.replace("SET PERSIST", "SET GLOBAL")
        statements.append(old)
    if statements:
        made["statements"] = statements
    if kept:
        made |= {"file": "my.cnf", "part": "[mysqld]", "lines": kept}
    return made


REMEDIES |= {
    f"{code}@mysql5": _before_8(REMEDIES.get(f"{code}@mysql", parts))
    for code, parts in REMEDIES.items()
    if "@" not in code
}


def fields(facts: Mapping[str, Any], said: str) -> dict[str, str]:
    """What stands for each name in braces above."""
    user, database = str(facts["user"]), str(facts["database"])
    # The server names the caller, or for what was found the account: 'user'@'host'.
    found = re.search(r"'@'([^']*)'", said) or re.search(r"[\"'«»„]([0-9a-fA-F.:]+)[\"'«»“]", said)
    address = found[1] if found else "<address>"
    # Only a right that is missing is told with the account's own host part; a refused login with the caller's.
    host = address if said.endswith(("(1044)", "(1142)", "(1143)")) else "<host>"
    return {
        "literal": literal(user), "account": f"{literal(user)}@{literal(host)}", "database": quoted(database),
        "address": address, "address_literal": literal(address),
    }  # fmt: skip
