"""TLS: one verified handshake, and what the certificate says when it fails."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.drivers.network import Deadline, Trouble, connect, first_bytes, os_trouble

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
}
REASONS = {
    "WRONG_VERSION_NUMBER": "tls.plain_http_port",
    "HTTP_REQUEST": "tls.plain_http_port",
    "PACKET_LENGTH_TOO_LONG": "tls.plain_http_port",
    "RECORD_LAYER_FAILURE": "tls.plain_http_port",
    "UNSUPPORTED_PROTOCOL": "tls.protocol_version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls.protocol_version",
    "NO_PROTOCOLS_AVAILABLE": "tls.protocol_version",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls.no_common_algorithm",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "tls.client_certificate_required",
    "DH_KEY_TOO_SMALL": "tls.weak_key",
    "EE_KEY_TOO_SMALL": "tls.weak_key",
}


@dataclass
class Certificate:
    names: list[str] = field(default_factory=list)
    issuer: str = ""
    not_after: str = ""
    days_left: str = ""


def handshake(host: str, port: int, timeout: float, ca_file: str | None = None) -> Certificate:
    """The server's certificate after a verified handshake. Raises Trouble."""
    deadline = Deadline(timeout)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Trouble("config_error", "config.path_missing", f"the CA file cannot be read: {error}") from None
    try:
        return describe(_shake(context, host, port, deadline))
    except ssl.SSLError as error:
        raise tls_trouble(error, host, port, deadline) from None
    except OSError as error:
        raise os_trouble(error, f"{host}:{port}", timeout, "network.accepts_but_silent") from None


def shown(host: str, port: int, timeout: float) -> Certificate:
    """The certificate that the server shows, believed or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return describe(_shake(context, host, port, Deadline(timeout)))
    except (OSError, ValueError, Trouble):
        return Certificate()


def _shake(context: ssl.SSLContext, host: str, port: int, deadline: Deadline) -> bytes:
    """Moves the bytes itself: a socket's timeout starts anew with each byte that drips in."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=host.strip("[]"))
    with connect(host, port, deadline.left()) as peer:
        while True:
            wants_more = False
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                wants_more = True
            peer.settimeout(deadline.left())
            peer.sendall(outgoing.read())
            if not wants_more:
                return session.getpeercert(binary_form=True) or b""
            if deadline.over():
                raise TimeoutError
            part = peer.recv(16384)
            if not part:
                raise ConnectionResetError(104, "hung up during the TLS handshake")
            incoming.write(part)


def describe(der: bytes) -> Certificate:
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    try:
        others: Any = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [str(other.value) for other in others][:20]
    except (x509.ExtensionNotFound, ValueError):
        names = [certificate.subject.rfc4514_string()]
    until = certificate.not_valid_after_utc
    days = (until - datetime.now(UTC)).days
    return Certificate(names, certificate.issuer.rfc4514_string(), until.date().isoformat(), str(days))


def tls_trouble(error: ssl.SSLError, host: str, port: int, deadline: Deadline) -> Trouble:
    """Cause and code of a failed handshake, by the two tables above."""
    number = getattr(error, "verify_code", None)
    words = getattr(error, "verify_message", "") or (error.reason or str(error)).replace("_", " ").lower()
    evidence = f"{host}:{port}: {words}"
    if number is not None:
        code = VERIFY.get(number, "tls.unknown_ca")
        alike = ("tls.incomplete_chain", "tls.intercepting_proxy") if number in (19, 20) else ()
        return Trouble("tls_mismatch", code, evidence, alike)
    code = REASONS.get(error.reason or "", "tls.no_common_algorithm")
    if code == "tls.plain_http_port" and not _speaks_http(host, port, deadline.left()):
        return Trouble("config_error", "config.wrong_port_other_service", evidence)
    return Trouble("tls_mismatch", code, evidence)


def _speaks_http(host: str, port: int, timeout: float) -> bool:
    hello = f"HEAD / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()
    try:
        return first_bytes(host, port, timeout, hello=hello, want=5).startswith(b"HTTP/")
    except Trouble:
        return False
