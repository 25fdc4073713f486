"""Does the encrypted connection come about, with a certificate that is believed."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from bot.checks.base import Target, check, finding
from bot.checks.network import keep_line, kept_line, source
from bot.checks.remedies import remedy
from bot.checks.text import evidence
from bot.drivers import starttls
from bot.drivers.network import Deadline, Trouble, connect, first_bytes
from bot.drivers.tls import Certificate, Opener, Trust, Witness, handshake, judged, of_file
from flows.core.expiry import ends
from flows.core.finding import Finding

NAME = "tls_agrees"
SOON = 30
# Databases that turn to TLS inside their own protocol, and how their modes verify what they are shown.
# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS
LAX = ("allow", "prefer")
# Databases that speak TLS from the first byte or not at all: the client must know which.
AT_ONCE = ("redis", "mongodb", "oracle")


@check("check_network", NAME)
def tls_agrees(target: Target) -> Finding:
    """The server's certificate is valid and issued for this name."""
    host, port, tls = source(target)
    place: dict[str, Any] = {"host": host, "port": str(port)}
    mode = _mode(target, tls)
    if mode == "disable" or host.startswith("/"):
        return finding(NAME, "skipped", evidence="this address is not encrypted", **place)
    deadline, opener = Deadline(target.timeout), _opener(target, host, port)
    # A server without TLS waits for the end of a line that never comes: time is left to ask it in its own words.
    limit, witness = target.timeout * (0.7 if target.sheet.driver in AT_ONCE else 1.0), Witness()
    try:
        seen = _shaken(target, mode, host, port, limit, opener, witness)
    except Trouble as trouble:
        trouble = _in_plain(target, host, port, deadline, trouble)
        if trouble.code == "tls.server_without_tls" and mode in LAX:
            words = f"{trouble.evidence}; sslmode {mode} goes on without encryption"
            return finding(NAME, "skipped", evidence=evidence(target, words), **place)
        looked = witness.certificate() if trouble.cause == "tls_mismatch" else Certificate()
        known = judged(trouble, looked)
        words = evidence(target, "; ".join(part for part in (known.evidence, _said(looked)) if part))
        facts = {**place, **_facts(target, looked), **remedy(target, known.code, known.evidence)}
        return finding(NAME, "bad", known.code, known.cause, evidence=words, alternatives=known.alternatives, **facts)
    note = "" if mode in ("verify-full", "https") else f"; sslmode {mode} does not compare " + (
        "the name" if mode == "verify-ca" else "it with anything"
    )  # fmt: skip
    return finding(NAME, "good", evidence=evidence(target, _said(seen) + note), **place, **_facts(target, seen))


def _in_plain(target: Target, host: str, port: int, deadline: Deadline, trouble: Trouble) -> Trouble:
    """A server that does not answer TLS may answer without it."""
    if target.sheet.driver != "redis" or trouble.code != "network.accepts_but_silent":
        return trouble
    try:
        said = first_bytes(host, port, deadline.left(), hello=b"PING\r\n")
    except Trouble:
        return trouble
    words = f"{host}:{port} answers without encryption and not with it"
    return Trouble("tls_mismatch", "tls.server_without_tls", words) if said[:1] in b"+-" else trouble


def _mode(target: Target, tls: bool) -> str:
    """`https`, or the connection's sslmode as libpq understands it."""
    if target.sheet.driver not in (*starttls.STARTTLS, *AT_ONCE):
        return "https" if tls else "disable"
    mode = str(target.settings.get("sslmode") or ("prefer" if target.sheet.driver in starttls.STARTTLS else "disable"))
    # With a CA file at hand, libpq's `require` compares with it.
    return "verify-ca" if mode == "require" and target.settings.get("ssl_root_cert") else mode


def _trust(target: Target, mode: str) -> Trust:
    def file(name: str) -> str | None:
        return str(target.settings.get(name) or "") or None

    if mode == "https":
        return Trust(ca_file=file("ca_file"))
    chain = mode.startswith("verify")
    ca = file("ssl_root_cert") if chain else None
    return Trust(chain, mode == "verify-full", ca, file("ssl_cert"), file("ssl_key"))


def _name(target: Target, host: str) -> str:
    return str(target.settings.get("tls_name") or host)


def _shaken(
    target: Target, mode: str, host: str, port: int, limit: float, opener: Opener | None, witness: Witness
) -> Certificate:
    """One handshake; MySQL's login goes on with the line, so that no caller seems to have run away."""
    trust, name = _trust(target, mode), _name(target, host)
    if target.sheet.driver != "mysql":
        # A proxy takes another caller to the same place; a database would count who leaves before a login.
        again = None if target.sheet.driver in starttls.STARTTLS else opener
        return handshake(host, port, limit, trust=trust, opener=opener, name=name, witness=witness, again=again)
    from bot.drivers.mysql_line import Encrypted, Turned

    greeting: list[bytes] = []

    def opened(deadline: Deadline) -> socket.socket:
        peer = kept_line(target) or connect(host, port, deadline.left())
        greeting.append(starttls.greeting_of(peer, f"{host}:{port}", deadline))
        keep_line(target, peer)
        return opener(deadline) if opener else peer

    def keep(*parts: Any) -> None:
        keep_line(target, Turned(greeting[0], Encrypted(*parts)))

    # The probe has announced a login to a database: starttls.
    goes_on = keep if target.settings.get("database") else None
    return handshake(host, port, limit, trust=trust, opener=opened, name=name, keep=goes_on, witness=witness)


def _opener(target: Target, host: str, port: int) -> Opener | None:
    if target.sheet.driver in starttls.STARTTLS:
        return partial(
            starttls.opener, target.sheet.driver, host, port, open_line=lambda: kept_line(target),
            give_back=partial(keep_line, target),
        )  # fmt: skip
    if target.proxy:
        from bot.drivers.proxy import through_proxy

        return partial(through_proxy, target.proxy, host, port)
    return None


def _facts(target: Target, seen: Certificate) -> dict[str, Any]:
    known = {"names": seen.names, "issuer": seen.issuer, "not_after": seen.not_after, "days_left": seen.days_left}
    file = str(target.settings.get("ssl_cert") or "")
    own = of_file(file) if file else Certificate()
    name = _name(target, source(target)[0])
    return {**known, **ends(("certificate", name, seen.until), ("client_certificate", file, own.until))}


def _said(seen: Certificate) -> str:
    if not seen.not_after:
        return ""
    days = int(seen.days_left)
    when = f"expired {-days} days ago" if days < 0 else f"{days} days left" + (": renew it soon" if days < SOON else "")
    return f"certificate for {', '.join(seen.names[:4])}, by {seen.issuer}, valid until {seen.not_after} ({when})"
