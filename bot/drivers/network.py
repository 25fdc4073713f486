"""Names, addresses and TCP: the only place that opens plain sockets."""

from __future__ import annotations

import errno
import ipaddress
import queue
import socket
import threading
import time
from dataclasses import dataclass

CODES = {
    errno.ECONNREFUSED: "network.refused",
    errno.ECONNRESET: "network.reset",
    errno.EPIPE: "network.reset",
    errno.ETIMEDOUT: "network.timeout_filtered",
    errno.EHOSTUNREACH: "network.timeout_filtered",
    errno.ENETUNREACH: "network.wrong_address_family",
    errno.EAFNOSUPPORT: "network.wrong_address_family",
}
Address = tuple[int, tuple[str, int]]


@dataclass
class Trouble(Exception):
    """What the other side said: cause, code, its words, and the codes that look the same from here."""

    cause: str
    code: str
    evidence: str
    alternatives: tuple[str, ...] = ()


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


def addresses(host: str, timeout: float) -> list[str]:
    """The addresses of a name, as the system resolves it. Raises Trouble."""
    return list(dict.fromkeys(address[0] for _, address in _lookup(host, 0, Deadline(timeout))))


def _lookup(host: str, port: int, deadline: Deadline) -> list[Address]:
    answers: queue.SimpleQueue[list[Address] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
            answers.put([(entry[0], (str(entry[4][0]), port)) for entry in found])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    # The system's resolver knows no limit of time; a daemon thread does not hold up the end of the program.
    threading.Thread(target=ask, name="dns", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        words = f"no answer about {host} within {deadline.seconds:g} s"
        raise Trouble("host_unreachable", "dns.timeout", words) from None
    if isinstance(answer, Exception):
        raise Trouble("host_unreachable", _dns_code(host, deadline), f"{host}: {answer}") from None
    return answer


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
    failed: OSError | None = None
    for family, address in _lookup(host, port, deadline):
        peer = socket.socket(family, socket.SOCK_STREAM)
        peer.settimeout(deadline.left())
        try:
            peer.connect(address)
            return peer
        except OSError as error:
            peer.close()
            # A refusal is a program's own answer and says more than another address that cannot be reached.
            if failed is None or error.errno == errno.ECONNREFUSED:
                failed = error
    raise os_trouble(failed or TimeoutError(), f"{host}:{port}", timeout) from None


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


def first_bytes(host: str, port: int, timeout: float, *, hello: bytes = b"", want: int = 1) -> bytes:
    """Connect, send `hello`, and see what comes, within `timeout` seconds. b'' when the peer hung up."""
    deadline = Deadline(timeout)
    with connect(host, port, timeout) as peer:
        try:
            peer.sendall(hello)
        except OSError as error:
            raise os_trouble(error, f"{host}:{port}", timeout) from None
        return peek(peer, f"{host}:{port}", deadline, want)
