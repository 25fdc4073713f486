"""`mend check` in the terminal and the thread in Slack tell the same, for one broken connection of every family, and for
more of those that are played."""

from __future__ import annotations

import contextlib
import html
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.debian import missing
from tests.fakes.google import Google
from tests.fakes.mongod import Mongod
from tests.fakes.oracle import Oracle
from tests.fakes.serve import serving
from tests.fakes.snowflake import Snowflake
from tests.fakes.tds import SqlServer
from tests.faults import (
    aws_site,
    mariadb_site,
    postgres_site,
    test_bigquery,
    test_mongodb,
    test_mssql,
    test_oracle,
    test_redshift,
    test_snowflake,
)
from tests.faults.frame import Case, Wire
from tests.faults.mysql_site import MySqlSite
from tests.faults.ssh_site import SshSite
from tests.faults.test_pgbouncer import PoolerSite
from tests.faults.test_redis import RedisSite
from tests.faults.web_site import missing_tinyproxy, web
from tests.mysqld import missing_mysqld
from tests.servers import listener, missing_mariadb, refusing_port
from tests.sshd import missing_sshd, sshd
from tests.talk import World


@dataclass
class Stage:
    """Where the servers of this run stand until its end."""

    stack: contextlib.ExitStack
    root: Path

    def folder(self, name: str) -> Path:
        made = self.root / name
        made.mkdir(mode=0o755)
        return made

    def enter(self, context: contextlib.AbstractContextManager[Any]) -> Any:
        return self.stack.enter_context(context)

    @cached_property
    def shop(self) -> Any:
        return self.enter(postgres_site.running())


# One family, one server, one thing that is wrong ---------------------------------------------------------------------


def network(stage: Stage) -> Wire:
    wire: Wire = stage.shop.fresh()
    wire.settings["port"] = refusing_port()
    return wire


def postgres(stage: Stage) -> Wire:
    stage.shop.run(f"REVOKE SELECT ON sales.orders FROM {postgres_site.NAME}")
    wire: Wire = stage.shop.wire
    return wire


def pgbouncer(stage: Stage) -> Wire:
    pool = PoolerSite(stage.enter(postgres_site.running()).server, stage.folder("pool"))
    stage.stack.callback(pool.stop)
    pool.stop()
    pool.configure(users=False)
    pool.start()
    return pool.wire


def mariadb(stage: Stage) -> Wire:
    site = stage.enter(mariadb_site.running(mariadb_site.MariaSite))
    site.run(f"ALTER USER {mariadb_site.NAME} ACCOUNT LOCK")
    wire: Wire = site.wire
    return wire


def mysql(stage: Stage) -> Wire:
    site = stage.enter(mariadb_site.running(MySqlSite))
    site.run(f"ALTER USER {mariadb_site.NAME} PASSWORD EXPIRE")
    wire: Wire = site.wire
    return wire


def redis(stage: Stage) -> Wire:
    site = RedisSite(stage.folder("redis"))
    stage.stack.callback(site.stop)
    site.run("ACL SETUSER stitch -scan")
    return site.wire


def redshift(stage: Stage) -> Wire:
    site = test_redshift.Posing(stage.enter(postgres_site.running()).server)
    site.run(f"REVOKE SELECT ON sales.items FROM {postgres_site.NAME}")
    return site.wire


def s3(stage: Stage) -> Wire:
    bucket = stage.enter(aws_site.account("s3"))
    bucket.without("s3:ListBucket")
    wire: Wire = bucket.wire
    return wire


def dynamodb(stage: Stage) -> Wire:
    account = stage.enter(aws_site.account("dynamodb"))
    account.without("dynamodb:Scan")
    wire: Wire = account.wire
    return wire


def sftp(stage: Stage) -> Wire:
    files = SshSite(stage.enter(sshd(stage.root / "files")))
    files.wire.settings["path"] = "/nowhere"
    return files.wire


def tunnel(stage: Stage) -> Wire:
    way = SshSite(stage.enter(sshd(stage.root / "tunnel")), stage.shop)
    way.options("AllowTcpForwarding no")
    return way.fresh()


def https(stage: Stage) -> Wire:
    site = stage.enter(web())
    site.shows(site.authority.issue("bad", "localhost", "localhost", days=-3))
    wire: Wire = site.wire
    return wire


def proxy(stage: Stage) -> Wire:
    site = stage.enter(web())
    site.proxy.start("Allow 127.0.0.1", "ConnectPort 443")
    site.wire.proxy = site.proxy.url
    wire: Wire = site.wire
    return wire


Breaks = Callable[[Stage], Wire]
Made = Callable[[Stage], tuple[Any, Wire]]


def place(connector: str, port: int, **more: Any) -> Wire:
    settings = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop"}
    return Wire(connector, settings, {"password": "right"}, **more)


def mssql(stage: Stage) -> tuple[Any, Wire]:
    server = SqlServer()
    return server, place("mssql", stage.enter(listener(server.talk)), tables=("dbo.orders", "customers"))


def oracle(stage: Stage) -> tuple[Any, Wire]:
    server = Oracle()
    return server, test_oracle.wire(stage.enter(listener(server.talk)))


