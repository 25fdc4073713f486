"""PgBouncer before a real PostgreSQL: what a pooler keeps from a connection, and how it says so."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.debian import missing, program
from tests.faults.frame import Fault, Wire, by_hand, prove, setting
from tests.faults.postgres_site import NAME, ROLE, SECRET, PostgresSite, running
from tests.postgres import Postgres
from tests.servers import free_port, refusing_port

REASON = missing("pgbouncer", "pgbouncer")
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "-")
FAMILY = "pgbouncer"


class PoolerSite(PostgresSite):
    """The connection leads to the pooler; `run` is its console for RELOAD, else the server behind."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.folder, self.pool = folder, free_port()
        self.fills = {"<server>": "127.0.0.1", "<port>": str(server.port)}
        self.process: subprocess.Popen[bytes] | None = None
        super().__init__(server)

    def fresh(self) -> Wire:
        made = super().fresh()
        made.settings["port"] = self.pool
        return made

    def configure(self, *, database: str = "shop", users: bool = True, **settings: str) -> None:
        own = {"listen_addr": "127.0.0.1", "listen_port": self.pool, "auth_type": "scram-sha-256", "auth_file": self.folder / "userlist.txt",
               "unix_socket_dir": self.folder, "admin_users": "boss", "pool_mode": "transaction", "logfile": self.folder / "log",
               "server_login_retry": 1, **settings}  # fmt: skip
        lines = ["[databases]", f"{database} = host=127.0.0.1 port={self.server.port} dbname=shop", "[pgbouncer]"]
        (self.folder / "pgbouncer.ini").write_text("\n".join([*lines, *(f"{k} = {v}" for k, v in own.items()), ""]))
        known = ['"boss" "boss"', f'"sti""tch" "{SECRET}"'] if users else ['"boss" "boss"']
        (self.folder / "userlist.txt").write_text("\n".join([*known, ""]))
        self.give()

    def give(self) -> None:
        user = self.server.server.system_user
        for path in (self.folder, *self.folder.iterdir()) if user else ():
            os.chown(path, *pwd.getpwnam(user)[2:4])

    def start(self) -> None:
        who = self.server.server.system_user
        more: dict[str, Any] = {"user": who} if who else {}
        self.process = subprocess.Popen([str(program("pgbouncer")), "-q", str(self.folder / "pgbouncer.ini")], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, **more)  # fmt: skip
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.pool), 0.2):
                return
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    def run(self, statement: str) -> list[tuple[object, ...]]:
        if statement != "RELOAD;":
            return super().run(statement)
        with psycopg.connect(
            host="127.0.0.1", port=self.pool, user="boss", password="boss", dbname="pgbouncer", autocommit=True
        ) as console:
            console.execute(b"RELOAD")
        return []

    def write(self, file: str, lines: list[str]) -> None:
        """Under the right heading, in place of what stands there; the list of users has no headings."""
        path = self.folder / file
        headings = {"pool_mode": "[pgbouncer]", "max_client_conn": "[pgbouncer]"}
        for line in lines:
            key = line.partition(" ")[0]
            old = [kept for kept in path.read_text().splitlines() if not kept.startswith(f"{key} ")]
            at = old.index(headings.get(key, "[databases]")) + 1 if file.endswith(".ini") else 0
            path.write_text("\n".join([*old[:at], line, *old[at:], ""]))

    def restore(self) -> None:
        self.stop()
        self.close()
        super().restore()
        self.configure()
        self.start()


@pytest.fixture(scope="module")
def site() -> Iterator[PoolerSite]:
    folder = Path(tempfile.mkdtemp(prefix="mend-pool-"))
    folder.chmod(0o755)
    with running(wal_level="logical") as made:
        pool = PoolerSite(made.server, folder)
        yield pool
        pool.stop()
    shutil.rmtree(folder, ignore_errors=True)


def pooler(**settings: Any) -> Any:
    def again(site: PoolerSite) -> None:
        site.stop()
        site.configure(**settings)
        site.start()

    return again


def away(site: PoolerSite, **settings: str) -> None:
    site.wire.timeout = 4.0
    site.stop()
    site.configure(**settings)
    path = site.folder / "pgbouncer.ini"
    path.write_text(path.read_text().replace(f"port={site.server.port}", f"port={refusing_port()}"))
    site.start()


def full(site: PoolerSite) -> None:
    pooler(max_client_conn="2")(site)
    for _ in range(2):
        site.stay(host="127.0.0.1", port=site.pool, user=ROLE, password=SECRET)


CONFIG, WRONG, DROPPED = "config_error", "invalid_credentials", "connection_dropped"
FAULTS = [
    Fault("the pooler does not know the database", FAMILY, CONFIG, "config.pooler_database_not_defined", pooler(database="other")),
    Fault("the pooler does not know the user", FAMILY, WRONG, "auth.pooler_user_missing", pooler(users=False),
          also=("auth.wrong_password",)),
    Fault("the password behind the pooler was changed", FAMILY, WRONG, "auth.pooler_user_missing",
          lambda site: (site.server.run(f"ALTER ROLE {NAME} PASSWORD 'other'"), pooler()(site)), also=("auth.wrong_password",)),
    Fault("another password than the pooler's is configured", FAMILY, WRONG, "auth.pooler_user_missing", setting(password="old"),
          also=("auth.wrong_password",)),
    Fault("statement mode allows no transactions", FAMILY, CONFIG, "config.pooler_transaction_mode", pooler(pool_mode="statement")),
    Fault("replication through a pooler", FAMILY, CONFIG, "replication.through_pooler", setting(replication="log", publication="mend"), rounds=5),
    Fault("the pooler waits for a server that is down", FAMILY, "host_unreachable", "network.accepts_but_silent", away,
          by_hand(pooler()), also=("availability.bad_gateway",)),
    Fault("the pooler has waited long enough for the server", FAMILY, DROPPED, "availability.bad_gateway",
          lambda site: away(site, query_wait_timeout="1"),
          also=("capacity.too_many_connections",)),
    Fault("the pooler has no place for another client", FAMILY, DROPPED, "capacity.too_many_connections", full),
    Fault("the database behind the pooler is gone", FAMILY, CONFIG, "config.unknown_database",
          lambda site: (site.stop(), site.configure(), _other_database(site), site.start()), by_hand(pooler())),
    Fault("the pooler has no TLS", FAMILY, "tls_mismatch", "tls.server_without_tls", setting(sslmode="require"),
          by_hand(setting(sslmode="prefer"))),
]  # fmt: skip


def _other_database(site: PoolerSite) -> None:
    path = site.folder / "pgbouncer.ini"
    path.write_text(path.read_text().replace("dbname=shop", "dbname=nothing"))


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: PoolerSite) -> None:
    prove(fault, site)
