"""Can we reach it: the name, the port, and the right kind of program behind it."""

from __future__ import annotations

from urllib.parse import urlsplit

from bot.checks.base import Target, check, finding
from bot.drivers.network import Trouble, addresses, connect, first_bytes, is_address
from flows.core.finding import Finding

PORTS = {"postgres": 5432, "mysql": 3306}
# The eight bytes by which a client asks a PostgreSQL server whether it speaks TLS; it answers S or N.
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def endpoint(target: Target) -> tuple[str, int, bool]:
    """(host, port, whether TLS starts at once) of a connection."""
    if target.sheet.driver == "http":
        from bot.checks.http import base_url

        parts = urlsplit(base_url(target))
        tls = parts.scheme == "https"
        return parts.hostname or "", parts.port or (443 if tls else 80), tls
    host = str(target.settings.get("host") or "localhost")
    return host, int(target.settings.get("port") or PORTS[target.sheet.driver]), False


def _bad(name: str, trouble: Trouble, host: str, port: int) -> Finding:
    return finding(
        name, "bad", trouble.code, trouble.cause, evidence=trouble.evidence, alternatives=trouble.alternatives,
        host=host, port=str(port),
    )  # fmt: skip


@check("check_network", "name_resolves")
def name_resolves(target: Target) -> Finding:
    """The name of the server leads to an address."""
    host, port, _ = endpoint(target)
    if is_address(host) or host.startswith("/") or host == "localhost":
        return finding("name_resolves", "good", evidence=f"{host} needs no look-up", host=host)
    try:
        found = addresses(host, target.timeout)
    except Trouble as trouble:
        return _bad("name_resolves", trouble, host, port)
    return finding("name_resolves", "good", evidence=f"{host} is {', '.join(found[:4])}", host=host)


@check("check_network", "port_answers")
def port_answers(target: Target) -> Finding:
    """Something answers at the server's port."""
    host, port, _ = endpoint(target)
    if host.startswith("/"):
        return finding("port_answers", "good", evidence="a local socket")
    try:
        connect(host, port, target.timeout).close()
    except Trouble as trouble:
        return _bad("port_answers", trouble, host, port)
    return finding("port_answers", "good", evidence=f"{host}:{port} accepts connections", host=host, port=str(port))


@check("check_network", "database_answers")
def database_answers(target: Target) -> Finding:
    """The program behind the port is the expected kind of database."""
    host, port, _ = endpoint(target)
    if host.startswith("/"):
        return finding("database_answers", "good", evidence="a local socket")
    kind = target.sheet.driver
    try:
        got = first_bytes(
            host,
            port,
            target.timeout,
            hello=SSL_REQUEST if kind == "postgres" else b"",
            want=1 if kind == "postgres" else 5,
        )
    except Trouble as trouble:
        return _bad("database_answers", trouble, host, port)
    # MySQL greets first: three bytes of length, a sequence number, then protocol 10 or an error packet (0xff).
    # PostgreSQL answers with one letter alone, where another program's words may begin with it ("SSH-2.0").
    pg = got in (b"S", b"N") or got[:2] == b"E\0"
    fits = pg if kind == "postgres" else len(got) >= 5 and got[3] == 0 and got[4] in (10, 255)
    if fits:
        return finding("database_answers", "good", evidence=f"{host}:{port} speaks {target.sheet.title}")
    evidence = (
        f"{host}:{port} answered {got!r}, which is not {target.sheet.title}"
        if got
        else f"{host}:{port} hung up at once"
    )
    return finding(
        "database_answers",
        "bad",
        "config.wrong_port_other_service",
        "config_error",
        evidence=evidence,
        host=host,
        port=str(port),
    )
