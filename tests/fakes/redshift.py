"""The parts in which Redshift differs from the PostgreSQL that poses as it: the first words, and the answers to two questions.

Its version, encoding and tables: https://docs.aws.amazon.com/redshift/latest/dg/r_VERSION.html and
https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-functions.html; the messages:
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence

VERSION = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.12103"
Rows = Sequence[Sequence[str]]
BOOL, TEXT = 16, 25


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def status(name: str, value: str) -> bytes:
    return message(b"S", f"{name}\0{value}\0".encode())


READY = message(b"Z", b"T")
GREETING = message(b"R", struct.pack("!I", 0)) + b"".join(
    status(*pair) for pair in (("server_version", "8.0.2"), ("client_encoding", "UNICODE"), ("integer_datetimes", "on"),
                               ("padb_version", "1.0.12103"), ("session_authorization", "stitch"))
)  # fmt: skip


def rows(found: Rows) -> bytes:
    width = len(found[0]) if found else 1
    kinds = [BOOL if found and found[0][i] in ("t", "f") else TEXT for i in range(width)]
    head = b"".join(b"c\0" + struct.pack("!IhIhih", 0, 0, kind, -1, -1, 0) for kind in kinds)
    made = message(b"T", struct.pack("!h", width) + head)
    for row in found:
        body = b"".join(struct.pack("!i", len(v.encode())) + v.encode() for v in row)
        made += message(b"D", struct.pack("!h", width) + body)
    return made + message(b"C", b"SELECT\0")


def speaking(answers: dict[str, Rows], heard: list[str]) -> Callable[[socket.socket], None]:
    """`answers` by a part of the question; whoever asks by parameters or for anything else gets a syntax error."""
    wrong = message(b"E", b"SERROR\0C42601\0Msyntax error\0\0")

    def talk(peer: socket.socket) -> None:
        line = peer.makefile("rb")
        if not peer.recv(1, socket.MSG_PEEK):
            return
        while (size := struct.unpack("!I", line.read(4))[0]) == 8:  # asks for TLS
            line.read(4)
            peer.sendall(b"N")
        line.read(size - 4)
        peer.sendall(GREETING + message(b"Z", b"I"))
        while kind := line.read(1):
            body = line.read(struct.unpack("!I", line.read(4))[0] - 4)
            if kind == b"X":
                return
            if kind != b"Q":
                heard.append(f"message {kind!r}")
                peer.sendall(wrong + READY)
                continue
            sql = body.rstrip(b"\0").decode()
            heard.append(sql)
            known = next((found for part, found in answers.items() if part in sql), None)
            done = message(b"C", b"SET\0") if sql.startswith(("BEGIN", "SET", "COMMIT")) else None
            peer.sendall((done or (rows(known) if known is not None else wrong)) + READY)

    return talk
