"""MySQL and MariaDB by PyMySQL: one login, one read-only look at each table, within one hard limit."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.drivers import mysql_catalogue as catalogue
from bot.drivers.mysql_catalogue import Names, Seen, Server
from bot.drivers.mysql_line import Turned
from bot.drivers.mysql_password import valid_until
from bot.drivers.mysql_words import words
from bot.drivers.network import Deadline, Trouble, connect, peek
from bot.drivers.tls import Trust
from bot.drivers.tls import unbelieving as _unused

CLIENT_SSL = 1 << 11


@dataclass
class Reading:
    """What one login saw, or why it was refused, or what cut short the look. `account` is as GRANT wants it."""

    account: str = ""
    server: Server = field(default_factory=Server)
    readable: int = 0
    tables: tuple[Seen, ...] = ()
    grants: list[str] = field(default_factory=list)
    sleeping: dict[str, list[str]] = field(default_factory=dict)
    refused: Trouble | None = None
    trouble: Trouble | None = None
    zone_known: bool = True
    password_until: float = 0.0
    rds: bool = False
    rds_hours: float | None = None


def examine(
    settings: Mapping[str, Any], password: str, tables: Names, timeout: float, follow: bool = False, rds: bool = False,
    open_line: socket.socket | Turned | None = None,
) -> Reading:  # fmt: skip
    """Log in once and look, with `follow` also at the log; on `open_line`, where an earlier check left one.

    Raises Trouble when not even the server's greeting comes.
    """
    import pymysql

    deadline = Deadline(timeout)
    host, port = str(settings.get("host") or "localhost"), int(settings.get("port") or 3306)
    reading = Reading(rds=rds)
    with contextlib.closing(open_line or connect(host, port, timeout)) as line:
        turned = (line, _version(line.greeting)) if isinstance(line, Turned) else None
        context, version = turned or _context(settings, line, f"{host}:{port}", deadline)
        reading.server = Server(version)
        # The same line once more: cutting it works even after TLS has taken over the first.
        cut = line.dup()
        watchdog = threading.Timer(deadline.left(), _cut, [cut])
        watchdog.daemon = True
        watchdog.start()
        try:
            connection = _login(pymysql, settings, password, line, context, deadline)
            _look(connection, reading, tables, str(settings.get("time_zone") or ""), deadline)
            if follow and reading.trouble is None:
                _follow(connection, reading)
        except (pymysql.MySQLError, OSError, ValueError, struct.error, IndexError, RuntimeError) as error:
            late = Trouble(
                "host_unreachable", "network.accepts_but_silent",
                f"{host}:{port}: no complete answer within {timeout:g} s",
            )  # fmt: skip
            reading.refused = late if deadline.over() else _refused(error, password)
        finally:
            watchdog.cancel()
            cut.close()
    return reading


def _refused(error: Exception, password: str) -> Trouble:
    trouble = words(error)
    if trouble.code == "auth.wrong_password" and not password:
        return Trouble(trouble.cause, "config.password_empty", trouble.evidence, ("auth.wrong_password",))
    return trouble


def _cut(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _context(
    settings: Mapping[str, Any], line: Any, place: str, deadline: Deadline
) -> tuple[ssl.SSLContext | None, str]:
    """How to encrypt, decided by the greeting, before a password could go over an open line; and the version in it."""
    mode = str(settings.get("sslmode") or "prefer")
    greeting = peek(line, place, deadline, 4)
    if len(greeting) < 4:
        return None, ""
    greeting = peek(line, place, deadline, 4 + int.from_bytes(greeting[:3], "little"))
    return (None if mode == "disable" else _encryption(settings, mode, greeting, place)), _version(greeting)


def _version(greeting: bytes) -> str:
    end = greeting.find(b"\0", 5)
    return greeting[5:end].decode("ascii", "replace") if greeting[4:5] == b"\x0a" else ""


def _encryption(settings: Mapping[str, Any], mode: str, greeting: bytes, place: str) -> ssl.SSLContext | None:
    end = greeting.find(b"\0", 5)
    # After the version: thread id (4), salt (8), a zero, then the lower half of the capabilities.
    plain = greeting[4:5] != b"\x0a"
    offers = not plain and int.from_bytes(greeting[end + 14 : end + 16], "little") & CLIENT_SSL
    if not offers:
        if mode in ("allow", "prefer") or plain:
            return None
        raise Trouble("tls_mismatch", "tls.server_without_tls", f"{place}: the server does not offer TLS")
    chain = mode.startswith("verify")
    files = (settings.get("ssl_root_cert"), settings.get("ssl_cert"), settings.get("ssl_key"))
    return Trust(chain, mode == "verify-full", *(str(file) if file else None for file in files)).context()


class _Dialog:
    """PAM asks questions that a pipeline cannot answer."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def authenticate(self, packet: Any) -> None:
        raise self.connection.OperationalError(2059, "the account logs in by PAM (plugin dialog), which asks a person")


