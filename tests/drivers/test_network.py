"""A refused, silent or dripping port is named as what it is, and within the limit."""

from __future__ import annotations

import pytest

from bot.checks import credentials, network  # noqa: F401
from bot.checks.base import CHECKS, Target
from bot.checks.run import run_all
from flows.core.sheet import sheet
from tests.servers import dripping, in_time, listener, refusing_port, silent, target

# A MySQL greeting up to the point where the dripping begins: length 74, number 0, protocol 10.
GREETING = b"\x4a\x00\x00\x00\x0a"


@pytest.mark.parametrize("driver", ["postgres", "mysql"])
@pytest.mark.parametrize("name", ["port_answers", "credentials_accepted"])
def test_a_refused_port_is_refused(driver: str, name: str) -> None:
    seen = CHECKS[name].run(target(driver, {"host": "127.0.0.1", "port": refusing_port(), "user": "u"}))
    assert (seen.verdict, seen.cause, seen.code) == ("bad", "host_unreachable", "network.refused")


@pytest.mark.parametrize("driver", ["postgres", "mysql"])
@pytest.mark.parametrize("name", ["database_answers", "credentials_accepted"])
def test_a_silent_server_ends_within_the_limit(driver: str, name: str) -> None:
    with listener(silent) as port:
        known = target(driver, {"host": "127.0.0.1", "port": port, "user": "u"}, timeout=1.0)
        seen = in_time(1.5, lambda: CHECKS[name].run(known))
    assert (seen.verdict, seen.code) == ("bad", "network.accepts_but_silent")


@pytest.mark.parametrize(("driver", "first"), [("postgres", b"S"), ("postgres", b"N"), ("mysql", GREETING)])
def test_a_dripping_server_ends_within_the_limit(driver: str, first: bytes) -> None:
    with listener(dripping(first)) as port:
        known = target(driver, {"host": "127.0.0.1", "port": port, "user": "u"}, "abc", timeout=1.0)
        seen = in_time(1.5, lambda: CHECKS["credentials_accepted"].run(known))
    assert seen.verdict in ("bad", "unclear")


@pytest.mark.parametrize("driver", ["postgres", "mysql"])
def test_another_service_is_not_a_database(driver: str) -> None:
    with listener(lambda peer: peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as port:
        seen = CHECKS["database_answers"].run(target(driver, {"host": "127.0.0.1", "port": port}))
    assert (seen.cause, seen.code) == ("config_error", "config.wrong_port_other_service")


def test_a_server_that_hangs_up_before_its_greeting_is_no_proof_of_another_service() -> None:
    with listener(lambda peer: None) as port:
        seen = CHECKS["database_answers"].run(target("mysql", {"host": "127.0.0.1", "port": port}))
    assert (seen.cause, seen.code) == ("host_unreachable", "network.reset")
    assert "config.wrong_port_other_service" in seen.alternatives


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "db.acme.test:5432"}, "write db.acme.test as host and 5432 as port"),
        ({"host": "postgres://db.acme.test"}, "only the name of the server"),
        ({"host": "stitch@db.acme.test"}, "only the name of the server"),
        ({"host": "db.acme.test/shop"}, "a slash"),
        ({"host": "db.acme.test "}, "a space"),
        ({"host": "db.acme.test", "port": "5432x"}, "not a number from 1 to 65535"),
        ({"host": "db.acme.test", "port": 99999}, "not a number from 1 to 65535"),
    ],
)
def test_what_cannot_be_an_address_is_not_looked_up(settings: dict[str, object], said: str) -> None:
    seen = CHECKS["name_resolves"].run(target("postgres", settings))
    assert (seen.verdict, seen.cause, seen.code) == ("bad", "config_error", "config.malformed_url")
    assert said in seen.evidence


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("api.acme.test/v1", "begins with neither"),
        ("ftp://api.acme.test", "begins with neither"),
        ("https://", "names no server"),
        ("https://api.acme.test:99999", "a port from 1 to 65535"),
        ("http://127.0.0.1/v1?team=7", "base_url holds ?"),
        ("http://127.0.0.1/#v1", "base_url holds #"),
        ("http://[::1%25lo]:80/v1", "write the address without it"),
        ("http://[fe80::1%lo]", "write the address without it"),
    ],
)
def test_what_cannot_be_an_http_address_is_not_looked_up(address: str, said: str) -> None:
    seen = run_all(Target("crm", "http_api", sheet("http_api"), {"base_url": address}, {"token": "x"}))
    assert [(one.code, said in one.evidence) for one in seen if one.verdict not in ("skipped", "good")] == [
        ("config.malformed_url", True)
    ]


def test_a_name_that_nobody_has_does_not_resolve() -> None:
    seen = CHECKS["name_resolves"].run(target("postgres", {"host": "no-such-host.invalid"}, timeout=3.0))
    assert (seen.verdict, seen.cause) == ("bad", "host_unreachable")
    assert seen.code in ("dns.nxdomain", "dns.servfail", "dns.timeout")
