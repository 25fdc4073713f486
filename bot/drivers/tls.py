"""TLS: one handshake, verified as the connection is configured, and what the certificate says when it fails."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.drivers.network import Deadline, Trouble, connect, first_bytes, os_trouble, peek

# OpenSSL's numbers of a failed verification: https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
VERIFY = {
    9: "tls.certificate_not_yet_valid",
    10: "tls.certificate_expired",
    18: "tls.self_signed",
    19: "tls.unknown_ca",
    20: "tls.unknown_ca",
    21: "tls.incomplete_chain",
    62: "tls.hostname_mismatch",
    64: "tls.hostname_mismatch",
    66: "tls.weak_key",
    67: "tls.weak_key",
    68: "tls.weak_key",
}
REASONS = {
    "WRONG_VERSION_NUMBER": "tls.plain_http_port",
    "HTTP_REQUEST": "tls.plain_http_port",
    "PACKET_LENGTH_TOO_LONG": "tls.plain_http_port",
    "RECORD_LAYER_FAILURE": "tls.plain_http_port",
    "UNSUPPORTED_PROTOCOL": "tls.protocol_version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls.protocol_version",
    "NO_PROTOCOLS_AVAILABLE": "tls.protocol_version",
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": "tls.protocol_version",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls.no_common_algorithm",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "tls.client_certificate_required",
    "TLSV1_ALERT_UNKNOWN_CA": "tls.client_certificate_untrusted",
    "SSLV3_ALERT_BAD_CERTIFICATE": "tls.client_certificate_untrusted",
    "DH_KEY_TOO_SMALL": "tls.weak_key",
    "EE_KEY_TOO_SMALL": "tls.weak_key",
    "CA_KEY_TOO_SMALL": "tls.weak_key",
    "CA_MD_TOO_WEAK": "tls.weak_key",
}
# Issuers of certificates that a company's own gateway makes on the way, as their makers name them.
GATEWAYS = ("zscaler", "netskope", "blue coat", "symantec web", "palo alto", "fortinet", "fortigate", "forcepoint",
            "cisco umbrella", "mcafee web gateway", "skyhigh", "sophos", "check point", "barracuda", "kaspersky",
            "bitdefender", "avast", "eset ssl", "mitmproxy", "squid", "sonicwall", "watchguard")  # fmt: skip
Opener = Callable[[Deadline], socket.socket]
# Who goes on with a line on which TLS is agreed: session, what comes in, what goes out, the socket.
Keeper = Callable[[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO, socket.socket], None]
WEAK_RSA = 2048
# https://www.rfc-editor.org/rfc/rfc8446#section-4
HANDSHAKE, CERTIFICATE = 22, 11


@dataclass
class Certificate:
    names: list[str] = field(default_factory=list)
    issuer: str = ""
    not_after: str = ""
    days_left: str = ""
    weak: str = ""
    until: float = 0.0


@dataclass(frozen=True)
class Trust:
    """What must be true of the certificate. `chain`: a known CA signed it; `name`: it is for this name."""

    chain: bool = True
    name: bool = True
    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """Raises Trouble when a file cannot be read."""
        try:
            # Loading the system's authorities takes 20 ms: only where they are asked.
            made = ssl.create_default_context(cafile=self.ca_file) if self.chain else unbelieving()
            if self.cert:
                # Without a phrase OpenSSL asks the terminal for that of a locked key, and waits for it.
                made.load_cert_chain(self.cert, self.key, password="-")  # noqa: S106
        except OSError as error:  # an SSLError for a file that holds something else is one, too
            which = "CA file" if not self.cert else "CA file or client certificate"
            words = f"the {which} cannot be read: {error.strerror or error}"
            raise Trouble("config_error", "config.path_missing", words) from None
        # Some distributions build Python so that it still offers older ones, which the security level then refuses.
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.check_hostname = self.chain and self.name
        return made


def unbelieving() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def handshake(
    host: str, port: int, timeout: float, ca_file: str | None = None, *, trust: Trust | None = None,
    opener: Opener | None = None, name: str = "", keep: Keeper | None = None, witness: Witness | None = None,
    again: Opener | None = None,
) -> Certificate:  # fmt: skip
    """The server's certificate after a handshake as `trust` wants it; `opener` makes the line, `keep` goes on with it.

    `again` makes another line, to ask what the program behind the port is, where it does not go straight there.

    Raises Trouble; what was shown until then is with the `witness`.
    """
    deadline = Deadline(timeout)
    context = (trust or Trust(ca_file=ca_file)).context()
    if witness:
        witness.watch(context)
    line = opener or (lambda left: connect(host, port, left.left()))
    try:
        return describe(_shake(context, name or host, line, deadline, keep))
    except ssl.SSLError as error:
        raise tls_trouble(error, host, port, deadline, again) from None
    except OSError as error:
        raise os_trouble(error, f"{host}:{port}", timeout, "network.accepts_but_silent") from None


class Witness:
    """Who sees the server's certificate pass by. After a handshake that failed nobody else can tell what was shown; a
    second one, only to look, would be one more caller who leaves before a login, and MySQL counts those."""

    def __init__(self) -> None:
        self.der = b""

    def watch(self, context: ssl.SSLContext) -> None:
        # What Python's ssl hands to debuggers: every message of the handshake, in clear.
        context._msg_callback = self._heard  # type: ignore[attr-defined]

    def _heard(self, line: Any, direction: str, version: Any, content: Any, kind: Any, data: bytes) -> None:
        # Four bytes of head, in TLS 1.3 one of an empty context, the length of the list, that of its first certificate:
        # https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2 and https://www.rfc-editor.org/rfc/rfc5246#section-7.4.2
        at = 8 if version == ssl.TLSVersion.TLSv1_3 else 7
        if direction == "read" and content == HANDSHAKE and kind == CERTIFICATE and len(data) > at + 3:
            self.der = data[at + 3 : at + 3 + int.from_bytes(data[at : at + 3], "big")]

    def certificate(self) -> Certificate:
        try:
            return describe(self.der) if self.der else Certificate()
        except ValueError:
            return Certificate()


def shown(host: str, port: int, timeout: float, *, opener: Opener | None = None) -> Certificate:
    """The certificate that the server shows, believed or not."""
    line = opener or (lambda left: connect(host, port, left.left()))
    try:
        return describe(_shake(unbelieving(), host, line, Deadline(timeout)))
    except (OSError, ValueError, Trouble):
        return Certificate()


def _shake(context: ssl.SSLContext, host: str, opener: Opener, deadline: Deadline, keep: Keeper | None = None) -> bytes:
    """Moves the bytes itself: a socket's timeout starts anew with each byte that drips in."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=host.strip("[]").removesuffix("."))
    with opener(deadline) as peer:
        while True:
            wants_more = False
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                wants_more = True
            peer.settimeout(deadline.left())
            peer.sendall(outgoing.read())
            if not wants_more:
                if keep:
                    keep(session, incoming, outgoing, peer.dup())
                return session.getpeercert(binary_form=True) or b""
            if deadline.over():
                raise TimeoutError
            part = peer.recv(16384)
            if not part:
                raise ConnectionResetError(104, "hung up during the TLS handshake")
            incoming.write(part)


