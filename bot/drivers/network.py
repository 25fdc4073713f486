"""Names, addresses and TCP: the only place that opens plain sockets."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

CODES = {
    errno.ECONNREFUSED: "network.refused",
    errno.ECONNRESET: "network.reset",
    errno.EPIPE: "network.reset",
    errno.ETIMEDOUT: "network.timeout_filtered",
    errno.EHOSTUNREACH: "network.timeout_filtered",
    errno.ENETUNREACH: "network.timeout_filtered",
    errno.EAFNOSUPPORT: "network.wrong_address_family",
}
UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)
# Seconds: https://www.rfc-editor.org/rfc/rfc8305#section-8
HEAD_START = 0.25
T = TypeVar("T")
Address = tuple[int, tuple[str, int]]
PRIVATE = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


@dataclass
class Trouble(Exception):
    """What the other side said: cause, code, its words, and the codes that look the same from here.

    `shown` is what the other side proved itself with, where that is what the trouble is about.
    """

    cause: str
    code: str
    evidence: str
    alternatives: tuple[str, ...] = ()
    shown: str = ""


class Deadline:
    """One limit for many calls: a peer that sends a byte a second must not earn a new limit by each."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        return max(self._until - time.monotonic(), 0.01)

    def over(self) -> bool:
        return time.monotonic() >= self._until


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_private(address: str) -> bool:
    """Whether an address belongs to a private network (RFC 1918, RFC 4193), which nobody outside can reach."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in PRIVATE if found.version == network.version)


def addresses(host: str, timeout: float) -> list[str]:
    """The addresses of a name, as the system resolves it. Raises Trouble."""
    return list(dict.fromkeys(address[0] for _, address in _lookup(host, 0, Deadline(timeout))))


def _lookup(host: str, port: int, deadline: Deadline) -> list[Address]:
    # The system's resolver knows no limit of time.
    try:
        return bounded(deadline, lambda: _resolved(host, port), "dns")
    except Trouble:
        words = f"no answer about {host} within {deadline.seconds:g} s"
        raise Trouble("host_unreachable", "dns.timeout", words) from None
    except (OSError, UnicodeError) as error:
        raise Trouble("host_unreachable", _dns_code(host, deadline), f"{host}: {error}") from None


def _dns_code(host: str, deadline: Deadline) -> str:
    """Ask the name server itself: the system's resolver hides why it failed."""
    import dns.exception
    import dns.resolver

    table: tuple[tuple[type[Exception], str], ...] = (
        (dns.resolver.NXDOMAIN, "dns.nxdomain"),
        (dns.resolver.NoAnswer, "dns.no_address"),
        (dns.resolver.NoNameservers, "dns.servfail"),
        (dns.exception.Timeout, "dns.timeout"),
    )
    try:
        dns.resolver.resolve(host, "A", lifetime=min(deadline.left(), 2.0))
    except (dns.exception.DNSException, OSError, UnicodeError) as error:
        return next((code for kind, code in table if isinstance(error, kind)), "dns.nxdomain")
    return "dns.no_address"


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """A TCP connection to the first address that accepts one, or Trouble that says how it failed."""
    deadline = Deadline(timeout)
    found = _lookup(host, port, deadline)
    try:
        return _race(found, deadline)
    except OSError as failed:
        trouble = os_trouble(failed, f"{host}:{port}", timeout)
        if failed.errno == errno.ENETUNREACH and all(f == socket.AF_INET6 for f, _ in found):
            trouble.code = "network.wrong_address_family"
        raise trouble from None


def dial(host: str, port: int, timeout: float) -> socket.socket:
    """As `connect`, for who reads the system's own errors. Raises OSError, UnicodeError."""
    return _race(_resolved(host, port), Deadline(timeout))


