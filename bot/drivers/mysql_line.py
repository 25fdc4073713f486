"""A line on which a probe has read the greeting and agreed on TLS, handed on to the login.

MySQL counts each caller that leaves before a login and shuts out a host with too many of them, so that a probe that
hung up would bring that about by itself: https://dev.mysql.com/doc/refman/8.4/en/host-cache.html
"""

from __future__ import annotations

import io
import socket
import ssl
from typing import Any


class Encrypted(io.RawIOBase):
    """TLS over a socket, as far as the login and its questions need it."""

    def __init__(self, session: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, peer: socket.socket):
        self.session, self.incoming, self.outgoing, self.peer = session, incoming, outgoing, peer

    def settimeout(self, seconds: float | None) -> None:
        self.peer.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        self.session.write(data)
        self.peer.sendall(self.outgoing.read())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        room = memoryview(buffer)
        while True:
            try:
                data = self.session.read(len(room))
            except ssl.SSLZeroReturnError:
                return 0
            except ssl.SSLWantReadError:
                part = self.peer.recv(16384)
                if not part:
                    return 0
                self.incoming.write(part)
                continue
            room[: len(data)] = data
            return len(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def dup(self) -> socket.socket:
        return self.peer.dup()

    def close(self) -> None:
        self.peer.close()
        super().close()


class Turned:
    """The line's part for a client that begins anew: it reads the greeting and asks for TLS, and gets both."""

    def __init__(self, greeting: bytes, line: Encrypted) -> None:
        self.greeting, self.line = greeting, line

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.greeting)

    def sendall(self, data: bytes) -> None:
        """The client asks for TLS, which is there already."""

    def settimeout(self, seconds: float | None) -> None:
        self.line.settimeout(seconds)

    def dup(self) -> socket.socket:
        return self.line.dup()

    def close(self) -> None:
        self.line.close()

    def wrap_socket(self, sock: Any, server_hostname: str | None = None) -> Encrypted:
        return self.line
