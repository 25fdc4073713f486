"""HTTP by requests: one limit in all, a bounded body, and no credential on a redirect to another host."""

from __future__ import annotations

import json
import queue
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from bot.drivers.network import Deadline, Trouble

MAX_BODY = 1_048_576
MAX_HOPS = 5
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower-case names), text (at most 1 MiB), and the address that gave it in the end."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    url: str = field(repr=False)
    hops: int = 0
    without_credential: bool = False
    truncated: bool = False

    @property
    def is_html(self) -> bool:
        start = self.text.lstrip()[:15].lower()
        return "html" in self.headers.get("content-type", "") or start.startswith(("<!doctype", "<html"))

    @cached_property
    def body(self) -> Any:
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    def json(self) -> Any:
        return self.body


def get(
    url: str, headers: Mapping[str, str], timeout: float, *, proxy: str | None = None, ca_file: str | None = None
) -> Answer:
    """GET within `timeout` seconds in all, also when the server drips. Raises Trouble."""
    result: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()
    call = _Call(url, dict(headers), Deadline(timeout), proxy, ca_file)

    def run() -> None:
        try:
            result.put(call.follow())
        except Exception as error:  # carried over to the caller's thread
            result.put(error)

    # requests limits each read, not the whole; a resolver that hangs knows no limit at all.
    threading.Thread(target=run, name="http", daemon=True).start()
    try:
        answer = result.get(timeout=timeout + 0.05)
    except queue.Empty:
        call.cut()
        said = f"{call.place}: no complete answer within {timeout:g} s"
        code = "availability.too_slow" if call.began else "network.accepts_but_silent"
        raise Trouble("third_party_down" if call.began else "host_unreachable", code, said) from None
    if isinstance(answer, Exception):
        raise answer if isinstance(answer, Trouble) else trouble_of(answer, call.url, call.deadline)
    return answer


class _Call:
    """One request with its redirects. `cut` closes its sockets from another thread."""

    def __init__(
        self, url: str, headers: dict[str, str], deadline: Deadline, proxy: str | None, ca_file: str | None
    ) -> None:
        self.url, self.headers, self.deadline = url, headers, deadline
        self.proxy, self.verify = proxy, ca_file or True
        self.sockets: list[Any] = []
        self.began = False

    @property
    def place(self) -> str:
        parts = _split(self.url)
        return f"{parts.hostname}:{_port(parts)}"

    def cut(self) -> None:
        for peer in self.sockets:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def follow(self) -> Answer:
        first, headers, dropped = _split(self.url), self.headers, False
        with self._session() as session:
            for hop in range(MAX_HOPS + 1):
                if self.deadline.over():
                    break
                answer, onward = self._one(session, headers, hop, dropped)
                if not onward:
                    return answer
                self.url = urljoin(self.url, onward)
                dropped = dropped or not _same_place(first, _split(self.url))
                if dropped:
                    headers = {k: v for k, v in headers.items() if k.lower() in ("accept", "user-agent")}
        to = self.url.split("?")[0]
        raise Trouble("config_error", "config.redirect_loop", f"more than {MAX_HOPS} redirects, the last to {to}")

    def _one(self, session: Any, headers: dict[str, str], hop: int, dropped: bool) -> tuple[Answer, str]:
        left = self.deadline.left()
        with session.get(
            self.url, headers=headers, timeout=left, stream=True, allow_redirects=False, verify=self.verify
        ) as response:
            self.began = True
            onward = response.headers.get("location", "") if response.is_redirect else ""
            data, truncated = _bounded(response.raw.stream(4096, decode_content=True), self.deadline, self.place)
            text = data.decode("utf-8", "replace")
            lower = {k.lower(): v for k, v in response.headers.items()}
            return Answer(response.status_code, lower, text, self.url, hop, dropped, truncated), onward

    def _session(self) -> Any:
        import requests

        session = requests.Session()
        session.trust_env = False
        if self.proxy:
            session.proxies = {"http": self.proxy, "https": self.proxy}
        for scheme in ("http://", "https://"):
            session.mount(scheme, _adapter(self.sockets))
        return session


def _adapter(sockets: list[Any]) -> Any:
    """An adapter of requests that remembers its sockets, so that a call can be cut off from outside."""
    from requests.adapters import HTTPAdapter

    class Noting(HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **more: Any) -> Any:
            pool: Any = super().get_connection_with_tls_context(*args, **more)
            kind = pool.ConnectionCls

            class Connection(kind):  # type: ignore[misc, valid-type]
                def connect(self) -> None:
                    super().connect()
                    sockets.append(self.sock)

            pool.ConnectionCls = Connection
            return pool

    return Noting()


