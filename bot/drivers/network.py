"""Names, addresses and TCP: the only place that opens plain sockets."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Slow
from dataclasses import dataclass

_lookups = ThreadPoolExecutor(max_workers=32, thread_name_prefix="dns")


@dataclass(frozen=True)
class Trouble(Exception):
    """What the network said: cause, code and its words."""

    cause: str
    code: str
    evidence: str


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def addresses(host: str, timeout: float) -> list[str]:
    """The addresses of a name, as the system resolves it. Raises Trouble."""
    try:
        found = _lookups.submit(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM).result(timeout)
    except Slow:
        raise Trouble("host_unreachable", "dns.timeout", f"no answer about {host} within {timeout:g} s") from None
    except (socket.gaierror, UnicodeError) as error:
        raise Trouble("host_unreachable", _dns_code(host, error, timeout), f"{host}: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _dns_code(host: str, error: Exception, timeout: float) -> str:
    """Ask the name server itself: the system's resolver hides why it failed."""
    if isinstance(error, socket.gaierror) and error.errno == getattr(socket, "EAI_NODATA", -5):
        return "dns.no_address"
    import dns.exception
    import dns.resolver

    try:
        dns.resolver.resolve(host, "A", lifetime=min(timeout, 2.0))
    except dns.resolver.NoAnswer:
        return "dns.no_address"
    except dns.resolver.NoNameservers:
        return "dns.servfail"
    except (dns.resolver.NXDOMAIN, dns.exception.DNSException, OSError):
        return "dns.nxdomain"
    return "dns.no_address"


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """A TCP connection, or Trouble that says how it failed."""
    try:
        return socket.create_connection((host.strip("[]"), port), timeout)
    except TimeoutError:
        raise Trouble(
            "host_unreachable", "network.timeout_filtered", f"{host}:{port}: no answer within {timeout:g} s"
        ) from None
    except OSError as error:
        code = {errno.ECONNREFUSED: "network.refused", errno.ECONNRESET: "network.reset"}.get(error.errno or 0)
        raise Trouble(
            "host_unreachable", code or "network.timeout_filtered", f"{host}:{port}: {error.strerror or error}"
        ) from None


def first_bytes(host: str, port: int, timeout: float, *, hello: bytes = b"", want: int = 1) -> bytes:
    """Connect, send `hello`, and read up to `want` bytes, all within `timeout` seconds. b'' when the peer hung up."""
    until = time.monotonic() + timeout
    with connect(host, port, timeout) as peer:
        got = b""
        try:
            peer.sendall(hello)
            while len(got) < want:
                peer.settimeout(max(until - time.monotonic(), 0.01))
                part = peer.recv(want - len(got))
                if not part:
                    break
                got += part
        except TimeoutError:
            if not got:
                raise Trouble(
                    "host_unreachable",
                    "network.accepts_but_silent",
                    f"{host}:{port} accepted and said nothing within {timeout:g} s",
                ) from None
        except OSError as error:
            raise Trouble("host_unreachable", "network.reset", f"{host}:{port}: {error.strerror or error}") from None
        return got
