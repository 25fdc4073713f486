"""HTTP by requests: one limit in all, a bounded body, and no credential on a redirect to another host."""

from __future__ import annotations

import contextlib
import html
import ipaddress
import json
import logging
import queue
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from bot.drivers.authorities import authorities
from bot.drivers.http_lines import adapter
from bot.drivers.http_text import bare, decoded
from bot.drivers.http_trouble import port, split, trouble_of
from bot.drivers.network import Deadline, Trouble
from bot.drivers.proxy import through_proxy

# What is longer says nothing more; as JSON it may take fifty times its size.
MAX_BODY = 262_144
MAX_HOPS = 5
# Where Zscaler leads who has not signed in: https://help.zscaler.com/zia/about-authentication
GATEWAY = re.compile(r"^gateway\.zs\w+\.net\b", re.I)
# It warns of odd answers with a trace and the whole address, in which a key may stand.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower-case names), text (at most 256 KiB), and the address that gave it in the end."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    url: str = field(repr=False)
    hops: int = 0
    without_credential: bool = False
    truncated: bool = False
    changed_method: bool = False

    @property
    def is_html(self) -> bool:
        """A page; programs in PHP and Flask call their JSON and their plain words one too, when nobody tells them."""
        if bare(self.text)[:15].lower().startswith(("<!doctype", "<html")):
            return True
        return "html" in self.headers.get("content-type", "") and "<" in self.text and not self.is_json

    @cached_property
    def _read(self) -> tuple[bool, Any]:
        try:
            return (False, None) if self.truncated else (True, json.loads(self.text, parse_int=_number))
        except (ValueError, RecursionError):
            return False, None

    @property
    def is_json(self) -> bool:
        return self._read[0]

    @property
    def body(self) -> Any:
        return self._read[1]

    @property
    def head(self) -> str:
        """Where an error stands: patterns over a whole hostile body would take too long."""
        return self.text[:8192]

    @property
    def title(self) -> str:
        found = re.search(r"<title[^>]{0,99}>([^<]{0,300})", self.head, re.I)
        return html.unescape(found[1]).strip() if found else ""

    def json(self) -> Any:
        return self.body


def _number(text: str) -> float:
    """Of more digits than Python reads as a whole number it is still a number."""
    return int(text) if len(text) < 4300 else float(text)


