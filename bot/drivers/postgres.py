"""PostgreSQL by libpq: one login, one read-only look at the catalogue, within one hard limit."""

from __future__ import annotations

import ctypes
import glob
import os
import re
import select
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bot.drivers.network import Deadline, Trouble, connect, os_trouble, peek
from bot.drivers.postgres_catalogue import READABLE, TABLES, TableRights

# The eight bytes by which a client asks whether the server speaks TLS; it answers S or N.
SSL_REQUEST = struct.pack("!II", 8, 80877103)
HBA = ("access.pg_hba_no_entry", "access.pg_hba_reject", "tls.server_requires_tls")
# SQLSTATE and a pattern for what shares it: the function of the server that complained, which no language changes,
# or its English words. https://www.postgresql.org/docs/current/errcodes-appendix.html
CODES: tuple[tuple[str, str, str, str], ...] = (
    ("28P01", r"empty password", "invalid_credentials", "config.password_empty"),
    ("28P01", r"", "invalid_credentials", "auth.wrong_password"),
    ("28000", r"not permitted to log in", "account_locked", "auth.account_locked"),
    ("28000", r"role .* does not exist", "invalid_credentials", "auth.unknown_user"),
    ("28000", r"valid client certificate", "tls_mismatch", "tls.client_certificate_required"),
    ("28000", r"pg_hba\.conf rejects", "ip_not_allowlisted", "access.pg_hba_reject"),
    ("28000", r"InitializeSessionUserId", "account_locked", "auth.account_locked"),
    ("28000", r"", "ip_not_allowlisted", "access.pg_hba_no_entry"),
    ("3D000", r"", "config_error", "config.unknown_database"),
    ("42501", r"", "missing_privilege", "privilege.connect_missing"),
    ("53300", r"InitializeSessionUserId|for role", "connection_dropped", "capacity.role_connection_limit"),
    ("53300", r"CheckMyDatabase|for database", "connection_dropped", "capacity.database_connection_limit"),
    ("53300", r"", "connection_dropped", "capacity.too_many_connections"),
    ("53200", r"", "connection_dropped", "capacity.out_of_memory"),
    ("55000", r"", "config_error", "config.database_closed"),
    ("57014", r"", "connection_dropped", "capacity.statement_timeout"),
    ("57P01", r"", "connection_dropped", "availability.terminated_by_administrator"),
    ("57P03", r"", "connection_dropped", "availability.shutting_down"),
    # libpq's own errors carry no SQLSTATE.
    ("", r"no password supplied", "invalid_credentials", "config.password_empty"),
    ("", r"password authentication failed", "invalid_credentials", "auth.wrong_password"),
    ("", r"does not support SSL", "tls_mismatch", "tls.server_without_tls"),
    ("", r"does not match host name", "tls_mismatch", "tls.hostname_mismatch"),
    ("", r"certificate has expired", "tls_mismatch", "tls.certificate_expired"),
    ("", r"not yet valid", "tls_mismatch", "tls.certificate_not_yet_valid"),
    ("", r"self.signed certificate$", "tls_mismatch", "tls.self_signed"),
    ("", r"certificate verify failed|root certificate file", "tls_mismatch", "tls.unknown_ca"),
    ("", r"unsupported protocol|protocol version", "tls_mismatch", "tls.protocol_version"),
    ("", r"certificate required", "tls_mismatch", "tls.client_certificate_required"),
    ("", r"refused", "host_unreachable", "network.refused"),
    ("", r"closed the connection unexpectedly|reset by peer", "host_unreachable", "network.reset"),
    ("", r"authentication method", "invalid_credentials", "auth.password_hash_method_mismatch"),
)
ALIKE = {"auth.wrong_password": ("auth.unknown_user", "auth.password_expired", "auth.no_password_set")}


@dataclass
class Reading:
    """What one login saw: the rights on each wanted table, or why they could not be read."""

    user: str
    readable: int = 0
    rights: tuple[TableRights, ...] = ()
    trouble: Trouble | None = None


def examine(
    settings: Mapping[str, Any], password: str, tables: list[tuple[str, str]], timeout: float
) -> Reading:
    """Log in once and read the catalogue. Raises Trouble when the login fails."""
    deadline = Deadline(timeout)
    raw = _login(settings, password, deadline)
    import psycopg

    # A watchdog cuts the line: a server that turns silent in the middle of an answer ignores every timeout of SQL.
    line = socket.socket(fileno=os.dup(raw.socket))
    watchdog = threading.Timer(deadline.left(), line.shutdown, [socket.SHUT_RDWR])
    watchdog.daemon = True
    watchdog.start()
    try:
        return _read(psycopg.Connection(raw), tables, deadline)
    except psycopg.Error as error:
        words = _words(error.sqlstate or "", str(error))
        late = Trouble("connection_dropped", "availability.too_slow", f"no answer within {timeout:g} s")
        return Reading(str(settings.get("user", "")), trouble=late if deadline.over() else words)
    finally:
        watchdog.cancel()
        line.close()
        raw.finish()


