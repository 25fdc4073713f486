"""Redshift, as far as it can be shown without one.

Shown: every statement is valid SQL that gives the right answer on a real PostgreSQL, with the remedies executed to the
letter; it is made of nothing that Redshift's documentation lists as missing; and by a scripted server with Redshift's own
first words, that it is recognised and asked no other way. Not shown: Redshift itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from flows.core.finding import explaining, overall
from tests.fakes.redshift import VERSION, speaking
from tests.faults.frame import Fault, Wire, by_hand, prove, setting, sql, told
from tests.faults.postgres_site import NAME, PostgresSite, running
from tests.servers import listener

DENIED, CONFIG = "missing_privilege", "config_error"
# https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-functions.html, ...-features.html and -datatypes.html,
# and what came to PostgreSQL after 8.0: https://www.postgresql.org/docs/8.1/release-8-1.html and on.
NOT_THERE = re.compile(
    r"unnest|array|ordinality|lateral|pg_roles|pg_authid|pg_policy|pg_is_in_recovery|server_version_num|pg_settings"
    r"|row_security|has_any_column|has_column_privilege|pg_has_role|aclexplode|recursive|filter|coalesce\(\(select"
    r"|pg_publication|pg_replication|pg_backend_pid|pg_get_userbyid|relispopulated|savepoint|::regclass|\$\d",
    re.I,
)


class Posing(PostgresSite):
    def fresh(self) -> Wire:
        plain = super().fresh()
        return Wire("redshift", plain.settings, plain.secrets, plain.tables)


@pytest.fixture(scope="module")
def site() -> Iterator[PostgresSite]:
    with running(log_statement="'all'", log_line_prefix="'%u|'") as plain:
        yield Posing(plain.server)


FAULTS = [
    Fault("a table is not granted", "redshift's catalogue", DENIED, "privilege.table_select_missing", sql(f"REVOKE SELECT ON sales.items FROM {NAME}")),
    Fault("the schema may not be used", "redshift's catalogue", DENIED, "privilege.schema_usage_missing",
          sql(f"REVOKE USAGE ON SCHEMA sales FROM {NAME}")),
    Fault("nothing is granted", "redshift's catalogue", DENIED, "privilege.schema_usage_missing",
          sql(f"DROP OWNED BY {NAME}")),
    Fault("a table is written otherwise", "redshift's catalogue", CONFIG, "config.identifier_case", setting(tables=("sales.Orders",))),
    Fault("a table is not there", "redshift's catalogue", CONFIG, "config.table_missing", setting(tables=("sales.order",)),
          by_hand(setting(tables=("sales.orders",)))),
    Fault("the log is to be followed", "redshift's catalogue", CONFIG, "replication.not_offered", setting(replication="log"),
          by_hand(setting(replication="key"))),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: PostgresSite) -> None:
    prove(fault, site)


@pytest.mark.parametrize("tables", [("sales.orders", "no.such"), ()])
def test_nothing_is_asked_that_redshift_has_not(tables: tuple[str, ...], site: PostgresSite) -> None:
    before = len(site.server.log.read_text())
    site.wire.tables = tables
    site.wire.look()
    said = site.server.log.read_text()[before:]
    site.restore()
    ours = [one for one in re.split(r"\n(?=\S+\|)", said) if one.startswith('sti"tch|') and "statement: " in one]
    assert len(ours) >= 4
    assert not [one for one in ours if NOT_THERE.search(one)]
    assert "execute <unnamed>" not in said


ANSWERS = {
    "version()": [("stitch", VERSION)],
    "lower(c.relname)": [("sales", "orders", "r", "t", "t", "owner")],
    "SELECT nspname": [("public",), ("sales",)],
    "svv_external_tables": [("lake", "clicks", "t")],
    "count(*)": [("3",)],
}


@pytest.mark.parametrize("connector", ["redshift", "postgres"])
def test_it_is_recognised_by_its_first_words_and_asked_its_own_way(connector: str) -> None:
    heard: list[str] = []
    with listener(speaking(ANSWERS, heard)) as port:
        place = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "dev"}
        wire = Wire(connector, place, {"password": "x"}, ("sales.orders", "lake.clicks"))
        found = wire.look()
        assert overall(found) == "good", explaining(found)
        wire.tables = ()
        assert overall(wire.look()) == "good"
    assert not [one for one in heard if one.startswith("message") or NOT_THERE.search(one)]


def test_what_is_printed_is_redshifts_own_dialect(site: PostgresSite) -> None:
    site.wire.secrets = {"password": "old"}
    top = explaining(site.wire.look())
    assert top is not None
    text = told(site.wire, top).text
    site.restore()
    assert "ALTER USER" in text
    assert "pg_authid" not in text
