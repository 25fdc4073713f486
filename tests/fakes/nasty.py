"""A server of bad manners, over real sockets: what HTTP allows, forbids, and what stands between in practice.

Each behaviour gets the peer and the request's head, and does to it what it is named after.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from itertools import count
from typing import Any

Nasty = Callable[[socket.socket, bytes], None]
NASTY: dict[str, Nasty] = {}
MEGABYTE = 1 << 20
LOGIN = "<!doctype html><title>Sign in</title><form action=/login><input type=password></form>"
WELCOME = "<!doctype html><title>Welcome to nginx!</title><h1>It works</h1>"
BLOCKED = "<html><title>Attention Required! | Cloudflare</title>Sorry, you have been blocked</html>"
NUMBERS = count(1)
PATIENCE = 20.0


def nasty(function: Nasty) -> Nasty:
    NASTY[function.__name__] = function
    return function


def head(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines, "", ""]).encode("latin-1")


def says(status: str, body: Any, *lines: str, kind: str = "application/json") -> Nasty:
    """An ordinary answer."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()

    def talk(peer: socket.socket, request: bytes) -> None:
        peer.sendall(head(status, f"Content-Type: {kind}", f"Content-Length: {len(data)}", *lines) + data)

    return talk


def page(status: str, body: str, *lines: str) -> Nasty:
    return says(status, body, *lines, kind="text/html")


def endless(peer: socket.socket, part: bytes, pause: float = 0.0) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        peer.sendall(part)
        time.sleep(pause)


def path_of(request: bytes) -> str:
    return request.split(b" ")[1].decode("latin-1")


# Time ---------------------------------------------------------------------------------------------------------------


@nasty
def silent(peer: socket.socket, request: bytes) -> None:
    time.sleep(PATIENCE)


