"""MySQL's and MariaDB's errors: number and words -> cause and code."""

from __future__ import annotations

import re
import ssl
from typing import Any

from bot.drivers.network import Trouble

DROPPED, CONFIG, WRONG, TLS = "connection_dropped", "config_error", "invalid_credentials", "tls_mismatch"
SERVER, RIGHT, LOST = "server_misconfigured", "missing_privilege", "log_position_lost"
# No language of the server changes the number. https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
# and https://mariadb.com/docs/server/reference/error-codes
CODES = {
    1021: (DROPPED, "capacity.persistence_failed"),
    1037: (DROPPED, "capacity.out_of_memory"),
    1040: (DROPPED, "capacity.too_many_connections"),
    1041: (DROPPED, "capacity.out_of_memory"),
    1044: (RIGHT, "privilege.database_missing"),
    1045: (WRONG, "auth.wrong_password"),
    1049: (CONFIG, "config.unknown_database"),
    1053: (DROPPED, "availability.shutting_down"),
    1054: ("schema_changed", "schema.column_missing"),
    1114: (DROPPED, "capacity.persistence_failed"),
    1129: ("ip_not_allowlisted", "auth.too_many_attempts"),
    1130: ("ip_not_allowlisted", "access.host_not_allowed"),
    1142: (RIGHT, "privilege.table_select_missing"),
    1143: (RIGHT, "privilege.column_denied"),
    1146: (CONFIG, "config.table_missing"),
    1153: (DROPPED, "capacity.packet_too_large"),
    1159: (DROPPED, "capacity.idle_timeout"),
    1184: (DROPPED, "network.reset"),
    1203: (DROPPED, "capacity.role_connection_limit"),
    1205: (DROPPED, "contention.lock_timeout"),
    1213: (DROPPED, "contention.deadlock"),
    1226: (DROPPED, "capacity.account_quota"),
    1227: (RIGHT, "privilege.replication_missing"),
    1236: (LOST, "replication.binlog_position_purged"),
    1251: (WRONG, "auth.plugin_unsupported_by_client"),
    1275: (WRONG, "auth.password_hash_method_mismatch"),
    1290: (CONFIG, "config.read_only_server"),
    1298: (SERVER, "config.timezone_tables_missing"),
    1301: (DROPPED, "capacity.packet_too_large"),
    1317: (DROPPED, "availability.terminated_by_administrator"),
    1356: (RIGHT, "schema.view_definer_missing"),
    1381: (SERVER, "replication.binlog_off"),
    1449: (RIGHT, "schema.view_definer_missing"),
    1524: (SERVER, "auth.plugin_not_usable_remotely"),
    1698: (WRONG, "auth.plugin_not_usable_remotely"),
    1792: (CONFIG, "config.read_only_server"),
    1836: (CONFIG, "config.read_only_server"),
    1820: (WRONG, "auth.password_expired"),
    1862: (WRONG, "auth.password_expired"),
    1927: (DROPPED, "availability.terminated_by_administrator"),
    1969: (DROPPED, "capacity.statement_timeout"),
    2003: ("host_unreachable", "network.reset"),
    2006: ("host_unreachable", "network.reset"),
    2013: ("host_unreachable", "network.reset"),
    2026: (TLS, "tls.server_without_tls"),
    2049: (WRONG, "auth.password_hash_method_mismatch"),
    2059: (WRONG, "auth.plugin_unsupported_by_client"),
    2061: (WRONG, "auth.plugin_unsupported_by_client"),
    3024: (DROPPED, "capacity.statement_timeout"),
    3118: ("account_locked", "auth.account_locked"),
    3159: (TLS, "tls.server_requires_tls"),
    3955: ("account_locked", "auth.account_locked"),
    4031: (DROPPED, "capacity.idle_timeout"),
    4151: ("account_locked", "auth.account_locked"),
}
# One number, several causes: the names in the sentence are the same in every language.
FINER = (
    # https://github.com/sysown/proxysql/blob/v2.7.3/lib/MySQL_Session.cpp
    (1045, r"^ProxySQL Error", WRONG, "auth.pooler_user_missing"),
    (1236, r"server_?uuid|server_id.*same|same server", CONFIG, "replication.server_id_not_unique"),
    (1236, r"server.?id was not set|server_id.*not set", SERVER, "replication.server_id_missing"),
    (1227, r"SUPER|REPLICATION|BINLOG", RIGHT, "privilege.replication_missing"),
    (1227, r"", RIGHT, "privilege.command_denied"),
)
# A user that may come only with TLS, or only from another host, is refused in the very words of a wrong password.
ALIKE = {
    1045: ("auth.unknown_user", "access.account_for_other_host", "tls.account_requires_tls"),
    1142: ("config.table_missing",),
    1356: ("config.table_missing", "schema.column_missing"),
    1044: ("config.unknown_database",),
}


def from_packet(body: bytes) -> Trouble:
    """A refusal that came in place of the greeting: 0xff, the number, perhaps a SQLSTATE, the words."""
    text = body[3:].decode("utf-8", "replace")
    return words(RuntimeWarning(int.from_bytes(body[1:3], "little"), text[6:] if text.startswith("#") else text))


def words(error: Any) -> Trouble:
    """Cause and code by the error's number."""
    from bot.drivers.tls import VERIFY

    origin = getattr(error, "original_exception", error)
    if isinstance(origin, ssl.SSLCertVerificationError):
        code = VERIFY.get(origin.verify_code, "tls.unknown_ca")
        return Trouble(TLS, code, origin.verify_message)
    if isinstance(origin, ssl.SSLError):
        return Trouble(TLS, "tls.no_common_algorithm", str(origin.reason))
    if isinstance(error, RuntimeError):  # a plugin whose library is not installed beside PyMySQL
        return Trouble(WRONG, "auth.plugin_unsupported_by_client", str(error))
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    for known, pattern, cause, code in FINER:
        if known == number and re.search(pattern, text, re.I):
            alike = ("auth.wrong_password",) if code == "auth.pooler_user_missing" else ()
            return Trouble(cause, code, f"{text} ({number})", alike)
    if number not in CODES:
        return Trouble("unclassified", "availability.provider_error", f"{text} ({number})")
    return Trouble(*CODES[number], f"{text} ({number})", ALIKE.get(number, ()))
