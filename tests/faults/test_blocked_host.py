"""A MariaDB that shuts out hosts after two broken-off logins: Mend's own looks must never be what does it.

The server counts nobody who comes from 127.0.0.1, so it is called by this machine's own address.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from flows.core.finding import explaining
from tests.faults.frame import Fault, Wire, prove
from tests.faults.mariadb_site import MariaSite, running
from tests.servers import missing_mariadb


def own_address() -> str:
    """The address by which this machine would call out; nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("192.0.2.1", 9))
        return str(line.getsockname()[0])
    return "127.0.0.1"


HERE = own_address()
pytestmark = pytest.mark.skipif(
    bool(missing_mariadb()) or HERE.startswith("127."), reason=missing_mariadb() or "this machine has no network"
)
COUNTS = "SELECT COALESCE(SUM(count_handshake_errors), 0), COALESCE(SUM(count_authentication_errors), 0) FROM performance_schema.host_cache"


class Strict(MariaSite):
    def fresh(self) -> Wire:
        return Wire(
            "mariadb",
            {"host": HERE, "port": self.port, "database": "shop", "user": "far"},
            {"password": "x"},
            ("shop.orders",),
        )

    def restore(self) -> None:
        super().restore()
        for statement in ("CREATE USER far@'%' IDENTIFIED BY 'x'", "GRANT SELECT ON shop.* TO far@'%'", "FLUSH HOSTS"):
            self.run(statement)


@pytest.fixture(scope="module")
def site() -> Iterator[MariaSite]:
    settings = {
        "bind_address": "0.0.0.0",
        "skip_name_resolve": "OFF",
        "max_connect_errors": "2",
        "performance_schema": "ON",
    }
    with running(Strict, **settings) as made:
        yield made


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_thirty_looks_with_a_wrong_password_shut_nobody_out(mode: str, site: MariaSite) -> None:
    site.run("FLUSH HOSTS")
    site.wire.settings["sslmode"], site.wire.secrets = mode, {"password": "old"}
    codes = {top.code for _ in range(30) if (top := explaining(site.wire.look()))}
    broken_off, refused = site.run(COUNTS)[0]
    site.restore()
    assert codes == {"auth.wrong_password"}
    assert broken_off == 0
    assert refused == 30


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_certificate_that_is_not_believed_is_looked_at_once(mode: str, site: MariaSite) -> None:
    """Whoever does not believe it must leave before a login, which the server counts; a second look would count too."""
    site.run("FLUSH HOSTS")
    site.run("SET GLOBAL max_connect_errors = 100")
    site.wire.settings["sslmode"] = mode
    found = [top for _ in range(5) if (top := explaining(site.wire.look()))]
    broken_off, refused = site.run(COUNTS)[0]
    site.run("SET GLOBAL max_connect_errors = 2")
    site.run("FLUSH HOSTS")
    site.restore()
    assert {one.code for one in found} == {"tls.unknown_ca"}
    assert all("certificate for 127.0.0.1, by CN=Test Authority" in one.evidence for one in found)
    assert (broken_off, refused) == (5, 0)


def other_program(site: MariaSite) -> None:
    for _ in range(3):
        with socket.create_connection((HERE, site.port)) as line:
            line.recv(200)


def test_a_host_that_another_program_had_shut_out_is_named_and_let_in(site: MariaSite) -> None:
    prove(Fault("the host is shut out", "mariadb", "ip_not_allowlisted", "auth.too_many_attempts", other_program), site)
