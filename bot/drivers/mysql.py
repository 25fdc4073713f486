"""MySQL and MariaDB by PyMySQL: one login, one read-only look at each table, within one hard limit."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.drivers.network import Deadline, Trouble, connect, peek

CLIENT_SSL = 1 << 11
# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
CODES = {
    1040: ("connection_dropped", "capacity.too_many_connections"),
    1041: ("connection_dropped", "capacity.out_of_memory"),
    1044: ("missing_privilege", "privilege.database_missing"),
    1045: ("invalid_credentials", "auth.wrong_password"),
    1049: ("config_error", "config.unknown_database"),
    1053: ("connection_dropped", "availability.shutting_down"),
    1129: ("ip_not_allowlisted", "auth.too_many_attempts"),
    1130: ("ip_not_allowlisted", "access.host_not_allowed"),
    1142: ("missing_privilege", "privilege.table_select_missing"),
    1143: ("missing_privilege", "privilege.column_denied"),
    1146: ("config_error", "config.table_missing"),
    1203: ("connection_dropped", "capacity.role_connection_limit"),
    1226: ("connection_dropped", "capacity.account_quota"),
    1251: ("invalid_credentials", "auth.plugin_unsupported_by_client"),
    1356: ("missing_privilege", "schema.view_definer_missing"),
    1524: ("server_misconfigured", "auth.plugin_not_usable_remotely"),
    1698: ("invalid_credentials", "auth.plugin_not_usable_remotely"),
    1820: ("invalid_credentials", "auth.password_expired"),
    1862: ("invalid_credentials", "auth.password_expired"),
    1969: ("connection_dropped", "capacity.statement_timeout"),
    2003: ("host_unreachable", "network.reset"),
    2013: ("host_unreachable", "network.reset"),
    2026: ("tls_mismatch", "tls.server_without_tls"),
    2059: ("invalid_credentials", "auth.plugin_unsupported_by_client"),
    3024: ("connection_dropped", "capacity.statement_timeout"),
    3118: ("account_locked", "auth.account_locked"),
    3159: ("tls_mismatch", "tls.server_requires_tls"),
    4151: ("account_locked", "auth.account_locked"),
}
# A user that may come only with TLS, or only from another host, is refused in the very words of a wrong password.
ALIKE = {
    1045: ("auth.unknown_user", "access.account_for_other_host", "tls.account_requires_tls"),
    1142: ("config.table_missing",),
}


@dataclass
class Reading:
    """What one login saw: for each wanted table its trouble or None. `account` is quoted as GRANT wants it."""

    account: str
    readable: int = 0
    tables: tuple[tuple[str, str, Trouble | None], ...] = ()
    trouble: Trouble | None = None


def examine(settings: Mapping[str, Any], password: str, tables: list[tuple[str, str]], timeout: float) -> Reading:
    """Log in once and look. Raises Trouble when the login fails."""
    import pymysql

    deadline = Deadline(timeout)
    host, port = str(settings.get("host") or "localhost"), int(settings.get("port") or 3306)
    with connect(host, port, timeout) as line:
        context = _context(settings, line, f"{host}:{port}", deadline)
        # The same line once more: cutting it works even after TLS has taken over the first.
        cut = line.dup()
        watchdog = threading.Timer(deadline.left(), _cut, [cut])
        watchdog.daemon = True
        watchdog.start()
        try:
            return _look(_login(pymysql, settings, password, line, context, deadline), tables, deadline)
        except (pymysql.MySQLError, OSError, ValueError, struct.error, IndexError) as error:
            if deadline.over():
                words = f"{host}:{port}: no complete answer within {timeout:g} s"
                raise Trouble("host_unreachable", "network.accepts_but_silent", words) from None
            raise _words(error) from None
        finally:
            watchdog.cancel()
            cut.close()


def _cut(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _context(settings: Mapping[str, Any], line: socket.socket, place: str, deadline: Deadline) -> ssl.SSLContext | None:
    """How to encrypt; decided by the greeting, before a password could go over an open line."""
    mode = str(settings.get("sslmode") or "prefer")
    greeting = peek(line, place, deadline, 4)
    if mode == "disable" or len(greeting) < 4:
        return None
    greeting = peek(line, place, deadline, 4 + int.from_bytes(greeting[:3], "little"))
    end = greeting.find(b"\0", 5)
    # After the version: thread id (4), salt (8), a zero, then the lower half of the capabilities.
    offers = greeting[4] == 10 and int.from_bytes(greeting[end + 14 : end + 16], "little") & CLIENT_SSL
    if not offers:
        if mode in ("allow", "prefer") or greeting[4] != 10:
            return None
        raise Trouble("tls_mismatch", "tls.server_without_tls", f"{place}: the server does not offer TLS")
    try:
        context = ssl.create_default_context(cafile=settings.get("ssl_root_cert"))
        if settings.get("ssl_cert"):
            context.load_cert_chain(settings["ssl_cert"], settings.get("ssl_key"))
    except OSError as error:
        raise Trouble("config_error", "config.path_missing", f"a certificate file cannot be read: {error}") from None
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
    return context


def _login(
    pymysql: Any, settings: Mapping[str, Any], password: str, line: socket.socket, context: Any, deadline: Deadline
) -> Any:
    connection = pymysql.connections.Connection(
        host=str(settings.get("host") or "localhost").strip("[]"), user=str(settings.get("user") or ""),
        password=password, database=settings.get("database") or None, charset="utf8mb4", ssl=context,
        ssl_disabled=context is None, read_timeout=deadline.seconds, write_timeout=deadline.seconds,
        program_name="mend", defer_connect=True, autocommit=None, local_infile=False,
    )  # fmt: skip
    connection.connect(line)
    return connection


def _look(connection: Any, tables: list[tuple[str, str]], deadline: Deadline) -> Reading:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        user, _, host = str(cursor.fetchone()[0]).rpartition("@")
        reading = Reading("@".join("'" + part.replace("'", "''") + "'" for part in (user, host)))
        try:
            milliseconds = int(deadline.left() * 1000)
            maria = "MariaDB" in connection.get_server_info()
            limit = f"max_statement_time = {milliseconds / 1000}" if maria else f"max_execution_time = {milliseconds}"
            cursor.execute(f"SET SESSION {limit}")
            cursor.execute("START TRANSACTION READ ONLY")
            if not tables:
                cursor.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema NOT IN "
                               "('information_schema', 'mysql', 'performance_schema', 'sys')")  # fmt: skip
                reading.readable = int(cursor.fetchone()[0])
            # information_schema hides what may not be read; asking for no rows tells both apart and reads nothing.
            reading.tables = tuple((schema, table, _try(cursor, schema, table)) for schema, table in tables)
        except (MemoryError, Trouble, OSError) as error:
            reading.trouble = _words(error)
        except connection.Error as error:
            late = Trouble("connection_dropped", "availability.too_slow", f"no answer within {deadline.seconds:g} s")
            reading.trouble = late if deadline.over() else _words(error)
    return reading


def _try(cursor: Any, schema: str, table: str) -> Trouble | None:
    try:
        cursor.execute(f"SELECT * FROM {quoted(schema)}.{quoted(table)} LIMIT 0")  # noqa: S608 - quoted names
    except cursor.connection.Error as error:
        found = _words(error)
        if found.code in ("network.reset", "unclassified"):
            raise
        return found
    return None


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _words(error: Any) -> Trouble:
    """Cause and code by the error's number, which no language of the server changes."""
    from bot.drivers.tls import VERIFY

    origin = getattr(error, "original_exception", error)
    if isinstance(origin, ssl.SSLCertVerificationError):
        code = VERIFY.get(origin.verify_code, "tls.unknown_ca")
        return Trouble("tls_mismatch", code, origin.verify_message)
    if isinstance(origin, ssl.SSLError):
        return Trouble("tls_mismatch", "tls.no_common_algorithm", str(origin.reason))
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    if number not in CODES:
        return Trouble("unclassified", "availability.provider_error", f"{text} ({number})")
    return Trouble(*CODES[number], f"{text} ({number})", ALIKE.get(number, ()))
