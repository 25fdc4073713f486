"""How a database's own protocol turns to TLS, up to the first byte of the handshake."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from bot.drivers.mysql_words import from_packet
from bot.drivers.network import Deadline, Trouble, connect, os_trouble, peek

# The eight bytes by which a client asks a PostgreSQL server whether it speaks TLS; it answers S or N.
# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
PG_SSL_REQUEST = struct.pack("!II", 8, 80877103)
# https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html
MYSQL_SSL, MYSQL_WITH_DATABASE = 0x800, 0x8


def opener(
    driver: str, host: str, port: int, deadline: Deadline, *,
    open_line: Callable[[], socket.socket | None], give_back: Callable[[socket.socket], None],
) -> socket.socket:  # fmt: skip
    """A line to the server, `open_line` when it is still there, on which TLS comes next. Raises Trouble.

    One that turns out to be without TLS, and where nothing was said yet, is given back.
    """
    peer = open_line() or connect(host, port, deadline.left())
    try:
        TURNS[driver](peer, f"{host}:{port}", deadline)
    except OSError as error:
        peer.close()
        raise os_trouble(error, f"{host}:{port}", deadline.seconds, "network.accepts_but_silent") from None
    except Trouble as trouble:
        if driver == "mysql" and trouble.code == "tls.server_without_tls":
            give_back(peer)
        else:
            peer.close()
        raise
    return peer


def _without(place: str) -> Trouble:
    return Trouble("tls_mismatch", "tls.server_without_tls", f"{place}: the server does not offer TLS")


def ask_tls(peer: socket.socket, place: str, deadline: Deadline) -> bytes:
    """PostgreSQL's answer, b"S" or b"N", left in place. Raises Trouble.

    It never speaks first: what lies there is its answer to an earlier check, which asked on the same line.
    """
    try:
        peer.settimeout(0)
        with suppress(BlockingIOError):
            return peer.recv(64, socket.MSG_PEEK)
        peer.settimeout(deadline.left())
        peer.sendall(PG_SSL_REQUEST)
    except OSError as error:
        raise os_trouble(error, place, deadline.seconds) from None
    return peek(peer, place, deadline, 1)


def _postgres(peer: socket.socket, place: str, deadline: Deadline) -> None:
    if ask_tls(peer, place, deadline)[:1] != b"S":
        raise _without(place)
    peer.recv(1)


def greeting_of(peer: socket.socket, place: str, deadline: Deadline) -> bytes:
    """What a MySQL server says first, with its head of four bytes, left in place. Raises Trouble."""
    head = _all(peer, 4, place, deadline)
    return _all(peer, 4 + min(int.from_bytes(head[:3], "little"), 4096), place, deadline)


def _mysql(peer: socket.socket, place: str, deadline: Deadline) -> None:
    whole = greeting_of(peer, place, deadline)
    greeting = whole[4:]
    if greeting[:1] == b"\xff":
        raise from_packet(greeting)
    # Protocol 10: version up to NUL, thread id (4), first part of the challenge (8), NUL, low capabilities (2).
    at = greeting.find(b"\0") + 14
    if greeting[:1] != b"\x0a" or len(greeting) < at + 2:
        raise Trouble("host_unreachable", "network.reset", f"{place}: refused before TLS was agreed")
    if not int.from_bytes(greeting[at : at + 2], "little") & MYSQL_SSL:
        raise _without(place)
    peer.recv(len(whole))
    from pymysql.constants import CLIENT

    # The server holds the login that follows to what is said here: so it is what the login's own library would say.
    body = struct.pack("<IIB23x", CLIENT.CAPABILITIES | MYSQL_SSL | MYSQL_WITH_DATABASE, 1 << 24, 45)
    peer.sendall(len(body).to_bytes(3, "little") + b"\x01" + body)


def _all(peer: socket.socket, size: int, place: str, deadline: Deadline) -> bytes:
    got = peek(peer, place, deadline, size)
    if len(got) < size:
        raise Trouble("host_unreachable", "network.reset", f"{place}: hung up before TLS was agreed")
    return got[:size]


STARTTLS = ("postgres", "mysql")
TURNS: dict[str, Callable[[socket.socket, str, Deadline], None]] = {"postgres": _postgres, "mysql": _mysql}
