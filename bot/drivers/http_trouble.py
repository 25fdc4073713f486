"""What an error of the HTTP transport means: one table from the libraries' own words to cause and code."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import partial
from urllib.parse import SplitResult, urlsplit

from bot.drivers.network import Deadline, Trouble
from bot.drivers.proxy import through_proxy

PORTS = {"http": 80, "https": 443}
# Python's own words repeat the part that it takes for a port: it may be one of a password.
NO_ADDRESS = (
    "this is not an address: behind the host stands a port from 1 to 65535 or none, an IPv6 address stands in [ ], and "
    "/ ? # @ in a user or password are written %2F %3F %23 %40"
)
NO_ZONE = "a zone behind an IPv6 address (%) cannot be called: write the address without it, or a name"
# How a server that expects TLS ends a plain request.
NO_HTTP = ("network.reset", "availability.empty_response", "config.wrong_port_other_service")
BEHIND_PROXY = ("network.timeout_filtered", "network.refused", "dns.nxdomain")
# The names are of classes of requests, urllib3 and Python, the words urllib3's own; the first that fits decides.
TRANSPORT: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("Tunnel connection failed: 407", "host_unreachable", "proxy.authentication_required", ()),
    ("Tunnel connection failed: 5", "host_unreachable", "proxy.connect_denied", BEHIND_PROXY),
    ("Tunnel connection failed", "host_unreachable", "proxy.connect_denied", ("proxy.client_not_allowed",)),
    ("ProxyError", "host_unreachable", "proxy.unreachable", ()),
    ("ProxySchemeUnknown", "config_error", "config.malformed_url", ()),
    ("Name or service not known", "host_unreachable", "dns.nxdomain", ()),
    ("Temporary failure in name resolution", "host_unreachable", "dns.servfail", ()),
    ("NameResolutionError", "host_unreachable", "dns.nxdomain", ()),
    ("ConnectTimeout", "host_unreachable", "network.timeout_filtered", ()),
    ("Read timed out", "host_unreachable", "network.accepts_but_silent", ()),
    ("ReadTimeout", "host_unreachable", "network.accepts_but_silent", ()),
    ("ConnectionRefusedError", "host_unreachable", "network.refused", ()),
    ("Network is unreachable", "host_unreachable", "network.wrong_address_family", ()),
    ("CA certificate bundle", "config_error", "config.path_missing", ()),
    ("InvalidURL", "config_error", "config.malformed_url", ()),
    ("InvalidSchema", "config_error", "config.malformed_url", ()),
    ("LocationParseError", "config_error", "config.malformed_url", ()),
    # urllib3 says so of an answer with two different lengths, requests of a header of ours.
    ("Content-Length", "third_party_down", "availability.malformed_response", ()),
    ("InvalidHeader", "invalid_credentials", "auth.malformed_header", ()),
    ("UnicodeEncodeError", "invalid_credentials", "auth.malformed_header", ()),
    ("IncompleteRead", "connection_dropped", "availability.response_truncated", ()),
    ("InvalidChunkLength", "third_party_down", "availability.malformed_response", ()),
    ("LineTooLong", "third_party_down", "availability.malformed_response", ()),
    ("UnknownProtocol", "third_party_down", "availability.malformed_response", ()),
    ("DecodeError", "third_party_down", "availability.corrupt_encoding", ()),
    ("BadStatusLine", "config_error", "config.wrong_port_other_service", ()),
    ("RemoteDisconnected", "connection_dropped", "availability.empty_response", ("network.reset",)),
    ("ConnectionResetError", "host_unreachable", "network.reset", ()),
)


def split(url: str) -> SplitResult:
    """Raises Trouble for what is no http address."""
    try:
        parts = urlsplit(url)
        port(parts)
    except ValueError:
        raise Trouble("config_error", "config.malformed_url", NO_ADDRESS) from None
    if "%" in (parts.hostname or ""):
        raise Trouble("config_error", "config.malformed_url", NO_ZONE)
    if parts.scheme not in PORTS or not parts.hostname:
        raise Trouble("config_error", "config.malformed_url", "an address begins with https:// and a host name")
    return parts


def port(parts: SplitResult) -> int:
    return parts.port or PORTS.get(parts.scheme, 0)


def trouble_of(error: Exception, url: str, deadline: Deadline, proxy: str | None = None) -> Trouble:
    """Cause and code of an error of the transport, by the table above; TLS by the TLS driver's."""
    chain = list(_chain(error))
    names = {type(one).__name__ for one in chain}
    text = " ".join([*names, *(str(one) for one in chain)])
    parts = urlsplit(url)
    place = f"{parts.hostname}:{port(parts)}"
    tls = next((one for one in chain if isinstance(one, ssl.SSLError)), None)
    if tls is not None and "ProxyError" not in names:
        from bot.drivers.tls import tls_trouble

        there = (str(parts.hostname), port(parts))
        return tls_trouble(tls, *there, deadline, partial(through_proxy, proxy, *there) if proxy else None)
    last = type(chain[-1]).__name__
    for words, cause, code, alike in TRANSPORT:
        if words in text:
            if code == "proxy.authentication_required" and proxy and urlsplit(proxy).password:
                code = "proxy.wrong_credentials"
            if code in NO_HTTP and parts.scheme == "http" and not proxy and _speaks_tls(parts, deadline):
                said = f"{place} does not understand http and shows a certificate: it speaks https"
                return Trouble("tls_mismatch", "tls.https_required", said)
            told = _told(words, text) if " " in words else last
            told = f"no answer within {deadline.seconds:g} s" if "imeout" in words or "timed" in words else told
            return Trouble(cause, code, f"{place}: {told}", alike)
    return Trouble("connection_dropped", "availability.no_response", f"{place}: {last}")


def _speaks_tls(parts: SplitResult, deadline: Deadline) -> bool:
    from bot.drivers.tls import shown

    return bool(shown(str(parts.hostname), port(parts), min(deadline.left(), 2.0)).not_after)


def _told(words: str, text: str) -> str:
    """The words as they stand in the error, with the status and reason that may follow."""
    after = text[text.index(words) + len(words) :] if words.startswith("Tunnel") else ""
    return words + after[:40].partition("'")[0].partition(")")[0]


def _chain(error: BaseException | None, depth: int = 8) -> Iterator[BaseException]:
    """An error and what it wraps: requests keeps the reason in `args`, urllib3 in `reason`, Python in `__cause__`."""
    if error is None or depth == 0:
        return
    yield error
    inner = getattr(error, "reason", None)
    rest = error.args[:2] if error.args else ()
    for one in (inner, *rest, error.__cause__, error.__context__):
        if isinstance(one, BaseException) and one is not error:
            yield from _chain(one, depth - 1)
            return
