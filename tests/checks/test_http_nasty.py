"""What stands between us and an API: silence, pages, firewalls, floods, circles, and redirects that want the key."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Mapping

import pytest

from bot.checks.base import Target
from bot.checks.http import base_url, verify_credentials, verify_permissions
from bot.drivers.http import MAX_BODY, get
from bot.drivers.network import Trouble
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.fakes.recorded import KEY
from tests.fakes.serve import Reply, serving
from tests.servers import dripping, in_time, listener, refusing_port, silent

LOGIN = "<!doctype html><title>Sign in</title><form><input type=password></form>"
BLOCKED = "<html><title>Attention Required! | Cloudflare</title><body>You have been blocked</body></html>"
HTML = {"Content-Type": "text/html"}


def target(url: str, connector: str = "http_api", timeout: float = 2.0, **settings: object) -> Target:
    known = sheet(connector)
    secret = known.http.secret if known.http else ""
    return Target("crm", connector, known, {"base_url": url, **settings}, {secret: KEY}, timeout=timeout)


def seen(answer: Callable[[str, Mapping[str, str]], Reply], connector: str = "http_api", **settings: object) -> Finding:
    with serving(answer) as url:
        return verify_credentials(target(url, connector, **settings))


@pytest.mark.parametrize(
    ("reply", "verdict", "code"),
    [
        ((200, HTML, LOGIN), "bad", "auth.login_page_instead_of_api"),
        ((200, HTML, "<html><title>Welcome</title></html>"), "unclear", "config.wrong_base_path"),
        ((403, HTML, BLOCKED), "unclear", "access.waf_blocked"),
        ((401, HTML, LOGIN), "unclear", "access.waf_blocked"),
        ((403, {}, {"message": "Forbidden by gateway"}), "unclear", "access.waf_blocked"),
        ((200, {}, ""), "unclear", "availability.empty_response"),
        ((404, HTML, "<html>nginx</html>"), "bad", "config.wrong_base_path"),
        ((503, {}, {"message": "Down for scheduled maintenance"}), "bad", "availability.maintenance"),
        ((200, {}, {"portalId": 1}), "unclear", "auth.credential_not_sent"),
    ],
)
def test_what_is_not_the_providers_own_word_is_no_verdict_on_the_key(reply: Reply, verdict: str, code: str) -> None:
    found = seen(lambda path, headers: reply, "hubspot")
    assert (found.verdict, found.code) == (verdict, code), found
    assert found.cause not in ("invalid_credentials", "token_expired", "missing_privilege")


def test_a_403_that_everybody_gets_says_nothing_about_the_key() -> None:
    found = seen(lambda path, headers: (403, {}, {"message": "x", "documentation_url": "y"}), "github")
    assert (found.verdict, found.code) == ("unclear", "access.waf_blocked")


def test_an_ip_allow_list_is_told_apart_from_a_firewall() -> None:
    body = {"message": "the `acme` organization has an IP allow list enabled, and your IP address is not permitted"}
    found = seen(lambda path, headers: (403, {"X-GitHub-Request-Id": "AB:CD"}, body), "github")
    assert (found.verdict, found.code) == ("bad", "access.ip_not_allowed")


def test_a_silent_server_is_given_up_in_time() -> None:
    with listener(silent) as port:
        found = in_time(1.5, lambda: verify_credentials(target(f"http://127.0.0.1:{port}", timeout=0.5)))
    assert (found.verdict, found.code) == ("bad", "network.accepts_but_silent")


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_a_server_that_drips_is_given_up_in_time(first: bytes) -> None:
    def given_up() -> str:
        with pytest.raises(Trouble) as caught:
            get(f"http://127.0.0.1:{port}/", {}, 0.6)
        return caught.value.code

    with listener(dripping(first, b"a", 0.1, asked=True)) as port:
        code = in_time(1.2, given_up)
    assert code in ("availability.too_slow", "network.accepts_but_silent")


def test_a_huge_body_is_cut_and_a_bomb_does_not_go_off() -> None:
    with serving(lambda path, headers: (200, {}, "a" * (5 * MAX_BODY))) as url:
        answer = get(url, {}, 3)
        assert answer.truncated
        assert len(answer.text) == MAX_BODY
    bomb = gzip.compress(b"0" * (200 * MAX_BODY))
    with serving(lambda path, headers: (200, {"Content-Encoding": "gzip"}, bomb)) as url:
        assert get(url, {}, 3).truncated


def test_redirects_in_a_circle_end() -> None:
    found = seen(lambda path, headers: (302, {"Location": "/round"}, ""))
    assert (found.verdict, found.code) == ("bad", "config.redirect_loop")


def test_a_redirect_to_a_login_page_is_seen() -> None:
    found = seen(lambda path, headers: (200, HTML, LOGIN) if "login" in path else (302, {"Location": "/login"}, ""))
    assert found.code == "auth.redirect_to_login"


@pytest.mark.parametrize("auth", ["bearer", "header", "query", "basic"])
def test_the_key_never_follows_to_another_host(auth: str) -> None:
    got: list[str] = []

    def thief(path: str, headers: Mapping[str, str]) -> Reply:
        got.append(repr((path, dict(headers))))
        return 401, {"WWW-Authenticate": "Bearer"}, ""

    with serving(thief) as other:
        found = seen(lambda path, headers: (307, {"Location": f"{other}/stolen"}, ""), auth=auth, user="bot")
    assert got
    assert not any(KEY in one or "authorization" in one.lower() or "x-api-key" in one.lower() for one in got)
    assert found.code == "config.redirect_drops_authorization"


def test_an_answer_that_echoes_the_key_is_redacted() -> None:
    for auth in ("bearer", "basic", "query"):
        found = seen(lambda path, headers: (401, {}, {"message": repr((path, dict(headers)))}), auth=auth, user="bot")
        assert found.verdict == "bad"
        assert KEY not in repr(found)
        assert "Ym90OmtleS" not in repr(found)  # the same in base64


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://name.that.does.not.exist.invalid", "dns."),
        ("http://127.0.0.1:{closed}", "network.refused"),
        ("ftp://example.com", "config.malformed_url"),
        ("http://[::1", "config.malformed_url"),
    ],
)
def test_the_transport_is_told_apart(url: str, code: str) -> None:
    found = verify_credentials(target(url.replace("{closed}", str(refusing_port()))))
    assert found.verdict == "bad"
    assert str(found.code).startswith(code), found


def test_a_refusing_proxy_is_named_and_its_password_is_not() -> None:
    def refuse(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with listener(refuse) as port:
        one = target("https://api.hubapi.com")
        found = verify_credentials(Target(**{**one.__dict__, "proxy": f"http://me:proxy-pass@127.0.0.1:{port}"}))
        nobody = verify_credentials(Target(**{**one.__dict__, "proxy": f"http://127.0.0.1:{port}"}))
    assert (found.code, nobody.code) == ("proxy.wrong_credentials", "proxy.authentication_required")
    assert "proxy-pass" not in repr(found)
    gone = Target(**{**one.__dict__, "proxy": f"http://127.0.0.1:{refusing_port()}"})
    assert verify_credentials(gone).code == "proxy.unreachable"


def test_a_plain_port_is_not_taken_for_https() -> None:
    with serving(lambda path, headers: (200, {}, {})) as url:
        assert verify_credentials(target(url.replace("http:", "https:"))).code == "tls.plain_http_port"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "auth.credential_not_sent"),
        ("abc\n", "auth.secret_with_whitespace"),
        (" abc", "auth.secret_with_whitespace"),
        ("abc…def", "auth.malformed_header"),
    ],
)
def test_a_key_that_cannot_be_right_is_not_tried(key: str, code: str) -> None:
    one = target("http://127.0.0.1:1", "hubspot")
    found = verify_credentials(Target(**{**one.__dict__, "secrets": {"token": key}}))
    assert (found.verdict, found.code) == ("bad", code)


def test_a_missing_setting_is_named() -> None:
    one = Target("desk", "zendesk", sheet("zendesk"), {}, {"api_token": KEY})
    found = verify_credentials(one)
    assert (found.code, "subdomain" in found.evidence) == ("config.malformed_url", True)
    with pytest.raises(Trouble):
        base_url(one)


def test_a_part_hidden_without_a_scope_is_unclear() -> None:
    with serving(lambda path, headers: (200, {"X-OAuth-Scopes": "read:org"}, [])) as url:
        one = target(url, "github", organization="acme")
        found = verify_permissions(Target(**{**one.__dict__, "tables": ("repositories", "teams")}))
    assert (found.verdict, found.code) == ("unclear", "privilege.rows_hidden")
    assert found.facts["missing"] == ["repositories"]


def test_a_fine_grained_token_lists_no_scopes_and_is_judged_by_its_answers() -> None:
    def verdict(rows: list[object]) -> str:
        with serving(lambda path, headers: (200, {"X-OAuth-Scopes": ""}, rows)) as url:
            one = target(url, "github", organization="acme")
            return verify_permissions(Target(**{**one.__dict__, "tables": ("repositories", "teams")})).verdict

    assert verdict([{"id": 1}]) == "good"
    assert verdict([]) == "unclear"  # no repository there, or none that this token may see