def _resolved(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return [(entry[0], (str(entry[4][0]), port)) for entry in found]


def _race(found: list[Address], deadline: Deadline) -> socket.socket:
    """The first line that stands; an address that says nothing holds up the next for a moment only.

    https://www.rfc-editor.org/rfc/rfc8305#section-5. Raises the OSError that says most.
    """
    failed: OSError | None = None
    rest = list(found)
    with selectors.DefaultSelector() as waiting, contextlib.ExitStack() as lines:
        while rest or waiting.get_map():
            if rest:
                try:
                    waiting.register(lines.enter_context(_begun(*rest.pop(0))), selectors.EVENT_WRITE)
                except OSError as error:
                    failed = _telling(failed, error)
            for key, _ in waiting.select(min(deadline.left(), HEAD_START if rest else deadline.left())):
                line: socket.socket = key.fileobj  # type: ignore[assignment]
                waiting.unregister(line)
                if code := line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    failed = _telling(failed, OSError(code, os.strerror(code)))
                    continue
                stands = socket.socket(fileno=line.detach())
                stands.settimeout(deadline.left())
                return stands
            if deadline.over():
                break
    raise failed or TimeoutError()


def _begun(family: int, address: tuple[str, int]) -> socket.socket:
    """A line that is being opened. Raises OSError, also where the system has no such family."""
    peer = socket.socket(family, socket.SOCK_STREAM)
    peer.setblocking(False)
    if (code := peer.connect_ex(address)) not in UNDER_WAY:
        peer.close()
        raise OSError(code, os.strerror(code))
    return peer


def _telling(failed: OSError | None, error: OSError) -> OSError:
    """A refusal is a program's own answer and says more than another address that cannot be reached."""
    return failed if failed and error.errno != errno.ECONNREFUSED else error


def reached(peer: socket.socket) -> str:
    """The address that a line leads to; empty when the other side hung up meanwhile: then the system forgets it."""
    try:
        return str(peer.getpeername()[0])
    except OSError:
        return ""


def os_trouble(error: OSError, place: str, timeout: float, silent: str = "network.timeout_filtered") -> Trouble:
    """Cause and code of an error of the operating system; `silent` is what a limit that ran out means here."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return Trouble("host_unreachable", silent, f"{place}: no answer within {timeout:g} s")
    code = CODES.get(error.errno or 0, "network.timeout_filtered")
    return Trouble("host_unreachable", code, f"{place}: {error.strerror or error}")


def peek(peer: socket.socket, place: str, deadline: Deadline, want: int) -> bytes:
    """What the peer says first, `want` bytes or what more came along, left in place for who reads the socket next."""
    got = b""
    try:
        while len(got) < want:
            peer.settimeout(deadline.left())
            seen = peer.recv(max(want, 64), socket.MSG_PEEK)
            if not seen or deadline.over():
                break
            if len(seen) == len(got):
                time.sleep(0.02)
            got = seen
    except OSError as error:
        raise os_trouble(error, place, deadline.seconds, "network.accepts_but_silent") from None
    return got


def bounded(deadline: Deadline, work: Callable[[], T], what: str) -> T:
    """Do `work`, and leave it behind when the limit is over: libraries limit each read, not the whole answer."""
    result: queue.SimpleQueue[T | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            result.put(work())
        except Exception as error:  # carried over to the caller's thread
            result.put(error)

    threading.Thread(target=run, name=what, daemon=True).start()
    try:
        answer = result.get(timeout=deadline.left() + 0.05)
    except queue.Empty:
        words = f"{what}: no complete answer within {deadline.seconds:g} s"
        raise Trouble("host_unreachable", "network.accepts_but_silent", words) from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def first_bytes(host: str, port: int, timeout: float, *, hello: bytes = b"", want: int = 1) -> bytes:
    """Connect, send `hello`, and see what comes, within `timeout` seconds. b'' when the peer hung up."""
    deadline = Deadline(timeout)
    with connect(host, port, timeout) as peer:
        try:
            peer.sendall(hello)
        except OSError as error:
            raise os_trouble(error, f"{host}:{port}", timeout) from None
        return peek(peer, f"{host}:{port}", deadline, want)
