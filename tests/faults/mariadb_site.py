"""A private MariaDB with a shop in it, and the connection of Alice to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pymysql

from tests.debian import program
from tests.faults.certificates import Authority
from tests.faults.frame import Wire
from tests.servers import free_port

USER, NAME, SECRET = "sti'tch", "'sti''tch'@'127.0.0.1'", "S3cret!\\"
SCHEMA = (
    "DROP DATABASE IF EXISTS shop", "DROP DATABASE IF EXISTS `back office`", "CREATE DATABASE shop", "CREATE DATABASE `back office`",
    "CREATE TABLE shop.orders(id int PRIMARY KEY, email varchar(80), total int)", "CREATE TABLE shop.items(id int PRIMARY KEY)",
    "CREATE TABLE `back office`.`Staff list`(id int PRIMARY KEY)",
    f"CREATE USER {NAME} IDENTIFIED BY 'S3cret!\\\\'",
    f"GRANT SELECT ON shop.orders TO {NAME}", f"GRANT SELECT ON shop.items TO {NAME}", f"GRANT SELECT ON `back office`.`Staff list` TO {NAME}",
)  # fmt: skip
EVERYTHING = ("shop.orders", "items", "back office.Staff list")
GLOBALS = ("max_connections", "max_user_connections", "max_statement_time", "binlog_format", "binlog_row_image", "expire_logs_days",
           "max_allowed_packet", "require_secure_transport", "read_only", "server_id", "disconnect_on_expired_password")  # fmt: skip


class MariaSite:
    """`restore` makes whole whatever a fault or a remedy has left behind."""

    fills = {
        "<host>": "127.0.0.1",
        "<address>": "127.0.0.1",
        "<unique number>": "77",
        "<table below the view>": "`orders`",
        "<one of these>": "shop",
    }
    types = {"password": SECRET}
    section, schema, watched = "mariadb", SCHEMA, GLOBALS

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.port, self.line = folder, free_port(), str(folder / "s")
        self.authority = Authority(folder / "ca")
        certificate, key = self.authority.issue("server", "127.0.0.1", "127.0.0.1")
        # A server that starts empties its folder for temporary tables; the default, /tmp, is the other servers' too.
        temporary = folder / "tmp"
        temporary.mkdir()
        self.base = {"datadir": folder / "data", "tmpdir": temporary, "socket": self.line, "port": self.port, "bind_address": "127.0.0.1", "skip_name_resolve": "ON",
                     "pid_file": folder / "pid", "user": "root" if os.getuid() == 0 else os.environ.get("USER", ""), "log_bin": "mysql-bin",
                     "binlog_format": "ROW", "binlog_row_image": "FULL", "server_id": 1, "log_slave_updates": "ON", "ssl_cert": certificate,
                     "ssl_key": key, "ssl_ca": self.authority.root, "innodb_flush_log_at_trx_commit": 0, "sync_binlog": 0, "innodb_buffer_pool_size": "16M",
                     "max_connections": 12, "max_user_connections": 90, "log_error": folder / "log", **settings}  # fmt: skip
        shown = {"<certificate of the server>": str(certificate), "<key of the server>": str(key)}
        self.fills = {**self.fills, **self.authority.client("sti"), **shown}
        self.process: subprocess.Popen[bytes] | None = None
        self.open: list[Any] = []

    def make(self) -> None:
        self.install()
        self.configure()
        self.start()
        for user, host in self.run("SELECT user, host FROM mysql.user WHERE host <> 'localhost'"):
            self.run(f"DROP USER '{user}'@'{host}'")
        self.globals = {name: self.run(f"SELECT @@global.{name}")[0][0] for name in self.watched}
        self.restore()

    def install(self) -> None:
        subprocess.run(
            [str(program("mariadb-install-db")), "--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db",
             "--auth-root-authentication-method=normal", f"--user={self.base['user']}"],
            check=True, capture_output=True,
        )  # fmt: skip

    def program(self) -> list[str]:
        return [str(program("mariadbd"))]

    def people(self) -> list[str]:
        """Users and roles, as DROP names them."""
        rows = self.run("SELECT user, host, is_role FROM mysql.user WHERE user NOT IN ('root', 'mariadb.sys')")
        quoted = [("'" + user.replace("'", "''") + "'", host, role) for user, host, role in rows]
        return [f"ROLE {name}" if role == "Y" else f"USER {name}@'{host}'" for name, host, role in quoted]

    def configure(self, *without: str, **settings: Any) -> None:
        """my.cnf as it is when all is well, but for these."""
        own = {name: value for name, value in {**self.base, **settings}.items() if name not in without}
        lines = [f"[{self.section}]", *(f"{name} = {value}" for name, value in own.items()), ""]
        (self.folder / "my.cnf").write_text("\n".join(lines))
        self.altered = bool(without or settings)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*self.program(), f"--defaults-file={self.folder / 'my.cnf'}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(600):
            with contextlib.suppress(pymysql.MySQLError):
                self.connect().close()
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-800:])

    def stop(self) -> None:
        self.close()
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def connect(self, **more: Any) -> Any:
        # Over the socket nothing is encrypted, and to prepare for it reads the system's certificates: 23 ms each time.
        own = {"unix_socket": self.line, "user": "root", "autocommit": True, "ssl_disabled": "unix_socket" not in more}
        end = time.monotonic() + 10
        while True:
            try:
                return pymysql.connect(**{**own, **more})
            except pymysql.MySQLError as error:
                # The place of who left a moment ago is not free at once.
                if more.get("user") or error.args[0] not in (1040, 1203) or time.monotonic() > end:
                    raise
            time.sleep(0.01)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        if statement.startswith("--"):
            return []
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def ask(self, statement: str) -> list[dict[str, Any]]:
        with (
            contextlib.closing(self.connect(cursorclass=pymysql.cursors.DictCursor)) as session,
            session.cursor() as cursor,
        ):
            cursor.execute(statement)
            return [{name.lower(): value for name, value in row.items()} for row in cursor.fetchall()]

    def shell(self, command: str) -> None:
        """On the server's machine, whose owner's programs find this server by themselves."""
        (self.folder / ".my.cnf").write_text(f"[client]\nsocket = {self.line}\n")
        environment = {**os.environ, "HOME": str(self.folder)}
        subprocess.run(command, shell=True, check=True, capture_output=True, env=environment)

    def write(self, file: str, lines: list[str]) -> None:
        with (self.folder / file).open("a") as conf:
            conf.write("\n".join([*lines, ""]))
        self.altered = True

    def stay(self) -> Any:
        """A session of Alice's login that stays open, as a forgotten program's does."""
        session = self.connect(
            unix_socket=None, host="127.0.0.1", port=self.port, user=USER, password=SECRET, database="shop"
        )
        self.open.append(session)
        return session

    def close(self) -> None:
        for session in self.open:
            with contextlib.suppress(pymysql.MySQLError):
                session.close()
        self.open.clear()

    def fresh(self) -> Wire:
        settings = {"host": "127.0.0.1", "port": self.port, "database": "shop", "user": USER}
        return Wire("mariadb", settings, {"password": SECRET}, EVERYTHING)

    def restore(self) -> None:
        self.close()
        if self.altered:
            self.configure()
            self.restart()
        for name, value in self.globals.items():
            self.run(f"SET GLOBAL {name} = {value!r}")
        for one in self.people():
            self.run(f"DROP {one}")
        for statement in self.schema:
            self.run(statement)
        self.run("FLUSH PRIVILEGES")
        self.wire = self.fresh()


Site = TypeVar("Site", bound=MariaSite)


@contextlib.contextmanager
def running(kind: type[Site], **settings: Any) -> Iterator[Site]:
    """A site of this kind, made, and gone at the end with its folder."""
    folder = Path(tempfile.mkdtemp(prefix=f"mend-{kind.section}-"))
    site = kind(folder, **settings)
    try:
        site.make()
        yield site
    finally:
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)
