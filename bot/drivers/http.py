"""HTTP by requests: one total limit, a bounded body, and no credential on a redirect to another host."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from bot.drivers.network import Trouble

MAX_BODY = 262_144
MAX_HOPS = 5


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower-case names), text (at most 256 KiB), and where it came from."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    url: str

    @property
    def is_html(self) -> bool:
        return "html" in self.headers.get("content-type", "") or self.text.lstrip()[:15].lower().startswith(
            ("<!doctype", "<html")
        )

    def json(self) -> Any:
        import json

        try:
            return json.loads(self.text)
        except ValueError:
            return None


def get(
    url: str, headers: Mapping[str, str], timeout: float, *, proxy: str | None = None, ca_file: str | None = None
) -> Answer:
    """GET within `timeout` seconds in all, also when the server drips. Raises Trouble."""
    import requests

    until = time.monotonic() + timeout
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"http": proxy, "https": proxy} if proxy else {}  # type: ignore[dict-item]
    watchdog = threading.Timer(timeout, session.close)
    watchdog.daemon = True
    watchdog.start()
    try:
        return _follow(session, url, dict(headers), until, ca_file or True)
    except requests.RequestException as error:
        raise _trouble(error, url, timeout) from None
    finally:
        watchdog.cancel()
        session.close()


def _follow(session: Any, url: str, headers: dict[str, str], until: float, verify: str | bool) -> Answer:
    first = urlsplit(url).netloc
    for _ in range(MAX_HOPS):
        left = max(until - time.monotonic(), 0.05)
        with session.get(
            url, headers=headers, timeout=left, stream=True, allow_redirects=False, verify=verify
        ) as response:
            body = _body(response, until)
            target = response.headers.get("location") if response.is_redirect else None
            if not target:
                lower = {k.lower(): v for k, v in response.headers.items()}
                return Answer(response.status_code, lower, body, url)
        url = urljoin(url, target)
        if urlsplit(url).netloc != first:
            headers = {k: v for k, v in headers.items() if k.lower() in ("accept", "user-agent")}
    raise Trouble(
        "config_error", "config.redirect_loop", f"more than {MAX_HOPS} redirects, the last to {url.split('?')[0]}"
    )


def _body(response: Any, until: float) -> str:
    parts, size = [], 0
    for part in response.raw.stream(4096, decode_content=True):
        parts.append(part)
        size += len(part)
        if size >= MAX_BODY:
            break
        if time.monotonic() > until:
            raise Trouble("third_party_down", "availability.too_slow", "the answer did not end in time")
    return b"".join(parts)[:MAX_BODY].decode(response.encoding or "utf-8", "replace")


# requests nests its errors; these words are urllib3's and OpenSSL's, which carry no code.
WORDS = (
    ("certificate has expired", "tls_mismatch", "tls.certificate_expired"),
    ("self-signed certificate in certificate chain", "tls_mismatch", "tls.unknown_ca"),
    ("self-signed certificate", "tls_mismatch", "tls.self_signed"),
    ("Hostname mismatch", "tls_mismatch", "tls.hostname_mismatch"),
    ("doesn't match", "tls_mismatch", "tls.hostname_mismatch"),
    ("unable to get local issuer", "tls_mismatch", "tls.unknown_ca"),
    ("WRONG_VERSION_NUMBER", "tls_mismatch", "tls.plain_http_port"),
    ("CERTIFICATE_REQUIRED", "tls_mismatch", "tls.client_certificate_required"),
    ("SSL", "tls_mismatch", "tls.no_common_algorithm"),
    ("Tunnel connection failed: 407", "host_unreachable", "proxy.authentication_required"),
    ("Tunnel connection failed", "host_unreachable", "proxy.connect_denied"),
    ("ProxyError", "host_unreachable", "proxy.unreachable"),
    ("NameResolutionError", "host_unreachable", "dns.nxdomain"),
    ("refused", "host_unreachable", "network.refused"),
    ("ConnectTimeout", "host_unreachable", "network.timeout_filtered"),
    ("Read timed out", "host_unreachable", "network.accepts_but_silent"),
    ("reset", "host_unreachable", "network.reset"),
    ("InvalidURL", "config_error", "config.malformed_url"),
    ("MissingSchema", "config_error", "config.malformed_url"),
)


def _trouble(error: Exception, url: str, timeout: float) -> Trouble:
    text = f"{type(error).__name__} {error}"
    host = urlsplit(url).netloc
    for words, cause, code in WORDS:
        if words in text:
            return Trouble(cause, code, f"{host}: {type(error).__name__} ({words.lower()}) within {timeout:g} s")
    return Trouble("connection_dropped", "availability.no_response", f"{host}: {type(error).__name__}")
