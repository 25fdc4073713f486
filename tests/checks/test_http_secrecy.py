"""Where a credential goes, and what is shown of it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.checks.base import Target
from bot.checks.http import verify_credentials
from bot.drivers.http import get
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
