"""SQL Server, played from its documentation: what the real driver makes of each refusal, and what people are told."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.core.finding import explaining
from tests.fakes.tds import ON, REQUIRED, SqlServer
from tests.faults.certificates import Authority
from tests.faults.frame import Case, Wire, named, told
from tests.servers import dripping, flooding, listener, refusing_port, silent

DENIED, WRONG, CONFIG, DROPPED, LOCKED = (
    "missing_privilege", "invalid_credentials", "config_error", "connection_dropped", "account_locked"
)  # fmt: skip


def login(number: int, words: str = "Login failed for user 'stitch'.", state: int = 1) -> Callable[..., Any]:
    return lambda server, wire: setattr(server, "login_errors", ((number, state, words),))


def denies(part: str, number: int, words: str, state: int = 1) -> Callable[..., Any]:
    return lambda server, wire: server.denies.update({part: (number, state, words)})


def settings(**values: Any) -> Callable[..., Any]:
    return lambda server, wire: wire.settings.update(values)


def log(number: int) -> Callable[..., Any]:
    return lambda server, wire: (setattr(server, "number", number), setattr(wire, "replication", "log"))


CASES = [
    Case("wrong password", WRONG, "auth.wrong_password", lambda s, w: setattr(s, "password", "changed"),
         "ALTER LOGIN [stitch] WITH PASSWORD = '<new password>';"),
    Case("unknown login", WRONG, "auth.wrong_password", settings(user="stich"), "Does user stich exist?"),
    Case("the refusal in German", WRONG, "auth.wrong_password", login(18456, "Fehler bei der Anmeldung für den Benutzer 'stitch'.")),
    Case("the state tells the login is unknown", WRONG, "auth.unknown_user", login(18456, state=5), "CREATE LOGIN [stitch]"),
    Case("the state tells Windows logins only", WRONG, "auth.method_not_allowed", login(18456, state=58)),
    Case("untrusted domain", WRONG, "auth.method_not_allowed", login(18452)),
    Case("unknown database", CONFIG, "config.unknown_database", settings(database="shopp"), "shopp"),
    Case("password expired", WRONG, "auth.password_expired",
         login(18487, "Login failed for user 'stitch'. Reason: The password of the account has expired."), "CHECK_EXPIRATION = OFF"),
    Case("password must be changed", WRONG, "auth.password_expired",
         login(18488, "Login failed for user 'stitch'. Reason: The password of the account must be changed.")),
    Case("disabled", LOCKED, "auth.account_locked",
         login(18470, "Login failed for user 'stitch'. Reason: The account is disabled."), "ALTER LOGIN [stitch] ENABLE;"),
    Case("locked out", LOCKED, "auth.account_locked", login(18486), "UNLOCK"),
    Case("no user in the database", DENIED, "privilege.connect_missing",
         login(916, 'The server principal "stitch" is not able to access the database "shop".'), "CREATE USER [stitch] FOR LOGIN [stitch];"),
    Case("Azure's firewall", "ip_not_allowlisted", "access.ip_not_allowed",
         login(40615, "Cannot open server 'acme' requested by the login. Client with IP address '203.0.113.9' is not allowed"),
         "EXECUTE sp_set_firewall_rule N'pipeline', '203.0.113.9', '203.0.113.9';"),
    Case("Azure is not available", DROPPED, "availability.shutting_down", login(40613, "Database 'shop' is not currently available.")),
    Case("too many connections", DROPPED, "capacity.too_many_connections", login(17809), "KILL <session_id>;"),
    Case("SELECT is denied", DENIED, "privilege.table_select_missing",
         denies("[orders]", 229, "The SELECT permission was denied on the object 'orders', database 'shop', schema 'dbo'."),
         "GRANT SELECT ON [dbo].[orders] TO [stitch];"),
    Case("SELECT on a column is denied", DENIED, "privilege.column_denied", denies("[orders]", 230, "denied on the column 'price'")),
    Case("no such table", CONFIG, "config.table_missing", denies("[orders]", 208, "Invalid object name 'dbo.orders'."), "[dbo].[orders]"),
    Case("change tracking is off", "server_misconfigured", "replication.change_tracking_off", log(1),
         "ALTER DATABASE [shop] SET CHANGE_TRACKING = ON"),
    Case("a table is not tracked", "server_misconfigured", "replication.change_tracking_off", log(2),
         "ALTER TABLE [dbo].[orders] ENABLE CHANGE_TRACKING;"),
    Case("changes may not be viewed", DENIED, "privilege.replication_missing", log(4),
         "GRANT VIEW CHANGE TRACKING ON [dbo].[orders] TO [stitch];"),
    Case("changes are kept for two days", "server_misconfigured", "replication.tracking_retention", log(32),
         "ALTER DATABASE [shop] SET CHANGE_TRACKING (CHANGE_RETENTION = 7 DAYS);"),
    Case("a table has no primary key", "server_misconfigured", "replication.no_replica_identity", log(16),
         "ALTER TABLE [dbo].[orders] ADD PRIMARY KEY"),
    Case("a view is to be followed", "unsupported_object", "replication.not_a_table", log(8 + 16 + 2), "[dbo].[orders]"),
    Case("TLS is demanded and not offered", "tls_mismatch", "tls.server_without_tls", settings(sslmode="require")),
    Case("TLS is required and switched off here", "tls_mismatch", "tls.server_requires_tls",
         lambda s, w: (setattr(s, "encryption", REQUIRED), w.settings.update(sslmode="disable")), "sslmode: require"),
    Case("nothing listens", "host_unreachable", "network.refused", settings(port=refusing_port())),
]  # fmt: skip


@pytest.fixture
def played() -> Iterator[tuple[SqlServer, Wire]]:
    server = SqlServer()
    with listener(server.talk) as port:
        place = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop"}
        yield server, Wire("mssql", place, {"password": "right"}, ("dbo.orders", "customers"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_named_and_what_mends_it_is_printed(case: Case, played: tuple[SqlServer, Wire]) -> None:
    server, wire = played
    assert explaining(wire.look()) is None
    server.logins, server.statements = 0, []
    named(case, server, wire)
    assert server.logins <= 1
    assert all(sql.startswith("SELECT ") for sql in server.statements)


def test_who_is_only_switched_off_keeps_the_password(played: tuple[SqlServer, Wire]) -> None:
    server, wire = played
    login(18470, "Login failed for user 'stitch'. Reason: The account is disabled.")(server, wire)
    top = explaining(wire.look())
    assert top is not None
    assert told(wire, top).statements == ["ALTER LOGIN [stitch] ENABLE;"]


def test_one_round_mends_all_that_tracking_lacks(played: tuple[SqlServer, Wire]) -> None:
    server, wire = played
    wire.tables = ("orders",)
    log(1 + 2 + 4 + 16)(server, wire)
    top = explaining(wire.look())
    assert top is not None
    assert top.code == "replication.change_tracking_off"
    assert top.facts["missing"] == ["[dbo].[orders]"]
    words = ("ADD PRIMARY KEY", "SET CHANGE_TRACKING = ON", "ENABLE CHANGE_TRACKING;", "GRANT VIEW CHANGE TRACKING")
    assert [word in line for word, line in zip(words, told(wire, top).statements, strict=True)] == [True] * 4


def test_without_a_selection_the_catalogue_is_counted(played: tuple[SqlServer, Wire]) -> None:
    server, wire = played
    wire.tables, server.number = (), 0
    top = explaining(wire.look())
    assert top is not None
    assert "GRANT SELECT ON DATABASE::[shop] TO [stitch];" in told(wire, top).text
    server.number = 12
    assert explaining(wire.look()) is None


def test_the_password_is_in_nothing_that_is_found(played: tuple[SqlServer, Wire]) -> None:
    played[1].secrets = {"password": "s3cret-of-the-shop"}
    assert "s3cret-of-the-shop" not in str([f.to_dict() for f in played[1].look()])


@pytest.mark.parametrize("encryption", [ON, REQUIRED])
def test_all_goes_over_tls_where_the_server_has_it(encryption: int, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("mssql", "db.example.com", "127.0.0.1"))
    server = SqlServer(encryption=encryption, context=context)
    with listener(server.talk) as port:
        place = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop"}
        wire = Wire("mssql", place, {"password": "right"}, ("dbo.orders",))
        assert explaining(wire.look()) is None
        wire.settings["sslmode"] = "verify-full"
        top = explaining(wire.look())
        assert top is not None
        assert top.cause == "tls_mismatch"
        assert top.code in ("tls.unknown_ca", "tls.self_signed")
        wire.settings["ssl_root_cert"] = str(authority.root)
        assert explaining(wire.look()) is None
        wire.settings["host"] = "localhost"
        top = explaining(wire.look())
        assert top is not None
        assert top.code == "tls.hostname_mismatch"


@pytest.mark.parametrize("way", ["silent", "dripping", "flooding", "other", "stalled"])
def test_what_is_no_sql_server_or_never_ends_is_told(way: str) -> None:
    says: dict[str, Any] = {
        "silent": silent, "dripping": dripping(b"\x04\x01"), "flooding": flooding, "stalled": SqlServer(stalls=True).talk,
        "other": lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    }  # fmt: skip
    with listener(says[way]) as port:
        place = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop"}
        wire = Wire("mssql", place, {"password": "right"}, ("orders",), timeout=1.5)
        top = explaining(wire.look())
    assert top is not None
    other = way in ("flooding", "other")
    assert top.code == ("config.wrong_port_other_service" if other else "network.accepts_but_silent"), top


def test_what_goes_wrong_behind_the_login_is_not_the_credentials_fault(played: tuple[SqlServer, Wire]) -> None:
    server, wire = played
    wire.timeout = 1.5
    for server.denies, server.stalls in (
        ({"[customers]": (1222, 1, "Lock request time out period exceeded.")}, False),
        ({}, True),
    ):
        found = {f.check: f for f in wire.look()}
        assert found["credentials_accepted"].verdict == "good"
        assert found["permissions_sufficient"].verdict == ("unclear" if server.stalls else "bad")


def test_a_name_with_a_dot_is_one_table(played: tuple[SqlServer, Wire]) -> None:
    server, wire = played
    wire.tables = ("[sales].[a.b]", "[odd]]]")
    wire.look()
    assert [sql for sql in server.statements if sql.startswith("SELECT TOP")] == [
        "SELECT TOP (0) * FROM [sales].[a.b]", "SELECT TOP (0) * FROM [dbo].[odd]]]",
    ]  # fmt: skip
