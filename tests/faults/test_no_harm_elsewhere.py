"""What a check of everything else sends while all is well, as the servers themselves wrote it down: only reading."""

from __future__ import annotations

import base64
import json
import re
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from bot.checks import run
from bot.checks.base import Target
from bot.checks.http import base_url
from flows.core.finding import Finding
from flows.core.sheet import Sheet, sheet
from tests.checks.test_http_sheets import KEYS, at
from tests.debian import missing
from tests.fakes.google import Google
from tests.fakes.recorded import KEY, answer, recorded
from tests.fakes.serve import Reply, serving
from tests.fakes.snowflake import Snowflake
from tests.faults.aws_site import account
from tests.faults.frame import Wire
from tests.faults.mariadb_site import NAME, running
from tests.faults.mysql_site import MySqlSite
from tests.faults.ssh_site import SshSite
from tests.faults.test_no_harm import READS
from tests.faults.test_redis import ADMIN, RedisSite
from tests.faults.test_snowflake import wired
from tests.mysqld import missing_mysqld
from tests.sshd import missing_sshd, sshd

NO_REDIS = missing("redis-server", "redis-server")
SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")


def good(found: list[Finding]) -> None:
    """The whole way is walked: nothing is hidden by what failed before it."""
    assert {one.verdict for one in found} <= {"good", "skipped"}, found
    assert {one.step for one in found if one.verdict == "good"} >= {"verify_credentials", "check_permissions"}, found


@pytest.mark.skipif(bool(missing_mysqld()), reason=missing_mysqld() or "-")
@pytest.mark.parametrize("replication", ["key", "log"])
def test_mysql_is_only_read(replication: str) -> None:
    with running(MySqlSite) as site:
        log = site.folder / "general"
        site.run(f"SET GLOBAL general_log_file = '{log}'")
        site.run("SET GLOBAL general_log = ON")
        site.run(f"GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO {NAME}")
        site.wire.replication = replication
        good(site.wire.look())
        site.run("SET GLOBAL general_log = OFF")
        text = log.read_text()
    ours = {one[1] for one in re.finditer(r"(\d+) Connect\tsti'tch@", text)}
    said = [(number, kind, words) for number, kind, words in
            re.findall(r"^\S+\s+(\d+) (\w[\w ]*?)\t(.*?)(?=\n\d{4}-\d\d-|\Z)", text, re.S | re.M) if number in ours]  # fmt: skip
    assert len(ours) == 1, "one login"
    assert {kind for _, kind, _ in said} <= {"Connect", "Query", "Init DB", "Ping", "Quit"}
    asked = [words.strip() for _, kind, words in said if kind == "Query"]
    assert len(asked) >= 6
    assert [one for one in asked if not READS.match(one)] == []


@pytest.mark.skipif(bool(NO_REDIS), reason=NO_REDIS or "-")
def test_redis_is_only_read() -> None:
    """The server says itself which of its commands write or manage."""
    with tempfile.TemporaryDirectory(prefix="mend-redis-") as folder:
        site = RedisSite(Path(folder))
        try:
            site.run("ACL SETUSER stitch ~* +@all")
            asked = _monitored(site)
            with redis.Redis(port=site.plain, username="admin", password=ADMIN) as link:
                known = {name: link.execute_command("COMMAND", "INFO", name) for name in asked}
        finally:
            site.stop()
    assert len(asked) >= 2
    for name, told in known.items():
        assert not {str(flag) for flag in told[name]["flags"]} & {"write", "admin", "pubsub"}, name


def _monitored(site: RedisSite) -> set[str]:
    """The commands of a whole check; the last one is our own mark. MONITOR leaves out AUTH and HELLO, which hold secrets."""
    with redis.Redis(port=site.plain, username="admin", password=ADMIN) as link, link.monitor() as seen:
        good(site.wire.look())
        site.run("ECHO end-of-the-check")
        asked = set[str]()
        for one in seen.listen():
            if "end-of-the-check" in one["command"]:
                return asked
            asked.add(one["command"].split()[0].strip('"').lower())
    raise AssertionError("MONITOR has ended")


STREAM = "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
READING = ("DescribeTable", "Scan", "DescribeStream", "GetShardIterator", "GetRecords", "ListStreams")
AWS_READS = re.compile(r"(Get|List|Head|Describe|Simulate|AssumeRole|Scan)\w*\Z")


