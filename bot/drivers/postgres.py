"""PostgreSQL by libpq: one login, one read-only look at the catalogue, within one hard limit."""

from __future__ import annotations

import ctypes
import glob
import os
import select
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from bot.drivers import redshift
from bot.drivers.network import Deadline, Trouble, connect, reached
from bot.drivers.postgres_catalogue import GOOD, OPENING, READABLE, TABLES, VIEWS, Below, Server, TableRights
from bot.drivers.postgres_replication import Replication, read
from bot.drivers.postgres_words import HBA, words
from bot.drivers.starttls import ask_tls

# The address that answered, and whether it speaks TLS.
Asked = tuple[str, bool]
# No file, so libpq finds no password in one; a device would make it warn on standard error.
NOWHERE = os.path.join(os.devnull, "none")
BEHIND = ("availability.bad_gateway", "capacity.too_many_connections")


@dataclass
class Reading:
    """What one login saw: the rights on each wanted table, none where all are good, or why they could not be read."""

    user: str
    readable: int = 0
    rights: tuple[TableRights, ...] = ()
    trouble: Trouble | None = None
    server: Server = field(default_factory=Server)
    below: tuple[Below, ...] = ()
    replication: Replication | None = None


def examine(
    settings: Mapping[str, Any], password: str, tables: list[tuple[str, str]], timeout: float, follow: bool = False,
    is_redshift: bool = False, asked: Asked | None = None,
) -> Reading:  # fmt: skip
    """Log in once and read the catalogue, with `follow` also about its log. Raises Trouble when the login fails."""
    deadline = Deadline(timeout)
    with session(settings, password, deadline, asked) as connection:
        import psycopg

        reading = Reading(str(settings.get("user", "")))
        try:
            publication = str(settings.get("publication") or "") if follow else None
            if is_redshift or redshift.is_one(connection):
                _read_redshift(connection, reading, tables, deadline)
            else:
                _read(connection, reading, tables, deadline, publication)
        except psycopg.Error as error:
            reading.trouble = _cut_short(words(error.sqlstate or "", str(error)), reading, deadline)
    return reading


@contextmanager
def session(
    settings: Mapping[str, Any], password: str, deadline: Deadline, asked: Asked | None = None
) -> Iterator[Any]:
    """A connection of psycopg without a transaction of its own. Raises Trouble when the login fails."""
    raw = _login(settings, password, deadline, asked)
    import psycopg

    # A watchdog cuts the line: a server that turns silent in the middle of an answer ignores every timeout of SQL.
    line = socket.socket(fileno=os.dup(raw.socket))
    watchdog = threading.Timer(deadline.left(), line.shutdown, [socket.SHUT_RDWR])
    watchdog.daemon = True
    watchdog.start()
    try:
        connection = psycopg.Connection(raw)
        connection.autocommit = True
        yield connection
    finally:
        watchdog.cancel()
        line.close()
        raw.finish()


def _cut_short(trouble: Trouble, reading: Reading, deadline: Deadline) -> Trouble:
    """A query that our own limit ended says nothing about the role's."""
    # A role's limit may be so short that not even the limit can be read.
    early = reading.server.timeout == 0 and deadline.left() > deadline.seconds / 2
    ours = trouble.code == "capacity.statement_timeout" and not 0 < reading.server.timeout < deadline.seconds * 1000
    ours = ours and not early
    if ours or deadline.over():
        return Trouble("connection_dropped", "availability.too_slow", f"no answer within {deadline.seconds:g} s")
    return trouble


def _read(
    connection: Any, reading: Reading, tables: list[tuple[str, str]], deadline: Deadline, publication: str | None
) -> None:
    opened = connection.execute(OPENING)
    opened.nextset(), opened.nextset()  # past BEGIN and SET
    user, version, standby, process, own, service, until = opened.fetchone()
    # A pooler makes up the number of the process that it tells at the login.
    pooled = process != connection.pgconn.backend_pid
    reading.user, reading.server = user, Server(user, version, standby, own, service or "", pooled, until or 0.0)
    ours = max(int(deadline.left() * 1000) - 100, 10)
    if own == 0 or own > ours:  # a shorter one of the role's holds already
        connection.execute(f"SET LOCAL statement_timeout = {ours}")
    if tables:
        _read_rights(connection, reading, tables)
    else:
        reading.readable = connection.execute(READABLE).fetchone()[0]
    if publication is not None:
        reading.replication = read(connection, tables, publication)


def _read_redshift(
    connection: Any, reading: Reading, tables: list[tuple[str, str]], deadline: Deadline
) -> None:  # fmt: skip
    connection.execute("BEGIN READ ONLY")
    reading.server = redshift.server(connection)
    reading.user = reading.server.user
    connection.execute(f"SET LOCAL statement_timeout = {max(int(deadline.left() * 1000) - 100, 10)}")
    if tables:
        reading.rights = redshift.rights(connection, tables)
    else:
        reading.readable = redshift.readable(connection)


def _read_rights(connection: Any, reading: Reading, tables: list[tuple[str, str]]) -> None:
    names = [_array(part) for part in zip(*tables, strict=True)]
    good, views = connection.execute(GOOD, names).fetchone()
    if good != len(tables):
        reading.rights = tuple(TableRights(*row) for row in connection.execute(TABLES, names).fetchall())
        views = any(right.kind == "v" for right in reading.rights)
    if views:
        reading.below = tuple(Below(*row) for row in connection.execute(VIEWS, names).fetchall())