def of_file(path: str) -> Certificate:
    """The first certificate of a PEM file; an empty one when there is none to be read."""
    from pathlib import Path

    try:
        return describe(ssl.PEM_cert_to_DER_cert(_first(Path(path).read_text(encoding="ascii"))))
    except (OSError, ValueError):
        return Certificate()


def _first(text: str) -> str:
    head, mark, _ = text.partition(ssl.PEM_FOOTER)
    return ssl.PEM_HEADER + head.partition(ssl.PEM_HEADER)[2] + mark


def describe(der: bytes) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

    certificate = x509.load_der_x509_certificate(der)
    try:
        others: Any = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [str(other.value) for other in others][:20]
    except (x509.ExtensionNotFound, ValueError):
        names = [certificate.subject.rfc4514_string()]
    until = certificate.not_valid_after_utc
    days = (until - datetime.now(UTC)).days
    key = certificate.public_key()
    weak = f"RSA {key.key_size} bits" if isinstance(key, rsa.RSAPublicKey) and key.key_size < WEAK_RSA else ""
    issuer, last_day = certificate.issuer.rfc4514_string(), until.date().isoformat()
    return Certificate(names, issuer, last_day, str(days), weak, until.timestamp())


def judged(trouble: Trouble, seen: Certificate) -> Trouble:
    """The same trouble once the certificate that was shown is known: it may name a gateway on the way."""
    maker = next((one for one in GATEWAYS if one in seen.issuer.lower()), "")
    if maker and trouble.code in ("tls.unknown_ca", "tls.self_signed", "tls.incomplete_chain"):
        said = f"{trouble.evidence}; the certificate was made on the way by {seen.issuer}"
        return Trouble(trouble.cause, "tls.intercepting_proxy", said)
    if trouble.code == "tls.no_common_algorithm" and seen.weak:
        return Trouble(trouble.cause, "tls.weak_key", f"{trouble.evidence}; the server's key is {seen.weak}")
    return trouble


def tls_trouble(error: ssl.SSLError, host: str, port: int, deadline: Deadline, again: Opener | None = None) -> Trouble:
    """Cause and code of a failed handshake, by the two tables above."""
    number = getattr(error, "verify_code", None)
    words = getattr(error, "verify_message", "") or (error.reason or str(error)).replace("_", " ").lower()
    evidence = f"{host}:{port}: {words}"
    if number is not None:
        code = VERIFY.get(number, "tls.unknown_ca")
        alike = ("tls.incomplete_chain", "tls.intercepting_proxy") if number in (19, 20) else ()
        return Trouble("tls_mismatch", code, evidence, alike)
    if isinstance(error, ssl.SSLEOFError) or "EOF" in (error.reason or ""):
        alike = ("tls.client_certificate_required", "tls.no_common_algorithm")
        return Trouble("host_unreachable", "network.reset", evidence, alike)
    code = REASONS.get(error.reason or "", "tls.no_common_algorithm")
    if code == "tls.plain_http_port" and not _speaks_http(host, port, deadline.left(), again):
        return Trouble("config_error", "config.wrong_port_other_service", evidence)
    # Before TLS 1.3 a server that wants a client certificate says only "handshake failure".
    alike = ("tls.client_certificate_required", "tls.protocol_version") if code == "tls.no_common_algorithm" else ()
    return Trouble("tls_mismatch", code, evidence, alike)


def _speaks_http(host: str, port: int, timeout: float, again: Opener | None) -> bool:
    hello = f"HEAD / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()
    try:
        if again is None:
            return first_bytes(host, port, timeout, hello=hello, want=5).startswith(b"HTTP/")
        deadline = Deadline(timeout)
        with again(deadline) as peer:
            peer.sendall(hello)
            return peek(peer, f"{host}:{port}", deadline, 5).startswith(b"HTTP/")
    except (Trouble, OSError):
        return False
