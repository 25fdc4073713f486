"""A ProxySQL that speaks just enough of MySQL's protocol to let in whom its own list names and to pass questions on.

Packets: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html. Who comes in stands in mysql_users, not at
the server behind: https://proxysql.com/documentation/main-runtime/#mysql_users. It answers the question with which
MySQL's own client begins by itself, and names itself in a refusal:
https://github.com/sysown/proxysql/blob/v2.7.3/lib/MySQL_Session.cpp
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers import received

COMMENT = "select @@version_comment limit 1"
# LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH
OFFERS = 0x1 | 0x8 | 0x200 | 0x8000 | 0x80000
NUMBER, TEXT = 8, 253
QUIT, QUERY = 1, 3
Rows = list[tuple[Any, ...]]


@dataclass
class ProxySql:
    """`behind` is the server: it gives the rows of a statement. `version` is mysql-server_version, its default."""

    users: dict[str, str]
    behind: Callable[[str], Rows]
    version: str = "8.0.30"
    asked: list[str] = field(default_factory=list)

    def talk(self, peer: socket.socket) -> None:
        salt = bytes(byte % 127 or 1 for byte in os.urandom(20))
        _send(peer, 0, self._greeting(salt))
        _, answer = _packet(peer)
        if not self._known(answer, salt):
            user = answer[32 : answer.index(b"\0", 32)].decode()
            words = f"ProxySQL Error: Access denied for user '{user}'@'127.0.0.1' (using password: YES)"
            return _send(peer, 2, b"\xff" + struct.pack("<H", 1045) + b"#28000" + words.encode())
        _send(peer, 2, OK)
        while True:
            _, body = _packet(peer)
            if body[0] == QUIT:
                return None
            self._answer(peer, body[1:].decode())

    def _greeting(self, salt: bytes) -> bytes:
        parts = struct.pack("<HBHHB", OFFERS & 0xFFFF, 45, 2, OFFERS >> 16, 21)
        start = b"\x0a" + self.version.encode() + b"\0" + struct.pack("<I", 77) + salt[:8] + b"\0"
        return start + parts + bytes(10) + salt[8:] + b"\0mysql_native_password\0"

    def _known(self, answer: bytes, salt: bytes) -> bool:
        """mysql_native_password, against the list of its own."""
        end = answer.index(b"\0", 32)
        proof = answer[end + 2 : end + 2 + answer[end + 1]]
        password = self.users.get(answer[32:end].decode())
        if password is None or len(proof) != 20:
            return False
        stored = _sha(_sha(password.encode()))
        mask = _sha(salt + stored)
        return _sha(bytes(a ^ b for a, b in zip(proof, mask, strict=True))) == stored

    def _answer(self, peer: socket.socket, sql: str) -> None:
        self.asked.append(sql)
        if sql.startswith("SET "):
            return _send(peer, 1, OK)
        rows = [("(ProxySQL)",)] if sql == COMMENT else self.behind(sql)
        first = rows[0] if rows else ("",)
        packets = [bytes([len(first)]), *map(_column, first), EOF, *map(_row, rows), EOF]
        for number, packet in enumerate(packets, 1):
            _send(peer, number, packet)
        return None


OK, EOF = b"\0\0\0\x02\0\0\0", b"\xfe\0\0\x02\0"


def _sha(data: bytes) -> bytes:
    return hashlib.sha1(data).digest()  # noqa: S324 - their protocol


def _text(value: bytes) -> bytes:
    return (bytes([len(value)]) if len(value) < 251 else b"\xfc" + struct.pack("<H", len(value))) + value


def _column(value: Any) -> bytes:
    kind = NUMBER if isinstance(value, int) else TEXT
    names = b"".join(map(_text, (b"def", b"", b"", b"", b"it", b"it")))
    return names + b"\x0c" + struct.pack("<HIBHB", 45, 1024, kind, 0, 0) + b"\0\0"


def _row(row: tuple[Any, ...]) -> bytes:
    return b"".join(b"\xfb" if value is None else _text(str(value).encode()) for value in row)


def _packet(peer: socket.socket) -> tuple[int, bytes]:
    head = received(peer, 4)
    return head[3], received(peer, int.from_bytes(head[:3], "little"))


def _send(peer: socket.socket, number: int, body: bytes) -> None:
    peer.sendall(len(body).to_bytes(3, "little") + bytes([number]) + body)