@cache
def agent() -> str:
    """Product and version, as https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5 wants them."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"mend/{version('mend')}"
    except PackageNotFoundError:  # run from its sources
        return "mend"


def get(
    url: str, headers: Mapping[str, str], timeout: float, *,
    proxy: str | None = None, ca_file: str | None = None, post: str = "", redirects: bool = True,
) -> Answer:  # fmt: skip
    """GET, or POST of `post`, within `timeout` seconds in all, also when the server drips. Raises Trouble.

    Without `redirects` a redirect is the answer: what is posted goes nowhere else.
    """
    result: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()
    call = _Call(url, {"User-Agent": agent(), **headers}, Deadline(timeout), proxy, ca_file, post, redirects)

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
        began = call.began  # the cut ends a header line, which then looks like an answer
        call.cut()
        said = f"{call.place}: no complete answer within {timeout:g} s"
        code = "availability.too_slow" if began else "network.accepts_but_silent"
        raise Trouble("third_party_down" if began else "host_unreachable", code, said) from None
    if isinstance(answer, Exception):
        trouble = answer if isinstance(answer, Trouble) else trouble_of(answer, call.url, call.deadline, proxy)
        raise trouble if _same_place(split(url), urlsplit(call.url)) else _led_away(trouble, call.url)
    return answer


def _led_away(trouble: Trouble, url: str) -> Trouble:
    """What fails behind a redirect to another server is that server's, not the source's."""
    if trouble.cause == "config_error":
        return trouble
    to = urlsplit(url)
    if GATEWAY.search(to.hostname or ""):
        said = f"a filter on the way out, {to.hostname}, wants a login: {trouble.evidence}"
        return Trouble("host_unreachable", "network.captive_portal", said, ("proxy.authentication_required",))
    login = re.search(r"log-?in|sign-?in|sso|oauth|auth\b", f"{to.hostname}{to.path}", re.I)
    code, alike = (
        ("auth.redirect_to_login", "config.wrong_base_path") if login else ("config.wrong_base_path", trouble.code)
    )
    return Trouble("config_error", code, f"a redirect leads to {to.hostname}: {trouble.evidence}", (alike,))


class _Call:
    """One request with its redirects. `cut` ends it from another thread."""

    def __init__(
        self, url: str, headers: dict[str, str], deadline: Deadline, proxy: str | None, ca_file: str | None, post: str,
        redirects: bool,
    ) -> None:  # fmt: skip
        self.url, self.headers, self.deadline, self.post, self.redirects = url, headers, deadline, post, redirects
        self.proxy, self.verify = proxy, ca_file or authorities()
        self.sockets: list[socket.socket] = []
        self.outside: bool | None = None
        self.began = False

    @property
    def place(self) -> str:
        parts = split(self.url)
        return f"{parts.hostname}:{port(parts)}"

    def admit(self, peer: socket.socket) -> None:
        """A name that a redirect gives may stand for an inner address, and another one at every look-up.

        What counts is where the line really leads, before a byte is sent. Raises Trouble.
        """
        address = str(peer.getpeername()[0])
        if self.outside is None:
            self.outside = not _inside(address)
        elif self.outside and _inside(address):
            peer.close()
            words = f"a redirect leads into a private network ({self.place} is {address})"
            raise Trouble("config_error", "dns.private_address", words)

    def cut(self) -> None:
        for peer in self.sockets:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def follow(self) -> Answer:
        try:
            with self._session() as session:
                return self._follow(session)
        finally:
            for peer in self.sockets:
                peer.close()

    def _follow(self, session: Any) -> Answer:
        first, headers, post = split(self.url), self.headers, self.post
        for hop in range(MAX_HOPS + 1):
            if self.deadline.over():
                break
            answer, onward = self._one(session, headers, post, hop, first)
            if not onward or not self.redirects:
                return answer
            session.close()  # lines only: what is said to stay may end: https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1
            self.url = _onward(self.url, onward, first)
            if not _same_place(first, split(self.url)):
                headers = {k: v for k, v in headers.items() if k.lower() in ("accept", "user-agent")}
                first = first._replace(netloc="")  # coming back does not bring the credential back
                post = ""  # tokens and passwords are posted, too
            # https://www.rfc-editor.org/rfc/rfc9110#section-15.4: only 307 and 308 keep the method and the body.
            post = post if answer.status in (307, 308) else ""
        said = f"more than {MAX_HOPS} redirects, the last to {self.place}{urlsplit(self.url).path}"
        raise Trouble("config_error", "config.redirect_loop", said)

    def _one(
        self, session: Any, headers: dict[str, str], post: str, hop: int, first: SplitResult
    ) -> tuple[Answer, str]:
        # Else a user in the address would take the place of the credential.
        signed = any(name.lower() == "authorization" for name in headers)
        with session.request(
            "POST" if post else "GET", self.url, headers=headers, data=post.encode() or None,
            auth=_as_it_is if signed else None,
            timeout=self.deadline.left(), stream=True, allow_redirects=False, verify=self.verify,
        ) as response:  # fmt: skip
            self.began = True
            onward = response.headers.get("location", "") if response.is_redirect else ""
            data, truncated = _bounded(response.raw, self.deadline, self.place)
            lower = {k.lower(): v for k, v in response.headers.items()}
            text, dropped = decoded(data, lower.get("content-type", "")), first.netloc == ""
            changed = bool(self.post) and not post
            return Answer(response.status_code, lower, text, self.url, hop, dropped, truncated, changed), onward

    def _session(self) -> Any:
        import requests

        class Session(requests.Session):
            def get_redirect_target(self, resp: Any) -> None:
                """Redirects are followed here; requests would read the whole of each answer for them."""

        session = Session()
        session.trust_env = False
        socks = self.proxy if self.proxy and self.proxy.startswith("socks") else None
        if self.proxy and not socks:
            session.proxies = {"http": self.proxy, "https": self.proxy}
        opener = partial(through_proxy, socks, deadline=self.deadline) if socks else None
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter(self.sockets, self.admit, opener))
        return session


def _as_it_is(request: Any) -> Any:
    return request


def _bounded(raw: Any, deadline: Deadline, place: str) -> tuple[bytes, bool]:
    """At most MAX_BODY bytes. `read`, not `stream`: that one reads a chunk's first line however long it is."""
    data = bytearray()
    while part := raw.read(4096, decode_content=True):
        data += part
        if len(data) > MAX_BODY:
            return bytes(data[:MAX_BODY]), True
        if deadline.over():
            words = f"{place}: the answer did not end within {deadline.seconds:g} s"
            raise Trouble("third_party_down", "availability.too_slow", words)
    return bytes(data), False


def _onward(url: str, location: str, first: SplitResult) -> str:
    """Where a redirect leads. Raises Trouble for what no provider's redirect may reach."""
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()  # RFC 9110 knows ASCII only, servers send UTF-8
    try:
        to = urljoin(url, location)
        parts = split(to)
    except (Trouble, ValueError):
        words = f"a redirect leads to {location[:100]}, which is no http address"
        raise Trouble("config_error", "config.malformed_url", words) from None
    host = parts.hostname or ""
    if parts.username is not None and parts.netloc != urlsplit(url).netloc:
        # https://www.rfc-editor.org/rfc/rfc9110#section-4.2.4: an error, as it likely hides where an address leads.
        raise Trouble("config_error", "config.malformed_url", f"a redirect names a user before {host}")
    if _inside(host) and not _inside(urlsplit(url).hostname or ""):
        words = f"a redirect leads from {first.hostname} into a private network ({host})"
        raise Trouble("config_error", "dns.private_address", words)
    return to


def _inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"


def _same_place(first: SplitResult, then: SplitResult) -> bool:
    """Same host and port, never from https down to http; plain http to https on the usual ports is the same place."""
    upgrade = (first.scheme, port(first), then.scheme, port(then)) == ("http", 80, "https", 443)
    same = (first.scheme, port(first)) == (then.scheme, port(then))
    return first.hostname == then.hostname and (same or upgrade)