def mongodb(stage: Stage) -> tuple[Any, Wire]:
    server = Mongod()
    return server, place("mongodb", stage.enter(listener(server.talk)), tables=("shop.orders",))


def snowflake(stage: Stage) -> tuple[Any, Wire]:
    server = Snowflake()
    return server, test_snowflake.wired(server, stage.enter(serving(server.answer)))


def bigquery(stage: Stage) -> tuple[Any, Wire]:
    google = Google()
    at = {"base_url": stage.enter(serving(google.answer)), "dataset": "shop", "project": "acme"}
    return google, Wire("bigquery", at, {"service_account": google.file()}, ("orders", "shop.customers"))


# Of what is played, what is asked of several people: the credential, the address, the rights, the data, the bill.
PLAYED: dict[Made, tuple[list[Case], tuple[str, ...]]] = {
    mssql: (test_mssql.CASES, (
        "wrong password", "disabled", "unknown database", "Azure's firewall", "SELECT is denied")),
    oracle: (test_oracle.CASES, (
        "wrong password", "the user is locked", "the password ran out", "no such service", "no table may be read")),
    mongodb: (test_mongodb.CASES, (
        "wrong password", "no role in the database", "a collection is not there", "no replica set, so no oplog")),
    snowflake: (test_snowflake.CASES, (
        "wrong password", "the user is locked", "the address is not allowed", "its credits are used up",
        "a table may not be read")),
    bigquery: (test_bigquery.CASES, (
        "the key was deleted or is another's", "the API is switched off", "billing is switched off", "no such dataset",
        "a table may not be read")),
}  # fmt: skip


def broken(made: Made, case: Case) -> Breaks:
    def breaks(stage: Stage) -> Wire:
        server, wire = made(stage)
        case.breaks(server, wire)
        return wire

    breaks.__name__ = re.sub(r"\W+", "_", f"{made.__name__} {case}").lower()
    return breaks


HERE = ""
CASES = [broken(made, one) for made, (known, names) in PLAYED.items() for one in known if one.name in names]
# Which servers are missing on this machine, and why. SQL Server, Oracle, MongoDB, Snowflake and BigQuery are played.
FAMILIES: dict[Breaks, str] = {
    network: HERE, postgres: HERE, pgbouncer: missing("pgbouncer", "pgbouncer"), mariadb: missing_mariadb(),
    mysql: missing_mysqld(), redis: missing("redis-server", "redis-server"), redshift: HERE, s3: HERE, dynamodb: HERE,
    sftp: missing_sshd(), tunnel: missing_sshd(), https: HERE, proxy: missing_tinyproxy(), **dict.fromkeys(CASES, HERE),
}  # fmt: skip


def known(wire: Wire) -> dict[str, Any]:
    """The connection as mend.yml holds it."""
    plain = {"connector": wire.connector, "settings": wire.settings, "secrets": wire.secrets,
             "tables": list(wire.tables), "replication": wire.replication}  # fmt: skip
    more = {"tunnel": wire.tunnel, "proxy": wire.proxy}
    return {**plain, **{name: value for name, value in more.items() if value}}


@pytest.fixture(scope="module")
def world(database: str) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mend-same-")))
        folder.chmod(0o755)  # as root some of the servers run as another account
        stage = Stage(stack, folder)
        connections = {one.__name__: known(one(stage)) for one, absent in FAMILIES.items() if not absent}
        yield stack.enter_context(World(database, folder, connections=connections))


@pytest.fixture(scope="module")
def checked(world: World) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "bot.cli", "check", "--all", "--json", "--config", str(world.folder / "mend.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return {one["connection"]: one for one in json.loads(done.stdout)}


def test_every_case_of_the_table_is_there() -> None:
    assert len(CASES) == sum(len(names) for _, names in PLAYED.values())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda one: one.__name__)
def test_the_thread_tells_what_the_terminal_tells(
    family: Breaks, world: World, checked: dict[str, dict[str, Any]]
) -> None:
    if FAMILIES[family]:
        pytest.skip(FAMILIES[family])
    said = checked[family.__name__]
    assert said["verdict"] == "bad", said
    finding = next(one for one in said["findings"] if one["code"] == said["code"])
    talk = world.start(family.__name__)
    told = (said["verdict"], said["cause"], said["code"])
    copied = [line for block in re.findall(r"```\n(.*?)\n```", finding["next"], re.S) for line in block.splitlines()]
    wanted = [json.dumps(one, ensure_ascii=False)[1:-1] for one in (said["summary"], *copied)]

    def shown() -> bool:
        """A message of the thread, not its head, says all of it."""
        answers = [one for one in talk.thread[1:] if told == payload(one)]
        texts = [html.unescape(json.dumps(one["blocks"], ensure_ascii=False)) for one in answers]
        return any(all(one in text for one in wanted) for text in texts)

    talk.slack.wait_for(shown, 90, f"{told} with {wanted}")
    talk.say("cancel")


def payload(message: dict[str, Any]) -> tuple[str, ...]:
    known = message.get("metadata", {}).get("event_payload", {})
    return tuple(known.get(name, "") for name in ("verdict", "cause", "code"))