def _read(connection: Any, tables: list[tuple[str, str]], deadline: Deadline) -> Reading:
    connection.execute("BEGIN READ ONLY")
    connection.execute(f"SET LOCAL statement_timeout = {max(int(deadline.left() * 1000) - 100, 10)}")
    user = connection.execute("SELECT current_user").fetchone()[0]
    if not tables:
        return Reading(user, readable=connection.execute(READABLE).fetchone()[0])
    rows = connection.execute(TABLES, [[s for s, _ in tables], [t for _, t in tables]]).fetchall()
    return Reading(user, rights=tuple(TableRights(*row) for row in rows))


def _login(settings: Mapping[str, Any], password: str, deadline: Deadline) -> Any:
    """libpq repeats a login without TLS under `prefer` and for each address: we choose both, so that it asks once."""
    host = str(settings.get("host") or "localhost")
    port = int(settings.get("port") or 5432)
    mode = str(settings.get("sslmode") or "prefer")
    if host.startswith("/"):
        return _once(settings, password, {"host": host, "port": port}, deadline)
    address, speaks_tls = _ask_tls(host, port, deadline)
    if mode not in ("disable", "allow", "prefer") and not speaks_tls:
        raise Trouble("tls_mismatch", "tls.server_without_tls", "server does not support SSL, but SSL was required")
    place = {"host": host.strip("[]"), "hostaddr": address, "port": port}
    if mode not in ("allow", "prefer"):
        return _once(settings, password, {**place, "sslmode": mode}, deadline)
    try:
        return _once(settings, password, {**place, "sslmode": "require" if speaks_tls else "disable"}, deadline)
    except Trouble as trouble:
        # Rules for hosts are applied before a password is asked for, so this second call is still the first login.
        if not speaks_tls or trouble.code not in HBA:
            raise
        return _once(settings, password, {**place, "sslmode": "disable"}, deadline)


def _ask_tls(host: str, port: int, deadline: Deadline) -> tuple[str, bool]:
    with connect(host, port, deadline.left()) as peer:
        try:
            peer.sendall(SSL_REQUEST)
        except OSError as error:
            raise os_trouble(error, f"{host}:{port}", deadline.seconds) from None
        return str(peer.getpeername()[0]), peek(peer, f"{host}:{port}", deadline, 1) == b"S"


def _once(settings: Mapping[str, Any], password: str, place: dict[str, Any], deadline: Deadline) -> Any:
    from psycopg import pq
    from psycopg.conninfo import make_conninfo

    optional = {"sslrootcert": "ssl_root_cert", "sslcert": "ssl_cert", "sslkey": "ssl_key"}
    files = {name: settings[key] for name, key in optional.items() if settings.get(key)}
    who = {"dbname": settings.get("database"), "user": settings.get("user"), "password": password or None}
    # A password file or an encrypted GSS channel of this machine is not what the connection is configured with.
    fixed = {"application_name": "mend", "passfile": os.devnull, "gssencmode": "disable", "client_encoding": "utf8"}
    raw = pq.PGconn.connect_start(make_conninfo("", **place, **who, **files, **fixed).encode())
    _speak_codes(raw)
    while (status := raw.connect_poll()) in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
        line = [raw.socket]
        reading, writing = (line, []) if status == pq.PollingStatus.READING else ([], line)
        if not any(select.select(reading, writing, [], deadline.left())) or deadline.over():
            raw.finish()
            words = f"no answer to the login within {deadline.seconds:g} s"
            raise Trouble("host_unreachable", "network.accepts_but_silent", words)
    if status == pq.PollingStatus.OK:
        raw.nonblocking = 1
        return raw
    text = raw.error_message.decode(errors="replace")
    raw.finish()
    raise _words("", text)


@cache
def _libpq() -> Any:
    """The libpq that psycopg brought along, or None."""
    import psycopg_binary

    folder = os.path.dirname(psycopg_binary.__file__)
    found = glob.glob(f"{folder}.libs/libpq-*") + glob.glob(f"{folder}/.dylibs/libpq*")
    if not found:
        return None
    library = ctypes.CDLL(found[0])
    library.PQsetErrorVerbosity.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return library


def _speak_codes(raw: Any) -> None:
    """Have libpq write the SQLSTATE of a failed login, which it otherwise drops: words depend on lc_messages."""
    try:
        library = _libpq()
    except (ImportError, OSError):
        return
    if library is not None and raw.pgconn_ptr:
        library.PQsetErrorVerbosity(raw.pgconn_ptr, 2)


def _words(state: str, text: str) -> Trouble:
    """Cause and code of the server's words, by the one table."""
    # libpq sets "connection to server at ... failed:" before it, and LOCATION (file and line) after it.
    said = re.search(r"failed: (.*?)(?:\nLOCATION|\Z)", text, re.S)
    line = " ".join((said.group(1) if said else text).split())
    if found := re.search(r"^(\w+): +([0-9A-Z]{5}): +(.*)$", line):
        state, line = found.group(2), f"{found.group(1)}: {found.group(3)}"
    evidence = f"{line} ({state})" if state else line
    if state == "28000" and re.search(r"no pg_hba\.conf entry.*(no encryption|SSL off)", line):
        return Trouble("tls_mismatch", "tls.server_requires_tls", evidence, ("access.pg_hba_no_entry",))
    for known, pattern, cause, code in CODES:
        if known == state and re.search(pattern, line if not known else text):
            return Trouble(cause, code, evidence, ALIKE.get(code, ()))
    return Trouble("unclassified", "availability.provider_error", evidence)
