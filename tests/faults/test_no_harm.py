"""What the checks send, as the servers themselves wrote it down: only reading, and one login."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.faults.mariadb_site import MariaSite
from tests.faults.mariadb_site import running as running_maria
from tests.faults.postgres_site import PostgresSite, running
from tests.servers import missing_mariadb

READS = re.compile(
    r"(SELECT|SHOW|SET (SESSION|LOCAL|ROLE|NAMES|AUTOCOMMIT)|BEGIN READ ONLY|START TRANSACTION READ ONLY|WITH RECURSIVE)\b",
    re.I,
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresSite]:
    with running(log_statement="'all'", log_connections="on", log_line_prefix="'%u %a|'") as made:
        yield made


def _said(site: PostgresSite) -> list[str]:
    return [line for line in re.split(r"\n(?=\S)", site.server.log.read_text()) if 'sti"tch ' in line]


@pytest.mark.parametrize("replication", ["key", "log"])
def test_postgres_is_only_read(postgres: PostgresSite, replication: str) -> None:
    before = len(_said(postgres))
    postgres.wire.replication = replication
    postgres.wire.look()
    asked = [re.split(r"(?:statement|execute [^:]*): ", line, maxsplit=1)[1].strip() for line in _said(postgres)[before:]
             if "statement: " in line or "execute " in line]  # fmt: skip
    assert len(asked) >= 3
    assert [one for one in asked if not READS.match(one)] == []


def test_postgres_is_asked_for_one_login_only(postgres: PostgresSite) -> None:
    before = postgres.server.log.read_text().count("password authentication failed")
    postgres.wire.secrets = {"password": "wrong"}
    postgres.wire.look()
    assert postgres.server.log.read_text().count("password authentication failed") == before + 1
    postgres.restore()


@pytest.mark.skipif(bool(missing_mariadb()), reason=missing_mariadb() or "-")
def test_mariadb_is_only_read_and_asked_for_one_login_only() -> None:
    with running_maria(MariaSite) as site:
        log = site.folder / "general"
        site.run(f"SET GLOBAL general_log_file = '{log}'")
        site.run("SET GLOBAL general_log = ON")
        site.wire.replication, site.wire.tables = "log", ("shop.orders", "shop.nothing")
        site.wire.look()
        asked = _queries(site, log.read_text())
        assert len(asked) >= 6
        assert [one for one in asked if not READS.match(one)] == []
        before = log.read_text().count("Access denied")
        site.wire.secrets = {"password": "wrong"}
        site.wire.look()
        assert log.read_text().count("Access denied") == before + 1


def _queries(site: MariaSite, text: str) -> list[str]:
    """What sessions of the connection's user asked."""
    ours = {m[1] for m in re.finditer(r"(\d+) Connect\tsti'tch@", text)}
    found = re.findall(r"(\d+) Query\t(.*?)(?=\n\S*\s+\d+ [A-Z]|\n\d{6}|\Z)", text, re.S)
    return [said.strip() for number, said in found if number in ours]
