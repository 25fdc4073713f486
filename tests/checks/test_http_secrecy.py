"""Where a credential goes, what is shown of it, and what proves that it is good."""

from __future__ import annotations

import html
import json
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from bot.checks.base import Target
from bot.checks.http import verify_credentials
from bot.checks.oauth import app_of, client_of
from bot.checks.run import run_all
from bot.drivers.http import get
from bot.drivers.network import Trouble
from bot.settings import load
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.checks.test_http_odd import Authority, encrypted
from tests.fakes.odd import good, known, raw
from tests.fakes.recorded import KEY
from tests.fakes.serve import Reply, serving
from tests.fakes.socks import socks_proxy


def crm(url: str, key: str = KEY, proxy: str | None = None, **settings: object) -> Target:
    settings = {"base_url": url, "auth": "bearer", "probe": "/me", **settings}
    return Target("crm", "http_api", sheet("http_api"), settings, {"token": key}, proxy=proxy, timeout=5)


def by_key(path: str, headers: Mapping[str, str]) -> Reply:
    return (200, {}, {"id": 7}) if KEY in headers.get("authorization", "") else (401, {}, {"error": "who"})


@pytest.mark.parametrize("status", [302, 307, 308])
def test_what_is_posted_goes_to_no_other_host(status: int) -> None:
    got: list[str] = []

    def elsewhere(path: str, headers: Mapping[str, str]) -> Reply:
        got.append(repr((path, dict(headers))))
        return 401, {}, {"error": "who"}

    known_sheet = sheet("http_api")
    assert known_sheet.http
    with serving(elsewhere) as other:
        other = other.replace("127.0.0.1", "localhost")
        with serving(lambda path, headers: (status, {"Location": f"{other}/stolen"}, "")) as url:
            http = known_sheet.http.model_copy(update={"token_url": url + "/token"})
            one = Target("crm", "http_api", known_sheet.model_copy(update={"http": http}),
                         {"base_url": url, "user": "app-1", "probe": "/me"}, {"token": KEY}, timeout=3)  # fmt: skip
            found = verify_credentials(one)
    assert got
    assert KEY not in "".join(got)
    assert (found.verdict, found.code) == ("bad", "config.redirect_drops_authorization")


def test_a_socks_proxy_is_the_only_way_out_and_looks_up_the_names() -> None:
    asked: list[str] = []
    with serving(by_key) as url, socks_proxy({"crm.inside.example": "127.0.0.1"}, asked) as proxy:
        port = url.rpartition(":")[2]
        found = verify_credentials(crm(f"http://crm.inside.example:{port}", proxy=proxy))
    assert (found.verdict, found.evidence) == ("good", "HTTP 200 from /me, and 401 without the credential")
    assert set(asked) == {f"crm.inside.example:{port}"}


def test_tls_goes_through_a_socks_proxy_and_is_verified_by_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(*authority.issue("inside", "crm.inside.example", "crm.inside.example"))
    inside = {"crm.inside.example": "127.0.0.1", "other.inside.example": "127.0.0.1"}
    with encrypted(known(raw(good())), shown) as url, socks_proxy(inside, []) as proxy:
        port = url.rpartition(":")[2]

        def by(name: str) -> Finding:
            return verify_credentials(crm(f"https://{name}:{port}", proxy=proxy, ca_file=str(authority.root)))

        right, wrong = by("crm.inside.example"), by("other.inside.example")
    assert right.verdict == "good"
    assert (wrong.verdict, wrong.code) == ("bad", "tls.hostname_mismatch")


@pytest.mark.parametrize("charset", ["utf-8le", "iso-8859-12", "windows-1259"])
def test_a_charset_that_nobody_has_keeps_no_answer_from_being_read(charset: str) -> None:
    kind = {"Content-Type": f"application/json; charset={charset}"}
    with serving(lambda path, headers: (200, kind, '{"name": "Zoë"}')) as url:
        assert get(url, {}, 3).body == {"name": "Zoë"}


def test_a_server_that_wants_a_certificate_of_ours_is_heard_though_it_hangs_up(tmp_path: Path) -> None:
    """With TLS 1.3 it says so after the handshake: https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2.4"""
    authority = Authority(tmp_path)
    wants = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    wants.load_cert_chain(*authority.issue("localhost", "localhost", "localhost"))
    wants.load_verify_locations(str(authority.root))
    wants.verify_mode = ssl.CERT_REQUIRED
    with encrypted(known(raw(good())), wants) as url:
        said = {verify_credentials(crm(url, ca_file=str(authority.root))).code for _ in range(20)}
    assert said == {"tls.client_certificate_required"}


@pytest.mark.parametrize(
    "settings",
    [{"munchkin_id": name} for name in ("evil.example/", "x@evil.example/", "evil.example#", "evil.example?")],
    ids=lambda settings: settings["munchkin_id"],
)
def test_what_stands_in_the_host_of_a_token_endpoint_leads_nowhere_else(settings: dict[str, str]) -> None:
    one = Target(
        "marketo", "marketo", sheet("marketo"), {**settings, "client_id": "a"}, {"client_secret": KEY}, timeout=2
    )
    found = verify_credentials(one)
    assert (found.verdict, found.code) == ("bad", "config.malformed_url")
    assert settings["munchkin_id"] in found.evidence


