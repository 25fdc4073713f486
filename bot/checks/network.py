"""Can we reach it: the name, the port, and the right kind of program behind it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from bot.checks.base import Target, check, finding
from bot.drivers.http_trouble import NO_ADDRESS, NO_ZONE
from bot.drivers.network import Deadline, Trouble, addresses, connect, is_address, is_private, peek, reached
from bot.drivers.proxy import PROXY
from bot.drivers.starttls import STARTTLS, ask_tls
from flows.core.finding import Finding

PORTS = {
    "postgres": 5432, "mysql": 3306, "mssql": 1433, "oracle": 1521, "mongodb": 27017, "redis": 6379, "sftp": 22
}  # fmt: skip
# Sources that are called by an address, https://host/path, and not by host and port.
BY_ADDRESS = ("http", "s3", "dynamodb", "bigquery", "snowflake")
PROXY_PORTS = {"http": 80, "https": 443}


def endpoint(target: Target) -> tuple[str, int, bool]:
    """(host, port, whether TLS starts at once) of what we call first: the tunnel's server, the proxy, or the source."""
    if target.tunnel:
        return str(target.tunnel.get("host") or ""), int(target.tunnel.get("port") or 22), False
    if target.proxy:
        parts = urlsplit(target.proxy)
        return parts.hostname or "", parts.port or PROXY_PORTS.get(parts.scheme, 1080), parts.scheme == "https"
    return source(target)


def source(target: Target) -> tuple[str, int, bool]:
    """(host, port, whether TLS starts at once) of the source itself."""
    if target.sheet.driver in BY_ADDRESS:
        parts = urlsplit(_address(target))
        tls = parts.scheme == "https"
        return parts.hostname or "", parts.port or (443 if tls else 80), tls
    host = str(target.settings.get("host") or "localhost")
    return host, int(target.settings.get("port") or PORTS[target.sheet.driver]), False


def _address(target: Target) -> str:
    if target.sheet.driver == "http":
        from bot.checks.http import base_url

        return base_url(target)
    if target.sheet.driver == "bigquery":
        from bot.checks.bigquery import endpoint as of_bigquery

        return of_bigquery(target)
    if target.sheet.driver == "snowflake":
        from bot.checks.snowflake import endpoint as of_snowflake

        return of_snowflake(target)
    from bot.checks.aws import endpoint as of_aws

    return of_aws(target)


def _bad(name: str, trouble: Trouble, host: str = "", port: int | str = "") -> Finding:
    return finding(
        name, "bad", trouble.code, trouble.cause, evidence=trouble.evidence, alternatives=trouble.alternatives,
        host=host, port=str(port),
    )  # fmt: skip


@check("check_network", "name_resolves")
def name_resolves(target: Target) -> Finding:
    """The name of the server leads to an address."""
    if wrong := _malformed(target):
        given = [str(target.settings.get(name) or "") for name in ("host", "port")]
        return _bad("name_resolves", Trouble("config_error", "config.malformed_url", wrong), *given)
    host, port, _ = endpoint(target)
    if is_address(host) or host.startswith("/") or host == "localhost":
        return finding("name_resolves", "good", evidence=f"{host} needs no look-up", host=host)
    try:
        found = addresses(host, target.timeout)
    except Trouble as trouble:
        return _bad("name_resolves", _of_proxy(trouble, target), host, port)
    inside = " (a private network: a hosted pipeline gets there only by a tunnel)" if is_private(found[0]) else ""
    return finding("name_resolves", "good", evidence=f"{host} is {', '.join(found[:4])}{inside}", host=host)


def _malformed(target: Target) -> str:
    """What cannot be an address in what was written as one, or nothing."""
    if target.proxy and not target.tunnel and (wrong := _no_proxy(target.proxy)):
        return wrong
    if target.sheet.driver in BY_ADDRESS:
        return _no_url(_address(target))
    host, port = str(target.settings.get("host") or ""), str(target.settings.get("port") or "")
    if "://" in host or "@" in host:
        return "the host is an address with more in it: only the name of the server belongs here"
    if host != host.strip() or " " in host:
        return "the host holds a space"
    if not host.startswith("/") and "/" in host:
        return "the host holds a slash: only the name of the server belongs here"
    if re.fullmatch(r"[^:]+:\d{1,5}", host):
        return f"the host ends in a port: write {host.partition(':')[0]} as host and {host.partition(':')[2]} as port"
    return (
        ""
        if not port or (port.isdecimal() and 0 < int(port) < 65536)
        else f"the port is {port[:20]!r}, not a number from 1 to 65535"
    )


def _no_url(address: str) -> str:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return NO_ADDRESS
    if parts.scheme not in ("http", "https"):
        return "the address begins with neither https:// nor http://"
    if not parts.hostname or port == 0:
        return "the address names no server"
    return NO_ZONE if "%" in parts.hostname else ""


