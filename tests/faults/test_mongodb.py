"""MongoDB, played from its documentation: what the real driver makes of each refusal, and what people are told."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.core.finding import explaining
from tests.fakes.mongod import Mongod
from tests.faults.certificates import Authority
from tests.faults.frame import Case, Wire, named, told
from tests.servers import dripping, flooding, listener, refusing_port, silent

READS = {"hello", "ismaster", "isMaster", "saslStart", "saslContinue", "connectionStatus", "count", "listCollections",
         "listDatabases", "endSessions", "ping"}  # fmt: skip


def refuses(command: str, number: int, name: str, words: str) -> Callable[[Mongod, Wire], Any]:
    return lambda server, wire: server.refuses.update({command: (number, name, words)})


def server(**values: Any) -> Callable[[Mongod, Wire], Any]:
    return lambda server, wire: [setattr(server, name, value) for name, value in values.items()]


def wire(**values: Any) -> Callable[[Mongod, Wire], Any]:
    return lambda server, wire: [setattr(wire, name, value) for name, value in values.items()]


def settings(**values: Any) -> Callable[[Mongod, Wire], Any]:
    return lambda server, wire: wire.settings.update(values)


DENIED, WRONG, CONFIG, DROPPED = "missing_privilege", "invalid_credentials", "config_error", "connection_dropped"
GRANT = 'db.getSiblingDB("admin").grantRolesToUser("stitch", [{role: "read", db: "shop"}])'
CASES = [
    Case("wrong password", WRONG, "auth.wrong_password", server(password="changed"),
         'db.getSiblingDB("admin").updateUser("stitch", {pwd: "<new password>"})'),
    Case("unknown user", WRONG, "auth.wrong_password", settings(user="stich"), "Does user stich exist?"),
    Case("wrong password at Atlas", WRONG, "auth.wrong_password",
         refuses("saslContinue", 8000, "AtlasError", "bad auth : authentication failed")),
    Case("SCRAM is not switched on", WRONG, "auth.method_not_allowed", server(mechanisms=("MONGODB-X509",)),
         'mechanisms: ["SCRAM-SHA-256"]'),
    Case("no role in the database", DENIED, "privilege.table_select_missing", server(readable={"local"}), GRANT),
    Case("no role in any database", DENIED, "privilege.table_select_missing",
         lambda s, w: (setattr(s, "readable", set()), setattr(w, "tables", ())), 'role: "readAnyDatabase"'),
    Case("another database is selected too", DENIED, "privilege.table_select_missing",
         wire(tables=("shop.orders", "hr.staff")), 'db: "hr"'),
    Case("a collection is not there", CONFIG, "config.table_missing", wire(tables=("shop.order",)), "shop.order"),
    Case("the oplog may not be read", DENIED, "privilege.replication_missing",
         lambda s, w: (setattr(s, "readable", {"shop"}), setattr(w, "replication", "log")), 'db: "local"'),
    Case("no replica set, so no oplog", "server_misconfigured", "replication.no_replica_set",
         lambda s, w: (setattr(s, "hello", {}), setattr(w, "replication", "log")), "rs.initiate()"),
    Case("no replica set, and users", "server_misconfigured", "replication.no_replica_set",
         lambda s, w: (setattr(s, "hello", {}), setattr(w, "replication", "log")), "keyFile: <file with the key>"),
    Case("the set has no primary", DROPPED, "availability.no_primary",
         server(hello={"setName": "rs0", "me": "b:27017", "secondary": True}), "rs.status()"),
    Case("the member is recovering", DROPPED, "availability.no_primary",
         refuses("count", 13436, "NotPrimaryOrSecondary", "node is in recovering or startup state")),
    Case("the server stops", DROPPED, "availability.shutting_down",
         refuses("saslStart", 91, "ShutdownInProgress", "The server is in quiesce mode and will shut down")),
    Case("the server is too busy", DROPPED, "availability.too_slow",
         refuses("count", 50, "MaxTimeMSExpired", "operation exceeded time limit")),
    Case("the name is not known", "host_unreachable", "dns.nxdomain", settings(host="nobody.invalid")),
    Case("nothing listens", "host_unreachable", "network.refused", settings(port=refusing_port())),
]  # fmt: skip


@pytest.fixture
def played() -> Iterator[tuple[Mongod, Wire]]:
    mongod = Mongod()
    with listener(mongod.talk) as port:
        place = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop"}
        yield mongod, Wire("mongodb", place, {"password": "right"}, ("shop.orders", "customers"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_named_and_what_mends_it_is_printed(case: Case, played: tuple[Mongod, Wire]) -> None:
    mongod, wire = played
    assert explaining(wire.look()) is None
    mongod.logins, mongod.commands = 0, []
    named(case, mongod, wire)
    assert mongod.logins <= 1
    assert set(mongod.commands) <= READS


def test_log_based_replication_with_all_rights_is_good(played: tuple[Mongod, Wire]) -> None:
    played[1].replication = "log"
    assert {f.verdict for f in played[1].look()} <= {"good", "skipped"}


def test_a_router_keeps_no_oplog_and_is_told_no_way_to_make_one(played: tuple[Mongod, Wire]) -> None:
    mongod, wire = played
    mongod.hello, wire.replication = {"msg": "isdbgrid"}, "log"
    found = next(f for f in wire.look() if f.verdict == "unclear")
    assert found.code == "replication.through_router"
    assert "rs.initiate()" not in told(wire, found).text
    wire.replication = "key"
    assert {f.verdict for f in wire.look()} <= {"good", "skipped"}


def test_the_password_is_in_nothing_that_is_found(played: tuple[Mongod, Wire]) -> None:
    played[1].secrets = {"password": "s3cret-of-the-shop"}
    assert "s3cret-of-the-shop" not in str([f.to_dict() for f in played[1].look()])


def test_a_server_that_hangs_up_may_be_full(played: tuple[Mongod, Wire]) -> None:
    with listener(lambda peer: None) as port:
        played[1].settings["port"] = port
        top = explaining(played[1].look())
    assert top is not None
    assert top.code == "network.reset"
    assert set(top.alternatives) >= {"capacity.too_many_connections", "access.ip_not_allowed"}


def test_a_port_with_tls_only_is_told_and_mended(tmp_path: Path) -> None:
    authority, mongod = Authority(tmp_path), Mongod()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("mongod", "localhost", "127.0.0.1"))
    with listener(lambda peer: mongod.talk(context.wrap_socket(peer, server_side=True))) as port:
        place = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop"}
        wire = Wire("mongodb", place, {"password": "right"}, ("shop.orders",))
        top = explaining(wire.look())
        assert top is not None
        assert top.code == "tls.server_requires_tls", top
        wire.settings |= told(wire, top).settings
        assert explaining(wire.look()) is None
        wire.settings["sslmode"] = "verify-full"
        top = explaining(wire.look())
        assert top is not None
        assert top.code in ("tls.unknown_ca", "tls.self_signed")
        wire.settings["ssl_root_cert"] = str(authority.root)
        assert explaining(wire.look()) is None


@pytest.mark.parametrize("way", ["silent", "dripping", "flooding", "other", "stalled"])
def test_what_is_no_mongodb_or_never_ends_is_told(way: str) -> None:
    says: dict[str, Any] = {
        "silent": silent, "dripping": dripping(b"\x10"), "flooding": flooding, "stalled": Mongod(stalls="count").talk,
        "other": lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    }  # fmt: skip
    with listener(says[way]) as port:
        place = {"host": "127.0.0.1", "port": port, "user": "stitch", "database": "shop"}
        wire = Wire("mongodb", place, {"password": "right"}, ("orders",), timeout=2.0)
        top = explaining(wire.look())
    assert top is not None
    other = ("config.wrong_port_other_service",)
    assert top.code in (other if way in ("flooding", "other") else ("network.accepts_but_silent",)), top
