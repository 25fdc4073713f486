"""An HTTPS source whose certificate, protocol, port or proxy is spoiled."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from flows.core.finding import Finding
from tests.faults.certificates import AUTHORITY, Authority
from tests.faults.frame import Fault, both, by_hand, prove, setting
from tests.faults.web_site import WebSite, missing_tinyproxy, web
from tests.servers import dripping, listener, refusing_port, silent

TLS, CONFIG, FAR = "tls_mismatch", "config_error", "host_unreachable"
SPOILED = "tls of an http source"


@pytest.fixture(scope="module")
def site() -> Iterator[WebSite]:
    with web() as made:
        yield made


def whole(site: WebSite) -> None:
    """The owner of the server renews its certificate, or mend.yml is set right."""
    site.restore()


def issued(*names: str, **more: Any) -> Callable[[WebSite], None]:
    return lambda site: site.shows(
        site.authority.issue("bad", names[0] if names else "localhost", *(names or ("localhost",)), **more)
    )


def spoiled(**context: Any) -> Callable[[WebSite], None]:
    return lambda site: site.shows(site.authority.issue("bad", "localhost", "localhost"), **context)


def by(common: str) -> Callable[[WebSite], None]:
    """Signed by another authority, whose certificate its owner has."""

    def broken(site: WebSite) -> None:
        other = Authority(site.folder / common, common)
        site.fills = {**site.fills, **other.fills}
        site.shows(other.issue("bad", "localhost", "localhost"))

    return broken


def itself(site: WebSite) -> None:
    own = Authority(site.folder / "self", "localhost")
    made = own.issue("self", "localhost", "localhost", key=own.key)
    site.fills = {**site.fills, AUTHORITY: str(made[0])}
    site.shows(made)


def half_a_chain(site: WebSite) -> None:
    site.shows(site.authority.below("Between").issue("bad", "localhost", "localhost"))


def weak(site: WebSite) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    site.shows(site.authority.issue("weak", "localhost", "localhost", key=key))


def without_tls(site: WebSite) -> None:
    site.serve(None)


def proxied(*rules: str, url: str = "") -> Callable[[WebSite], None]:
    def broken(site: WebSite) -> None:
        site.proxy.start(*rules)
        site.wire.proxy = url.format(port=site.proxy.port) or site.proxy.url

    return broken


_PLAIN = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
OLD, NEW = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2
FAULTS = [
    Fault("the certificate has expired", SPOILED, TLS, "tls.certificate_expired", issued(days=-3)),
    Fault("the certificate is not valid yet", SPOILED, TLS, "tls.certificate_not_yet_valid", issued(days=9, starts=2)),
    Fault("the certificate is for another name", SPOILED, TLS, "tls.hostname_mismatch", issued("db.example.com")),
    Fault("the certificate signs itself", SPOILED, TLS, "tls.self_signed", itself),
    Fault("nobody knows who signed", SPOILED, TLS, "tls.unknown_ca", by("Acme Internal"),
          also=("tls.incomplete_chain", "tls.intercepting_proxy")),
    Fault("the chain is sent by half", SPOILED, TLS, "tls.unknown_ca", half_a_chain, by_hand(whole), also=("tls.incomplete_chain",)),
    Fault("a gateway opens the line", SPOILED, TLS, "tls.intercepting_proxy", by("Zscaler Intermediate Root CA")),
    Fault("only an old protocol is spoken", SPOILED, TLS, "tls.protocol_version",
          spoiled(minimum_version=OLD, maximum_version=OLD), by_hand(whole)),
    Fault("no cipher is shared", SPOILED, TLS, "tls.no_common_algorithm",
          spoiled(maximum_version=NEW, ciphers="aNULL:@SECLEVEL=0"), by_hand(whole)),
    Fault("the key is weak", SPOILED, TLS, "tls.weak_key", weak),
    Fault("a client certificate is required", SPOILED, TLS, "tls.client_certificate_required",
          spoiled(verify_mode=ssl.CERT_REQUIRED), by_hand(whole)),
    Fault("a client certificate is required, as before TLS 1.3", SPOILED, TLS, "tls.no_common_algorithm",
          spoiled(verify_mode=ssl.CERT_REQUIRED, maximum_version=NEW), by_hand(whole),
          also=("tls.client_certificate_required",)),
    Fault("the port speaks plain http", SPOILED, TLS, "tls.plain_http_port", without_tls, by_hand(whole)),
    Fault("the address says http, the port speaks TLS", SPOILED, TLS, "tls.https_required",
          lambda site: site.wire.settings.update(base_url=site.wire.settings["base_url"].replace("https", "http"))),
    Fault("the CA file is not there", SPOILED, CONFIG, "config.path_missing", setting(ca_file="/nowhere/ca.pem")),
    Fault("nothing listens", SPOILED, FAR, "network.refused",
          setting(base_url=f"https://localhost:{refusing_port()}")),
]  # fmt: skip
THROUGH = [
    Fault("the proxy is off", "proxy", FAR, "proxy.unreachable",
          both(proxied(), setting(proxy=f"http://127.0.0.1:{refusing_port()}"))),
    Fault("the proxy wants a login", "proxy", FAR, "proxy.authentication_required",
          proxied("Allow 127.0.0.1", "BasicAuth stitch s3cret")),
    Fault("the proxy's password was changed", "proxy", FAR, "proxy.wrong_credentials",
          proxied("Allow 127.0.0.1", "BasicAuth stitch s3cret", url="http://stitch:old@127.0.0.1:{port}")),
    Fault("the proxy denies the port", "proxy", FAR, "proxy.connect_denied", proxied("Allow 127.0.0.1", "ConnectPort 443")),
    Fault("the proxy denies the caller", "proxy", FAR, "proxy.client_not_allowed", proxied("Allow 10.1.1.1"),
          also=("proxy.connect_denied",)),
    Fault("the proxy cannot get there", "proxy", FAR, "proxy.connect_failed",
          lambda site: (proxied("Allow 127.0.0.1")(site), site.stop()), by_hand(whole), also=("network.refused",)),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named(fault: Fault, site: WebSite) -> None:
    prove(fault, site)


@pytest.mark.skipif(bool(missing_tinyproxy()), reason=missing_tinyproxy() or "-")
@pytest.mark.parametrize("fault", THROUGH, ids=str)
def test_the_proxy_is_named(fault: Fault, site: WebSite) -> None:
    prove(fault, site)


@pytest.mark.skipif(bool(missing_tinyproxy()), reason=missing_tinyproxy() or "-")
@pytest.mark.parametrize("login", ["", "stitch:s3cret@"])
def test_all_is_good_through_a_proxy_with_and_without_a_login(site: WebSite, login: str) -> None:
    site.proxy.start("Allow 127.0.0.1", *(["BasicAuth stitch s3cret"] if login else []))
    site.wire.proxy = f"http://{login}127.0.0.1:{site.proxy.port}"
    found = site.wire.look()
    site.restore()
    assert {f.check: f.verdict for f in found if f.check == "tls_agrees"} == {"tls_agrees": "good"}
    assert {f.verdict for f in found} <= {"good", "skipped"}
    assert "s3cret" not in str([f.to_dict() for f in found])


def tls(site: WebSite) -> Finding:
    return next(f for f in site.wire.look() if f.check == "tls_agrees")


def test_names_issuer_and_days_are_shown_good_or_bad(site: WebSite) -> None:
    said = tls(site).evidence
    issued("db.example.com", days=12)(site)
    bad = tls(site).evidence
    site.restore()
    assert "localhost" in said
    assert "Test Authority" in said
    assert "29 days left: renew it soon" in said
    assert "db.example.com" in bad
    assert "11 days left" in bad


def test_a_proxy_that_says_nothing_is_what_fails(site: WebSite) -> None:
    with listener(silent) as port:
        site.wire.proxy, site.wire.timeout = f"http://127.0.0.1:{port}", 1.0
        found = [f for f in site.wire.look() if f.verdict == "bad"]
    site.restore()
    assert [(f.code, f.alternatives) for f in found] == [("proxy.unreachable", ("network.accepts_but_silent",))]


@pytest.mark.parametrize("way", ["silent", "dripping"])
def test_what_never_ends_is_ended(site: WebSite, way: str) -> None:
    with listener(silent if way == "silent" else dripping(b"\x16")) as port:
        site.wire.settings |= {"base_url": f"https://127.0.0.1:{port}"}
        site.wire.timeout = 1.0
        found = [f for f in site.wire.look() if f.verdict == "bad"]
    site.restore()
    assert [f.code for f in found] == ["network.accepts_but_silent"]
