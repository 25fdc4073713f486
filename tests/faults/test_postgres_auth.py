"""PostgreSQL that leaves the password to somebody else: LDAP, PAM and Kerberos, by Debian's server, which is built with all three."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from flows.core.finding import explaining
from tests.fakes.directory import Directory
from tests.faults.frame import Fault, Told, prove, told
from tests.faults.postgres_site import SECRET, PostgresSite, running
from tests.postgres import debian, missing_debian
from tests.servers import listener, refusing_port

pytestmark = pytest.mark.skipif(bool(missing_debian()), reason=missing_debian() or "-")
WRONG, CODE = "invalid_credentials", "auth.directory_refused"


class Asking(PostgresSite):
    """Every login is asked of the directory; a fault may put another rule in its place."""

    directory: Directory
    ldap = 0

    def by(self, method: str) -> None:
        self.server.hba(f"host all all 127.0.0.1/32 {method}")

    def by_ldap(self, port: int = 0) -> None:
        self.by(f'ldap ldapserver=127.0.0.1 ldapport={port or self.ldap} ldapprefix="cn=" ldapsuffix=",dc=example"')

    def restore(self) -> None:
        super().restore()
        if self.ldap:
            self.directory.password = SECRET
            self.by_ldap()


@pytest.fixture(scope="module")
def site() -> Iterator[Asking]:
    directory = Directory(SECRET)
    with listener(directory.talk) as port, running(debian()) as plain:
        made = Asking(plain.server)
        made.directory, made.ldap = directory, port
        made.restore()
        yield made


def changed(site: Asking) -> None:
    site.directory.password = "another"


def whole(site: Asking, remedy: Told) -> None:
    """Whoever runs the directory sets it right; nothing that is printed would have helped in the database."""
    assert "ALTER ROLE" not in remedy.text
    assert "directory" in remedy.text
    site.restore()


ASKED = ("auth.wrong_password", "availability.bad_gateway")
FAULTS = [
    Fault("the directory knows another password", "postgres ldap", WRONG, CODE, changed, whole, also=ASKED),
    Fault("the directory is down", "postgres ldap", WRONG, CODE, lambda site: site.by_ldap(refusing_port()), whole, also=ASKED),
    Fault("PAM knows no such user", "postgres pam", WRONG, CODE, lambda site: site.by("pam"), whole, also=ASKED),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_who_was_asked_is_told_and_no_statement_that_would_not_help(fault: Fault, site: Asking) -> None:
    prove(fault, site)


def test_the_directory_is_asked_once(site: Asking) -> None:
    site.directory.binds = 0
    site.directory.password = "another"
    site.wire.look()
    asked = site.directory.binds
    site.restore()
    assert asked == 1


BY_TICKET: list[tuple[str, Callable[[Asking], None]]] = [("gss", lambda site: site.by("gss"))]


@pytest.mark.parametrize(("name", "breaks"), BY_TICKET, ids=[row[0] for row in BY_TICKET])
def test_a_way_in_without_a_password_is_told(name: str, breaks: Callable[[Asking], None], site: Asking) -> None:
    breaks(site)
    top = explaining(site.wire.look())
    assert top is not None
    said = told(site.wire, top).text
    site.restore()
    assert (top.cause, top.code) == (WRONG, "auth.method_not_allowed"), top
    assert "pg_hba.conf" in said
