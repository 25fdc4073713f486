"""PostgreSQL, broken in its encryption, on a server that speaks TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.certificates import Authority
from tests.faults.frame import Fault, both, prove, setting, sql
from tests.faults.postgres_site import NAME, PostgresSite, encrypted
from tests.postgres import debian, missing_debian

pytestmark = pytest.mark.skipif(bool(missing_debian()), reason=missing_debian() or "-")
DENIED, TLS = "ip_not_allowlisted", "tls_mismatch"


@pytest.fixture(scope="module")
def site() -> Iterator[PostgresSite]:
    with encrypted(debian()) as made:
        yield made


def hba(*lines: str) -> Any:
    return lambda site: site.server.hba(*lines)


def reload(site: PostgresSite) -> None:
    site.server.reload()


def certificate(name: str, common: str, **settings: str) -> Any:
    """The analyst sets a certificate and key, as asked."""

    def mend(site: PostgresSite) -> None:
        made = site.authority.issue(name, common)
        site.wire.settings |= {"ssl_cert": str(made[0]), "ssl_key": str(made[1]), **settings}

    return mend


def foreign(site: PostgresSite) -> None:
    made = Authority(site.authority.folder / "foreign", "Somebody Else").issue("client", "sti")
    site.wire.settings |= {"ssl_cert": str(made[0]), "ssl_key": str(made[1])}


def root(site: PostgresSite) -> None:
    site.wire.settings["ssl_root_cert"] = str(site.authority.root)


def server_certificate(days: int, *names: str) -> Any:
    return both(lambda site: site.certificate(days, *names), reload)


def ident(site: PostgresSite) -> None:
    """The certificate's name `sti` may log in as the role."""
    site.server.put("pg_ident.conf", f"m sti {NAME}\n".encode())
    site.server.hba("hostssl all all 127.0.0.1/32 cert map=m")


GOOD = server_certificate(30, "127.0.0.1", "localhost")
FAULTS = [
    Fault("only encrypted callers, and TLS is off in mend.yml", "postgres TLS", TLS, "tls.server_requires_tls",
          both(hba("hostssl all all 127.0.0.1/32 scram-sha-256"), setting(sslmode="disable")), also=("access.pg_hba_no_entry",)),
    Fault("only open callers, and TLS is demanded in mend.yml", "postgres TLS", DENIED, "access.pg_hba_no_entry",
          both(hba("hostnossl all all 127.0.0.1/32 scram-sha-256"), setting(sslmode="require"))),
    Fault("the server has no TLS", "postgres TLS", TLS, "tls.server_without_tls",
          both(sql("ALTER SYSTEM SET ssl = 'off'"), lambda site: site.server.reload(), setting(sslmode="require"))),
    Fault("a client certificate is wanted", "postgres TLS", TLS, "tls.client_certificate_required",
          both(hba("hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca"), setting(sslmode="require"))),
    Fault("the client certificate is another person's", "postgres TLS", TLS, "tls.client_certificate_untrusted",
          both(ident, certificate("c2", "bob", sslmode="require"))),
    Fault("the client certificate is of an unknown authority", "postgres TLS", TLS, "tls.client_certificate_untrusted",
          both(ident, setting(sslmode="require"), foreign)),
    Fault("the server's authority is not known", "postgres TLS", TLS, "tls.unknown_ca",
          both(certificate("c5", "x", sslmode="verify-ca"), lambda site: setting(ssl_root_cert=str(site.authority.issue("o", "o")[0]))(site))),
    Fault("the certificate has another name", "postgres TLS", TLS, "tls.hostname_mismatch",
          both(server_certificate(30, "db.example.com"), setting(sslmode="verify-full"), root)),
    Fault("the certificate has expired", "postgres TLS", TLS, "tls.certificate_expired",
          both(server_certificate(-1, "127.0.0.1"), setting(sslmode="verify-full"), root)),
    Fault("the server speaks only an old TLS", "postgres TLS", TLS, "tls.protocol_version",
          both(sql("ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1'"), sql("ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.1'"),
               lambda site: site.server.reload(), setting(sslmode="require"))),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: PostgresSite) -> None:
    try:
        prove(fault, site)
    finally:
        for name in ("ssl_min_protocol_version", "ssl_max_protocol_version"):
            site.server.run(f"ALTER SYSTEM RESET {name}")
        site.server.run("ALTER SYSTEM SET ssl = 'on'")
        GOOD(site)


def test_prefer_asks_no_authority_as_its_clients_do(site: PostgresSite) -> None:
    site.restore()
    GOOD(site)
    other = Authority(site.authority.folder / "other", "Somebody Else")
    site.wire.settings |= {"sslmode": "prefer", "ssl_root_cert": str(other.root)}
    found = {f.check: f for f in site.wire.look()}
    assert found["tls_agrees"].verdict == found["credentials_accepted"].verdict == "good"
    site.wire.settings["sslmode"] = "require"
    assert {f.check: f for f in site.wire.look()}["tls_agrees"].code == "tls.unknown_ca"