def test_a_shop_that_is_none_gets_no_code(tmp_path: Path) -> None:
    for shop in ("evil.example/", "x@evil.example/", "acme.myshopify.com/"):
        text = f"connections:\n  shop:\n    connector: shopify\n    settings: {{shop: '{shop}'}}\n"
        file = tmp_path / "mend.yml"
        file.write_text(f"{text}oauth:\n  shopify: {{client_id: a, client_secret: b}}\n")
        settings = load(file, {})
        connection, known_sheet = settings.connections["shop"], sheet("shopify")
        app = app_of(settings, known_sheet, connection)
        assert app
        with pytest.raises(Trouble) as caught:
            client_of(settings, known_sheet, connection, app)
        assert caught.value.code == "config.malformed_url"


ECHOED = 'AbC/dEf+gh"ij&kl=='
ECHOES = {
    "JSON": json.dumps({"you_sent": ECHOED}),
    "JSON of PHP": json.dumps({"you_sent": ECHOED}).replace("/", "\\/"),
    "JSON of .NET": json.dumps({"you_sent": ECHOED}).replace("+", "\\u002B").replace('\\"', "\\u0022"),
    "XML": f"<?xml version='1.0'?><error>{html.escape(ECHOED)}</error>",
    "an address": quote(ECHOED, safe=""),
    "an address in small letters": re.sub("%..", lambda found: found[0].lower(), quote(ECHOED, safe="")),
}


@pytest.mark.parametrize("way", ECHOES)
def test_a_key_is_not_shown_however_it_is_echoed(way: str) -> None:
    with serving(lambda path, headers: (401, {"Content-Type": "application/json"}, ECHOES[way])) as url:
        found = verify_credentials(crm(url, ECHOED))
    assert "***" in found.evidence
    assert "AbC" not in found.evidence
    assert "gh" not in found.evidence


@pytest.mark.parametrize("address", ["http://bob:p4ss/word@127.0.0.1:9", "http://bob:p4ss#word@127.0.0.1:9"])
def test_half_a_password_is_not_taken_for_a_port_and_shown(address: str) -> None:
    for one in (crm(address), crm("https://127.0.0.1:9", proxy=address)):
        first, *_ = (f for f in run_all(one) if f.verdict not in ("skipped", "good"))
        assert (first.verdict, first.code) == ("bad", "config.malformed_url")
        assert "p4ss" not in repr(first)


@pytest.mark.parametrize("proxy", ["proxy.example.com:3128", "bob:p4ssword@proxy.example.com:3128", "ftp://127.0.0.1"])
def test_a_proxy_that_is_no_address_is_told_as_such(proxy: str) -> None:
    first, *_ = (f for f in run_all(crm("https://127.0.0.1:9", proxy=proxy)) if f.verdict not in ("skipped", "good"))
    assert (first.verdict, first.code) == ("bad", "config.malformed_url")
    assert "http://proxy.example.com:3128" in first.evidence
    assert "p4ss" not in repr(first)


def turns(*signed: Reply, control: Reply) -> Callable[[str, Mapping[str, str]], Reply]:
    """One answer after another to who shows the key; the last one stays."""
    left = list(signed)

    def answers(path: str, headers: Mapping[str, str]) -> Reply:
        if KEY not in headers.get("authorization", ""):
            return control
        return left.pop(0) if len(left) > 1 else left[0]

    return answers


GOOD: Reply = (200, {}, {"id": 7})


@pytest.mark.parametrize(
    ("control", "then", "code"),
    [
        ((429, {}, {"error": "slow down"}), (429, {"Retry-After": "3"}, {"error": "slow down"}), "limit.rate_limited"),
        ((503, {}, {"error": "sorry"}), (503, {}, {"error": "sorry"}), "availability.provider_error"),
        ((502, {}, ""), (502, {}, ""), "availability.bad_gateway"),
    ],
)
def test_a_limit_or_outage_that_meets_the_call_without_a_key_proves_no_key(
    control: Reply, then: Reply, code: str
) -> None:
    with serving(turns(GOOD, then, control=control)) as url:
        found = verify_credentials(crm(url))
    assert (found.verdict, found.code) == ("unclear", code)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_key_that_is_answered_again_where_nobody_else_is_is_good(status: int) -> None:
    with serving(turns(GOOD, control=(status, {}, {"error": "no"}))) as url:
        found = verify_credentials(crm(url))
    assert (found.verdict, found.evidence) == ("good", f"HTTP 200 from /me, and {status} without the credential")


def test_an_authority_of_the_system_is_believed_by_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a company installs its own: https://docs.openssl.org/master/man3/SSL_CTX_load_verify_locations/"""
    authority = Authority(tmp_path)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(*authority.issue("localhost", "localhost", "localhost"))
    with encrypted(known(raw(good())), shown) as url:
        before = {f.check: f.code for f in run_all(crm(url)) if f.verdict == "bad"}
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))
        after = {f.check: f.verdict for f in run_all(crm(url))}
    assert before == {"tls_agrees": "tls.unknown_ca"}
    assert (after["tls_agrees"], after["credentials_accepted"]) == ("good", "good")


def test_a_plain_port_behind_a_proxy_is_named_as_one_that_is_not_behind_any() -> None:
    asked: list[str] = []
    with serving(by_key) as url, socks_proxy({"crm.inside.example": "127.0.0.1"}, asked) as proxy:
        address = f"https://crm.inside.example:{url.rpartition(':')[2]}"
        checked = next(f for f in run_all(crm(address, proxy=proxy)) if f.verdict == "bad")
        called = verify_credentials(crm(address, proxy=proxy))
    assert (checked.check, checked.code, called.code) == ("tls_agrees", "tls.plain_http_port", "tls.plain_http_port")
