"""Oracle: a listener and a login that refuse, spoken to by the real driver; what statements answer by objects in its place.

TNS packets are as their readers describe them: https://www.wireshark.org/docs/dfref/t/tns.html. The login is played from the
driver's side of it (tests/fakes/oracle.py); its errors are taken from https://docs.oracle.com/en/error-help/db/ by number.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oracledb
import pytest
from oracledb.errors import _Error

from flows.core.finding import Finding, explaining
from tests.fakes.oracle import Oracle
from tests.faults.certificates import Authority
from tests.faults.frame import Case, Wire, named, told
from tests.servers import dripping, flooding, listener, refusing_port, silent

DENIED, WRONG, CONFIG, DROPPED = "missing_privilege", "invalid_credentials", "config_error", "connection_dropped"
REFUSE = 4


def refusing(number: int) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        peer.recv(4096)
        words = f"(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR={number})(ERROR_STACK=(ERROR=(CODE={number})(EMFI=4))))"
        body = struct.pack(">BBH", 0x22, 0, len(words)) + words.encode()
        peer.sendall(struct.pack(">HHBBH", len(body) + 8, 0, REFUSE, 0, 0) + body)
        peer.recv(1)

    return talk


def wire(port: int, **more: Any) -> Wire:
    place = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop", **more}
    return Wire("oracle", place, {"password": "s3cret-of-the-shop"}, ("orders", "hr.Staff"), timeout=2.0)


def top_of(one: Wire) -> Finding:
    top = explaining(one.look())
    assert top is not None
    assert "s3cret-of-the-shop" not in str(top.to_dict())
    return top


LISTENER = [
    ("the service is unknown", 12514, CONFIG, "config.unknown_database"),
    ("the SID is unknown", 12505, CONFIG, "config.unknown_database"),
    ("no handler is free", 12516, DROPPED, "capacity.too_many_connections"),
    ("no process can be started", 12518, DROPPED, "capacity.too_many_connections"),
    ("all handlers are taken", 12520, DROPPED, "capacity.too_many_connections"),
    ("new connections are blocked", 12528, DROPPED, "availability.shutting_down"),
]

CASES = [
    Case("wrong password", WRONG, "auth.wrong_password", lambda s, w: setattr(s, "password", "changed"),
         'ALTER USER "STITCH" IDENTIFIED BY "<new password>" ACCOUNT UNLOCK;'),
    Case("the user is locked", "account_locked", "auth.account_locked",
         lambda s, w: setattr(s, "refuses", (28000, "ORA-28000: The account is locked.")), 'ALTER USER "STITCH" ACCOUNT UNLOCK;'),
    Case("the password ran out", WRONG, "auth.password_expired",
         lambda s, w: setattr(s, "refuses", (28001, "ORA-28001: the password has expired")), 'IDENTIFIED BY "<new password>"'),
    Case("no such service", CONFIG, "config.unknown_database", lambda s, w: w.settings.update(database="shopp"), "v$active_services"),
    Case("no table may be read", DENIED, "privilege.table_select_missing", lambda s, w: None,
         'GRANT SELECT ON "STITCH"."ORDERS" TO "STITCH";'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "number", "cause", "code"), LISTENER, ids=[row[0] for row in LISTENER])
def test_what_the_listener_refuses_is_named(name: str, number: int, cause: str, code: str) -> None:
    with listener(refusing(number)) as port:
        one = wire(port, **({"sid": "SHOP"} if number == 12505 else {}))
        top = top_of(one)
        assert (top.cause, top.code) == (cause, code), top
        assert told(one, top).statements
        if code == "config.unknown_database":
            assert list(told(one, top).settings) == ["sid" if number == 12505 else "database"]


LOGIN = [
    ("wrong password", "ORA-01017: invalid username/password; logon denied", WRONG, "auth.wrong_password"),
    ("the refusal in German", "ORA-01017: Benutzername/Kennwort ungültig", WRONG, "auth.wrong_password"),
    ("locked", "ORA-28000: The account is locked.", "account_locked", "auth.account_locked"),
    ("expired", "ORA-28001: the password has expired", WRONG, "auth.password_expired"),
    ("no CREATE SESSION", "ORA-01045: user STITCH lacks CREATE SESSION privilege", DENIED, "privilege.connect_missing"),
    ("too many sessions of the user", "ORA-02391: exceeded simultaneous SESSIONS_PER_USER limit", DROPPED, "capacity.role_connection_limit"),
    ("too many processes", "ORA-00020: maximum number of processes (300) exceeded", DROPPED, "capacity.too_many_connections"),
    ("starting", "ORA-01033: ORACLE initialization or shutdown in progress", DROPPED, "availability.shutting_down"),
    ("old password form", "ORA-28040: No matching authentication protocol", WRONG, "auth.password_hash_method_mismatch"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said", "cause", "code"), LOGIN, ids=[row[0] for row in LOGIN])
def test_what_a_login_is_refused_for_is_named(name: str, said: str, cause: str, code: str) -> None:
    server = Oracle(refuses=(int(said[4:9]), said))
    with listener(server.talk) as port:
        one = wire(port)
        top = top_of(one)
    assert (top.cause, top.code) == (cause, code), top
    assert told(one, top).statements
    assert server.logins == 1


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_named_and_what_mends_it_is_printed(case: Case) -> None:
    server = Oracle()
    with listener(server.talk) as port:
        named(case, server, wire(port))
    assert server.logins <= 1
    assert all(sql.startswith("SELECT ") for sql in server.asked)


class Session:
    """What a login gives: it answers some tables and denies others, as ORA-00942 does."""

    denied: tuple[str, ...] = ()
    version = "19.3.0.0.0"
    answers: dict[str, list[Any]] = {}

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *error: object) -> None:
        return

    async def fetchall(self, sql: str) -> list[Any]:
        assert sql.startswith("SELECT ")
        if any(name in sql for name in self.denied):
            raise oracledb.DatabaseError(_Error(message="ORA-00942: table or view does not exist", code=942))
        return next((rows for part, rows in self.answers.items() if part in sql), [])


def test_tables_that_may_not_be_read_come_with_their_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()

    async def entered(**given: Any) -> Session:
        return session

    monkeypatch.setattr(oracledb, "connect_async", entered)
    with listener(silent) as port:
        assert explaining(wire(port).look()) is None
        session.denied = ('"hr"."Staff"', '"HR"."STAFF"')
        one = wire(port)
        top = top_of(one)
    assert (top.cause, top.code) == (DENIED, "privilege.table_select_missing")
    assert "config.table_missing" in top.alternatives
    assert told(one, top).statements == ['GRANT SELECT ON "HR"."STAFF" TO "STITCH";']


def test_with_nothing_selected_it_is_said_and_not_counted_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()

    async def entered(**given: Any) -> Session:
        return session

    monkeypatch.setattr(oracledb, "connect_async", entered)
    with listener(silent) as port:
        one = wire(port)
        one.tables = ()
        session.answers = {"all_tables": [(7,)]}
        said = " ".join(found.evidence for found in one.look())
        assert "no tables are selected; 7 are readable" in said
        assert "all 0" not in said
        session.answers = {"all_tables": [(0,)]}
        top = top_of(one)
    assert top.code == "privilege.table_select_missing"


WHOLE = {
    "v$database": [("ARCHIVELOG", "YES", "NO", "PRIMARY")],
    "all_log_groups": [("STITCH", "ORDERS"), ("HR", "Staff")],
    "session_privs": [("LOGMINING",), ("SELECT ANY TRANSACTION",), ("EXECUTE_CATALOG_ROLE",)],
}
SERVER = "server_misconfigured"
LOG: list[tuple[str, dict[str, Any], tuple[str, ...], str, str, str]] = [
    ("the log is not archived", {"v$database": [("NOARCHIVELOG", "YES", "NO", "PRIMARY")]}, (), SERVER, "replication.archivelog_off", "ALTER DATABASE ARCHIVELOG;"),
    ("nothing more is logged", {"v$database": [("ARCHIVELOG", "NO", "NO", "PRIMARY")]}, (), SERVER, "replication.supplemental_logging_off",
     "ALTER DATABASE ADD SUPPLEMENTAL LOG DATA;"),
    ("a table is logged in part", {"all_log_groups": [("STITCH", "ORDERS")]}, (), SERVER, "replication.supplemental_logging_off",
     'ALTER TABLE "HR"."Staff" ADD SUPPLEMENTAL LOG DATA (ALL) COLUMNS;'),
    ("LogMiner is not granted", {"session_privs": [("SELECT ANY TRANSACTION",), ("EXECUTE_CATALOG_ROLE",)]}, (), DENIED, "privilege.replication_missing",
     'GRANT LOGMINING TO "STITCH";'),
    ("the database's state is hidden", {}, ("v$database",), DENIED, "privilege.replication_missing", 'GRANT SELECT ON sys.v_$database TO "STITCH";'),
    ("the archived log is hidden", {}, ("v$archived_log",), DENIED, "privilege.replication_missing", 'GRANT SELECT ON sys.v_$archived_log TO "STITCH";'),
    ("a standby", {"v$database": [("ARCHIVELOG", "YES", "YES", "PHYSICAL STANDBY")]}, (), CONFIG, "config.read_only_standby", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answers", "denied", "cause", "code", "says"), LOG, ids=[row[0] for row in LOG])
def test_a_log_that_cannot_be_followed_is_named(
    name: str,
    answers: dict[str, Any],
    denied: tuple[str, ...],
    cause: str,
    code: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session()
    session.answers = dict(WHOLE)

    async def entered(**given: Any) -> Session:
        return session

    monkeypatch.setattr(oracledb, "connect_async", entered)
    with listener(silent) as port:
        one = wire(port)
        one.tables, one.replication = ("orders", 'hr."Staff"'), "log"
        assert explaining(one.look()) is None
        session.answers, session.denied = WHOLE | answers, denied
        top = top_of(one)
        assert (top.cause, top.code) == (cause, code), top
        assert says in told(one, top).text


def tls_listener(
    folder: Path, talk: Callable[[socket.socket], None]
) -> tuple[Authority, Callable[[socket.socket], None]]:
    authority = Authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("oracle", "localhost", "127.0.0.1"))
    return authority, lambda peer: talk(context.wrap_socket(peer, server_side=True))


def test_tcps_is_spoken_by_the_real_driver_and_its_certificate_believed_as_configured(tmp_path: Path) -> None:
    authority, talk = tls_listener(tmp_path, refusing(12514))
    with listener(talk) as port:
        plain = wire(port)
        top = top_of(plain)
        assert top.code == "tls.server_requires_tls", top
        plain.settings |= told(plain, top).settings
        assert top_of(plain).code == "config.unknown_database"
        strict = wire(port, sslmode="verify-full")
        assert top_of(strict).code in ("tls.unknown_ca", "tls.self_signed")
        strict.settings["ssl_root_cert"] = str(authority.root)
        assert top_of(strict).code == "config.unknown_database"


@pytest.mark.parametrize("way", ["silent", "dripping", "flooding", "hangs up", "nothing listens"])
def test_what_never_ends_is_ended(way: str) -> None:
    says: dict[str, Any] = {"silent": silent, "dripping": dripping(b"\0"), "flooding": flooding}
    with listener(says.get(way, lambda peer: peer.recv(500))) as port:
        top = top_of(wire(refusing_port() if way == "nothing listens" else port))
    reset = {"hangs up": "network.reset", "nothing listens": "network.refused"}
    assert top.code == reset.get(way, "network.accepts_but_silent"), top


@pytest.mark.parametrize("way", ["slow", "refused"])
def test_what_goes_wrong_behind_the_login_is_not_the_credentials_fault(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(Session):
        async def fetchall(self, sql: str) -> list[Any]:
            if "user_users" in sql:
                return []
            if way == "slow":
                await asyncio.sleep(30)
            raise oracledb.DatabaseError(_Error(message="ORA-01089: immediate shutdown in progress", code=1089))

    async def entered(**given: Any) -> Session:
        return Stuck()

    monkeypatch.setattr(oracledb, "connect_async", entered)
    with listener(silent) as port:
        found = {f.check: f for f in wire(port).look()}
    assert found["credentials_accepted"].verdict == "good"
    seen = found["permissions_sufficient"]
    assert (seen.verdict, seen.code.partition(".")[0] if seen.code else "") == ("unclear", "availability")


def test_behind_a_proxy_user_it_is_the_session_of_the_user_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    session.denied = ('"SALES"."ORDERS"',)

    async def entered(**given: Any) -> Session:
        return session

    monkeypatch.setattr(oracledb, "connect_async", entered)
    with listener(silent) as port:
        one = wire(port, user="gate[sales]")
        one.tables = ("orders",)
        assert told(one, top_of(one)).statements == ['GRANT SELECT ON "SALES"."ORDERS" TO "SALES";']