@pytest.mark.parametrize(("kind", "replication"), [("s3", "key"), ("dynamodb", "key"), ("dynamodb", "log")])
def test_aws_is_only_read(kind: str, replication: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_RECORDER_FILEPATH", str(tmp_path / "calls"))
    with account(kind) as site:
        if replication == "log":
            for table in ("orders", "items"):
                site.run(f"aws dynamodb update-table --table-name {table} --stream-specification {STREAM}")
            site.allow(*[(f"dynamodb:{one}", "*") for one in READING])
        site.wire.replication = replication
        urllib.request.urlopen(urllib.request.Request(f"{site.url}/moto-api/recorder/start-recording", b"")).close()
        good(site.wire.look())
    calls = [_action(json.loads(line)) for line in (tmp_path / "calls").read_text().splitlines()]
    assert len(calls) >= 2
    assert [one for one in calls if not AWS_READS.match(one)] == []


def _action(call: Mapping[str, Any]) -> str:
    """A call's name: in a header (JSON), in the body (query), or, for S3, the HTTP method."""
    headers = {name.lower(): value for name, value in dict(call["headers"]).items()}
    if target := headers.get("x-amz-target"):
        return str(target).rpartition(".")[2]
    body = base64.b64decode(call["body"] or "").decode()
    action = parse_qs(body).get("Action") or parse_qs(urlsplit(call["url"]).query).get("Action")
    name: str = action[0] if action else call["method"].title()
    return name


@pytest.mark.skipif(bool(missing_sshd()), reason=missing_sshd() or "-")
def test_files_are_only_read() -> None:
    with tempfile.TemporaryDirectory(prefix="mend-ssh-") as folder, sshd(Path(folder) / "files") as server:
        log = Path(folder) / "sftp.log"
        log.touch()
        log.chmod(0o666)
        site = SshSite(server)
        site.options(f"Subsystem sftp {SFTP_SERVER} -e -l DEBUG3 2>>{log}")
        site.wire = site.fresh()
        good(site.wire.look())
        said = log.read_text()
    asked = set(re.findall(r"^debug\d: request \d+: ([\w@.-]+)", said, re.M)) - {"sent"}  # which is an answer
    assert asked & {"opendir", "readdir"}, said
    assert asked <= {"opendir", "readdir", "open", "read", "close", "stat", "lstat", "fstat", "realpath"}, said
    opened = re.findall(r'^open ".*" flags (\S+)', said, re.M)
    assert {*opened} <= {"READ"}, said


def test_snowflake_is_only_read() -> None:
    server = Snowflake()
    with serving(server.answer) as url:
        good(wired(server, url).look())
    assert server.statements
    assert [one for one in server.statements if not re.match(r"(SHOW|SELECT|EXPLAIN|USE)\b", one)] == []
    assert server.logins == 1


def test_bigquery_runs_nothing() -> None:
    google, asked = Google(), list[tuple[str, str]]()

    def answer(path: str, headers: Mapping[str, str]) -> Reply:
        asked.append((path, headers.get(":posted", "")))
        return google.answer(path, headers)

    with serving(answer) as url:
        place = {"base_url": url, "dataset": "shop", "project": "acme"}
        good(Wire("bigquery", place, {"service_account": google.file()}, ("orders", "shop.customers")).look())
    posted = [json.loads(body) for path, body in asked if body and path != "/token"]
    assert posted
    assert all(one["dryRun"] is True and one["query"].startswith("SELECT") for one in posted), posted
    assert google.tokens == 1


@pytest.mark.parametrize("key", KEYS)
def test_providers_are_only_asked(key: str) -> None:
    """By GET, or with the very text that the sheet names as its query: a server that knows no other method answers."""
    known, told, posted = sheet(key), recorded(key), list[tuple[str, str]]()
    assert known.http

    def heard(path: str, headers: Mapping[str, str]) -> Reply:
        if ":posted" in headers:
            posted.append((path, headers[":posted"]))
        return answer(told, "good", path, headers)

    secrets, begins = (
        {known.http.secret: KEY, **told.get("secrets", {})},
        urlsplit(base_url(Target("crm", key, known, told.get("settings", {})))).path,
    )
    with serving(heard) as url:
        there = {**told.get("settings", {}), "base_url": url + begins}
        target = Target("crm", key, at(url, known), there, secrets, tuple(told["tables"]), timeout=20.0)
        good([one for one in run.run_all(target) if one.step != "check_status"])
    queries = [(path, text) for path, text in posted if not path.startswith(told.get("token_path", "\0"))]
    assert [(path, text) for path, text in queries if not _is_query(known, text)] == []


def _is_query(known: Sheet, text: str) -> bool:
    """A text of the sheet, with a resource's name filled in; of GraphQL, a query and no mutation."""
    assert known.http
    named = [known.http.post, *[one.post for one in (*known.http.resources.values(), known.http.other) if one]]
    fits = any(one and re.fullmatch(re.sub(r"\\{\w+\\}", r"\\w+", re.escape(one)), text) for one in named)
    return fits and not re.search(r"\b(mutation|subscription|INSERT|UPDATE|DELETE)\b", text)
