"""MariaDB that really speaks other languages: numbers and states decide, whatever the words are.

The embedded PostgreSQL brings no translations; `test_languages.py` plays the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flows.core.finding import explaining
from tests.faults import mariadb_site
from tests.faults.frame import Fault
from tests.faults.test_mariadb import FAULTS as OF_MARIADB
from tests.servers import missing_mariadb

LANGUAGES = ("de_DE", "ja_JP")
# Everything that a server says in words of its own at the login or of a table.
SAID = ("the password was changed", "the account is locked", "the password has expired", "SELECT on one table was revoked",
        "only one column is granted", "the table was dropped, and the user may see the database")  # fmt: skip


@pytest.fixture(scope="module")
def mariadb() -> Iterator[mariadb_site.MariaSite]:
    with mariadb_site.running(mariadb_site.MariaSite) as made:
        yield made


def told(fault: Fault, site: mariadb_site.MariaSite, language: str) -> tuple[str | None, str]:
    try:
        site.run(f"SET GLOBAL lc_messages = '{language}'")
        fault.breaks(site)
        top = explaining(site.wire.look())
    finally:
        site.run("SET GLOBAL lc_messages = 'en_US'")
        site.restore()
    assert top is not None
    return top.code, top.evidence


def some(faults: list[Fault]) -> list[Fault]:
    return [one for one in faults if one.name in SAID]


@pytest.mark.skipif(bool(missing_mariadb()), reason=missing_mariadb() or "-")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("spoken", some(OF_MARIADB), ids=str)
def test_mariadb_in_its_own_translations(spoken: Fault, language: str, mariadb: mariadb_site.MariaSite) -> None:
    code, said = told(spoken, mariadb, language)
    assert code == spoken.code, said
