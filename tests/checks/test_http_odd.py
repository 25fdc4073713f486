"""Odd habits of servers and gateways against six kinds of sign-in. -s shows the table.

What is expected was written down from RFCs and vendors' documentation before anything was run.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.checks.base import Target
from bot.checks.http import verify_credentials, verify_permissions
from flows.core.causes import CAUSES
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.checks.test_http_faults import growth
from tests.fakes.frameworks import SAID
from tests.fakes.nasty import NASTY, Nasty, serving
from tests.fakes.odd import DATA, GOOD, JSON, ODD, WAITS, good, head, known, members, raw, says, waits
from tests.faults.certificates import Authority

KEY = "key-that-must-never-be-seen"
LIMIT = 1.5
ALL = "http_api"
# One for each way in which a sheet sends its credential: basic, a header, the address, the user of basic, a signature.
SHEETS = ("zendesk", "shopify", "trello", "freshdesk", "x_ads")
# Verdict and code, and the codes that must stand beside it: for everybody, or by connector ("" is a plain API, "*" any
# other whose own form is known).
Expected = str | dict[str, str]
REDIRECTED = {"": "good", "*": "good", "trello": "bad config.redirect_drops_authorization"}
WALL = "unclear access.waf_blocked"
REFUSED = f"{WALL} +auth.invalid_token"
# An API that says no to everybody alike, as those of Jupyter do to who has a wrong token: perhaps a wall.
NOT_KNOWN = "unclear auth.invalid_token +access.waf_blocked"
CAPTCHA = f"{WALL} +auth.captcha_required"
ODD_FORM = "unclear availability.malformed_response"
CUT = "unclear availability.response_truncated"
UNREADABLE = "unclear availability.corrupt_encoding"
BROKEN = "bad availability.malformed_response"
SILENT = "bad network.accepts_but_silent"
OTHER = "bad config.wrong_port_other_service"
LOGIN = "bad auth.login_page_instead_of_api"
BEHIND = "bad availability.bad_gateway"
FILTER = "bad proxy.connect_denied"
EXPECTED: dict[str, Expected] = {
    "hints_for_ever": SILENT,
    "early_hints": "good",
    "still_processing": "good",
    "unknown_1xx": "good",
    "switches_protocols": f"{ODD_FORM} +config.wrong_base_path",
    "small_chunks_of_long_names": "bad availability.too_slow",
    "reset_in_the_middle": "bad network.reset",
    "speaks_amqp": OTHER,
    "waits_for_our_end": SILENT,
    "half_closes": "good",
    "keeps_alive_and_hangs_up": REDIRECTED,
    "chunks_with_names_and_trailers": "good",
    "chunks_beside_a_length": "good",
    "folded_lines": "good",
    "same_length_twice": "good",
    "length_of_words": BROKEN,  # RFC 9112, section 6.3: the connection is closed, the answer thrown away
    "length_below_nothing": BROKEN,
    "length_too_short": CUT,
    "no_reason": "good",
    "no_reason_but_a_space": "good",
    "only_line_feeds": "good",
    "http_1_0_to_the_end": "good",
    "http_0_9": OTHER,
    "http_2_frames": OTHER,
    "http_2_in_the_first_line": BROKEN,
    "space_before_the_colon": "good",
    "line_without_a_colon": "good",
    "name_of_odd_bytes": "good",
    "value_of_odd_bytes": "good",
    "many_cookies": "good",
    "headers_of_100_k": "good",
    "other_services_and_strict_transport": "good",
    "gzip_of_many_members": "unclear limit.response_too_large",
    "deflate_as_the_rfc_says": "good",
    "deflate_as_browsers_know_it": "good",
    "gzip_in_transfer": "good",
    "gzip_in_transfer_and_content": "good",
    "chunked_and_a_space": "good",
    "gzip_twice": "good",
    "gzip_and_what_follows": "good",
    "gzip_that_nobody_names": UNREADABLE,
    "gzip_cut_short": CUT,
    "zstd_that_nobody_asked_for": UNREADABLE,
    "utf_16": "good",
    "utf_16_without_a_mark": "good",
    "utf_8_with_a_mark": "good",
    "latin_1_unnamed": "good",
    "charset_that_is_none": "good",
    "not_a_number": "good",
    "keys_twice": "good",
    "number_of_200_000_digits": "good",
    "deep_and_whole": ODD_FORM,
    "single_quotes": ODD_FORM,
    "lines_of_json": {"": "good", "*": ODD_FORM, "trello": "good"},
    "json_with_padding": {"": "good", "*": ODD_FORM, "trello": "good"},
    "xml": {"": "good", "*": ODD_FORM, "trello": "good"},
    "soap_fault_with_200": "unclear auth.invalid_token",
    "page_said_to_be_json": "unclear config.wrong_base_path",
    "graphql_unauthenticated": "bad auth.invalid_token",
    "graphql_half": "good",
    "graphql_part_refused": "unclear auth.invalid_token",
    "bare_401": REFUSED,  # no challenge: RFC 9110, section 15.5.2 asks the API itself for one
    "bare_401_of_one_word": REFUSED,
    "challenges_in_one_line": {"": "bad auth.invalid_token", "*": REFUSED},
    "challenges_in_two_lines": {"": "bad auth.invalid_token", "*": REFUSED},
    "wants_windows": f"{WALL} +auth.wrong_scheme",
    "gate_of_nginx": {
        "": f"{WALL} +auth.wrong_scheme", "*": f"{WALL} +auth.wrong_scheme", "zendesk": WALL, "freshdesk": WALL,
    },
    "json_that_wants_basic": {"": "bad auth.invalid_token +auth.wrong_scheme", "*": REFUSED},
    "wants_tls_upgrade": "bad tls.https_required",
    "wants_a_web_socket": "bad config.wrong_base_path",
    "too_early": ODD_FORM,
    "precondition": ODD_FORM,
    "head_too_large": "bad config.header_too_large",
    "by_law": "unclear access.ip_not_allowed +account.suspended",
    "calm_down": "bad limit.rate_limited",
    "overloaded_529": "bad availability.provider_error",
    "network_599": "bad availability.gateway_timeout",
    "created_nothing_205": "unclear availability.empty_response",
    "nothing_204": {"": "good", "*": "unclear availability.empty_response", "trello": "good"},
    "part_206": CUT,
    "not_modified_304": ODD_FORM,
    "transformed_203": "good",
    "delta_226": "good",
    "needs_a_certificate": "bad tls.client_certificate_required",
    "refuses_the_certificate": "bad tls.client_certificate_untrusted",
    "needs_a_certificate_iis": "bad tls.client_certificate_required",
    "leads_to_itself_by_another_scheme_less_address": REDIRECTED,
    "leads_on_with_a_user": "bad config.malformed_url",  # RFC 9110, section 4.2.4: an error, perhaps an attack
    "leads_to_a_path_of_utf_8": REDIRECTED,
    "leads_around_with_the_key": "bad config.redirect_loop",
    "says_the_key_in_its_reason": ODD_FORM,
    "leads_on_with_a_gigabyte": REDIRECTED,
    "leads_on_relatively": REDIRECTED,
    "leads_on_to_a_fragment": REDIRECTED,
    "leads_on_with_a_space": REDIRECTED,
    "leads_on_for_good_308": REDIRECTED,
    "leads_to_half_an_address": "bad config.malformed_url",
    "leads_to_no_port": "bad config.malformed_url",
    "leads_to_a_foreign_name": "bad config.wrong_base_path",
    "leads_to_an_empty_address": ODD_FORM,
    "leads_to_a_proxy_305": ODD_FORM,
    "many_choices": f"{ODD_FORM} +config.wrong_base_path",
    "leads_on_by_meta": LOGIN,
    "leads_on_by_script": LOGIN,
    "saml_form": LOGIN,
    "vpn_portal": LOGIN,
    "datadome": CAPTCHA,
    "perimeterx": CAPTCHA,
    "aws_wants_pairs": "unclear config.wrong_base_path +auth.wrong_scheme",
    "imperva_with_200": WALL,
    "f5_with_200": WALL,
    "vercel_checkpoint": WALL,
    "akamai": WALL,
    "front_door": WALL,
    "cloudflare_1020": WALL,
    "cloudflare_1015": "bad limit.rate_limited",
    "cloudflare_1016": BEHIND,
    "aws_forbidden": {"": NOT_KNOWN, "*": WALL},
    "aws_missing_token": "unclear config.wrong_base_path +auth.wrong_scheme",
    "kong_without_a_route": "bad config.wrong_base_path",
    "kong_without_a_key": {"": "bad auth.credential_not_sent +auth.wrong_header", "*": REFUSED},
    "kong_without_a_peer": BEHIND,
    "apim_misses_a_key": {"": "bad auth.credential_not_sent +auth.wrong_header", "*": REFUSED},
    "apim_refuses_a_key": {"": "bad auth.invalid_token", "*": REFUSED},
    "apim_quota": {"": "bad limit.daily_quota", "*": WALL},
    "apigee_refuses_a_key": {"": "bad auth.invalid_token", "*": REFUSED},
    "apigee_quota": "bad limit.rate_limited +limit.daily_quota",
    "envoy_cannot_connect": BEHIND,
    "envoy_without_a_host": BEHIND,
    "haproxy_without_a_server": BEHIND,
    "envoy_forbids": WALL,
    "envoy_token_ran_out": {"": "bad auth.invalid_token +auth.access_token_expired", "*": REFUSED},
    "s3_instead": WALL,
    "zscaler_blocks": FILTER,
    "fortiguard_blocks": FILTER,
    "palo_alto_blocks": FILTER,
    "squid_without_its_header": FILTER,
    "back_soon": "bad availability.maintenance",
}  # fmt: skip
# What frameworks say to the caller of a plain API.
SAYS: dict[str, str] = {
    "django_bad_token": "bad auth.invalid_token",
    "django_other_scheme": "bad auth.credential_not_sent +auth.wrong_scheme",
    "fastapi_403": "bad auth.credential_not_sent +auth.wrong_scheme",
    "laravel": "bad auth.invalid_token +auth.credential_not_sent",
    "spring_401": "bad auth.invalid_token +auth.credential_not_sent",
    "spring_403": f"{NOT_KNOWN} +auth.insufficient_scope",
    "spring_403_with_an_id": f"{NOT_KNOWN} +auth.insufficient_scope",
    "asp_net_problem": "bad auth.invalid_token +auth.credential_not_sent",
    "rails_token": "bad auth.invalid_token +auth.wrong_scheme",
    "wordpress": "bad auth.credential_not_sent",
    "hasura": "unclear auth.invalid_token +auth.credential_not_sent",
    "odata_ended": "bad auth.access_token_expired",
    "wso2": "bad auth.invalid_token",
    "heroku_without_an_app": "bad config.wrong_base_path +config.wrong_tenant",
    "traefik_without_a_route": "bad config.wrong_base_path",
    "fastly_unknown_domain": "bad config.wrong_base_path",
    "zscaler_wants_a_login": "bad network.captive_portal +proxy.authentication_required",
    "cloudflare_access": "bad auth.redirect_to_login",
    "healthy_for_all": "unclear auth.credential_not_sent",
    "json_null": "good",
    "json_false": "good",
    "json_text": "good",
    "json_nothing_yet": "good",
    "json_behind_lines": "good",
    "only_lines": "unclear availability.empty_response",
    "json_with_a_comma": ODD_FORM,
    "json_of_no_kind": "good",
    "json_of_php": "good",
    "json_refusal_of_php": "bad auth.invalid_token",
    "please_log_in": "unclear auth.invalid_token",
    "code_of_underscores": "bad auth.invalid_token",
    "limited_with_200": "bad limit.rate_limited",
    "suspended_with_200": "bad account.suspended",
    "ended_with_200": "bad auth.token_expired",
    "trace_with_a_word": "bad availability.provider_error",
    "page_with_a_link": "bad availability.provider_error",
    "login_with_a_captcha": LOGIN,
    "page_that_names_filters": "unclear config.wrong_base_path",
    "leads_on_by_303": "good",
    "sucuri": WALL,
    "wordfence": WALL,
    "cloudfront_country": WALL,
    "aws_integration": BEHIND,
    "aws_throttles": "bad limit.rate_limited",
    "aws_quota": "bad limit.rate_limited +limit.daily_quota",
    "aws_token_ended": "bad auth.token_expired",
    "esp_misses_a_token": "bad auth.credential_not_sent",
    "google_key": "bad auth.invalid_token",
    "google_not_enabled": "bad config.api_not_enabled",
    "google_scopes": "good",  # the key is known; the check of rights says what it may not
    "entra_compact": "bad auth.invalid_token",
    "entra_second_factor": "bad auth.mfa_required",
    "okta": "bad auth.invalid_token",
    "elastic": "bad auth.credential_not_sent +auth.wrong_scheme",
    "couchdb": "bad auth.wrong_password",
    "jenkins": WALL,
    "graphql_limited": "bad limit.rate_limited",
    "app_of_one_page": "unclear config.wrong_base_path",
    "swagger": "unclear config.wrong_base_path",
    "xml_refusal": "bad auth.invalid_token",
    "ngrok_offline": BEHIND,
    "kong_limits": "bad limit.rate_limited",
    "apisix_misses_a_key": "bad auth.credential_not_sent",
    "nothing_for_all": "unclear auth.credential_not_sent",
    "good_with_none_left": "good",
    "external_authorizer": WALL,
    "user_of_a_zscaler_page": "bad config.wrong_base_path",
}
SOON = range(80, 92)
WAIT: dict[str, range | str] = {
    "less than nothing": "",
    "for ever": "",
    "a fraction": range(89, 91),
    "words": "",
    "a past date": "1",
    "another zone": SOON,
    "RFC 850": SOON,
    "asctime": SOON,
    "milliseconds since 1970": SOON,
    "seconds with a fraction since 1970": SOON,
    "ISO without a zone": "",
    "two of them": SOON,
}
ROWS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    members()  # built now: it takes longer than a caller waits
    yield
    print("\n" + "\n".join([*ROWS, f"{len(ROWS)} behaviours, {len(ROWS) * (1 + len(SHEETS))} verdicts"]))


def target(connector: str, url: str, **settings: str) -> Target:
    one = sheet(connector)
    plain = {"email": "bot@acme.com"} | {
        field.name: field.example or "acme" for field in one.fields if field.required and not field.secret
    }
    secrets = {field.name: f"{KEY}-{field.name}" for field in one.fields if field.secret}
    return Target("crm", connector, one, {**plain, "base_url": url, **settings}, secrets, timeout=LIMIT)


def look(connector: str, url: str) -> tuple[Finding, float]:
    began = time.monotonic()
    return verify_credentials(target(connector, url)), time.monotonic() - began


def meets(found: Finding, wanted: str) -> bool:
    said, *beside = wanted.split(" +")
    return f"{found.verdict} {found.code or ''}".strip() == said and set(beside) <= set(found.alternatives)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_server_gets_the_right_verdict_in_time(name: str, caplog: pytest.LogCaptureFixture) -> None:
    wanted, every = EXPECTED[name], ("", *SHEETS)
    caplog.set_level(logging.INFO)
    with serving(ODD[name]) as url, ThreadPoolExecutor(len(every)) as pool:
        done = dict(zip(every, pool.map(lambda one: look(one or ALL, url), every), strict=True))
    wrong = {}
    for connector, (found, _) in done.items():
        assert KEY not in repr(found) + caplog.text
        assert "\n" not in found.evidence
        assert len(found.evidence) <= 500
        assert found.verdict == "good" or found.cause in CAUSES
        here = wanted if isinstance(wanted, str) else wanted.get(connector, wanted["*"])
        if not meets(found, here):
            told = f"{found.verdict} {found.cause} {found.code} {found.alternatives} {found.evidence[:160]}"
            wrong[connector or ALL] = f"wanted {here}, got {told}"
    slowest = max(took for _, took in done.values())
    ROWS.append(f"{name:48}{slowest:<7.1f}{6 - len(wrong)} of 6")
    assert not wrong, "\n".join(f"{name}: {one}" for name, one in wrong.items())
    assert slowest < 3 * LIMIT + 15


@pytest.mark.parametrize("name", SAID)
def test_what_a_framework_says_by_itself_is_understood(name: str) -> None:
    with serving(SAID[name]) as url:
        found, _ = look(ALL, url)
    assert meets(found, SAYS[name]), found
    assert KEY not in repr(found)


@pytest.mark.parametrize("name", WAITS)
def test_when_to_come_back_is_told_only_when_it_was_said(name: str) -> None:
    with serving(waits(name)) as url:
        found, _ = look(ALL, url)
    wanted, told = WAIT[name], str(found.facts.get("retry_after", ""))
    assert found.code == "limit.rate_limited"
    assert told == wanted if isinstance(wanted, str) else int(told or 0) in wanted, told


def test_a_quota_that_ends_in_days_says_so() -> None:
    with serving(ODD["apim_quota"]) as url:
        assert look(ALL, url)[0].facts["retry_after"] == "218096"


def test_the_key_of_the_settings_is_sent_though_the_address_names_a_user() -> None:
    seen: list[str] = []

    def talk(peer: socket.socket, request: bytes) -> None:
        seen.append(request.decode("latin-1"))
        (raw(good()) if f"Bearer {KEY}" in seen[-1] else ODD["bare_401"])(peer, request)

    with serving(talk) as url:
        found = verify_credentials(target(ALL, url.replace("://", "://bot:pass-in-the-address@")))
    assert f"Bearer {KEY}" in seen[0]
    assert found.verdict == "good"
    assert "pass-in-the-address" not in repr(found)


@pytest.mark.parametrize("name", ["round", "refused"])
def test_a_password_in_the_address_is_never_shown(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving(NASTY["redirects_in_a_circle"] if name == "round" else ODD["bare_401"]) as url:
        found = verify_credentials(target(ALL, url.replace("://", "://bot:pass-in-the-address@")))
    assert "pass-in-the-address" not in repr(found) + caplog.text


def test_a_gateway_without_a_route_hides_no_resource() -> None:
    """The provider's own 404 may stand for what a key may not see; that of a gateway before it may not."""

    def talk(peer: socket.socket, request: bytes) -> None:
        lost = b"organizations" in request.partition(b"\r\n")[0]
        (ODD["kong_without_a_route"] if lost else known(raw(good())))(peer, request)

    with serving(talk) as url:
        found = verify_permissions(target("zendesk", url))
    assert (found.code, found.facts["missing"]) == ("config.path_missing", ["organizations"])
    assert "privilege.resource_hidden" in found.alternatives


