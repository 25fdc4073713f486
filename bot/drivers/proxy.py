"""A TCP connection by way of a proxy: CONNECT (RFC 9110 section 9.3.6) or SOCKS 5."""

from __future__ import annotations

import base64
import re
import socket
from urllib.parse import SplitResult, unquote, urlsplit

from bot.drivers.network import Deadline, Trouble, connect, os_trouble

PORTS = {"http": 80, "https": 443}
PROXY = "proxy must be an address such as http://proxy.example.com:3128 or socks5://proxy.example.com:1080"
# The far side's failures have no status of their own; proxies use these for "I could not get there".
FAR_SIDE = (500, 502, 503, 504)


def through_proxy(proxy: str, host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to `host:port` through `proxy` (http:// or socks5://). Raises Trouble."""
    parts = urlsplit(proxy)
    if parts.scheme.startswith("socks"):
        return _socks(parts, host, port, deadline)
    if parts.scheme != "http" or not parts.hostname:
        raise Trouble("config_error", "config.malformed_url", PROXY)
    place = f"{parts.hostname}:{parts.port or PORTS['http']}"
    peer = _reach(parts, place, PORTS["http"], deadline)
    try:
        status, said = _ask(peer, parts, f"{host}:{port}", place, deadline)
    except BaseException:
        peer.close()
        raise
    if status == 200:
        return peer
    peer.close()
    raise _refusal(status, said, place, f"{host}:{port}", bool(parts.username))


def _reach(parts: SplitResult, place: str, usual: int, deadline: Deadline) -> socket.socket:
    try:
        return connect(parts.hostname or "", parts.port or usual, deadline.left())
    except Trouble as trouble:
        said = f"the proxy {place} is not reached: {trouble.evidence}"
        raise Trouble("host_unreachable", "proxy.unreachable", said, (trouble.code,)) from None


def _ask(peer: socket.socket, parts: SplitResult, target: str, place: str, deadline: Deadline) -> tuple[int, str]:
    """(status, the rest of the head and the beginning of the body)."""
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login).decode()}")
    head = b""
    try:
        peer.settimeout(deadline.left())
        peer.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        # One byte at a time up to the empty line: what comes after it belongs to the far side.
        while not head.endswith(b"\r\n\r\n") and len(head) < 8192 and not deadline.over():
            peer.settimeout(deadline.left())
            part = peer.recv(1)
            if not part:
                break
            head += part
    except OSError as error:
        trouble = os_trouble(error, f"the proxy {place}", deadline.seconds, "network.accepts_but_silent")
        raise Trouble(trouble.cause, "proxy.unreachable", trouble.evidence, (trouble.code,)) from None
    found = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if not found:
        said = f"{place} answered {head[:40]!r}, which is no HTTP proxy"
        raise Trouble("config_error", "config.wrong_port_other_service", said)
    status = int(found[1])
    return status, head.decode("latin-1") + (_body(peer, deadline) if status != 200 else "")


def _body(peer: socket.socket, deadline: Deadline) -> str:
    try:
        peer.settimeout(min(deadline.left(), 1.0))
        return peer.recv(4096).decode("utf-8", "replace")
    except OSError:
        return ""


def _refusal(status: int, said: str, place: str, target: str, with_login: bool) -> Trouble:
    program = re.search(r"^(?:Server|Proxy-agent): *([\w./-]{1,40})", said, re.I | re.M)
    place += f" ({program[1]})" if program else ""
    words = f"the proxy {place} answered {said.splitlines()[0] if said else status} for {target}"
    # tinyproxy answers 401 to a wrong login, where RFC 9110 section 15.5.8 has 407.
    if status in (401, 407):
        code = "proxy.wrong_credentials" if with_login else "proxy.authentication_required"
        return Trouble("host_unreachable", code, words)
    if status in FAR_SIDE:
        alike = ("network.refused", "dns.nxdomain", "network.timeout_filtered")
        return Trouble("host_unreachable", "proxy.connect_failed", words, alike)
    if re.search(r"your (host|address|ip)|client (address|ip)|not configured it to service", said, re.I):
        return Trouble("host_unreachable", "proxy.client_not_allowed", words, ("proxy.connect_denied",))
    return Trouble("host_unreachable", "proxy.connect_denied", words, ("proxy.client_not_allowed",))


def _socks(parts: SplitResult, host: str, port: int, deadline: Deadline) -> socket.socket:
    import socks

    place = f"{parts.hostname}:{parts.port or 1080}"
    _reach(parts, place, 1080, deadline).close()
    login = {"username": unquote(parts.username), "password": unquote(parts.password or "")} if parts.username else {}
    peer = socks.socksocket()
    # The name is resolved on the far side, as socks5h does: names of the inside are often known only there.
    peer.set_proxy(socks.SOCKS5, parts.hostname, parts.port or 1080, rdns=True, **login)
    peer.settimeout(deadline.left())
    try:
        peer.connect((host, port))
    except socks.SOCKS5AuthError as error:
        code = "proxy.wrong_credentials" if login else "proxy.authentication_required"
        raise Trouble("host_unreachable", code, f"the proxy {place}: {error}") from None
    except (socks.ProxyError, OSError) as error:
        # RFC 1928 section 6: 0x02 the rules forbid it, the others are failures of the far side.
        denied = "0x02" in str(error)
        alike = ("network.refused", "dns.nxdomain", "network.timeout_filtered")
        code = "proxy.connect_denied" if denied else "proxy.connect_failed"
        raise Trouble("host_unreachable", code, f"the proxy {place}: {error}", () if denied else alike) from None
    # As any other socket: what stands at its other end, and what a copy of it is, PySocks tells in ways of its own.
    connected = socket.socket(fileno=peer.detach())
    connected.settimeout(deadline.left())
    return connected
