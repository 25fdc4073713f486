"""A server of odd habits, over real sockets: what RFC 9110 and 9112 allow, what gateways of vendors say, and what breaks.

Like `nasty.py`: each behaviour gets the peer and the request's head. `known` ones answer well to whoever shows a
credential, so that the only right verdict is good.
"""

from __future__ import annotations

import codecs
import gzip
import json
import socket
import struct
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from functools import cache
from itertools import count

from tests.fakes.nasty import Nasty, endless, head, page, path_of, says

ODD: dict[str, Nasty] = {}
NUMBERS = count(1)
GOOD = {"id": 7, "name": "Acme"}
DATA = json.dumps(GOOD).encode()
JSON = "Content-Type: application/json"
NOBODY = says("401 Unauthorized", {"error": "who are you", "errors": "who are you", "code": "who", "message": "x"})
MARKS = (b"\r\nauthorization:", b"\r\nx-shopify-access-token:")


def odd(function: Nasty) -> Nasty:
    ODD[function.__name__] = function
    return function


def shows_a_key(request: bytes) -> bool:
    return any(mark in request.lower() for mark in MARKS) or b"token=" in request.partition(b" HTTP/")[0]


def known(talk: Nasty) -> Nasty:
    """`talk` to who shows a credential, 401 to everybody else."""

    def guarded(peer: socket.socket, request: bytes) -> None:
        (talk if shows_a_key(request) else NOBODY)(peer, request)

    return guarded


def raw(*parts: bytes | Callable[[], bytes]) -> Nasty:
    def talk(peer: socket.socket, request: bytes) -> None:
        for part in parts:
            peer.sendall(part if isinstance(part, bytes) else part())

    return talk


def held(*parts: bytes) -> Nasty:
    """The line stays open until the other side closes it."""

    def talk(peer: socket.socket, request: bytes) -> None:
        raw(*parts)(peer, request)
        peer.recv(1)

    return talk


def good(*lines: str, body: bytes = DATA, kind: str = JSON) -> bytes:
    return head("200 OK", kind, f"Content-Length: {len(body)}", *lines) + body


def goes(*lines: str, status: str = "302 Found", to: str = "there") -> Nasty:
    """A redirect to who has not followed it yet; the good answer where `to` is in the address."""

    def talk(peer: socket.socket, request: bytes) -> None:
        there = to in path_of(request)
        (known(raw(good())) if there else says(status, "", *lines))(peer, request)

    return talk


def port_of(peer: socket.socket) -> int:
    return int(peer.getsockname()[1])


# Before the answer: https://www.rfc-editor.org/rfc/rfc9110#section-15.2 ---------------------------------------------

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


@odd
def hints_for_ever(peer: socket.socket, request: bytes) -> None:
    endless(peer, HINT, 0.001)


ODD.update({
    "early_hints": known(raw(HINT, HINT, good())),
    "still_processing": known(raw(b"HTTP/1.1 102 Processing\r\n\r\n" * 3, good())),
    "unknown_1xx": known(raw(b"HTTP/1.1 199 Miscellaneous\r\nX-A: b\r\n\r\n", good())),
    "switches_protocols": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
})  # fmt: skip


# Lines and lengths: https://www.rfc-editor.org/rfc/rfc9112 ----------------------------------------------------------

CHUNKED = head("200 OK", JSON, "Transfer-Encoding: chunked")


@odd
def small_chunks_of_long_names(peer: socket.socket, request: bytes) -> None:
    peer.sendall(CHUNKED)
    endless(peer, b"1;ext=" + b"a" * 60_000 + b"\r\n[\r\n")


