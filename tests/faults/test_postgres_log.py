"""PostgreSQL, broken where a pipeline follows its log; and a standby."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from flows.core.finding import explaining
from tests.faults.frame import Fault, Wire, both, by_hand, prove, setting, sql, told
from tests.faults.postgres_site import NAME, PostgresSite, running
from tests.postgres import Postgres

SERVER, CONFIG, LOST = "server_misconfigured", "config_error", "log_position_lost"
FAMILY = "postgres log"
MAKE = "SELECT pg_create_logical_replication_slot('{}', 'pgoutput')"


class LogSite(PostgresSite):
    """The shop, whose log is followed by slot `stitch_shop` and publication `mend`."""

    def __init__(self, server: Postgres) -> None:
        self.readers: list[subprocess.Popen[bytes]] = []
        super().__init__(server)

    def fresh(self) -> Wire:
        made = super().fresh()
        made.replication = "log"
        made.settings["publication"] = "mend"
        return made

    def restore(self) -> None:
        for reader in self.readers:
            reader.terminate()
            reader.wait(20)
        self.readers.clear()
        self.close()
        self._drop_slots()  # a server does not start with more slots than it has room for
        self.server.run("ALTER SYSTEM RESET ALL")
        self.server.reload()
        if self.server.run("SELECT 1 FROM pg_settings WHERE pending_restart"):
            self.restart()
        super().restore()
        self.run(f"ALTER ROLE {NAME} REPLICATION")
        self.run("DROP PUBLICATION IF EXISTS mend")
        self.run('CREATE PUBLICATION mend FOR TABLE sales.orders, sales.items, "back office"."Staff"')
        self.run(MAKE.format("stitch_shop"))

    def _drop_slots(self) -> None:
        for _ in range(200):
            if not self.server.run("SELECT 1 FROM pg_replication_slots WHERE active"):
                break
            time.sleep(0.05)
        for name, database in self.server.run(
            "SELECT slot_name, COALESCE(database, 'postgres') FROM pg_replication_slots"
        ):
            self.server.run(f"SELECT pg_drop_replication_slot('{name}')", database=str(database))

    def follow(self, slot: str) -> None:
        """Another program that reads from a slot, until the site is restored."""
        where = ["-h", self.server.socket, "-p", str(self.server.port), "-U", "postgres", "-d", "shop", "--slot", slot, "--start",
                 "-o", "proto_version=1", "-o", "publication_names=mend", "--no-loop", "-f", "-"]  # fmt: skip
        program = self.server.server.bin_path / "pg_recvlogical"
        self.readers.append(subprocess.Popen([program, *where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for _ in range(400):
            if self.server.run(f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{slot}' AND active"):
                return
            time.sleep(0.05)


@pytest.fixture(scope="module")
def primary() -> Iterator[Postgres]:
    with running(wal_level="logical", max_replication_slots="3", max_wal_senders="3") as made:
        yield made.server


@pytest.fixture(scope="module")
def site(primary: Postgres) -> LogSite:
    return LogSite(primary)


def lost(site: LogSite) -> None:
    """More log is written than the server keeps for a slot."""
    site.run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    site.server.reload()
    for n in range(6):
        site.run(f"CREATE TABLE sales.w{n}(id int); SELECT pg_switch_wal()")
    site.run("CHECKPOINT")


def restarted(**settings: str) -> Any:
    def change(site: LogSite) -> None:
        for name, value in settings.items():
            site.run(f"ALTER SYSTEM SET {name} = '{value}'")
        site._drop_slots()
        site.restart()

    return change


def slots(*names: str) -> Any:
    return sql("SELECT pg_drop_replication_slot('stitch_shop')", *(MAKE.format(name) for name in names))


def followed(*names: str) -> Any:
    def start(site: LogSite) -> None:
        for name in names:
            site.run(MAKE.format(name)) if name != "stitch_shop" else None
            site.follow(name)

    return start


def senders(site: LogSite) -> None:
    """Three programs follow three slots, and there is room for three."""
    restarted(max_replication_slots="9")(site)
    site.run(MAKE.format("stitch_shop"))
    followed("a", "b", "c")(site)


FAULTS = [
    Fault("wal_level is replica", FAMILY, SERVER, "replication.wal_level", restarted(wal_level="replica"), rounds=2),
    Fault("wal_level is minimal", FAMILY, SERVER, "replication.wal_level", restarted(wal_level="minimal", max_wal_senders="0"), rounds=2),
    Fault("the role may not replicate", FAMILY, "missing_privilege", "privilege.replication_missing", sql(f"ALTER ROLE {NAME} NOREPLICATION")),
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.FeatureSupport.LogicalReplication.html
    Fault("the role may not replicate, with the roles of Amazon RDS", FAMILY, "missing_privilege", "privilege.replication_missing",
          sql("CREATE ROLE rds_superuser", "CREATE ROLE rds_replication", f"ALTER ROLE {NAME} NOREPLICATION")),
    Fault("the slot is missing", FAMILY, SERVER, "replication.slot_missing", slots()),
    Fault("a slot of another name is configured", FAMILY, SERVER, "replication.slot_missing", setting(slot="airbyte")),
    Fault("the slot is of another database", FAMILY, SERVER, "replication.slot_missing",
          both(slots(), lambda site: site.server.run(MAKE.format("stitch_shop")))),
    Fault("the slot is a physical one", FAMILY, SERVER, "replication.slot_missing",
          both(slots(), sql("SELECT pg_create_physical_replication_slot('stitch_shop')"))),
    Fault("all slots are taken", FAMILY, SERVER, "replication.no_free_slots", slots("a", "b", "c"), rounds=2),
    Fault("the server has no slots at all", FAMILY, SERVER, "replication.no_free_slots", restarted(max_replication_slots="0"), rounds=2),
    Fault("all wal senders are taken", FAMILY, SERVER, "replication.no_free_wal_sender",
          senders, rounds=2),
    Fault("the server has lost the slot's log", FAMILY, LOST, "replication.slot_invalidated", lost),
    Fault("another program reads from the slot", FAMILY, SERVER, "replication.slot_in_use", followed("stitch_shop"), verdict="unclear"),
    Fault("the publication is missing", FAMILY, SERVER, "replication.publication_missing", sql("DROP PUBLICATION mend")),
    Fault("a table is not in the publication", FAMILY, SERVER, "replication.table_not_in_publication",
          sql('ALTER PUBLICATION mend DROP TABLE sales.orders, "back office"."Staff"')),
    Fault("the publication leaves out updates", FAMILY, SERVER, "replication.publication_incomplete",
          sql("ALTER PUBLICATION mend SET (publish = 'insert')")),
    Fault("a table has no primary key", FAMILY, SERVER, "replication.no_replica_identity",
          sql("ALTER TABLE sales.orders DROP CONSTRAINT orders_pkey")),
    Fault("replica identity is nothing", FAMILY, SERVER, "replication.no_replica_identity", sql("ALTER TABLE sales.items REPLICA IDENTITY NOTHING")),
    Fault("a primary key is checked at the end only", FAMILY, SERVER, "replication.no_replica_identity",
          both(sql("CREATE TABLE sales.d(id int, PRIMARY KEY (id) DEFERRABLE)", f"GRANT SELECT ON sales.d TO {NAME}"),
               setting(tables=("sales.d",), publication=""))),
    Fault("a publication tells changes of partitions", FAMILY, SERVER, "replication.table_not_in_publication",
          both(sql("CREATE TABLE sales.p(id int PRIMARY KEY) PARTITION BY RANGE (id)", f"GRANT SELECT ON sales.p TO {NAME}",
                   "CREATE TABLE sales.p1 PARTITION OF sales.p FOR VALUES FROM (0) TO (9)",
                   "ALTER PUBLICATION mend ADD TABLE sales.p"), setting(tables=("sales.p",)))),
    Fault("a view is selected for the log", FAMILY, "unsupported_object", "replication.not_a_table",
          both(sql("CREATE VIEW sales.v AS SELECT 1 AS a", f"GRANT SELECT ON sales.v TO {NAME}"), setting(tables=("sales.v",), publication="")),
          by_hand(setting(replication="key"))),
    Fault("an unlogged table is selected", FAMILY, SERVER, "replication.table_not_logged",
          both(sql("CREATE UNLOGGED TABLE sales.u(id int PRIMARY KEY)", f"GRANT SELECT ON sales.u TO {NAME}"),
               setting(tables=("sales.u",), publication=""))),
    Fault("everything about the log at once", FAMILY, "missing_privilege", "privilege.replication_missing",
          both(slots(), sql(f"ALTER ROLE {NAME} NOREPLICATION", "DROP PUBLICATION mend", "ALTER TABLE sales.orders REPLICA IDENTITY NOTHING"))),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: LogSite) -> None:
    prove(fault, site)


class StandbySite(PostgresSite):
    """A copy of the shop; the connection leads to the copy."""

    def __init__(self, primary: Postgres, copy: Postgres) -> None:
        self.copy = copy
        super().__init__(primary)

    def fresh(self) -> Wire:
        made = super().fresh()
        made.settings["port"] = self.copy.port
        return made

    def write(self, file: str, lines: list[str]) -> None:
        with (self.copy.data / file).open("a") as conf:
            conf.write("\n".join([*lines, ""]))

    def ask(self, statement: str) -> list[dict[str, Any]]:
        with psycopg.connect(host=self.copy.socket, port=self.copy.port, user="postgres", dbname="shop") as session:
            return session.cursor(row_factory=dict_row).execute(statement.encode()).fetchall()

    def restart(self) -> None:
        self.copy.restart()

    def restore(self) -> None:
        super().restore()
        self.caught_up()

    def caught_up(self) -> None:
        place = str(self.server.run("SELECT pg_current_wal_lsn()")[0][0])
        for _ in range(600):
            if self.copy.run(f"SELECT pg_last_wal_replay_lsn() >= '{place}'")[0][0]:
                return
            time.sleep(0.05)
        raise AssertionError("the copy does not follow")


@pytest.fixture
def standby(primary: Postgres) -> Iterator[StandbySite]:
    PostgresSite(primary).run(f"ALTER ROLE {NAME} NOREPLICATION")
    folder = Path(tempfile.mkdtemp(prefix="mend-copy-"))
    copy = primary.copy(folder / "pg")
    copy.start()
    yield StandbySite(primary, copy)
    copy.stop()
    shutil.rmtree(folder, ignore_errors=True)


def without_readers(site: StandbySite) -> None:
    site.write("postgresql.conf", ["hot_standby = off"])
    site.copy.stop("fast")
    with contextlib.suppress(subprocess.SubprocessError):
        site.copy.start()  # pg_ctl waits in vain for a server that lets nobody in


STANDBY = [
    Fault("the log of a standby is to be followed", "postgres standby", CONFIG, "config.read_only_standby", setting(replication="log"), rounds=4),
    Fault("a standby lets nobody read", "postgres standby", SERVER, "availability.hot_standby_off", without_readers),
]  # fmt: skip


@pytest.mark.parametrize("fault", STANDBY, ids=str)
def test_a_standby_is_told_apart(fault: Fault, standby: StandbySite) -> None:
    prove(fault, standby)


def test_a_query_that_the_copy_ends_to_keep_up_is_told(standby: StandbySite) -> None:
    """The original rebuilds, again and again, a small catalogue that a look holds to its end."""
    standby.write("postgresql.conf", ["max_standby_streaming_delay = 0", "hot_standby_feedback = off"])
    standby.restart()
    stop = threading.Event()

    def rebuild() -> None:
        place = {"host": standby.server.socket, "port": standby.server.port, "user": "postgres", "dbname": "shop"}
        with psycopg.connect(**place, autocommit=True) as line:
            while not stop.is_set():
                line.execute("VACUUM FULL pg_catalog.pg_default_acl")
                line.execute("VACUUM FULL pg_catalog.pg_policy")

    wire = standby.fresh()
    wire.tables = tuple(f"sales.t{number}" for number in range(4000))
    cleaner = threading.Thread(target=rebuild)
    cleaner.start()
    try:
        found = next(
            (top for _ in range(40) if (top := explaining(wire.look())) and top.code != "config.table_missing"), None
        )
    finally:
        stop.set()
        cleaner.join()
    conflicts = standby.copy.run(
        "SELECT confl_lock + confl_snapshot FROM pg_stat_database_conflicts WHERE datname = 'shop'"
    )[0][0]
    assert int(str(conflicts)) > 0
    assert found is not None
    assert (found.verdict, found.cause, found.code) == ("bad", "connection_dropped", "contention.recovery_conflict"), (
        found
    )
    assert "max_standby_streaming_delay" in told(wire, found).text