# TLS ------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def encrypted(talk: Nasty, context: ssl.SSLContext) -> Iterator[str]:
    """Like `serving`, over TLS, and the line ends without a word of TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def one(peer: socket.socket) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(peer, server_side=True) as line:
                request = line.recv(65536)
                talk(line, request)
                raw_line = socket.socket(fileno=line.detach())
                raw_line.shutdown(socket.SHUT_RDWR)
                raw_line.close()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"https://localhost:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def shown(authority: Authority, *names: str, staple: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("-".join(names), names[0], *names, staple=staple))
    return context


def over_tls(authority: Authority, talk: Nasty, context: ssl.SSLContext) -> Finding:
    with encrypted(talk, context) as url:
        return verify_credentials(target(ALL, url, ca_file=str(authority.root)))


@pytest.mark.parametrize(
    "answer",
    [good(), head("200 OK", JSON) + DATA, head("200 OK", JSON, "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n"],
    ids=["with a length", "to the end", "in chunks"],
)
def test_an_end_without_a_word_of_tls_is_an_end(authority: Authority, answer: bytes) -> None:
    assert over_tls(authority, known(raw(answer)), shown(authority, "localhost")).verdict == "good"


def test_a_certificate_by_the_name_that_is_asked_for(authority: Authority) -> None:
    other, right = shown(authority, "other.example.com"), shown(authority, "localhost")

    def choose(line: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if name == "localhost":
            line.context = right

    other.sni_callback = choose
    assert over_tls(authority, known(raw(good())), other).verdict == "good"


def test_a_certificate_that_promises_a_staple_and_brings_none(authority: Authority) -> None:
    """Only browsers mind: https://www.rfc-editor.org/rfc/rfc7633#section-4.2.2"""
    assert over_tls(authority, known(raw(good())), shown(authority, "localhost", staple=True)).verdict == "good"


def test_the_key_does_not_follow_from_https_to_http(authority: Authority) -> None:
    seen: list[bytes] = []

    def plain(peer: socket.socket, request: bytes) -> None:
        seen.append(request)
        known(says("200 OK", GOOD))(peer, request)

    with serving(plain) as url:
        down = says("302 Found", "", f"Location: {url.replace('127.0.0.1', 'localhost')}/there")
        found = over_tls(authority, down, shown(authority, "localhost"))
    assert seen
    assert KEY.encode() not in b"".join(seen)
    assert (found.verdict, found.code) == ("bad", "config.redirect_drops_authorization")


# Memory ---------------------------------------------------------------------------------------------------------------

BIG = (
    "hints_for_ever",
    "small_chunks_of_long_names",
    "gzip_of_many_members",
    "number_of_200_000_digits",
    "many_cookies",
)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("name", BIG)
def test_memory_stays_bounded(name: str) -> None:
    assert growth(ODD[name]) < 50
