"""A private PostgreSQL with a shop in it, and the connection of Alice to it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.faults.certificates import Authority
from tests.faults.frame import Wire
from tests.postgres import Postgres

ROLE, NAME, SECRET = 'sti"tch', '"sti""tch"', "Tr0ub4dor&3"
HBA = ("host all all 127.0.0.1/32 scram-sha-256",)
SCHEMA = f"""
DROP SCHEMA IF EXISTS sales CASCADE; DROP SCHEMA IF EXISTS "back office" CASCADE; DROP SCHEMA IF EXISTS old CASCADE;
CREATE SCHEMA sales; CREATE SCHEMA "back office";
CREATE TABLE sales.orders(id int PRIMARY KEY, email text, total int);
CREATE TABLE sales.items(id int PRIMARY KEY);
CREATE TABLE "back office"."Staff"(id int PRIMARY KEY);
INSERT INTO sales.orders VALUES (1, 'a@b.c', 3);
GRANT USAGE ON SCHEMA sales, "back office" TO {NAME};
GRANT SELECT ON sales.orders, sales.items, "back office"."Staff" TO {NAME};
"""
EVERYTHING = ("sales.orders", "sales.items", '"back office"."Staff"')


class PostgresSite:
    """`restore` makes whole whatever a fault or a remedy has left behind."""

    authority: Authority
    at = "shop"
    fills = {"<address>": "127.0.0.1", "<policy>": "r", "<its other roles>": "postgres", "<one of these>": "shop"}
    types = {"password": SECRET}

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.open: list[psycopg.Connection[tuple[object, ...]]] = []
        self.restart_needed = False
        self.restore()

    def fresh(self) -> Wire:
        settings = {"host": "127.0.0.1", "port": self.server.port, "database": "shop", "user": ROLE}
        return Wire("postgres", settings, {"password": SECRET}, EVERYTHING)

    def run(self, statement: str) -> list[tuple[object, ...]]:
        """In the shop's database, as its owner; a password there is kept as the server is told to keep it."""
        if moved := re.fullmatch(r"-- connected to database (\w+):", statement):
            self.at = moved[1]
        if statement.startswith("--"):
            return []
        # What lets nobody in is opened from beside it.
        return self.server.run(statement, database="postgres" if statement.startswith("ALTER DATABASE") else self.at)

    def ask(self, statement: str) -> list[dict[str, Any]]:
        """The same, with the names of the columns."""
        where = {"host": self.server.socket, "port": self.server.port, "user": "postgres"}
        for database in (self.at, "postgres"):
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(**where, dbname=database) as session:  # type: ignore[arg-type]
                return session.cursor(row_factory=dict_row).execute(statement.encode()).fetchall()
        raise AssertionError("nobody is let in")

    def shell(self, command: str) -> None:
        """On the server's machine, in the folder of its data; what is made there is the server's."""
        subprocess.run(command, shell=True, cwd=self.server.data, check=True, capture_output=True)
        for name in ("server.crt", "server.key"):
            self.server.put(name, (self.server.data / name).read_bytes())

    def write(self, file: str, lines: list[str]) -> None:
        path = self.server.data / file
        rules = path.read_text() if file == "pg_hba.conf" else ""
        path.write_text("\n".join([*lines, rules]) if rules else path.read_text() + "\n".join([*lines, ""]))

    def restart(self) -> None:
        self.close()
        self.server.restart()
        self.restart_needed = False

    def stay(self, **more: Any) -> psycopg.Connection[tuple[object, ...]]:
        """A session that stays open, as a forgotten program's does."""
        where = {
            "host": self.server.socket,
            "port": self.server.port,
            "user": ROLE,
            "dbname": "shop",
            "autocommit": True,
        }
        session: psycopg.Connection[tuple[object, ...]] = psycopg.connect(**{**where, **more})
        self.open.append(session)
        return session

    def certificate(self, days: int, *names: str) -> None:
        """The server shows this certificate from now on."""
        made = self.authority.issue("server", "db", *names, days=days)
        for source, name in zip(made, ("server.crt", "server.key"), strict=True):
            self.server.put(name, source.read_bytes())

    def close(self) -> None:
        for session in self.open:
            with contextlib.suppress(psycopg.Error):
                session.close()
        self.open.clear()

    def restore(self) -> None:
        self.close()
        if self.restart_needed:
            self.server.run("ALTER SYSTEM RESET ALL")
            self.restart()
        self.server.hba(*HBA)
        self.at = "shop"
        self._database()
        self._role()
        self.server.run(SCHEMA, database="shop")
        self.wire = self.fresh()

    def _database(self) -> None:
        have = {row[0] for row in self.server.run("SELECT datname FROM pg_database")}
        if "shop" not in have:
            self.server.run("CREATE DATABASE shop")
        self.server.run(
            "ALTER DATABASE shop ALLOW_CONNECTIONS true", "ALTER DATABASE shop CONNECTION LIMIT -1",
            "GRANT CONNECT ON DATABASE shop TO PUBLIC", "ALTER DATABASE shop RESET ALL",
        )  # fmt: skip

    def _role(self) -> None:
        for (name,) in self.server.run(r"SELECT rolname FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)'"):
            role = '"' + str(name).replace('"', '""') + '"'
            self.server.run(f"REASSIGN OWNED BY {role} TO postgres", f"DROP OWNED BY {role} CASCADE", database="shop")
            self.server.run(f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")
        self.server.run(f"CREATE ROLE {NAME} LOGIN PASSWORD '{SECRET}'")


@contextlib.contextmanager
def running(binaries: Path | None = None, **settings: str) -> Iterator[PostgresSite]:
    """The site on a server of its own. The folder is not pytest's: the server runs as another user than root."""
    folder = Path(tempfile.mkdtemp(prefix="mend-pg-"))
    server = Postgres(folder / "pg", binaries=binaries)
    try:
        server.make(**settings).start()
        yield PostgresSite(server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def encrypted(binaries: Path) -> Iterator[PostgresSite]:
    """The same with TLS; `site.authority` signs."""
    with running(binaries) as site:
        site.authority = Authority(site.server.data.parent / "ca")
        site.fills = {**site.fills, **site.authority.client("sti")}
        site.certificate(30, "127.0.0.1", "localhost")
        site.server.put("root.crt", site.authority.root.read_bytes())
        site.server.run("ALTER SYSTEM SET ssl_ca_file = 'root.crt'", "ALTER SYSTEM SET ssl = 'on'")
        site.server.reload()
        yield site
