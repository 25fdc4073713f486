"""What a refused login is mended with, ready to be copied: statements, lines of a file, settings of the connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.checks.certificates import COMMANDS, named

# fmt: off
# https://www.postgresql.org/docs/current/auth-pg-hba-conf.html: the first line that fits decides.
ENTRY = {"file": "pg_hba.conf", "lines": ["host {database} {role} {net} scram-sha-256"],
         "statements": ["SELECT pg_reload_conf();"]}
WHO_IS_IN = ("SELECT pid, usename, datname, application_name, now() - state_change AS idle_for FROM pg_stat_activity "
             "WHERE backend_type = 'client backend' AND state = 'idle' ORDER BY idle_for DESC;")
END = "SELECT pg_terminate_backend(<pid>);"
WHO_HOLDS = ("SELECT a.pid, a.usename, a.state, a.xact_start, left(a.query, 60) AS query, l.relation::regclass "
             "FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.mode = 'AccessExclusiveLock' AND l.granted;")
# https://www.postgresql.org/docs/current/ssl-tcp.html: these names, in the folder of the data, unless set otherwise.
CERTIFICATE = {"where": "the folder of the server's data", "commands": COMMANDS,
               "statements": ["SELECT pg_reload_conf();"]}  # fmt: skip
TLS_AGAIN = {"statements": ["ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1.2';",
                            "ALTER SYSTEM SET ssl_max_protocol_version = '';", "SELECT pg_reload_conf();"]}
LOOK = ("SELECT rolcanlogin, rolvaliduntil, rolpassword IS NULL AS no_password FROM pg_authid "
        "WHERE rolname = {literal};")
CONSOLE = "-- on the pooler, connected to its own database pgbouncer:"
POOLED = {"file": "pgbouncer.ini", "part": "[databases]",
          "lines": ["{plain} = host=<server> port=<port> dbname={plain}"], "statements": [CONSOLE, "RELOAD;"]}
REMEDIES: dict[str, dict[str, Any]] = {
    "auth.wrong_password": {"statements": [
        LOOK, "ALTER ROLE {role} PASSWORD '<new password>' VALID UNTIL 'infinity';",
        "-- when the first line shows no row: CREATE ROLE {role} LOGIN PASSWORD '<new password>';",
    ]},
    "auth.unknown_user": {"statements": ["CREATE ROLE {role} LOGIN PASSWORD '<new password>';"]},
    "auth.account_locked": {"statements": ["ALTER ROLE {role} LOGIN;"]},
    "auth.method_not_allowed": ENTRY,
    # A pooler's own list and the server behind it must hold the same: RELOAD is for the pooler's console.
    "auth.pooler_user_missing": {
        "file": "userlist.txt", "lines": ['{role} "<new password>"'],
        "statements": ["-- on the server behind the pooler:", "ALTER ROLE {role} PASSWORD '<new password>';",
                       CONSOLE, "RELOAD;"],
    },
    "access.pg_hba_no_entry": ENTRY,
    "access.pg_hba_reject": ENTRY,
    "access.pg_hba_no_replication_entry": {**ENTRY, "lines": ["host replication {role} {net} scram-sha-256"]},
    "availability.hot_standby_off": {"file": "postgresql.conf", "lines": ["hot_standby = on"], "restart": "yes"},
    "availability.terminated_by_administrator": {"statements": [
        "SELECT evtname, evtfoid::regproc FROM pg_event_trigger WHERE evtevent = 'login' AND evtenabled <> 'D';",
        'ALTER EVENT TRIGGER "<evtname>" DISABLE;']},
    "availability.too_slow": {"statements": [WHO_HOLDS, END]},
    "availability.bad_gateway": POOLED,
    "capacity.role_connection_limit": {"statements": ["ALTER ROLE {role} CONNECTION LIMIT -1;"]},
    "capacity.database_connection_limit": {"statements": ["ALTER DATABASE {database} CONNECTION LIMIT -1;"]},
    "capacity.statement_timeout": {"statements": [
        "ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = '1h';"]},
    "capacity.idle_in_transaction_timeout": {"statements": [
        "ALTER ROLE {role} IN DATABASE {database} SET idle_in_transaction_session_timeout = '1h';"]},
    "capacity.idle_timeout": {"statements": [
        "ALTER ROLE {role} IN DATABASE {database} SET idle_session_timeout = '1h';"]},
    "capacity.temp_file_limit": {"statements": [
        "ALTER ROLE {role} IN DATABASE {database} SET temp_file_limit = '10GB';"]},
    "contention.lock_timeout": {"statements": [WHO_HOLDS, END]},
    "capacity.too_many_connections": {"statements": [WHO_IS_IN, END]},
    "capacity.too_many_connections@pooler": {
        "file": "pgbouncer.ini", "part": "[pgbouncer]", "lines": ["max_client_conn = 1000"],
        "statements": [CONSOLE, "RELOAD;"],
    },
    "config.database_closed": {"statements": ["ALTER DATABASE {database} ALLOW_CONNECTIONS true;"]},
    "config.unknown_database": {"statements": ["SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1;"]},
    "config.pooler_database_not_defined": POOLED,
    "config.pooler_transaction_mode": {
        "file": "pgbouncer.ini", "part": "[pgbouncer]", "lines": ["pool_mode = session"],
        "statements": [CONSOLE, "RELOAD;"],
    },
    "privilege.connect_missing": {"statements": ["GRANT CONNECT ON DATABASE {database} TO {role};"]},
    "config.read_only_standby": {
        "statements": ["SELECT sender_host, sender_port FROM pg_stat_wal_receiver;"],
        "settings": ["host: <sender_host>", "port: <sender_port>"],
    },
    "replication.wal_level": {"statements": ["ALTER SYSTEM SET wal_level = 'logical';"], "restart": "yes"},
    "replication.no_free_wal_sender": {"statements": ["ALTER SYSTEM SET max_wal_senders = {more};"], "restart": "yes"},
    "replication.no_free_slots": {"statements": [
        "SELECT slot_name, slot_type, database, restart_lsn FROM pg_replication_slots WHERE NOT active;",
        "ALTER SYSTEM SET max_replication_slots = {more};"], "restart": "yes"},
    "replication.slot_missing": {"statements": ["SELECT pg_create_logical_replication_slot({slot}, {plugin});"]},
    "replication.slot_invalidated": {"statements": [
        "SELECT pg_drop_replication_slot({slot});", "SELECT pg_create_logical_replication_slot({slot}, {plugin});",
        "ALTER SYSTEM SET max_slot_wal_keep_size = '-1';", "SELECT pg_reload_conf();"]},
    "replication.slot_in_use": {"statements": [
        "SELECT pid, usename, application_name, client_addr, backend_start FROM pg_stat_replication "
        "WHERE pid = {process};", "SELECT pg_terminate_backend({process});"]},
    "replication.publication_missing": {"statements": ["CREATE PUBLICATION {publication} FOR TABLE {tables};"]},
    "replication.publication_incomplete": {"statements": [
        "ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate');"]},
    "replication.table_not_in_publication": {"statements": ["ALTER PUBLICATION {publication} ADD TABLE {tables};"]},
    "replication.table_not_in_publication@partitions": {"statements": [
        "ALTER PUBLICATION {publication} SET (publish_via_partition_root = true);"]},
    "privilege.replication_missing": {"statements": ["ALTER ROLE {role} REPLICATION;"]},
    "replication.through_pooler": {"settings": ["host: <server>", "port: <port>"]},
    **dict.fromkeys(("tls.certificate_expired", "tls.certificate_not_yet_valid", "tls.hostname_mismatch",
                     "tls.weak_key"), CERTIFICATE),
    **dict.fromkeys(("tls.protocol_version", "tls.no_common_algorithm"), TLS_AGAIN),
    "tls.server_without_tls": {"statements": ["ALTER SYSTEM SET ssl = 'on';", "SELECT pg_reload_conf();"]},
}
# fmt: on


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def fields(facts: Mapping[str, Any], said: str) -> dict[str, str]:
    """What stands for each name in braces above."""
    # The address as the server names it: from outside a router's, not ours.
    found = re.search(r"[\"'»«“]([0-9a-fA-F.:]*[.:][0-9a-fA-F.:]*)[\"'»«”]", said)
    address = found[1] if found else "<address>"
    net = f"{address}/{128 if ':' in address else 32}"
    user, database = str(facts["user"]), str(facts["database"])
    # The pooler's file knows quotes only around what needs them.
    plain = database if re.fullmatch(r"\w+", database) else quoted(database)
    return {
        "role": quoted(user),
        "database": quoted(database),
        "net": net,
        "literal": literal(user),
        "plain": plain,
        **named(str(facts["host"])),
    }