def _bounded(parts: Iterator[bytes], deadline: Deadline, place: str) -> tuple[bytes, bool]:
    data = bytearray()
    for part in parts:
        data += part
        if len(data) > MAX_BODY:
            return bytes(data[:MAX_BODY]), True
        if deadline.over():
            words = f"{place}: the answer did not end within {deadline.seconds:g} s"
            raise Trouble("third_party_down", "availability.too_slow", words)
    return bytes(data), False


def _split(url: str) -> SplitResult:
    """Raises Trouble for what is no http address."""
    try:
        parts = urlsplit(url)
        _port(parts)
    except ValueError as error:
        raise Trouble("config_error", "config.malformed_url", f"this is not an address: {error}") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise Trouble("config_error", "config.malformed_url", "an address begins with https:// and a host name")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or PORTS.get(parts.scheme, 0)


def _same_place(first: SplitResult, then: SplitResult) -> bool:
    """Same host and port, never from https down to http; plain http to https on the usual ports is the same place."""
    upgrade = (first.scheme, _port(first), then.scheme, _port(then)) == ("http", 80, "https", 443)
    same = (first.scheme, _port(first)) == (then.scheme, _port(then))
    return first.hostname == then.hostname and (same or upgrade)


# The names are of classes of requests, urllib3 and Python, the words urllib3's own; the first that fits decides.
TRANSPORT = (
    ("Tunnel connection failed: 407", "host_unreachable", "proxy.authentication_required"),
    ("Tunnel connection failed", "host_unreachable", "proxy.connect_denied"),
    ("ProxyError", "host_unreachable", "proxy.unreachable"),
    ("Name or service not known", "host_unreachable", "dns.nxdomain"),
    ("Temporary failure in name resolution", "host_unreachable", "dns.servfail"),
    ("NameResolutionError", "host_unreachable", "dns.nxdomain"),
    ("ConnectTimeout", "host_unreachable", "network.timeout_filtered"),
    ("Read timed out", "host_unreachable", "network.accepts_but_silent"),
    ("ReadTimeout", "host_unreachable", "network.accepts_but_silent"),
    ("ConnectionRefusedError", "host_unreachable", "network.refused"),
    ("ConnectionResetError", "host_unreachable", "network.reset"),
    ("Network is unreachable", "host_unreachable", "network.wrong_address_family"),
    ("InvalidHeader", "invalid_credentials", "auth.malformed_header"),
    ("UnicodeEncodeError", "invalid_credentials", "auth.malformed_header"),
    ("CA certificate bundle", "config_error", "config.path_missing"),
    ("InvalidURL", "config_error", "config.malformed_url"),
    ("InvalidSchema", "config_error", "config.malformed_url"),
    ("LocationParseError", "config_error", "config.malformed_url"),
    ("IncompleteRead", "connection_dropped", "availability.response_truncated"),
    ("DecodeError", "third_party_down", "availability.corrupt_encoding"),
    ("BadStatusLine", "config_error", "config.wrong_port_other_service"),
    ("RemoteDisconnected", "connection_dropped", "availability.empty_response"),
)


def trouble_of(error: Exception, url: str, deadline: Deadline) -> Trouble:
    """Cause and code of an error of the transport, by the table above; TLS by the TLS driver's."""
    chain = list(_chain(error))
    names = {type(one).__name__ for one in chain}
    text = " ".join([*names, *(str(one) for one in chain)])
    parts = urlsplit(url)
    place = f"{parts.hostname}:{_port(parts)}"
    tls = next((one for one in chain if isinstance(one, ssl.SSLError)), None)
    if tls is not None and "ProxyError" not in names:
        from bot.drivers.tls import tls_trouble

        return tls_trouble(tls, str(parts.hostname), _port(parts), deadline)
    last = type(chain[-1]).__name__
    for words, cause, code in TRANSPORT:
        if words in text:
            return Trouble(cause, code, f"{place}: {words if ' ' in words else last}")
    return Trouble("connection_dropped", "availability.no_response", f"{place}: {last}")


def _chain(error: BaseException | None, depth: int = 8) -> Iterator[BaseException]:
    """An error and what it wraps: requests keeps the reason in `args`, urllib3 in `reason`, Python in `__cause__`."""
    if error is None or depth == 0:
        return
    yield error
    inner = getattr(error, "reason", None)
    first = error.args[0] if error.args else None
    for one in (inner, first, error.__cause__, error.__context__):
        if isinstance(one, BaseException) and one is not error:
            yield from _chain(one, depth - 1)
            return
