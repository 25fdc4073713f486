"""What runs out is seen by the checks that look there anyway: certificates, passwords, tokens."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import oracledb
import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

from bot.checks import run
from bot.checks.base import Target
from bot.checks.http import verify_credentials
from bot.checks.target import target_for
from bot.drivers.mysql_password import valid_until
from bot.settings import Connection, Settings
from flows.core.expiry import Expiry, ends, expiries, threshold
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.fakes.mongod import Mongod
from tests.fakes.serve import Reply, serving
from tests.fakes.tds import SqlServer
from tests.faults.certificates import Authority
from tests.faults.web_site import WebSite
from tests.servers import listener, mariadb, missing_mariadb, postgres, silent, target
from tests.sshd import USER, Sshd, missing_sshd, sshd

DAY = 86_400


def ending(found: list[Finding]) -> dict[str, float]:
    """Days left, by kind and thing."""
    return {f"{e.kind} {e.what}": round((e.at - time.time()) / DAY, 1) for e in expiries(found)}


def test_a_thing_is_reminded_of_at_the_nearest_day_that_has_come() -> None:
    one = Expiry("password", "stitch at db", 1000 * DAY)
    days = (30, 7, 1)
    assert [threshold(one, days, (1000 - left) * DAY) for left in (31, 30, 8, 7, 0.5, -3)] == [None, 30, 30, 7, 1, 1]
    assert one.days_left((1000 - 6.5) * DAY) == 6


def test_what_never_ends_is_no_fact() -> None:
    assert ends(("password", "x", 0.0), ("certificate", "y", 1e18)) == {}
    assert ends(("token", "access_token", 1790000000)) == {"expires": ["token 2026-09-21T14:13:20+00:00 access_token"]}


def test_postgres_tells_when_the_password_of_the_role_ends() -> None:
    with postgres("ends") as (url, _), psycopg.connect(url, autocommit=True) as admin:
        host = conninfo_to_dict(url)["host"]
        admin.execute("CREATE ROLE stitch LOGIN PASSWORD 'S3cret!'")
        for until, wanted in (("infinity", {}), ("-infinity", {}), (None, {f"password stitch at {host}": 20.0})):
            date = until or datetime.fromtimestamp(time.time() + 20 * DAY, UTC).isoformat()
            admin.execute(f"ALTER ROLE stitch VALID UNTIL '{date}'")
            made = target("postgres", {"host": host, "database": "postgres", "user": "stitch"}, "S3cret!")
            assert ending(run.run_all(made)) == wanted


@pytest.fixture(scope="module")
def maria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    with mariadb(tmp_path_factory.mktemp("m")) as made:
        yield made


@pytest.mark.skipif(bool(missing_mariadb()), reason=missing_mariadb() or "-")
def test_mariadb_tells_it_to_an_account_that_may_know(maria: tuple[int, str]) -> None:
    admin = pymysql.connect(unix_socket=maria[1], user="root", autocommit=True).cursor()
    admin.execute("CREATE USER stitch@'127.0.0.1' IDENTIFIED BY 'S3cret!' PASSWORD EXPIRE INTERVAL 30 DAY")
    made = target("mysql", {"host": "127.0.0.1", "port": maria[0], "user": "stitch"}, "S3cret!")
    assert ending(run.run_all(made)) == {}
    admin.execute("GRANT SELECT ON mysql.* TO stitch@'127.0.0.1'")
    made = target("mysql", {"host": "127.0.0.1", "port": maria[0], "user": "stitch"}, "S3cret!")
    assert ending(run.run_all(made)) == {"password stitch at 127.0.0.1": 30.0}
    for clause, wanted in (("NEVER", {}), ("DEFAULT", {"password stitch at 127.0.0.1": 90.0})):
        admin.execute(f"ALTER USER stitch@'127.0.0.1' PASSWORD EXPIRE {clause}")
        admin.execute("SET GLOBAL default_password_lifetime = 90")
        made = target("mysql", {"host": "127.0.0.1", "port": maria[0], "user": "stitch"}, "S3cret!")
        assert ending(run.run_all(made)) == wanted


class Cursor:
    """Answers one query, and says which it was."""

    def __init__(self, row: tuple[object, object]) -> None:
        self.row, self.asked, self.connection = row, "", pymysql

    def execute(self, query: str) -> None:
        self.asked = query

    def fetchone(self) -> tuple[object, object]:
        return self.row


def test_a_new_mariadb_tells_everybody_and_mysql_those_who_may_read_its_users() -> None:
    cursor = Cursor((1790000000, 0))
    assert valid_until(cursor, "11.8.2-MariaDB-log", []) == 1790000000
    assert "information_schema.users" in cursor.asked
    cursor = Cursor((1790000000, 10))
    assert valid_until(cursor, "8.4.3", ["GRANT SELECT ON *.* TO `stitch`@`%`"]) == 1790000000 + 10 * DAY
    assert "mysql.user" in cursor.asked
    cursor = Cursor((1790000000, 10))
    assert (valid_until(cursor, "8.4.3", ["GRANT SELECT ON `shop`.* TO `stitch`@`%`"]), cursor.asked) == (0.0, "")


def test_the_servers_certificate_ends_on_its_day(tmp_path: Path) -> None:
    site = WebSite(tmp_path)
    site.shows(site.authority.issue("short", "localhost", "localhost", days=12))
    made = Target("crm", "http_api", sheet("http_api"), site.wire.settings, site.wire.secrets, timeout=4)
    try:
        assert ending(run.run_step(made, "check_network")) == {"certificate localhost": 12.0}
    finally:
        site.stop()


def test_a_client_certificate_is_read_from_its_file(tmp_path: Path) -> None:
    from bot.drivers.tls import of_file

    certificate, key = Authority(tmp_path).issue("client", "stitch", days=5)
    assert round((of_file(str(certificate)).until - time.time()) / DAY) == 5
    assert of_file(str(key)).until == 0 == of_file(str(tmp_path / "none")).until


def claims(**known: float) -> str:
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
                  for part in ({"alg": "RS256"}, {"sub": "1", **known}))  # fmt: skip
    return f"{head}.{body}.c2lnbmVk"


def asked(key: str, connector: str, token: str, answer: Reply) -> dict[str, float]:
    def provider(path: str, headers: Any) -> Reply:
        return answer if token in str(headers) else (401, {}, {"message": "Bad credentials", "documentation_url": "x"})

    with serving(provider) as url:
        made = Target("crm", connector, sheet(connector), {"base_url": url}, {key: token}, timeout=5)
        found = verify_credentials(made)
        assert found.verdict == "good", found
        assert token not in repr(found)
        return ending([found])


def day(left: float, form: str) -> str:
    return datetime.fromtimestamp(time.time() + left * DAY, UTC).strftime(form)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S +0000"])
def test_github_tells_in_a_header_when_the_token_ends(form: str) -> None:
    headers = {"GitHub-Authentication-Token-Expiration": day(9, form), "X-OAuth-Scopes": "repo"}
    assert asked("access_token", "github", "ghp_x1", (200, headers, {"login": "acme-bot"})) == {
        "token access_token": 9.0
    }
    assert asked("access_token", "github", "ghp_x1", (200, {"X-OAuth-Scopes": "repo"}, {"login": "acme-bot"})) == {}


def test_gitlab_tells_in_its_answer() -> None:
    for said, wanted in (("2199-01-01", True), (None, False)):
        body = {"id": 4, "user_id": 24, "scopes": ["read_api"], "active": True, "expires_at": said}
        assert bool(asked("access_token", "gitlab", "glpat-x", (200, {}, body))) is wanted


def test_a_token_of_claims_says_it_itself_unless_a_program_renews_it_every_hour() -> None:
    now, body = time.time(), (200, {}, {"login": "acme-bot"})
    assert asked("access_token", "github", claims(exp=now + 6 * DAY, iat=now - 30 * DAY), body) == {
        "token access_token": 6.0
    }
    assert asked("access_token", "github", claims(exp=now + 3600, iat=now), body) == {}
    assert asked("access_token", "github", "eyJhb.eyJnonsense.x", body) == {}


def test_a_token_put_in_on_the_page_ends_by_its_age() -> None:
    settings = Settings(connections={"ads": Connection(connector="linkedin_ads", secrets={"access_token": "AQX"})})
    made = target_for(settings, "ads")
    assert made.since == {}
    from dataclasses import replace

    from bot.checks.http_expiry import lifetime
    from bot.drivers.http import Answer

    old = replace(made, since={"access_token": time.time() - 50 * DAY})
    answer = Answer(200, {}, "{}", "https://api.linkedin.com/rest/me")
    found = Finding("verify_credentials", "credentials_accepted", "good", facts=lifetime(old, answer))
    assert ending([found]) == {"token access_token": 10.0}


# Databases that answer a question of their own ---------------------------------------------------------------------


def look_at(driver: str, port: int, **more: Any) -> list[Finding]:
    settings = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop", **more}
    return run.run_all(Target("shop", driver, sheet(driver), settings, {"password": "right"}, timeout=4))


@pytest.mark.parametrize(("days", "wanted"), [(12, 12), (0, 0), (None, None)])
def test_sql_server_tells_the_last_day_of_the_password(days: int | None, wanted: int | None) -> None:
    """With the login of the check, and no other."""
    today = int(time.time() // DAY)
    server = SqlServer(last_day=None if days is None else today + days, number=3)
    with listener(server.talk) as port:
        found = look_at("mssql", port)
    left = {f"{e.kind} {e.what}": e.days_left(time.time()) for e in expiries(found)}
    assert left == ({} if wanted is None else {"password stitch at 127.0.0.1": wanted})
    assert server.logins == 1
    assert all(sql.startswith("SELECT ") for sql in server.statements)


def test_a_sql_server_that_does_not_tell_it_is_none_the_worse() -> None:
    server = SqlServer(number=3, denies={"DaysUntilExpiration": (300, 1, "VIEW permission was denied on the login.")})
    with listener(server.talk) as port:
        found = look_at("mssql", port)
    assert {f.verdict for f in found} == {"good"}
    assert ending(found) == {}


def test_a_day_that_moves_with_the_hour_of_the_look_is_one_reminder(fresh: str) -> None:
    """Whole days, told in the morning and in the evening."""
    import asyncio

    from bot import expiries as kept
    from bot.store import Store
    from bot.tables import expiries as known

    days = (20_500 * DAY, 20_501 * DAY, 20_500 * DAY, 20_540 * DAY)

    async def seen() -> list[float]:
        store, found = Store(fresh), []
        await store.open()
        try:
            for at in days:
                async with store.transaction() as connection:
                    await kept.keep(connection, "shop", "password", "stitch at db", at)
                    found.append((await connection.execute(sa.select(known.c.at))).scalar_one())
        finally:
            await store.close()
        return found

    assert asyncio.run(seen()) == [days[0], days[0], days[0], days[3]]


class OracleSession:
    """What a login gives: https://docs.oracle.com/en/database/oracle/oracle-database/19/refrn/USER_USERS.html"""

    version = "19.3.0.0.0"

    def __init__(self, row: tuple[Any, ...] | None) -> None:
        self.row, self.asked = row, list[str]()

    async def __aenter__(self) -> OracleSession:
        return self

    async def __aexit__(self, *error: object) -> None:
        return

    async def fetchall(self, sql: str) -> list[Any]:
        self.asked.append(sql)
        if "user_users" in sql:
            if self.row is None:
                raise oracledb.DatabaseError("ORA-00904")
            return [self.row]
        return [(4,)]


