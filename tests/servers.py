"""Real servers and real bad servers for tests."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psycopg

from bot.checks.base import Target
from bot.embedded import Embedded
from flows.core.sheet import sheet as known
from tests.debian import missing, program

T = TypeVar("T")


def target(driver: str, settings: dict[str, object], password: str = "", **more: object) -> Target:
    checks = ("name_resolves", "port_answers", "database_answers", "credentials_accepted", "permissions_sufficient")
    sheet = known("postgres").model_copy(update={"driver": driver, "title": driver, "checks": checks})
    return Target("warehouse", driver, sheet, settings, {"password": password}, **more)  # type: ignore[arg-type]


@contextlib.contextmanager
def listener(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose every caller gets `talk`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    threading.Thread(target=guarded, args=(peer,), daemon=True).start()

        def guarded(peer: socket.socket) -> None:
            with contextlib.suppress(OSError), peer:
                talk(peer)

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


def received(peer: socket.socket, count: int) -> bytes:
    """So many bytes. Raises OSError when the other side leaves before."""
    got = b""
    while len(got) < count:
        part = peer.recv(count - len(got))
        if not part:
            raise OSError("the client left")
        got += part
    return got


def silent(peer: socket.socket) -> None:
    time.sleep(20)


def flooding(peer: socket.socket) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        peer.sendall(b"\xff" * 65536)


def dripping(
    first: bytes, drop: bytes = b"\x16", every: float = 0.3, *, asked: bool = False
) -> Callable[[socket.socket], None]:
    """Says `first`, then a `drop` every so many seconds for ever; with `asked` once it has heard something."""

    def talk(peer: socket.socket) -> None:
        if asked:
            peer.recv(65536)
        peer.sendall(first)
        while True:
            time.sleep(every)
            peer.sendall(drop)

    return talk


_refusing: list[socket.socket] = []


def refusing_port() -> int:
    """A port where nothing listens and that nobody else gets while the tests run."""
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    _refusing.append(kept)
    return int(kept.getsockname()[1])


# Below every port that a system gives out by itself (IANA: from 49152; Linux: from 32768): what is free now stays free
# until its server starts, and while that server is stopped. Each worker of a run has ports of its own.
_OURS = range(12_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 16 * 1_200, 32_000)[:1_200]
_given: set[int] = set()


def free_port() -> int:
    """A port for a server that wants to be told which; nobody else gets it while the tests run."""
    while True:
        port = random.choice(_OURS)
        if port in _given:
            continue
        _given.add(port)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def in_time(limit: float, work: Callable[[], T]) -> T:
    """What `work` gives, which must come within `limit` seconds: at one of three times, as the machine may be busy."""
    took = []
    for _ in range(3):
        began = time.monotonic()
        given = work()
        took.append(time.monotonic() - began)
        if took[-1] < limit:
            return given
    raise AssertionError(f"not within {limit} s: {took}")


@contextlib.contextmanager
def postgres(name: str, data: str = "pg") -> Iterator[tuple[str, Path]]:
    """(URL, folder) of a private PostgreSQL with its files in `data`, gone afterwards with everything in the folder."""
    folder = Path(tempfile.mkdtemp(prefix=f"mend-{name}-"))
    folder.chmod(0o711)  # as root the server runs as another account and names its files by their path
    server = Embedded(folder / data)
    try:
        url = server.start()
        # What is killed in tests are processes, not the machine: no test needs the disk to be waited for.
        with psycopg.connect(url, autocommit=True) as admin:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                admin.execute(f"ALTER SYSTEM SET {name} = off".encode())
            admin.execute("SELECT pg_reload_conf()")
        yield url, folder
    finally:
        server.leave()
        shutil.rmtree(folder, ignore_errors=True)


def missing_mariadb() -> str:
    """Why MariaDB's tests are left out, or nothing."""
    return missing("mariadbd", "mariadb-server")


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[tuple[int, str]]:
    """(port, socket) of a private MariaDB, whose root needs no password over the socket."""
    data, line, port = folder / "data", folder / "s", free_port()
    # A server that starts empties its folder for temporary tables; the default, /tmp, is the other servers' too.
    temporary = folder / "tmp"
    temporary.mkdir()
    user = [f"--user={'root' if os.getuid() == 0 else os.environ.get('USER', '')}"]
    subprocess.run(
        [str(program("mariadb-install-db")), "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
         "--skip-test-db", *user],
        check=True, capture_output=True,
    )  # fmt: skip
    process = subprocess.Popen(
        [str(program("mariadbd")), "--no-defaults", f"--datadir={data}", f"--socket={line}", f"--port={port}", *user,
         f"--tmpdir={temporary}", "--bind-address=127.0.0.1", "--skip-name-resolve", f"--pid-file={folder / 'pid'}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.1)
        yield port, str(line)
    finally:
        process.terminate()
        process.wait(20)