def _no_proxy(proxy: str) -> str:
    try:
        parts = urlsplit(proxy)
        known = parts.hostname and parts.port != 0 and (parts.scheme in PROXY_PORTS or parts.scheme.startswith("socks"))
    except ValueError:
        return f"the proxy: {NO_ADDRESS}"
    return "" if known else PROXY


def kept_line(target: Target) -> Any:
    """The line that an earlier check of this run left open, if any; the caller closes it."""
    return target.memo.pop("line", None)


def keep_line(target: Target, peer: Any) -> None:
    """Leave a line open for the next check of this run."""
    target.memo["line"] = peer
    target.memo.setdefault("close", []).append(peer.close)


@check("check_network", "port_answers")
def port_answers(target: Target) -> Finding:
    """Something answers at the server's port."""
    host, port, _ = endpoint(target)
    if host.startswith("/"):
        return finding("port_answers", "good", evidence="a local socket")
    try:
        peer = connect(host, port, target.timeout)
    except Trouble as trouble:
        return _bad("port_answers", _of_proxy(_further(trouble, host, target), target), host, port)
    # MySQL counts each caller that leaves before a login, and shuts out a host with too many of them:
    # https://dev.mysql.com/doc/refman/8.4/en/host-cache.html; PostgreSQL starts a process for each. So one line serves
    # all checks before the login.
    if target.sheet.driver in STARTTLS and not target.tunnel:
        keep_line(target, peer)
    else:
        peer.close()
    return finding("port_answers", "good", evidence=f"{host}:{port} accepts connections", host=host, port=str(port))


def _of_proxy(trouble: Trouble, target: Target) -> Trouble:
    """Where a proxy or a tunnel is configured, it is what was called."""
    if target.tunnel:
        return Trouble("ssh_tunnel_failed", trouble.code, trouble.evidence, trouble.alternatives)
    if not target.proxy:
        return trouble
    said = f"the proxy {trouble.evidence}"
    return Trouble(trouble.cause, "proxy.unreachable", said, (trouble.code, *trouble.alternatives))


def _further(trouble: Trouble, host: str, target: Target) -> Trouble:
    """What a name's addresses add to a port that does not answer."""
    if is_address(host) or host == "localhost":
        return trouble
    private = [one for one in addresses(host, target.timeout) if is_private(one)]
    if private and trouble.code == "network.timeout_filtered":
        said = f"{trouble.evidence}; {host} leads to {private[0]}, an address of a private network"
        return Trouble(trouble.cause, "dns.private_address", said, (trouble.code,))
    return Trouble(trouble.cause, trouble.code, trouble.evidence, (*trouble.alternatives, "dns.stale_record"))


def _hello(target: Target, host: str, port: int) -> bytes:
    """What the program behind the port says first; PostgreSQL is asked whether it speaks TLS, as its clients do."""
    deadline, place = Deadline(target.timeout), f"{host}:{port}"
    peer = kept_line(target) or connect(host, port, target.timeout)
    try:
        if target.sheet.driver == "postgres":
            address = reached(peer)
            got = ask_tls(peer, place, deadline)
            target.memo["asked_tls"] = (host, port, address, got == b"S")
        else:
            got = peek(peer, place, deadline, 5)
    except Trouble:
        peer.close()
        raise
    keep_line(target, peer)
    return got


@check("check_network", "database_answers")
def database_answers(target: Target) -> Finding:
    """The program behind the port is the expected kind of database."""
    host, port, _ = endpoint(target)
    if host.startswith("/"):
        return finding("database_answers", "good", evidence="a local socket")
    kind = target.sheet.driver
    try:
        got = _hello(target, host, port)
    except Trouble as trouble:
        return _bad("database_answers", trouble, host, port)
    # MySQL greets first: three bytes of length, a sequence number, then protocol 10 or an error packet (0xff).
    # PostgreSQL answers with one letter alone, where another program's words may begin with it ("SSH-2.0").
    pg = got in (b"S", b"N") or got[:2] == b"E\0"
    fits = pg if kind == "postgres" else len(got) >= 5 and got[3] == 0 and got[4] in (10, 255)
    if fits:
        return finding("database_answers", "good", evidence=f"{host}:{port} speaks {target.sheet.title}")
    if not got:
        alike = ("config.wrong_port_other_service", "capacity.too_many_connections")
        return _bad(
            "database_answers",
            Trouble("host_unreachable", "network.reset", f"{host}:{port} hung up at once", alike),
            host,
            port,
        )
    said = f"{host}:{port} answered {got!r}, which is not {target.sheet.title}"
    return _bad("database_answers", Trouble("config_error", "config.wrong_port_other_service", said), host, port)
