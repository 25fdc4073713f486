"""The line to SQL Server: how TDS turns to TLS, and no answer later than the limit.

https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-tds/60f56408-0188-4cd5-8b90-25c6f2423868
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from typing import Any

from bot.drivers.network import Deadline, Trouble, os_trouble
from bot.drivers.tls import Trust, tls_trouble

PRELOGIN, REPLY = 0x12, 4
ENCRYPTION, END = 1, 0xFF
ON, NOT_SUPPORTED, REQUIRED = 1, 2, 3


class Line:
    """What python-tds takes for its socket. It asks for no TLS: by then this line is encrypted, if it is to be."""

    def __init__(self, peer: socket.socket, place: str, deadline: Deadline) -> None:
        self.peer, self.place, self.deadline = peer, place, deadline
        self.session: ssl.SSLObject | None = None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ready = self.kept = b""

    def agree(self, mode: str, trust: Trust, name: str) -> None:
        """The question before the login, and TLS where both sides want it. Raises Trouble."""
        asked = NOT_SUPPORTED if mode == "disable" else ON
        head = struct.pack(">BHHBHHB", 0, 11, 6, ENCRYPTION, 17, 1, END)
        try:
            self._send_packet(head + bytes(6) + bytes([asked]))
            said = self._packet()
            at, answer = _encryption(said)
            if answer == REQUIRED and mode == "disable":
                words = f"{self.place}: the server takes encrypted logins only"
                raise Trouble("tls_mismatch", "tls.server_requires_tls", words)
            if answer == NOT_SUPPORTED and mode not in ("disable", "allow", "prefer"):
                words = f"{self.place}: the server does not offer TLS"
                raise Trouble("tls_mismatch", "tls.server_without_tls", words)
            if answer in (ON, REQUIRED):
                self._shake(trust, name)
        except OSError as error:
            raise self.trouble(error) from None
        self.kept = said[:at] + bytes([NOT_SUPPORTED]) + said[at + 1 :]

    def trouble(self, error: OSError) -> Trouble:
        if isinstance(error, ssl.SSLError):
            host, _, port = self.place.rpartition(":")
            return tls_trouble(error, host, int(port), self.deadline)
        return os_trouble(error, self.place, self.deadline.seconds, "network.accepts_but_silent")

    def _shake(self, trust: Trust, name: str) -> None:
        """The handshake travels inside of packets; later versions of TLS go on talking after it."""
        context = trust.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.session.do_handshake()
                return
            self._send_packet(self.outgoing.read())
            self.incoming.write(self._packet())

    def _send_packet(self, body: bytes) -> None:
        self._raw_send(struct.pack(">BBHHBB", PRELOGIN, 1, len(body) + 8, 0, 0, 0) + body)

    def _packet(self) -> bytes:
        head = self._exactly(8)
        kind, _, size = struct.unpack_from(">BBH", head)
        if kind not in (REPLY, PRELOGIN) or size < 8:
            words = f"{self.place} answered {head!r}, which is not SQL Server"
            raise Trouble("config_error", "config.wrong_port_other_service", words)
        return self._exactly(size - 8)

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self._raw_recv(size - len(got))
            if not part:
                raise ConnectionResetError(104, "hung up")
            got += part
        return got

    def _raw_send(self, data: bytes) -> None:
        self.peer.settimeout(self.deadline.left())
        self.peer.sendall(data)

    def _raw_recv(self, size: int) -> bytes:
        if self.deadline.over():
            raise TimeoutError
        self.peer.settimeout(self.deadline.left())
        return self.peer.recv(size)

    # What python-tds calls.

    def sendall(self, data: Any, flags: int = 0) -> None:
        if self.kept:
            body, self.kept = self.kept, b""
            self.ready = struct.pack(">BBHHBB", REPLY, 1, len(body) + 8, 0, 0, 0) + body
        elif self.session:
            self.session.write(bytes(data))
            self._raw_send(self.outgoing.read())
        else:
            self._raw_send(bytes(data))

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        got = self.recv(size or len(buffer))
        buffer[: len(got)] = got
        return len(got)

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.ready:
            got, self.ready = self.ready[:size], self.ready[size:]
            return got
        while self.session:
            with contextlib.suppress(ssl.SSLWantReadError):
                return self.session.read(size)
            part = self._raw_recv(16384)
            if not part:
                return b""
            self.incoming.write(part)
        return self._raw_recv(size)

    def setsockopt(self, *option: Any) -> None:
        return

    def settimeout(self, seconds: float | None) -> None:
        return

    def gettimeout(self) -> float | None:
        return None

    def close(self) -> None:
        self.peer.close()


def _encryption(said: bytes) -> tuple[int, int]:
    """(where it stands, what it is): the server's word about encryption among its options."""
    at = 0
    while at + 5 <= len(said) and said[at] != END:
        option, start, size = struct.unpack_from(">BHH", said, at)
        if option == ENCRYPTION and size and start < len(said):
            return start, said[start]
        at += 5
    raise Trouble("config_error", "config.wrong_port_other_service", "the answer before the login is not SQL Server's")
