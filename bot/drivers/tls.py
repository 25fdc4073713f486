"""TLS handshakes by the standard library."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass

from bot.drivers.network import Trouble, connect

# Verification errors of OpenSSL: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
VERIFY = {
    9: "tls.certificate_not_yet_valid",
    10: "tls.certificate_expired",
    18: "tls.self_signed",
    19: "tls.unknown_ca",
    20: "tls.unknown_ca",
    21: "tls.incomplete_chain",
    62: "tls.hostname_mismatch",
    64: "tls.hostname_mismatch",
}
REASONS = {
    "WRONG_VERSION_NUMBER": "tls.plain_http_port",
    "HTTP_REQUEST": "tls.plain_http_port",
    "UNSUPPORTED_PROTOCOL": "tls.protocol_version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls.protocol_version",
    "NO_PROTOCOLS_AVAILABLE": "tls.protocol_version",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls.no_common_algorithm",
    "EE_KEY_TOO_SMALL": "tls.weak_key",
    "DH_KEY_TOO_SMALL": "tls.weak_key",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "tls.client_certificate_required",
}


@dataclass(frozen=True)
class Certificate:
    version: str
    issuer: str
    days_left: int


def certificate(host: str, port: int, timeout: float, ca_file: str | None = None) -> Certificate:
    """Shake hands and verify. Raises Trouble."""
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with (
            connect(host, port, timeout) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")) as secure,
        ):
            seen = secure.getpeercert() or {}
            version = secure.version() or "TLS"
    except ssl.SSLCertVerificationError as error:
        raise Trouble(
            "tls_mismatch", VERIFY.get(error.verify_code, "tls.unknown_ca"), f"{host}: {error.verify_message}"
        ) from None
    except ssl.SSLError as error:
        reason = error.reason or type(error).__name__
        raise Trouble("tls_mismatch", REASONS.get(reason, "tls.no_common_algorithm"), f"{host}: {reason}") from None
    except TimeoutError:
        raise Trouble(
            "host_unreachable", "network.accepts_but_silent", f"{host}:{port} did not shake hands in time"
        ) from None
    except OSError as error:
        raise Trouble("host_unreachable", "network.reset", f"{host}:{port}: {error.strerror or error}") from None
    ends = ssl.cert_time_to_seconds(str(seen.get("notAfter", "Jan  1 00:00:00 2099 GMT")))
    issuer = dict(pair for part in seen.get("issuer", ()) for pair in part)  # type: ignore[misc, union-attr]
    return Certificate(
        version,
        str(issuer.get("organizationName") or issuer.get("commonName") or "unknown"),
        int((ends - time.time()) // 86400),
    )
