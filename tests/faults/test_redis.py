"""A private Redis whose users, limits and ports go wrong."""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as client

from bot.drivers.redis import examine
from tests.debian import missing, program
from tests.faults.certificates import Authority
from tests.faults.frame import Fault, Wire, both, prove, setting
from tests.servers import dripping, free_port, listener, refusing_port, silent

SECRET, ADMIN = "Tr0ub4dor&3", "of-the-administrator"
WRONG, DENIED, CONFIG, FAR, TLS = (
    "invalid_credentials",
    "missing_privilege",
    "config_error",
    "host_unreachable",
    "tls_mismatch",
)
ABSENT = missing("redis-server", "redis-server")
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=ABSENT or "-")


USERS = (f"user admin on >{ADMIN} ~* &* +@all", f"user stitch on >{SECRET} ~orders:* +@read +@connection")


class RedisSite:
    """`plain` speaks without TLS, `secure` with it; both are the same server."""

    fills = {"<port that speaks TLS>": "", "<prefix>": "", "<host>": "127.0.0.1", "<pattern of the keys>": "orders:*"}
    types = {"password": SECRET}

    def __init__(self, folder: Path) -> None:
        self.folder, self.plain, self.secure = folder, free_port(), free_port()
        self.authority = Authority(folder / "ca")
        ports = {"<port>": str(self.plain), "<port that speaks TLS>": str(self.secure)}
        self.fills = {**self.fills, **self.authority.fills, **ports}
        self.process: subprocess.Popen[bytes] | None = None
        self.crowd: list[socket.socket] = []
        self.restore()

    def start(self, *lines: str) -> None:
        self.stop()
        file = self.folder / "redis.conf"
        file.write_text("\n".join([*lines, ""]))
        certificate, key = self.authority.issue("redis", "localhost", "localhost", "127.0.0.1")
        command = [str(program("redis-server")), str(file), "--port", str(self.plain), "--tls-port", str(self.secure), "--bind", "127.0.0.1",
                   "--dir", str(self.folder), "--save", "", "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
                   "--tls-auth-clients", "no", "--tls-ca-cert-file", str(self.authority.root)]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.plain), 1):
                return
            time.sleep(0.05)
        raise AssertionError("redis-server does not answer")

    def stop(self) -> None:
        for peer in self.crowd:
            peer.close()
        self.crowd.clear()
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def run(self, statement: str) -> None:
        """One line of redis-cli, by the administrator."""
        with client.Redis(port=self.plain, username="admin", password=ADMIN) as link:
            link.execute_command(*shlex.split(statement))

    def write(self, file: str, lines: list[str]) -> None:
        self.more = lines

    def restart(self) -> None:
        self.start(*USERS, *self.more)
        self.run("SET orders:1 x")  # kept by a server that writes to its disk

    def restore(self) -> None:
        self.start(*USERS)
        self.run("SET orders:1 x")
        self.run("SET staff:1 x")
        self.wire = self.fresh()

    def fresh(self) -> Wire:
        settings = {"host": "127.0.0.1", "port": self.plain, "user": "stitch"}
        return Wire("redis", settings, {"password": SECRET}, ("orders:*",), timeout=4.0)

    def fill(self) -> None:
        """So many callers that nobody else is let in."""
        self.run("CONFIG SET maxclients 3")
        self.crowd = [socket.create_connection(("127.0.0.1", self.plain)) for _ in range(3)]
        time.sleep(0.2)

    def leave(self) -> None:
        for peer in self.crowd:
            peer.close()
        self.crowd.clear()
        time.sleep(0.2)

    def orphan(self) -> None:
        self.run(f"REPLICAOF 127.0.0.1 {refusing_port()}")
        self.run("CONFIG SET replica-serve-stale-data no")


@pytest.fixture(scope="module")
def site() -> Iterator[RedisSite]:
    with tempfile.TemporaryDirectory(prefix="mend-redis-") as folder:
        made = RedisSite(Path(folder))
        try:
            yield made
        finally:
            made.stop()


def right(site: RedisSite) -> None:
    site.wire = site.fresh()


def run(*statements: str) -> Callable[[RedisSite], None]:
    return lambda site: [site.run(one) for one in statements] and None


def default_user(site: RedisSite) -> None:
    site.wire.settings.pop("user")
    site.wire.tables = ()


def tls(mode: str, **more: Any) -> Callable[[RedisSite], None]:
    return lambda site: site.wire.settings.update(sslmode=mode, port=site.secure, **more)


