"""A directory that answers a simple bind, and nothing else: RFC 4511, sections 4.1.1, 4.2 and 5.1."""

from __future__ import annotations

import socket
from dataclasses import dataclass

SUCCESS, INVALID_CREDENTIALS = 0, 49


@dataclass
class Directory:
    """`password` is everybody's."""

    password: str
    binds: int = 0

    def talk(self, peer: socket.socket) -> None:
        while message := peer.recv(4096):
            ident = message[message.index(b"\x02\x01") + 2]
            if b"\x42\x00" in message:  # UnbindRequest
                return
            self.binds += 1
            # The choice `simple` of AuthenticationChoice is [0], the last field of a BindRequest.
            good = message.endswith(bytes([0x80, len(self.password)]) + self.password.encode())
            code = SUCCESS if good else INVALID_CREDENTIALS
            answer = bytes([0x02, 1, ident, 0x61, 7, 0x0A, 1, code, 0x04, 0, 0x04, 0])
            peer.sendall(bytes([0x30, len(answer)]) + answer)