def _login(
    pymysql: Any, settings: Mapping[str, Any], password: str, line: Any, context: Any, deadline: Deadline
) -> Any:
    name = str(settings.get("tls_name") or settings.get("host") or "localhost")
    connection = pymysql.connections.Connection(
        host=name.strip("[]"), user=str(settings.get("user") or ""),
        password=password, database=settings.get("database") or None, charset="utf8mb4",
        ssl=_unused() if isinstance(context, Turned) else context,
        ssl_disabled=context is None, read_timeout=deadline.seconds, write_timeout=deadline.seconds,
        program_name="mend", auth_plugin_map={"dialog": _Dialog}, defer_connect=True, autocommit=None,
        local_infile=False,
    )  # fmt: skip
    if isinstance(context, Turned):
        connection.ctx = context
    connection.connect(line)
    return connection


def _look(connection: Any, reading: Reading, tables: Names, zone: str, deadline: Deadline) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        reading.account = catalogue.account(str(cursor.fetchone()[0]))
        try:
            known = catalogue.variables(cursor)
            reading.server = server = Server(known.get("version") or reading.server.version, known)
            _limit(cursor, server, deadline)
            reading.grants = catalogue.grants(cursor)
            if not tables:
                cursor.execute(catalogue.READABLE)
                reading.readable = int(cursor.fetchone()[0])
            else:
                folded = known.get("lower_case_table_names", "0") != "0"
                reading.tables = catalogue.tables(cursor, tables, folded, reading.grants)
            reading.password_until = valid_until(cursor, server.version, reading.grants)
            if zone:
                cursor.execute("SELECT CONVERT_TZ('2000-01-01', '+00:00', %s) IS NOT NULL", [zone])
                reading.zone_known = bool(cursor.fetchone()[0])
            if any(seen.why for seen in reading.tables):
                reading.sleeping = catalogue.sleeping_roles(cursor, server.maria)
        except (MemoryError, Trouble, OSError) as error:
            reading.trouble = words(error)
        except connection.Error as error:
            reading.trouble = _cut_short(words(error), reading, deadline)


def _follow(connection: Any, reading: Reading) -> None:
    reading.rds = reading.rds or reading.server.service in ("rds", "aurora")
    if reading.rds:
        with connection.cursor() as cursor:
            reading.rds_hours = catalogue.rds_hours(cursor)


def _limit(cursor: Any, server: Server, deadline: Deadline) -> None:
    """Our own limit, but never a longer one than the server sets for this account."""
    seconds = min(server.limit or deadline.left(), deadline.left())
    limit = f"max_statement_time = {seconds:.3f}" if server.maria else f"max_execution_time = {int(seconds * 1000)}"
    # MySQL has its limit since 5.7.8, MariaDB since 10.1: an older one is held by our own deadline alone.
    if limit.partition(" ")[0] in server.variables:
        cursor.execute(f"SET SESSION {limit}")
    cursor.execute(f"SET SESSION lock_wait_timeout = {max(int(deadline.left() / 2), 1)}")
    cursor.execute("START TRANSACTION READ ONLY")


def _cut_short(trouble: Trouble, reading: Reading, deadline: Deadline) -> Trouble:
    """A query that our own limit ended says nothing about the account's."""
    ours = trouble.code == "capacity.statement_timeout" and not 0 < reading.server.limit < deadline.seconds
    if ours or deadline.over():
        return Trouble("connection_dropped", "availability.too_slow", f"no answer within {deadline.seconds:g} s")
    return trouble