@nasty
def drips_headers(peer: socket.socket, request: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    endless(peer, b"a", 0.2)


@nasty
def drips_body(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Content-Length: 100000"))
    endless(peer, b" ", 0.2)


@nasty
def continues_for_ever(peer: socket.socket, request: bytes) -> None:
    endless(peer, b"HTTP/1.1 100 Continue\r\n\r\n", 0.001)


# Size ---------------------------------------------------------------------------------------------------------------


@nasty
def gigabyte(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Content-Length: 1000000000"))
    endless(peer, b'["x",' * (MEGABYTE // 5))


@nasty
def endless_chunks(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked"))
    endless(peer, b"10000\r\n" + b"[" * 65536 + b"\r\n")


@nasty
def endless_chunk_line(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"1;ext=")
    endless(peer, b"a" * MEGABYTE)


@nasty
def endless_trailers(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n")
    endless(peer, b"X-Trailer: a\r\n" * 10_000)


@nasty
def endless_headers(peer: socket.socket, request: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    endless(peer, b"X-More: a\r\n" * 10_000)


@nasty
def endless_header_line(peer: socket.socket, request: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    endless(peer, b"a" * MEGABYTE)


@nasty
def endless_status_line(peer: socket.socket, request: bytes) -> None:
    endless(peer, b"HTTP/1.1 200 " + b"O" * MEGABYTE)


@cache
def bomb() -> bytes:
    """200 MB of zeros in 200 kB."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(bytes(MEGABYTE)) for _ in range(200)), packer.flush()])


@nasty
def gzip_bomb(peer: socket.socket, request: bytes) -> None:
    says("200 OK", bomb(), "Content-Encoding: gzip")(peer, request)


@nasty
def gzip_bomb_in_gzip(peer: socket.socket, request: bytes) -> None:
    says("200 OK", gzip.compress(bomb()), "Content-Encoding: gzip, gzip")(peer, request)


NASTY.update({
    "deep_json": says("200 OK", "[" * 200_000),
    "wide_json": says("200 OK", "[" + "[0]," * 60_000 + "[0]]"),
})  # fmt: skip


# Broken -------------------------------------------------------------------------------------------------------------


@nasty
def hangs_up(peer: socket.socket, request: bytes) -> None:
    return


@nasty
def resets(peer: socket.socket, request: bytes) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@nasty
def speaks_ssh(peer: socket.socket, request: bytes) -> None:
    peer.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


@nasty
def stops_in_the_middle(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Content-Length: 500") + b'{"id": 1, "na')


@nasty
def stops_in_a_chunk(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked") + b'40\r\n{"id": 1')


@nasty
def endless_chunk_of_less_than_nothing(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"-1\r\n")
    endless(peer, b"a" * 65536, 0)


@nasty
def chunks_without_numbers(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n")


NASTY.update({
    "half_json": says("200 OK", '{"id": 1, "name": "Acm'),
    "empty": says("200 OK", ""),
    "two_lengths": says("200 OK", {"id": 1}, "Content-Length: 4711"),
    "gzip_that_is_none": says("200 OK", {"id": 1}, "Content-Encoding: gzip"),
    "unknown_coding": says("200 OK", b"\x8b\x03\x80abc\xff\xfe\x00" * 20, "Content-Encoding: br"),
    "no_text": says("200 OK", bytes(range(128, 256)) * 20, kind="application/json; charset=utf-8"),
    "json_behind_a_guard": says("200 OK", ")]}',\n" + json.dumps({"id": 1})),
})  # fmt: skip


# Pages and what stands between --------------------------------------------------------------------------------------


@nasty
def redirects_to_login(peer: socket.socket, request: bytes) -> None:
    reply = (
        page("200 OK", LOGIN) if path_of(request).startswith("/login") else says("302 Found", "", "Location: /login")
    )
    reply(peer, request)


@nasty
def redirects_in_a_circle(peer: socket.socket, request: bytes) -> None:
    says("302 Found", "", f"Location: /round{next(NUMBERS)}")(peer, request)


@nasty
def redirects_elsewhere(peer: socket.socket, request: bytes) -> None:
    port = peer.getsockname()[1]
    there = b"Host: localhost" in request
    reply = says("401 Unauthorized", {"message": "who are you"}) if there else says(
        "307 Temporary Redirect", "", f"Location: http://localhost:{port}/elsewhere")  # fmt: skip
    reply(peer, request)


NASTY.update({
    "redirects_out_of_http": says("302 Found", "", "Location: ftp://files.acme.test/x"),
    "redirects_to_a_login_that_is_away": says("302 Found", "", "Location: http://127.0.0.1:1/signin?next=/v1"),
    "redirects_to_a_server_that_is_away": says("302 Found", "", "Location: http://127.0.0.1:1/v2"),
    "redirects_nowhere": says("302 Found", ""),
    "welcome_page": page("200 OK", WELCOME),
    "login_page": page("200 OK", LOGIN),
    "maintenance_page": page("200 OK", "<html><title>We are down for maintenance</title></html>"),
    "hotspot_page": page("200 OK", "<html><title>Guest Wi-Fi</title>Please accept the terms to go online</html>"),
    "network_wants_a_login": page("511 Network Authentication Required", "<html>sign in to the network</html>"),
    "proxy_wants_a_login": page("407 Proxy Authentication Required", "<html>proxy</html>"),
    "proxy_finds_no_name": page("503 Service Unavailable", "<html>squid</html>", "X-Squid-Error: ERR_DNS_FAIL 0"),
    "proxy_forbids": page("403 Forbidden", "<html>squid</html>", "X-Squid-Error: ERR_ACCESS_DENIED 0"),
    "proxy_was_refused": says("502 Bad Gateway", {}, "Proxy-Status: p.acme.test; error=connection_refused"),
    "firewall_page": page("403 Forbidden", BLOCKED),
    "firewall_says_401": page("401 Unauthorized", LOGIN),
    "challenge": page("403 Forbidden", "<html><title>Just a moment...</title></html>", "cf-mitigated: challenge"),
    "silent_challenge": says("202 Accepted", "", "x-amzn-waf-action: challenge"),
    "denied_by_999": page("999 Request denied", "<html></html>"),
    "wants_https": page("400 Bad Request", "<html>The plain HTTP request was sent to HTTPS port</html>"),
})  # fmt: skip


# The provider itself, saying no in other ways -----------------------------------------------------------------------


@nasty
def same_for_everybody_but_a_number(peer: socket.socket, request: bytes) -> None:
    says("200 OK", {"service": "acme", "visit": f"v{next(NUMBERS)}"})(peer, request)


@nasty
def limited_until_a_second(peer: socket.socket, request: bytes) -> None:
    reset = f"X-RateLimit-Reset: {int(time.time()) + 90}"
    says("429 Too Many Requests", {"message": "slow down"}, "X-RateLimit-Remaining: 0", reset)(peer, request)


@nasty
def limited_until_a_date(peer: socket.socket, request: bytes) -> None:
    reset = (datetime.now(UTC) + timedelta(seconds=90)).isoformat()
    says("429 Too Many Requests", {"message": "slow down"}, f"RateLimit-Reset: {reset}")(peer, request)


@nasty
def maintained_until_a_date(peer: socket.socket, request: bytes) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    says("503 Service Unavailable", {"message": "scheduled maintenance"}, f"Retry-After: {until}")(peer, request)


@nasty
def refuses_from_the_past(peer: socket.socket, request: bytes) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(hours=2), usegmt=True)
    body = {
        "message": "refused",
        "error": "refused",
        "errors": "refused",
        "correlationId": "1",
        "documentation_url": "x",
    }
    says("401 Unauthorized", body, f"Date: {date}")(peer, request)


@nasty
def echoes_the_key(peer: socket.socket, request: bytes) -> None:
    says("401 Unauthorized", {"message": request.decode("latin-1")})(peer, request)


NASTY.update({
    "same_for_everybody": says("200 OK", {"service": "acme"}),
    "says_200_but_not_logged_in": says("200 OK", {"ok": False, "error": "You are not logged in."}),
    "says_200_but_401_inside": says("200 OK", {"status": 401, "message": "Unauthorized"}),
    "limited": says("429 Too Many Requests", {"message": "slow down"}, "Retry-After: 7"),
    "limited_for_today": says("429 Too Many Requests", {"message": "Daily limit of 1000 calls reached"}),
    "bad_gateway": page("502 Bad Gateway", "<html><title>502 Bad Gateway</title></html>"),
    "origin_is_away": page("522 Connection timed out", "<html>cloudflare</html>"),
    "retired_version": says("410 Gone", {"message": "API version v1 has been retired, use v3"}),
    "wrong_base_path": page("404 Not Found", "<html><title>404 Not Found</title>nginx</html>"),
    "unpaid": says("402 Payment Required", {"message": "invoice past due"}),
    "misdirected": says("421 Misdirected Request", ""),
    "teapot": says("418 I'm a teapot", "short and stout", kind="text/plain"),
})  # fmt: skip


def refuses(status: str, said: str, *lines: str) -> Nasty:
    """In words of its own, in a form that every provider's sheet takes for the provider's."""
    body = {"message": said, "error": said, "errors": said, "correlationId": "1", "documentation_url": "x"}
    return says(status, body, *lines)


def refuses_the_known(status: str, said: str, *lines: str) -> Nasty:
    """What somebody is told who has a credential; everybody else is asked for one."""

    def talk(peer: socket.socket, request: bytes) -> None:
        low = request.lower()
        known = b"\r\nauthorization:" in low or b"access-token:" in low
        (refuses(status, said, *lines) if known else refuses("401 Unauthorized", "authentication required"))(
            peer, request
        )

    return talk


NASTY.update({
    "account_suspended": refuses("403 Forbidden", "This account has been suspended. Contact support."),
    "user_deactivated": refuses("401 Unauthorized", "The user that made this key was deactivated."),
    "plan_without_the_api": refuses("403 Forbidden", "API access is not included in your plan. Upgrade your plan to use it."),
    "wants_a_second_factor": refuses("401 Unauthorized", "Multi-factor authentication is required for this user."),
    "wants_single_sign_on": refuses_the_known("403 Forbidden", "SAML SSO is enforced: you must authorize this token for the organization."),
    "sandbox_key": refuses("401 Unauthorized", "A sandbox key was used in the production environment."),
    "other_region": refuses("400 Bad Request", "Wrong region: this account lives in the EU data center."),
    "token_ran_out": refuses("401 Unauthorized", "The access token has expired."),
    "token_was_revoked": refuses("401 Unauthorized", "The access token was revoked by the user."),
    "address_not_listed": refuses("403 Forbidden", "Your IP address is not in the allow list of this account."),
    "account_locked": refuses("403 Forbidden", "The account is locked after too many failed logins."),
})  # fmt: skip


@contextlib.contextmanager
def serving(talk: Nasty) -> Iterator[str]:
    """The address of a server that treats every caller like this."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def guarded(peer: socket.socket) -> None:
            with contextlib.suppress(OSError), peer:
                request = b""
                while b"\r\n\r\n" not in request:
                    part = peer.recv(65536)
                    if not part:
                        return
                    request += part
                talk(peer, request)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=guarded, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
