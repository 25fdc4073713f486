"""Real sources whose credentials are rotated: each knows whether a credential opens it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.session
import psycopg
import pymysql

from tests.fakes.sendgrid_keys import READS, RENEWS, SendGrid, sendgrid
from tests.faults.aws_site import AwsSite, account
from tests.faults.mariadb_site import running as running_mysql
from tests.faults.mysql_site import MySqlSite
from tests.postgres import Postgres
from tests.servers import mariadb

OLD = "c4n4ry-0ld-pa55"


class PostgresSource:
    """A server that writes every statement into its log, and a role that reads one table."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.server, self.file = server, folder / "pw"
        self.file.write_text(OLD)
        server.run(
            "CREATE TABLE public.orders(id int)",
            f"CREATE ROLE stitch LOGIN PASSWORD '{OLD}'",
            "GRANT SELECT ON public.orders TO stitch",
        )

    def connection(self, **more: Any) -> dict[str, Any]:
        settings = {"host": "127.0.0.1", "port": self.server.port, "database": "postgres", "user": "stitch"}
        return {
            "connector": "postgres", "settings": {**settings, "sslmode": "disable"}, "tables": ["public.orders"],
            "secrets": {"password": f"${{file:{self.file}}}"}, "rotation": {"allowed": True}, **more,
        }  # fmt: skip

    def given(self) -> dict[str, str]:
        return {"password": self.file.read_text()}

    def written(self) -> str:
        """What its log holds since the role was made."""
        lines = self.server.log.read_text().splitlines()
        return "\n".join(line for line in lines if "CREATE ROLE" not in line)

    def opens(self, known: Mapping[str, str]) -> bool:
        password = known["password"]
        try:
            psycopg.connect(
                host="127.0.0.1", port=self.server.port, user="stitch", password=password, dbname="postgres"
            ).close()
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def postgres_source() -> Iterator[PostgresSource]:
    with tempfile.TemporaryDirectory(prefix="mend-rotate-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = Postgres(folder / "pg").make(log_statement="'all'")
        server.start()
        try:
            server.hba("host all all 127.0.0.1/32 scram-sha-256")
            yield PostgresSource(server, folder)
        finally:
            server.stop()


class MariadbSource:
    def __init__(self, port: int, socket: str, folder: Path) -> None:
        self.port, self.file = port, folder / "pw"
        self.file.write_text(OLD)
        self.admin = pymysql.connect(unix_socket=socket, user="root", autocommit=True)
        self.log = folder / "general.log"
        for line in (
            "CREATE DATABASE shop", "CREATE TABLE shop.orders(id int)",
            f"CREATE USER 'stitch'@'127.0.0.1' IDENTIFIED BY '{OLD}'", "GRANT SELECT ON shop.* TO 'stitch'@'127.0.0.1'",
            f"SET GLOBAL general_log_file = '{self.log}'", "SET GLOBAL general_log = 1",
        ):  # fmt: skip
            self.admin.cursor().execute(line)

    def connection(self, **more: Any) -> dict[str, Any]:
        settings = {"host": "127.0.0.1", "port": self.port, "database": "shop", "user": "stitch"}
        return {
            "connector": "mariadb", "settings": {**settings, "sslmode": "disable"}, "tables": ["orders"],
            "secrets": {"password": f"${{file:{self.file}}}"}, "rotation": {"allowed": True}, **more,
        }  # fmt: skip

    def written(self) -> str:
        """Its general log."""
        return self.log.read_text()

    def opens(self, known: Mapping[str, str]) -> bool:
        try:
            pymysql.connect(host="127.0.0.1", port=self.port, user="stitch", password=known["password"]).close()
        except pymysql.OperationalError:
            return False
        return True

    def given(self) -> dict[str, str]:
        return {"password": self.file.read_text()}


class MysqlSource:
    """Oracle's server, which writes every statement into its general log, and accounts that may keep two passwords
    or may not."""

    def __init__(self, site: MySqlSite) -> None:
        self.site, self.log = site, site.folder / "general.log"
        site.run(f"SET GLOBAL general_log_file = '{self.log}'")
        site.run("SET GLOBAL general_log = 1")
        self.add("stitch", dual=True)

    def add(self, user: str, more: str = "", *, dual: bool = False) -> None:
        self.site.run(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED WITH caching_sha2_password BY '{OLD}' {more}")
        self.site.run(f"GRANT SELECT ON shop.* TO {user}@'127.0.0.1'")
        if dual:
            self.site.run(f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO {user}@'127.0.0.1'")

    def connection(self, user: str = "stitch", **more: Any) -> dict[str, Any]:
        settings = {"host": "127.0.0.1", "port": self.site.port, "database": "shop", "user": user}
        file = self.site.folder / f"pw-{user}"
        file.write_text(OLD)
        return {
            "connector": "mysql", "settings": {**settings, "sslmode": "disable"}, "tables": ["orders"],
            "secrets": {"password": f"${{file:{file}}}"}, "rotation": {"allowed": True}, **more,
        }  # fmt: skip

    def written(self) -> str:
        """Its general log."""
        return self.log.read_text()

    def given(self) -> dict[str, str]:
        return {"password": OLD}

    def opens(self, known: Mapping[str, str], user: str = "stitch") -> bool:
        login = {"host": "127.0.0.1", "port": self.site.port, "user": user, "password": known["password"]}
        try:
            self.site.connect(unix_socket=None, **login).close()
        except pymysql.OperationalError:
            return False
        return True


class AwsSource:
    """A user of an account played by moto, who may read a bucket and renew his own keys."""

    def __init__(self, site: AwsSite, folder: Path) -> None:
        self.site, self.folder = site, folder
        site.allow(("iam:*", "*"), name="renew")
        for name, key in (("id", "AccessKeyId"), ("secret", "SecretAccessKey")):
            (folder / name).write_text(site.keys[key])

    def connection(self, **more: Any) -> dict[str, Any]:
        refs = {
            "access_key_id": f"${{file:{self.folder / 'id'}}}",
            "secret_access_key": f"${{file:{self.folder / 'secret'}}}",
        }
        settings = dict(self.site.fresh().settings)
        return {"connector": "s3", "settings": settings, "secrets": refs, "rotation": {"allowed": True}, **more}

    def written(self) -> str:
        """AWS writes no secret of a key into its trail, and moto keeps none."""
        return ""

    def opens(self, known: Mapping[str, str]) -> bool:
        client = botocore.session.Session().create_client(
            "sts", region_name="us-east-1", endpoint_url=self.site.url, aws_access_key_id=known["access_key_id"],
            aws_secret_access_key=known["secret_access_key"],
        )  # fmt: skip
        try:
            client.get_caller_identity()
        except botocore.exceptions.ClientError:
            return False
        return True

    def given(self) -> dict[str, str]:
        return {
            "access_key_id": (self.folder / "id").read_text(),
            "secret_access_key": (self.folder / "secret").read_text(),
        }

    def keys(self) -> list[str]:
        found = self.site.admin("iam").list_access_keys(UserName="stitch")["AccessKeyMetadata"]
        self.site._enforce(0)
        return [key["AccessKeyId"] for key in found]


@contextlib.contextmanager
def mariadb_source() -> Iterator[MariadbSource]:
    with tempfile.TemporaryDirectory(prefix="mend-rotate-") as name, mariadb(Path(name)) as (port, socket):
        yield MariadbSource(port, socket, Path(name))


@contextlib.contextmanager
def aws_source() -> Iterator[AwsSource]:
    with tempfile.TemporaryDirectory(prefix="mend-rotate-") as name, account("s3") as site:
        yield AwsSource(site, Path(name))


class SendGridSource:
    """A key that may renew itself."""

    def __init__(self, side: SendGrid, folder: Path) -> None:
        self.side, self.file = side, folder / "key"
        self.file.write_text(side.make("pipeline", [*READS, *RENEWS])["api_key"])

    def connection(self, **more: Any) -> dict[str, Any]:
        return {
            "connector": "sendgrid", "settings": {"base_url": self.side.url}, "tables": ["lists"],
            "secrets": {"api_key": f"${{file:{self.file}}}"}, "rotation": {"allowed": True}, **more,
        }  # fmt: skip

    def given(self) -> dict[str, str]:
        return {"api_key": self.file.read_text()}

    def opens(self, known: Mapping[str, str]) -> bool:
        return self.side.who(f"Bearer {known['api_key']}") is not None

    def written(self) -> str:
        return ""

    def keys(self) -> list[str]:
        return list(self.side.keys)


@contextlib.contextmanager
def sendgrid_source() -> Iterator[SendGridSource]:
    with tempfile.TemporaryDirectory(prefix="mend-rotate-") as name, sendgrid() as side:
        yield SendGridSource(side, Path(name))


@contextlib.contextmanager
def mysql_source() -> Iterator[MysqlSource]:
    with running_mysql(MySqlSite) as site:
        yield MysqlSource(site)
