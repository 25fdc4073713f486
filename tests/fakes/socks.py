"""A SOCKS 5 proxy (https://www.rfc-editor.org/rfc/rfc1928) that alone knows the names of the inside."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping

from tests.servers import listener, received


@contextlib.contextmanager
def socks_proxy(inside: Mapping[str, str], asked: list[str]) -> Iterator[str]:
    """Its address; `inside` are names and where they lead, `asked` gets every name and port."""

    def talk(peer: socket.socket) -> None:
        _, ways = received(peer, 2)
        received(peer, ways)
        peer.sendall(b"\5\0")
        *_, kind = received(peer, 4)
        name = received(peer, received(peer, 1)[0]).decode() if kind == 3 else socket.inet_ntoa(received(peer, 4))
        port = int.from_bytes(received(peer, 2), "big")
        asked.append(f"{name}:{port}")
        with socket.create_connection((inside[name], port)) as far:
            peer.sendall(b"\5\0\0\1\0\0\0\0\0\0")
            threading.Thread(target=_carry, args=(far, peer), daemon=True).start()
            _carry(peer, far)

    with listener(talk) as port:
        yield f"socks5://127.0.0.1:{port}"


def _carry(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            to.sendall(part)
        to.shutdown(socket.SHUT_WR)
