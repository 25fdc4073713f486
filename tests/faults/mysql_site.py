"""A private MySQL, Oracle's own, with the same shop as MariaDB's, and the connection of Alice to it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pymysql

from tests import mysqld
from tests.faults.frame import Wire
from tests.faults.mariadb_site import EVERYTHING, SCHEMA, SECRET, USER, MariaSite

GLOBALS = ("max_connections", "max_user_connections", "max_execution_time", "binlog_format", "binlog_row_image", "partial_revokes",
           "binlog_expire_logs_seconds", "max_allowed_packet", "require_secure_transport", "read_only", "super_read_only",
           "activate_all_roles_on_login", "default_password_lifetime")  # fmt: skip
OWN = ("root", "mysql.sys", "mysql.session", "mysql.infoschema")


class MySqlSite(MariaSite):
    section, schema, watched = "mysqld", SCHEMA, GLOBALS

    def __init__(self, folder: Path, **settings: Any) -> None:
        if os.getuid() == 0:
            folder.chmod(0o755)
        super().__init__(folder, **settings)
        share = mysqld.base() / "share/mysql"
        self.base |= {"basedir": mysqld.base(), "lc_messages_dir": share, "character_sets_dir": share / "charsets",
                      "plugin_dir": mysqld.base() / "lib/mysql/plugin", "mysqlx": "OFF", "performance_schema": "ON",
                      "disconnect_on_expired_password": "OFF", "secure_file_priv": "NULL", **settings}  # fmt: skip
        self.base["log_replica_updates"] = self.base.pop("log_slave_updates")
        del self.base["innodb_buffer_pool_size"]

    def install(self) -> None:
        subprocess.run(
            [*mysqld.program(), "--no-defaults", "--initialize-insecure", f"--datadir={self.folder / 'data'}",
             f"--basedir={mysqld.base()}", f"--lc-messages-dir={self.base['lc_messages_dir']}",
             f"--character-sets-dir={self.base['character_sets_dir']}", f"--user={self.base['user']}"],
            check=True, capture_output=True,
        )  # fmt: skip

    def program(self) -> list[str]:
        return mysqld.program()

    def people(self) -> list[str]:
        """Users and roles: both are accounts here."""
        own = ", ".join(f"'{name}'" for name in OWN)
        rows = self.run(f"SELECT user, host FROM mysql.user WHERE user NOT IN ({own})")  # noqa: S608 - names of our own
        return [f"USER '{pymysql.converters.escape_string(user)}'@'{host}'" for user, host in rows]

    def fresh(self) -> Wire:
        settings = {"host": "127.0.0.1", "port": self.port, "database": "shop", "user": USER}
        return Wire("mysql", settings, {"password": SECRET}, EVERYTHING)

    def restore(self) -> None:
        # What SET PERSIST has kept would come back at the next start.
        with contextlib.suppress(pymysql.MySQLError):
            self.run("RESET PERSIST")
        with contextlib.suppress(pymysql.MySQLError):  # a partial revoke holds its own switch
            for one in self.people():
                self.run(f"DROP {one}")
        super().restore()
