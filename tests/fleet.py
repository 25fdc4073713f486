"""Two hundred connections as a company has them: an API, a provider that is down, a warehouse, a proxy gone wrong."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.serve import Reply, serving
from tests.faults.certificates import Authority
from tests.postgres import Postgres
from tests.servers import listener, refusing_port

GOOD, REFUSED, DOWN, SILENT, PROXIED, CLOSED, SHOP, CHANGED = 40, 20, 30, 12, 12, 10, 60, 16
KEY, BEFORE = "fleet-canary-key", "fleet-canary-before"
ENVIRONMENT = {"FLEET_KEY": KEY, "FLEET_BEFORE": BEFORE}
NOW, OLD = "${env:FLEET_KEY}", "${env:FLEET_BEFORE}"


class Count:
    """How many are inside at once, and how many ever were."""

    def __init__(self) -> None:
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield
        finally:
            with self.lock:
                self.now -= 1


class Fleet:
    """`connections` for mend.yml, and what the servers saw."""

    def __init__(self, folder: Path) -> None:
        self.connections: dict[str, dict[str, Any]] = {}
        self.api, self.down, self.silent, self.database = Count(), Count(), Count(), Count()
        self.folder = folder

    def write(self, path: Path) -> Path:
        path.write_text(yaml.safe_dump({"connections": self.connections}), encoding="utf-8")
        return path

    def http(self, name: str, url: str, secret: str = NOW, **more: Any) -> None:
        settings = {"base_url": url, "auth": "bearer", "probe": "/me", "timeout": 10}
        known = {"connector": "http_api", "settings": settings, "secrets": {"token": secret}}
        self.connections[name] = {**known, **more}


def _api(count: Count) -> Any:
    def answer(path: str, headers: Mapping[str, str]) -> Reply:
        with count.one():
            time.sleep(0.02)
            known = headers.get("authorization") == f"Bearer {KEY}"
        return (200, {}, {"id": 1}) if known else (401, {}, {"error": "invalid token"})

    return answer


def _down(count: Count) -> Any:
    def answer(path: str, headers: Mapping[str, str]) -> Reply:
        with count.one():
            time.sleep(0.02)
        return 503, {}, {"error": "Service Unavailable"}

    return answer


def _intercepting(context: ssl.SSLContext) -> Any:
    """A proxy that opens the line and shows its own certificate for everybody."""

    def talk(peer: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (part := peer.recv(1)):
                return
            head += part
        peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(peer, server_side=True) as inner:
            inner.recv(1024)

    return talk


def _relay(count: Count, port: int) -> Any:
    """What goes to the database, counted."""

    def pump(source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                to.sendall(part)
        for one in (source, to):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def talk(peer: socket.socket) -> None:
        with count.one(), socket.create_connection(("127.0.0.1", port), 5) as far:
            far.settimeout(None)
            back = threading.Thread(target=pump, args=(far, peer), daemon=True)
            back.start()
            pump(peer, far)
            back.join()

    return talk


def _quiet(count: Count) -> Any:
    def talk(peer: socket.socket) -> None:
        with count.one():
            while peer.recv(1024):
                pass

    return talk


@contextlib.contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """Everything runs until the end of the block."""
    made = Fleet(folder)
    (folder / "pg").mkdir()
    for one in (folder, folder / "pg"):  # as root the server runs as another account
        one.chmod(0o711)
    authority = Authority(folder / "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("old", "proxy", *(f"api{n}.acme.test" for n in range(PROXIED)), days=-1))
    server = Postgres(folder / "pg" / "data").make(max_connections="40")
    with contextlib.ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        server.hba("host all all 127.0.0.1/32 scram-sha-256")
        server.run(f"CREATE ROLE stitch LOGIN PASSWORD '{KEY}'", "CREATE TABLE orders (id int)",
                   "GRANT SELECT ON orders TO stitch")  # fmt: skip
        api, down = (stack.enter_context(serving(a)) for a in (_api(made.api), _down(made.down)))
        silent = stack.enter_context(listener(_quiet(made.silent)))
        proxy = stack.enter_context(listener(_intercepting(context)))
        relay = stack.enter_context(listener(_relay(made.database, server.port)))
        _describe(made, api, down, f"http://127.0.0.1:{silent}", relay)
        for n in range(PROXIED):
            made.http(f"office-{n:02}", f"https://api{n}.acme.test", proxy=f"http://127.0.0.1:{proxy}")
            made.connections[f"office-{n:02}"]["settings"]["ca_file"] = str(authority.root)
        yield made


def _describe(made: Fleet, api: str, down: str, silent: str, relay: int) -> None:
    for n in range(GOOD):
        made.http(f"api-{n:02}", api)
    for n in range(REFUSED):
        made.http(f"left-{n:02}", api, secret=OLD)
    for n in range(DOWN):
        made.http(f"ads-{n:02}", down)
    for n in range(SILENT):
        made.http(f"quiet-{n:02}", silent)
        made.connections[f"quiet-{n:02}"]["settings"]["timeout"] = 1
    closed = refusing_port()
    for n in range(CLOSED):
        made.http(f"moved-{n:02}", f"http://127.0.0.1:{closed}")
    for n in range(SHOP + CHANGED):
        word = NOW if n < SHOP else OLD
        settings = {"host": "127.0.0.1", "port": relay, "database": "postgres", "user": "stitch", "sslmode": "disable",
                    "connect_timeout": 10}  # fmt: skip
        name = f"shop-{n:02}" if n < SHOP else f"old-{n:02}"
        made.connections[name] = {"connector": "postgres", "settings": settings, "secrets": {"password": word},
                                  "tables": ["public.orders"]}  # fmt: skip