@pytest.mark.parametrize(("left", "wanted"), [(9, 9.0), (0, None), (None, None)])
def test_oracle_tells_the_end_of_the_own_password(
    left: int | None, wanted: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = time.time() + (left or 0) * DAY
    session, logins = OracleSession(None if left is None else (at if left else None,)), []

    async def entered(**given: Any) -> OracleSession:
        logins.append(given["user"])
        return session

    monkeypatch.setattr(oracledb, "connect_async", entered)
    with listener(silent) as port:
        found = look_at("oracle", port)
    assert {f.verdict for f in found if f.step == "verify_credentials"} == {"good"}
    assert ending(found) == ({} if wanted is None else {"password stitch at 127.0.0.1": wanted})
    assert logins == ["stitch"]
    assert all(sql.startswith("SELECT ") for sql in session.asked)


# Certificates of clients ---------------------------------------------------------------------------------------------


def signed(folder: Path, valid: str, kind: str = "ed25519") -> dict[str, str]:
    """A key and what an authority of SSH has signed of it, both made by ssh-keygen; and the authority's public half."""
    for name, sort in (("authority", "ed25519"), ("login", kind)):
        if not (folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", sort, "-N", "", "-f", str(folder / name)], check=True)
    subprocess.run(["ssh-keygen", "-q", "-s", str(folder / "authority"), "-I", "mend", "-n", USER, "-V", valid,
                    str(folder / "login.pub")], check=True, capture_output=True)  # fmt: skip
    files = {"private_key": "login", "certificate": "login-cert.pub", "authority": "authority.pub"}
    return {field: (folder / name).read_text() for field, name in files.items()}


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """It knows no key, only the authority."""
    if missing_sshd():
        pytest.skip(missing_sshd())
    folder = tmp_path_factory.mktemp("sshd")
    made = signed(folder, "-1d:+1d")
    (folder / "trusted").write_text(made["authority"])
    with sshd(folder / "server") as server:
        server.restart(f"TrustedUserCAKeys {folder / 'trusted'}", "AuthorizedKeysFile none")
        yield server


def by_certificate(bastion: Sshd, valid: str) -> Target:
    made = signed(bastion.folder.parent, valid)
    settings = {"host": "127.0.0.1", "port": bastion.port, "user": USER, "host_key": bastion.host_key, "path": "."}
    hidden = {name: made[name] for name in ("private_key", "certificate")}
    return Target("files", "sftp", sheet("sftp"), settings, hidden, timeout=10)


@pytest.mark.parametrize(("valid", "wanted"), [("-1d:+9d", 9.0), ("always:forever", None)])
def test_a_login_by_ssh_certificate_tells_when_that_ends(bastion: Sshd, valid: str, wanted: float | None) -> None:
    found = run.run_all(by_certificate(bastion, valid))
    assert {f.check: f.verdict for f in found}["credentials_accepted"] == "good", found
    assert ending(found) == ({} if wanted is None else {f"ssh_certificate {USER} at 127.0.0.1": wanted})


def test_so_does_a_tunnel(bastion: Sshd) -> None:
    by = by_certificate(bastion, "-1d:+6d")
    tunnel = {**by.settings, **by.secrets}
    settings = {"host": "127.0.0.1", "port": bastion.port, "user": "x", "database": "x"}
    through = target("postgres", settings, "x", timeout=10, tunnel=tunnel)
    found = next(f for f in run.run_step(through, "check_network") if f.check == "tunnel_opens")
    assert found.verdict == "good", found
    assert ending([found]) == {f"ssh_certificate {USER} at 127.0.0.1": 6.0}
    assert "ssh_certificate good until" in found.evidence


def test_a_certificate_that_has_ended_is_named_in_the_refusal(bastion: Sshd) -> None:
    found = next(f for f in run.run_all(by_certificate(bastion, "20200101:20200201")) if f.verdict == "bad")
    assert (found.code, "ssh_certificate good until 2020-0" in found.evidence) == ("auth.key_not_authorized", True)


def test_what_is_no_certificate_is_told_before_anything_is_sent(bastion: Sshd) -> None:
    by = by_certificate(bastion, "-1d:+1d")
    for wrong in (bastion.host_key, "nonsense", signed_by_rsa(bastion)):
        made = Target("files", "sftp", by.sheet, by.settings, {**by.secrets, "certificate": wrong}, timeout=10)
        found = next(f for f in run.run_all(made) if f.verdict == "bad")
        assert found.code == "config.wrong_format", found
        assert "certificate" in found.evidence


def signed_by_rsa(bastion: Sshd) -> str:
    folder = bastion.folder.parent / "rsa"
    folder.mkdir(exist_ok=True)
    return signed(folder, "-1d:+1d", "rsa")["certificate"]


@pytest.mark.parametrize("by_certificate", [False, True])
def test_a_client_certificate_for_mongodb_is_watched_within_the_one_login(by_certificate: bool, tmp_path: Path) -> None:
    """It is shown beside a password, or logs in by itself."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("mongod", "localhost", "127.0.0.1", days=400))
    context.load_verify_locations(authority.root)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.issue("client", "stitch", days=5)
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    server = Mongod(subject="CN=stitch" if by_certificate else "")

    def talk(peer: socket.socket) -> None:
        server.talk(context.wrap_socket(peer, server_side=True))

    settings = {"user": "stitch", "sslmode": "verify-ca", "ssl_root_cert": str(authority.root), "ssl_cert": str(both)}
    with listener(talk) as port:
        place = {"host": "127.0.0.1", "port": port, "database": "shop"}
        hidden = {} if by_certificate else {"password": "right"}
        made = Target("shop", "mongodb", sheet("mongodb"), {**place, **settings}, hidden, timeout=5)
        found = run.run_all(made)
    assert {f.verdict for f in found} == {"good"}, found
    assert ending(found)[f"client_certificate {both}"] == 5.0
    assert server.logins == 1
