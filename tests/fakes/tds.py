"""A SQL Server that speaks just enough of TDS to log a client in and to be broken.

Messages and tokens: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-tds/ (2.2.6.5 PRELOGIN,
2.2.6.4 LOGIN7, 2.2.7 token streams). The handshake of TLS travels inside of PRELOGIN packets.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass, field

PRELOGIN, LOGIN, BATCH, REPLY = 0x12, 0x10, 1, 4
OFFERED, ON, NONE, REQUIRED = 0, 1, 2, 3
Error = tuple[int, int, str]  # number, state, words


class _Wire:
    """Packets over a socket, and over TLS once it has begun."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.session: ssl.SSLObject | None = None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            got += self._part(size - len(got))
        return got

    def _part(self, size: int) -> bytes:
        while self.session:
            with contextlib.suppress(ssl.SSLWantReadError):
                return self.session.read(size)
            self.incoming.write(self._raw(16384))
        return self._raw(size)

    def _raw(self, size: int) -> bytes:
        part = self.peer.recv(size)
        if not part:
            raise OSError("the client left")
        return part

    def packet(self) -> tuple[int, bytes]:
        kind, _, size = struct.unpack(">BBH4x", self.read(8))
        return kind, self.read(size - 8)

    def send(self, body: bytes, kind: int = REPLY) -> None:
        data = struct.pack(">BBHHBB", kind, 1, len(body) + 8, 0, 1, 0) + body
        if self.session:
            self.session.write(data)
            data = self.outgoing.read()
        self.peer.sendall(data)

    def encrypt(self, context: ssl.SSLContext) -> None:
        session = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            done = False
            with contextlib.suppress(ssl.SSLWantReadError):
                session.do_handshake()
                done = True
            if self.outgoing.pending:
                self.send(self.outgoing.read(), PRELOGIN)
            if done:
                break
            self.incoming.write(self.packet()[1])
        self.session = session


@dataclass
class SqlServer:
    """`denies` maps a part of a statement to the error it gets; `login_errors` are what a login gets instead of entry.
    `last_day` is the password's, counted from 1970, as Mend asks for it."""

    password: str = "right"
    users: tuple[str, ...] = ("stitch",)
    databases: tuple[str, ...] = ("shop",)
    encryption: int = NONE
    context: ssl.SSLContext | None = None
    login_errors: tuple[Error, ...] = ()
    denies: dict[str, Error] = field(default_factory=dict)
    number: int = 0
    last_day: int | None = None
    stalls: bool = False
    logins: int = 0
    statements: list[str] = field(default_factory=list)

    def talk(self, peer: socket.socket) -> None:
        wire = _Wire(peer)
        _, asked = wire.packet()
        wants = asked[struct.unpack_from(">H", asked, 6)[0]]
        answer = self.encryption if self.encryption in (NONE, REQUIRED) or wants == NONE else ON
        wire.send(struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 0xFF) + b"\x10\x00\x10\x00\x00\x00" + bytes([answer]))
        if self.context and answer in (ON, REQUIRED) and wants != NONE:
            wire.encrypt(self.context)
        _, login = wire.packet()
        self.logins += 1
        user, password, database = (_text(login, at) for at in (40, 44, 68))
        wire.send(self._greeting(user, _clear(password), database))
        while True:
            kind, body = wire.packet()
            if kind != BATCH:
                return
            sql = body[struct.unpack_from("<I", body)[0] :].decode("utf-16-le")
            self.statements.append(sql)
            if self.stalls:
                wire.read(1)
            wire.send(self._answer(sql))

    def _greeting(self, user: str, password: str, database: str) -> bytes:
        errors = list(self.login_errors)
        refused = (18456, 1, f"Login failed for user '{user}'.")
        if not errors and (user not in self.users or password != self.password):
            errors = [refused]
        if not errors and database not in self.databases:
            words = f'Cannot open database "{database}" requested by the login. The login failed.'
            errors = [(4060, 1, words), refused]
        if errors:
            return b"".join(map(_error, errors)) + _done(2)
        name = "Microsoft SQL Server".encode("utf-16-le")
        ack = struct.pack(">BIB", 1, 0x74000004, len(name) // 2) + name + b"\x10\x00\x10\x00"
        now = database.encode("utf-16-le")
        change = struct.pack("<BB", 1, len(database)) + now + b"\0"
        return (
            b"\xe3" + struct.pack("<H", len(change)) + change + b"\xad" + struct.pack("<H", len(ack)) + ack + _done(0)
        )

    def _answer(self, sql: str) -> bytes:
        error = next((said for part, said in self.denies.items() if part in sql), None)
        if error:
            return _error(error) + _done(2)
        if sql.startswith("SELECT TOP (0)"):
            return _done(0)
        if "DaysUntilExpiration" in sql:
            # One column of INTN, which may be nothing.
            value = b"\0" if self.last_day is None else b"\4" + struct.pack("<i", self.last_day)
            return b"\x81" + struct.pack("<HIHBBB", 1, 0, 1, 0x26, 4, 0) + b"\xd1" + value + _done(0x10)
        # COLMETADATA of one column, INT4 without a name, and its ROW.
        return (
            b"\x81" + struct.pack("<HIHBB", 1, 0, 0, 0x38, 0) + b"\xd1" + struct.pack("<i", self.number) + _done(0x10)
        )


def _text(login: bytes, at: int) -> str:
    start, count = struct.unpack_from("<HH", login, at)
    return login[start : start + count * 2].decode("utf-16-le", "surrogatepass")


def _clear(password: str) -> str:
    """LOGIN7 turns the halves of each byte around and flips bits by 0xA5."""
    raw = (byte ^ 0xA5 for byte in password.encode("utf-16-le", "surrogatepass"))
    return bytes((byte << 4 | byte >> 4) & 0xFF for byte in raw).decode("utf-16-le", "replace")


def _error(error: Error) -> bytes:
    number, state, words = error
    body = (
        struct.pack("<iBBH", number, state, 14, len(words)) + words.encode("utf-16-le") + b"\0\0" + struct.pack("<i", 1)
    )
    return b"\xaa" + struct.pack("<H", len(body)) + body


def _done(status: int) -> bytes:
    return b"\xfd" + struct.pack("<HHQ", status, 0, 1 if status == 0x10 else 0)