def _array(names: Iterable[str]) -> str:
    """As PostgreSQL writes one of texts; psycopg takes five times as long over a list."""
    told = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    return "{" + ",".join(f'"{name}"' for name in told) + "}"


def _login(settings: Mapping[str, Any], password: str, deadline: Deadline, asked: Asked | None) -> Any:
    """libpq repeats a login without TLS under `prefer` and for each address: we choose both, so that it asks once."""
    host = str(settings.get("host") or "localhost")
    port = int(settings.get("port") or 5432)
    mode = str(settings.get("sslmode") or "prefer")
    if host.startswith("/"):
        return _once(settings, password, {"host": host, "port": port}, deadline)
    address, speaks_tls = asked or _ask_tls(host, port, deadline)
    if mode not in ("disable", "allow", "prefer") and not speaks_tls:
        raise Trouble("tls_mismatch", "tls.server_without_tls", "server does not support SSL, but SSL was required")
    # Behind a tunnel the certificate is still for the server's own name.
    place = {"host": str(settings.get("tls_name") or host).strip("[]"), "hostaddr": address, "port": port}
    if mode not in ("allow", "prefer"):
        return _as_asked(settings, password, {**place, "sslmode": mode}, deadline, speaks_tls)
    if not speaks_tls:
        return _once(settings, password, {**place, "sslmode": "disable"}, deadline)
    try:
        # `prefer` compares the certificate with no authority, where `require` takes one that is at hand.
        return _once(settings, password, {**place, "sslmode": "require", "sslrootcert": NOWHERE}, deadline)
    except Trouble as trouble:
        if trouble.code not in HBA:
            raise
        first = trouble
    try:
        # Rules for hosts are applied before a password is asked for, so this second call is still the first login.
        return _once(settings, password, {**place, "sslmode": "disable"}, deadline)
    except Trouble as second:
        raise (first if second.code in HBA else second) from None


def _as_asked(
    settings: Mapping[str, Any], password: str, place: dict[str, Any], deadline: Deadline, speaks_tls: bool
) -> Any:
    try:
        return _once(settings, password, place, deadline)
    except Trouble as trouble:
        if trouble.code != "access.pg_hba_no_entry" or place["sslmode"] != "disable" or not speaks_tls:
            raise
        # Whether another rule would fit an encrypted call is not said; a server that offers TLS mostly wants it.
        code, same = "tls.server_requires_tls", ("access.pg_hba_no_entry",)
        raise Trouble("tls_mismatch", code, trouble.evidence, same) from None


def _ask_tls(host: str, port: int, deadline: Deadline) -> Asked:
    with connect(host, port, deadline.left()) as peer:
        return reached(peer), ask_tls(peer, f"{host}:{port}", deadline) == b"S"


def _once(settings: Mapping[str, Any], password: str, place: dict[str, Any], deadline: Deadline) -> Any:
    from psycopg import pq
    from psycopg.conninfo import make_conninfo

    optional = {"sslrootcert": "ssl_root_cert", "sslcert": "ssl_cert", "sslkey": "ssl_key"}
    files = {name: settings[key] for name, key in optional.items() if settings.get(key) and name not in place}
    if "sslcert" not in files:
        files["sslcertmode"] = "disable"  # nor is a certificate in this machine's home folder
    if place.get("sslmode") == "require":
        files.setdefault("sslrootcert", NOWHERE)  # nor an authority there
    who = {"dbname": settings.get("database"), "user": settings.get("user"), "password": password}
    # What this machine has at hand, a password file or a ticket, is not what the connection is configured with.
    # A phrase that nobody has keeps OpenSSL from asking the terminal for that of a locked key.
    fixed = {"application_name": "mend", "passfile": NOWHERE, "gssencmode": "disable", "client_encoding": "utf8",
             "require_auth": "!gss,!sspi", "sslpassword": "-"}  # fmt: skip
    ours = {name: value for name, value in {**files, **who, **fixed, **place}.items() if value}
    raw = pq.PGconn.connect_start(make_conninfo("", **{**_not_from_here(), **ours}).encode())
    _speak_codes(raw)
    while (status := raw.connect_poll()) in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
        line = [raw.socket]
        reading, writing = (line, []) if status == pq.PollingStatus.READING else ([], line)
        if not any(select.select(reading, writing, [], deadline.left())) or deadline.over():
            raw.finish()
            late = f"no answer to the login within {deadline.seconds:g} s"
            # A pooler lets its callers wait while the server behind it is down or full.
            raise Trouble("host_unreachable", "network.accepts_but_silent", late, BEHIND)
    if status == pq.PollingStatus.OK:
        raw.nonblocking = 1
        return raw
    text = raw.error_message.decode(errors="replace")
    raw.finish()
    raise words("", text)


def _not_from_here() -> dict[str, str]:
    """What libpq takes from variables of this machine's environment, such as PGPASSWORD, as if they were not set.

    https://www.postgresql.org/docs/current/libpq-envars.html
    """
    from psycopg import pq

    # Of these an empty one is an error.
    kept = ("service", "min_protocol_version", "max_protocol_version")
    known = [(one.keyword.decode(), (one.envvar or b"").decode(), one) for one in pq.Conninfo.get_defaults()]
    return {name: (one.compiled or b"").decode() for name, place, one in known
            if place in os.environ and name not in kept}  # fmt: skip


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