@odd
def reset_in_the_middle(peer: socket.socket, request: bytes) -> None:
    peer.sendall(head("200 OK", JSON, "Content-Length: 5000") + DATA)
    time.sleep(0.1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@odd
def speaks_amqp(peer: socket.socket, request: bytes) -> None:
    """As RabbitMQ does at its own port, to whoever does not speak its language."""
    peer.sendall(b"AMQP\0\0\x09\1")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@odd
def waits_for_our_end(peer: socket.socket, request: bytes) -> None:
    while peer.recv(4096):
        pass
    peer.sendall(good())


@odd
def half_closes(peer: socket.socket, request: bytes) -> None:
    known(raw(head("200 OK", JSON) + DATA))(peer, request)
    peer.shutdown(socket.SHUT_WR)
    peer.recv(4096)


@odd
def keeps_alive_and_hangs_up(peer: socket.socket, request: bytes) -> None:
    """The connection is said to stay, and ends as soon as somebody uses it again."""
    if path_of(request).startswith("/there"):
        return known(raw(good()))(peer, request)
    peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
    peer.recv(65536)
    return None


def chunked(*parts: bytes, after: bytes = b"\r\n") -> bytes:
    return b"".join(b'%x;a=b;c="d;e"\r\n%b\r\n' % (len(one), one) for one in parts) + b"0;last\r\n" + after


ODD.update({
    "chunks_with_names_and_trailers": known(raw(CHUNKED, chunked(DATA[:5], DATA[5:], after=b"X-Sum: 1\r\nStatus: 500\r\n\r\n"))),
    "chunks_beside_a_length": known(raw(head("200 OK", JSON, "Content-Length: 3", "Transfer-Encoding: chunked"), chunked(DATA))),
    "folded_lines": known(raw(good("X-Folded: one", "  two", "\tthree"))),
    "same_length_twice": known(raw(good(f"Content-Length: {len(DATA)}"))),
    "length_of_words": raw(head("200 OK", JSON, "Content-Length: banana") + DATA),
    "length_below_nothing": raw(head("200 OK", JSON, "Content-Length: -5") + DATA),
    "length_too_short": raw(head("200 OK", JSON, "Content-Length: 10") + DATA),
    "no_reason": known(raw(good().replace(b"200 OK", b"200", 1))),
    "no_reason_but_a_space": known(raw(good().replace(b"200 OK", b"200 ", 1))),
    "only_line_feeds": known(raw(good().replace(b"\r\n", b"\n"))),
    "http_1_0_to_the_end": known(raw(b"HTTP/1.0 200 OK\r\n" + JSON.encode() + b"\r\n\r\n" + DATA)),
    "http_0_9": raw(b"<html>hello</html>\r\n"),
    "http_2_frames": raw(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\1\0\0\0\5\0\xff\xff\xff\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\1"),
    "http_2_in_the_first_line": raw(good().replace(b"HTTP/1.1", b"HTTP/2", 1)),
    "space_before_the_colon": known(raw(head("200 OK", "X-Odd : a", JSON, "Transfer-Encoding: chunked"), chunked(DATA))),
    "line_without_a_colon": known(raw(head("200 OK", "this is no header", JSON, "Transfer-Encoding: chunked"), chunked(DATA))),
    "name_of_odd_bytes": known(raw(head("200 OK", "X-\xdcber: a", JSON, "Transfer-Encoding: chunked"), chunked(DATA))),
    "value_of_odd_bytes": known(raw(good("X-Odd: \xfcber\x00zero \x7f"))),
    "many_cookies": known(raw(good(*[f"Set-Cookie: c{n}={'v' * 60}; Path=/" for n in range(300)]))),
    "headers_of_100_k": known(raw(good(*[f"X-Long-{n}: {'v' * 2000}" for n in range(50)]))),
    "other_services_and_strict_transport": known(raw(good(
        'Alt-Svc: h3=":443"; ma=86400, h2="alt.example.com:443"', "Strict-Transport-Security: max-age=31536000; includeSubDomains",
        "Refresh: 0; url=/login", "Date: Thu, 32 Foo 2026 99:99:99 GMT", "Age: -1", "Upgrade: h2c", "Content-Disposition: attachment"))),
})  # fmt: skip


# Codings ------------------------------------------------------------------------------------------------------------


@cache
def members() -> bytes:
    """400 MB of zeros as 400 gzip members."""
    return gzip.compress(bytes(1 << 20)) * 400


@odd
def gzip_of_many_members(peer: socket.socket, request: bytes) -> None:
    says("200 OK", members(), "Content-Encoding: gzip")(peer, request)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    """One raw block: https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1"""
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + (len(data) << 3 | 1).to_bytes(3, "little") + data


BIG = json.dumps({"id": 7, "rows": [f"a{n}" for n in range(900)]}).encode()
ODD.update({
    "deflate_as_the_rfc_says": known(raw(good("Content-Encoding: deflate", body=zlib.compress(DATA)))),
    "deflate_as_browsers_know_it": known(raw(good("Content-Encoding: deflate", body=raw_deflate(DATA)))),
    "gzip_in_transfer": known(held(head("200 OK", JSON, "Transfer-Encoding: gzip, chunked"), chunked(gzip.compress(DATA)))),
    "gzip_in_transfer_and_content": known(held(head("200 OK", JSON, "Content-Encoding: deflate", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), chunked(gzip.compress(zlib.compress(DATA))))),
    "chunked_and_a_space": known(held(head("200 OK", JSON, "Transfer-Encoding: chunked "), chunked(DATA))),
    "gzip_twice": known(raw(good("Content-Encoding: gzip, gzip", body=gzip.compress(gzip.compress(DATA))))),
    "gzip_and_what_follows": known(raw(good("Content-Encoding: gzip", body=gzip.compress(DATA) + bytes(64)))),
    "gzip_that_nobody_names": raw(good(body=gzip.compress(BIG))),
    "gzip_cut_short": raw(good("Content-Encoding: gzip", body=gzip.compress(BIG)[:1200])),
    "zstd_that_nobody_asked_for": raw(good("Content-Encoding: zstd", body=zstd(DATA))),
})  # fmt: skip


# JSON and what looks like it ----------------------------------------------------------------------------------------

TEXT = json.dumps({"id": 7, "name": "Müller & Söhne"}, ensure_ascii=False)
DEEP = 20_000
ODD.update({
    "utf_16": known(raw(good(body=TEXT.encode("utf-16")))),
    "utf_16_without_a_mark": known(raw(good(body=TEXT.encode("utf-16-le")))),
    "utf_8_with_a_mark": known(raw(good(body=codecs.BOM_UTF8 + TEXT.encode()))),
    "latin_1_unnamed": known(raw(good(body=TEXT.encode("latin-1")))),
    "charset_that_is_none": known(raw(good(kind=JSON + "; charset=utf8mb4"))),
    "not_a_number": known(raw(good(body=b'{"id": 7, "rate": NaN, "most": -Infinity, "big": 1e999}'))),
    "keys_twice": known(raw(good(body=b'{"id": 7, "id": "x", "id": null, "": {"": 1}}'))),
    "number_of_200_000_digits": known(raw(good(body=b'{"id": ' + b"7" * 200_000 + b"}"))),
    "deep_and_whole": raw(good(body=b'{"a":' * DEEP + b"1" + b"}" * DEEP)),
    "single_quotes": raw(good(body=repr(GOOD).encode())),
    "lines_of_json": known(raw(good(body=DATA + b"\n" + DATA + b"\n", kind="Content-Type: application/x-ndjson"))),
    "json_with_padding": known(raw(good(body=b"callback(" + DATA + b");", kind="Content-Type: application/javascript"))),
    "xml": known(raw(good(body=b'<?xml version="1.0"?><account><id>7</id></account>', kind="Content-Type: application/xml"))),
    "soap_fault_with_200": says("200 OK", '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>'
        "<faultcode>soap:Client</faultcode><faultstring>Authentication failed</faultstring></soap:Fault></soap:Body></soap:Envelope>", kind="text/xml"),
    "page_said_to_be_json": says("200 OK", "<!DOCTYPE html><title>Error</title><h1>Something went wrong</h1>"),
    "graphql_unauthenticated": says("200 OK", {"errors": [{"message": "You must be known to see this", "extensions": {"code": "UNAUTHENTICATED"}}], "data": None}),
    "graphql_half": known(says("200 OK", {"data": {"me": {"id": 7}}, "errors": [{"message": "orders are slow today", "path": ["orders"]}]})),
    # https://github.com/zencrepes/zencrepes/issues/46
    "graphql_part_refused": known(says("200 OK", {"data": {"organization": None, "rateLimit": {"cost": 1}}, "errors": [
        {"type": "FORBIDDEN", "path": ["organization"], "message": "Although you appear to have the correct credentials"}]})),
})  # fmt: skip


# Statuses -----------------------------------------------------------------------------------------------------------

TOKEN_REFUSED = 'Bearer realm="api", error="invalid_token", error_description="no such token"'
IIS = "<html><title>401 - Unauthorized: Access is denied due to invalid credentials.</title></html>"
ODD.update({
    "bare_401": says("401 Unauthorized", ""),
    "bare_401_of_one_word": says("401 Unauthorized", "Unauthorized", kind="text/plain"),
    "challenges_in_one_line": says("401 Unauthorized", "", f'WWW-Authenticate: Basic realm="a, b", {TOKEN_REFUSED}'),
    "challenges_in_two_lines": says("401 Unauthorized", "", 'WWW-Authenticate: Digest realm="x", nonce="y", qop="auth"', f"WWW-Authenticate: {TOKEN_REFUSED}"),
    "wants_windows": page("401 Unauthorized", IIS, "WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM"),
    "gate_of_nginx": page("401 Unauthorized", "<html><title>401 Authorization Required</title>nginx</html>", 'WWW-Authenticate: Basic realm="staging"'),
    "json_that_wants_basic": says("401 Unauthorized", {"message": "no"}, 'WWW-Authenticate: Basic realm="api"'),
    "wants_tls_upgrade": says("426 Upgrade Required", "", "Upgrade: TLS/1.2, HTTP/1.1", "Connection: Upgrade"),
    "wants_a_web_socket": says("426 Upgrade Required", "Upgrade Required", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", kind="text/plain"),
    "too_early": says("425 Too Early", ""),
    "precondition": says("428 Precondition Required", {"message": "If-Match is required"}),
    "head_too_large": says("431 Request Header Fields Too Large", ""),
    "by_law": says("451 Unavailable For Legal Reasons", "", 'Link: <https://spqr.example.org/legislatione>; rel="blocked-by"'),
    "calm_down": says("420 Enhance Your Calm", {"message": "Rate limit exceeded"}, "Retry-After: 7"),
    "overloaded_529": says("529 Site is overloaded", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    "network_599": page("599 Network Connect Timeout Error", "<html>599</html>"),
    "created_nothing_205": says("205 Reset Content", ""),
    "nothing_204": known(raw(head("204 No Content"))),
    "part_206": says("206 Partial Content", b'{"id": 7, "na', "Content-Range: bytes 0-12/400"),
    "not_modified_304": raw(head("304 Not Modified", 'ETag: "a"')),
    "transformed_203": known(raw(good('Warning: 214 p "Transformation applied"').replace(b"200 OK", b"203 Non-Authoritative Information", 1))),
    "delta_226": known(raw(good("IM: feed").replace(b"200 OK", b"226 IM Used", 1))),
    "needs_a_certificate": page("400 Bad Request", "<html><head><title>400 No required SSL certificate was sent</title></head><center>nginx</center></html>"),
    "refuses_the_certificate": page("400 Bad Request", "<html><head><title>400 The SSL certificate error</title></head><center>nginx</center></html>"),
    "needs_a_certificate_iis": page("403 Forbidden", "<html><title>403.7 - Forbidden: SSL client certificate is required.</title></html>"),
})  # fmt: skip


# Redirects ----------------------------------------------------------------------------------------------------------


@odd
def leads_to_itself_by_another_scheme_less_address(peer: socket.socket, request: bytes) -> None:
    goes(f"Location: //127.0.0.1:{port_of(peer)}/there")(peer, request)


@odd
def leads_on_with_a_user(peer: socket.socket, request: bytes) -> None:
    goes(f"Location: http://admin:admin@127.0.0.1:{port_of(peer)}/there")(peer, request)


@odd
def leads_to_a_path_of_utf_8(peer: socket.socket, request: bytes) -> None:
    goes("Location: /thére".encode().decode("latin-1"), to="th%C3%A9re")(peer, request)


@odd
def leads_on_with_a_gigabyte(peer: socket.socket, request: bytes) -> None:
    """Nobody needs what stands beside the address."""
    if "there" in path_of(request):
        return known(raw(good()))(peer, request)
    peer.sendall(head("302 Found", "Location: /there", "Content-Length: 1000000000"))
    return endless(peer, b"a" * (1 << 20))


@odd
def leads_around_with_the_key(peer: socket.socket, request: bytes) -> None:
    """The credential as it came, in every address."""
    lines = [
        line
        for line in request.decode("latin-1").split("\r\n")
        if line.lower().startswith(("authorization:", "x-shopify"))
    ]
    shown = (lines or [path_of(request)])[0].rpartition(" ")[2].replace("/", "_")[:200]
    says("302 Found", "", f"Location: /round{next(NUMBERS)}/{shown}/on")(peer, request)


@odd
def says_the_key_in_its_reason(peer: socket.socket, request: bytes) -> None:
    """In the reason, in a title, and in a header that no parser takes."""
    told = request.decode("latin-1").replace("\r\n", " ")[:1500]
    page(f"418 {told}", f"<html><title>{told}</title></html>", f"no header {told}")(peer, request)


ODD.update({
    "leads_on_relatively": goes("Location: there/me"),
    "leads_on_to_a_fragment": goes("Location: /there#top"),
    "leads_on_with_a_space": goes("Location: /there is/me"),
    "leads_on_for_good_308": goes("Location: /there", status="308 Permanent Redirect"),
    "leads_to_half_an_address": says("302 Found", "", "Location: http://[::1/there"),
    "leads_to_no_port": says("302 Found", "", "Location: http://127.0.0.1:99999/there"),
    "leads_to_a_foreign_name": says("302 Found", "", "Location: http://m\xc3\xbcnchen.invalid/there"),
    "leads_to_an_empty_address": says("302 Found", "", "Location: "),
    "leads_to_a_proxy_305": says("305 Use Proxy", "", "Location: http://127.0.0.1:1/"),
    "many_choices": page("300 Multiple Choices", "<html><title>Multiple Choices</title><a href=/v1>v1</a><a href=/v2>v2</a></html>", 'Link: </v1>; rel="alternate"'),
    "leads_on_by_meta": page("200 OK", '<html><head><meta http-equiv="refresh" content="0; url=/login?next=/"></head></html>'),
    "leads_on_by_script": page("200 OK", '<html><script>window.location.href = "https://sso.acme.test/oauth2/authorize?client_id=1";</script></html>'),
    "saml_form": page("200 OK", '<html><body onload="document.forms[0].submit()"><form method="post" action="https://idp.acme.test/saml2">'
        '<input type="hidden" name="SAMLRequest" value="PHNhbWw="/><input type="hidden" name="RelayState" value="/"/></form></body></html>'),
    "vpn_portal": page("200 OK", '<html><title>SSL VPN Service</title><form action="/+webvpn+/index.html"><input type="password" name="password"></form></html>'),
})  # fmt: skip


# What gateways and filters of vendors say -----------------------------------------------------------------------------


@odd
def datadome(peer: socket.socket, request: bytes) -> None:
    """https://docs.datadome.co/docs/how-it-works: an address of a captcha, another one for each caller."""
    url = f"https://geo.captcha-delivery.com/captcha/?initialCid=AHrlqAAAAAMA{next(NUMBERS)}&hash=A55F"
    says("403 Forbidden", {"url": url}, "X-DataDome: protected")(peer, request)


@odd
def perimeterx(peer: socket.socket, request: bytes) -> None:
    body = {"appId": "PXabc123", "jsClientSrc": "/abc123/init.js", "blockScript": f"/abc123/captcha/captcha.js?u={next(NUMBERS)}a",
            "vid": "", "uuid": f"{next(NUMBERS)}x", "hostUrl": "/abc123/xhr"}  # fmt: skip
    says("403 Forbidden", body)(peer, request)


@odd
def aws_wants_pairs(peer: socket.socket, request: bytes) -> None:
    """What API Gateway says of a bearer token where no such path is, or where AWS's own signature is wanted."""
    lines = [line for line in request.decode("latin-1").split("\r\n") if line.lower().startswith("authorization:")]
    key = lines[0].partition(" ")[2] if lines else ""
    said = (
        f"'{key.rpartition(' ')[2]}' not a valid key=value pair (missing equal-sign) in Authorization header: '{key}'."
    )
    name = "IncompleteSignatureException" if key else "MissingAuthenticationTokenException"
    says("403 Forbidden", {"message": said if key else "Missing Authentication Token"}, f"x-amzn-ErrorType: {name}")(
        peer, request
    )


def text(status: str, said: str, *lines: str) -> Nasty:
    return says(status, said, *lines, kind="text/plain")


APIM = "Access denied due to {} subscription key. Make sure to {}."
ODD.update({
    "imperva_with_200": page("200 OK", '<html><head><META NAME="robots" CONTENT="noindex,nofollow"></head><iframe src="/_Incapsula_Resource?CWUDNSAI=9">'
        "Request unsuccessful. Incapsula incident ID: 877000460133-49</iframe></html>", "X-Iinfo: 1-2-3"),
    "f5_with_200": page("200 OK", "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your "
        "administrator.<br><br>Your support ID is: 11743610138</body></html>"),
    "vercel_checkpoint": page("429 Too Many Requests", "<html><title>Vercel Security Checkpoint</title></html>", "x-vercel-mitigated: challenge"),
    "akamai": page("403 Forbidden", "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD>You don't have permission to access this. Reference&#32;&#35;18&#46;7a1d2c17</HTML>", "Server: AkamaiGHost"),
    "front_door": page("403 Forbidden", "<h2>The request is blocked.</h2>", "x-azure-ref: 20261201T"),
    "cloudflare_1020": text("403 Forbidden", "error code: 1020", "Server: cloudflare"),
    "cloudflare_1015": text("429 Too Many Requests", "error code: 1015", "Server: cloudflare", "Retry-After: 30"),
    "cloudflare_1016": text("530 <none>", "error code: 1016", "Server: cloudflare"),
    "aws_forbidden": says("403 Forbidden", {"message": "Forbidden"}, "x-amzn-ErrorType: ForbiddenException"),
    "aws_missing_token": says("403 Forbidden", {"message": "Missing Authentication Token"}, "x-amzn-ErrorType: MissingAuthenticationTokenException"),
    "kong_without_a_route": says("404 Not Found", {"message": "no Route matched with those values"}, "Server: kong/3.4"),
    "kong_without_a_key": says("401 Unauthorized", {"message": "No API key found in request"}, "WWW-Authenticate: Key", "Server: kong/3.4"),
    "kong_without_a_peer": says("503 Service Temporarily Unavailable", {"message": "failure to get a peer from the ring-balancer"}),
    "apim_misses_a_key": says("401 Access Denied", {"statusCode": 401, "message": APIM.format("missing", "include subscription key when making requests to an API")},
        "WWW-Authenticate: AzureApiManagementKey realm=\"https://x.azure-api.net/a\",name=\"Ocp-Apim-Subscription-Key\",type=\"header\""),
    "apim_refuses_a_key": says("401 Access Denied", {"statusCode": 401, "message": APIM.format("invalid", "provide a valid key for an active subscription")}),
    "apim_quota": says("403 Quota Exceeded", {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 2.12:34:56."}, "Retry-After: 218096"),
    "apigee_refuses_a_key": says("401 Unauthorized", {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}}),
    "apigee_quota": says("429 Too Many Requests", {"fault": {"faultstring": "Rate limit quota violation. Quota limit  exceeded. Identifier : _default", "detail": {"errorcode": "policies.ratelimit.QuotaViolation"}}}),
    "envoy_cannot_connect": text("503 Service Unavailable", "upstream connect error or disconnect/reset before headers. reset reason: connection failure", "Server: envoy"),
    "envoy_without_a_host": text("503 Service Unavailable", "no healthy upstream", "Server: envoy"),
    "haproxy_without_a_server": page("503 Service Unavailable", "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>"),
    "envoy_forbids": text("403 Forbidden", "RBAC: access denied", "Server: envoy"),
    "envoy_token_ran_out": text("401 Unauthorized", "Jwt is expired", 'WWW-Authenticate: Bearer realm="http://x/", error="invalid_token"'),
    "s3_instead": says("403 Forbidden", '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>', "Server: AmazonS3", kind="application/xml"),
    "zscaler_blocks": page("403 Forbidden", "<html><title>Internet Security by Zscaler</title>Your organization has selected Zscaler</html>", "Server: Zscaler/6.2"),
    "fortiguard_blocks": page("403 Forbidden", "<html><title>Web Page Blocked</title><h1>FortiGuard Intrusion Prevention - Access Blocked</h1></html>"),
    "palo_alto_blocks": page("503 Service Unavailable", "<html><title>Web Page Blocked</title>Access to the web page you were trying to visit has been blocked in accordance with company policy.</html>"),
    "squid_without_its_header": page("403 Forbidden", "<html><title>ERROR: The requested URL could not be retrieved</title><body id=ERR_ACCESS_DENIED></body></html>", "Server: squid/6.6", "Via: 1.1 gate (squid/6.6)"),
    "back_soon": page("503 Service Unavailable", "<html><title>We&rsquo;ll be back soon!</title>Sorry for the inconvenience.</html>", "Retry-After: 3600"),
})  # fmt: skip


# How long to wait: a header of a 429, made when it is asked for ------------------------------------------------------

ZONE = timezone(timedelta(hours=5, minutes=30))


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=90)


WAITS: dict[str, Callable[[], str]] = {
    "less than nothing": lambda: "Retry-After: -5",
    "for ever": lambda: "Retry-After: 99999999999999999999",
    "a fraction": lambda: "Retry-After: 89.2",
    "words": lambda: "Retry-After: a while",
    "a past date": lambda: "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
    "another zone": lambda: f"Retry-After: {format_datetime(soon().astimezone(ZONE))}",
    "RFC 850": lambda: f"Retry-After: {soon():%A, %d-%b-%y %H:%M:%S} GMT",
    "asctime": lambda: f"Retry-After: {soon():%a %b %e %H:%M:%S %Y}",
    "milliseconds since 1970": lambda: f"X-RateLimit-Reset: {soon().timestamp() * 1000:.0f}",
    "seconds with a fraction since 1970": lambda: f"X-RateLimit-Reset: {soon().timestamp():.3f}",
    "ISO without a zone": lambda: f"X-RateLimit-Reset: {soon():%Y-%m-%dT%H:%M:%S}",
    "two of them": lambda: "Retry-After: 90\r\nRetry-After: 90",
}


def waits(name: str) -> Nasty:
    def talk(peer: socket.socket, request: bytes) -> None:
        says("429 Too Many Requests", {"message": "slow down"}, WAITS[name]())(peer, request)

    return talk