FAULTS = [
    Fault("the password was changed", "redis", WRONG, "auth.wrong_password", run("ACL SETUSER stitch resetpass >other"),
          also=("auth.unknown_user", "auth.account_locked")),
    Fault("the user was deleted", "redis", WRONG, "auth.wrong_password", run("ACL DELUSER stitch"), rounds=3),
    Fault("the user was switched off", "redis", WRONG, "auth.wrong_password", run("ACL SETUSER stitch off")),
    Fault("no password is configured", "redis", WRONG, "config.password_empty",
          both(run(f"ACL SETUSER default resetpass >{SECRET}"), default_user, setting(password=""))),
    Fault("a password is configured where none is asked", "redis", WRONG, "auth.no_password_set", default_user),
    Fault("SCAN is not allowed", "redis", DENIED, "privilege.command_denied", run("ACL SETUSER stitch -scan")),
    Fault("no command is allowed", "redis", DENIED, "privilege.command_denied", run("ACL SETUSER stitch -@all")),
    Fault("the keys are not allowed", "redis", DENIED, "privilege.key_pattern_denied", run("ACL SETUSER stitch resetkeys ~carts:*")),
    Fault("other keys are selected", "redis", DENIED, "privilege.key_pattern_denied", setting(tables=("staff:*",))),
    Fault("no key fits the pattern", "redis", CONFIG, "config.prefix", setting(tables=("order:*",)), rounds=2),
    Fault("the database has no such number", "redis", CONFIG, "config.database_index", setting(database="99")),
    Fault("all places are taken", "redis", "connection_dropped", "capacity.too_many_connections", lambda site: site.fill()),
    Fault("the copy has lost its original", "redis", "connection_dropped", "availability.replica_without_master",
          lambda site: site.orphan()),
    Fault("nothing listens", "redis", FAR, "network.refused", setting(port=refusing_port())),
    Fault("TLS is asked of the port without it", "redis", TLS, "tls.server_without_tls", setting(sslmode="require")),
    Fault("no TLS is spoken to the port that wants it", "redis", TLS, "tls.server_requires_tls",
          lambda site: site.wire.settings.update(port=site.secure)),
    Fault("nobody knows who signed", "redis", TLS, "tls.unknown_ca", tls("verify-full")),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_what_is_printed_mends_it(fault: Fault, site: RedisSite) -> None:
    prove(fault, site)


def test_a_key_behind_many_others_is_found_and_what_was_not_looked_at_is_not_missing(
    site: RedisSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run('EVAL \'for i = 1, 150000 do redis.call("SET", "other:" .. i, 1) end\' 0')
    patterns = tuple(f"orders:{name}:*" for name in "abcdefghi")
    for pattern in patterns:
        site.run(f"SET {pattern.replace('*', '1')} x")
    site.wire.tables = patterns
    try:
        assert {f.verdict for f in site.wire.look() if f.check == "permissions_sufficient"} == {"good"}
        site.wire.tables = ("orders:none:*",)
        monkeypatch.setattr("bot.drivers.redis.STEPS", 3)
        assert {f.verdict for f in site.wire.look() if f.check == "permissions_sufficient"} == {"unclear"}
    finally:
        site.restore()


def test_all_is_good_over_tls(site: RedisSite) -> None:
    tls("verify-full", ssl_root_cert=str(site.authority.root))(site)
    found = site.wire.look()
    site.restore()
    assert {f.verdict for f in found} == {"good"}


@pytest.mark.parametrize("way", ["silent", "dripping", "other"])
def test_what_is_no_redis_or_never_ends_is_told(way: str) -> None:
    says: dict[str, Any] = {
        "silent": silent,
        "dripping": dripping(b"+"),
        "other": lambda p: p.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
    }
    with listener(says[way]) as port:
        wire = Wire("redis", {"host": "127.0.0.1", "port": port}, {"password": "x"}, timeout=1.0)
        found = [f for f in wire.look() if f.verdict == "bad"]
    assert [f.code for f in found] == [
        "config.wrong_port_other_service" if way == "other" else "network.accepts_but_silent"
    ]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("-LOADING Redis is loading the dataset in memory", "availability.shutting_down"),
        ("-DENIED Redis is running in protected mode because protected mode is enabled", "access.host_not_allowed"),
        ("-MISCONF Redis is configured to save RDB snapshots, but it is currently unable", "capacity.persistence_failed"),
        ("-ERR unknown command 'AUTH', with args beginning with: ", "config.command_renamed"),
    ],
)  # fmt: skip
def test_what_redis_documents_has_its_code(said: str, code: str) -> None:
    def talk(peer: socket.socket) -> None:
        peer.recv(999)
        peer.sendall(said.encode() + b"\r\n")
        time.sleep(0.5)

    with listener(talk) as port:
        wire = Wire("redis", {"host": "127.0.0.1", "port": port}, {"password": "x"}, timeout=2.0)
        found = next(f for f in wire.look() if f.verdict == "bad")
    assert found.code == code, found


def test_an_address_that_says_nothing_holds_up_the_next_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(peer: socket.socket) -> None:
        while peer.recv(999):
            time.sleep(0.1)
            peer.sendall(b"*2\r\n$1\r\n0\r\n*0\r\n")

    with listener(slow) as port, socket.socket() as dead, contextlib.ExitStack() as crowd:
        dead.bind(("127.0.0.2", port))
        dead.listen(0)
        for _ in range(12):  # its queue is full, so that the system drops who comes next
            waiting = crowd.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.2", port))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port)) for place in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **more: found)
        assert list(examine({"host": "two.example", "port": port}, "", ("a*",), 2.0).keys) == ["a*"]
