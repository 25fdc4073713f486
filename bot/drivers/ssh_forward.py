"""A port on loopback whose callers are carried through an SSH session to a server on its far side."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import Any

from bot.drivers.network import Deadline, Trouble
from bot.drivers.ssh import Session, within

# RFC 4254 section 5.1: why a server does not open a channel. OpenSSH says the same for "no forwarding" and "not there".
PROHIBITED, CONNECT_FAILED = 1, 2
FAR_SIDE: tuple[tuple[str, str], ...] = (
    (r"refused", "tunnel.target_refused"),
    (r"Name or service not known|name resolution|not known|no address|unknown host", "tunnel.target_dns"),
    (r"timed out|unreachable|No route", "network.timeout_filtered"),
)


def channel(session: Session, host: str, port: int, deadline: Deadline) -> Any:
    """A channel to `host:port` as the SSH server sees it. Raises Trouble."""
    import paramiko

    place = f"{host}:{port} behind {session.login.place}"
    source = ("127.0.0.1", 0)

    def opened() -> Any:
        return session.transport.open_channel("direct-tcpip", (host, port), source, timeout=deadline.left())

    try:
        return within(deadline, session.transport, opened, place)
    except paramiko.ChannelException as error:
        raise _why(error.code, session.said.words or error.text, place) from None
    except (paramiko.SSHException, OSError, EOFError):
        words = f"{place}: no answer within {deadline.seconds:g} s"
        raise Trouble("ssh_tunnel_failed", "network.timeout_filtered", words, ("tunnel.target_refused",)) from None


def _why(reason: int, words: str, place: str) -> Trouble:
    said = f"{place}: {words}"
    if reason == PROHIBITED:
        return Trouble("ssh_tunnel_failed", "tunnel.forwarding_disabled", said, ("tunnel.target_not_permitted",))
    for pattern, code in FAR_SIDE:
        if re.search(pattern, words, re.I):
            return Trouble("ssh_tunnel_failed", code, said)
    alike = ("tunnel.target_dns", "network.timeout_filtered") if reason == CONNECT_FAILED else ()
    return Trouble("ssh_tunnel_failed", "tunnel.target_refused", said, alike)


class Forward:
    """`port` on 127.0.0.1 leads to `host:port` behind the session until `close`."""

    def __init__(self, session: Session, host: str, port: int, seconds: float) -> None:
        self.session, self.target, self.seconds = session, (host, port), seconds
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        threading.Thread(target=self._accept, name="tunnel", daemon=True).start()

    def close(self) -> None:
        # On Linux a call that waits in accept outlives the close of its socket, and the port with it: accept(2).
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.session.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(caller,), name="tunnel", daemon=True).start()

    def _carry(self, caller: socket.socket) -> None:
        try:
            far = channel(self.session, *self.target, Deadline(self.seconds))
        except Trouble:
            caller.close()
            return
        back = threading.Thread(target=_pump, args=(far, caller), name="tunnel", daemon=True)
        back.start()
        _pump(caller, far)
        back.join()
        far.close()
        caller.close()


def _pump(source: Any, sink: Any) -> None:
    """Carry bytes until one side ends, then tell the other that nothing more comes."""
    try:
        while data := source.recv(32768):
            sink.sendall(data)
    except (OSError, EOFError):
        pass
    try:
        sink.shutdown(socket.SHUT_WR) if isinstance(sink, socket.socket) else sink.shutdown_write()
    except (OSError, EOFError):
        return
