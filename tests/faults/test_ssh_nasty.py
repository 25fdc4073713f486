"""SSH and SFTP servers that never end: a gigabyte, or a byte a second, at each point of the way. It ends, and stays small."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.core.finding import Finding, explaining
from tests.faults.frame import Wire
from tests.faults.ssh_site import SshSite
from tests.servers import dripping, listener
from tests.sshd import missing_sshd, sshd

pytestmark = pytest.mark.skipif(bool(missing_sshd()), reason=missing_sshd() or "-")
GREETING = b"SSH-2.0-OpenSSH_9.2\r\n"
GIGABYTE = 1 << 30
ROOM = 96 << 20
OTHER, SILENT, RESET = "config.wrong_port_other_service", "network.accepts_but_silent", "network.reset"


def floods(first: bytes = b"", chunk: bytes = b"\xff" * 65536) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        peer.sendall(first)
        for _ in range(GIGABYTE // len(chunk)):
            peer.sendall(chunk)

    return talk


def drips(first: bytes = b"") -> Callable[[socket.socket], None]:
    return dripping(first, b"a", 1)


BEFORE = {
    "a gigabyte of nothing": (floods(), {OTHER}),
    "a gigabyte of lines": (floods(chunk=b"x" * 4000 + b"\r\n"), {OTHER}),
    "an endless greeting": (floods(b"SSH-"), {SILENT, RESET}),
    "a gigabyte after the greeting": (floods(GREETING), {RESET, SILENT}),
    "a packet of the largest size": (floods(GREETING + b"\x00\x00\x88\xb8\x04\x14"), {RESET, SILENT}),
    "a byte a second": (drips(), {OTHER}),
    "a greeting of a byte a second": (drips(b"SSH-2.0"), {SILENT}),
    "a byte a second after the greeting": (drips(GREETING), {SILENT}),
    "a packet of a byte a second": (drips(GREETING + b"\x00\x00\x02\x00\x04\x14"), {SILENT, RESET}),
}
# What an SFTP server writes once a login is through. Its version is SSH_FXP_VERSION, 3:
# https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02#section-4
VERSION = r"printf '\000\000\000\005\002\000\000\000\003'"
AFTER = {
    "a gigabyte in place of its version": "yes | head -c 1073741824",
    "a gigabyte after its version": f"{VERSION}; yes | head -c 1073741824",
    "a byte a second": "while sleep 1; do printf a; done",
    "a byte a second after its version": f"{VERSION}; while sleep 1; do printf '\\000'; done",
    "nothing": "sleep 60",
}


@pytest.fixture(scope="module")
def files() -> Iterator[SshSite]:
    with tempfile.TemporaryDirectory(prefix="mend-ssh-") as made, sshd(Path(made) / "files") as server:
        yield SshSite(server)


def small(wire: Wire) -> Finding:
    """What is found, without more memory than a gigabyte would leave."""

    def peak() -> int:
        found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        return int(found[1]) << 10 if found else 0

    Path("/proc/self/clear_refs").write_text("5")
    before, wire.timeout = peak(), 2.5
    top = explaining(wire.look())
    assert peak() - before < ROOM
    assert top is not None
    return top


@pytest.mark.parametrize("way", BEFORE)
@pytest.mark.parametrize("kind", ["sftp", "tunnel"])
def test_a_server_that_never_ends_is_ended_before_the_login(way: str, kind: str, files: SshSite) -> None:
    talk, codes = BEFORE[way]
    wire = files.fresh()
    with listener(talk) as port:
        if kind == "sftp":
            wire.settings["port"] = port
        else:
            tunnel = {"host": "127.0.0.1", "port": port, "user": "stitch", "private_key": files.server.private}
            wire = Wire(
                "postgres", {"host": "db", "port": 5432, "database": "shop", "user": "stitch"}, {}, tunnel=tunnel
            )
        assert small(wire).code in codes


@pytest.mark.parametrize("way", AFTER)
def test_one_that_never_ends_behind_the_login_is_ended_too(way: str, files: SshSite) -> None:
    program = files.server.folder / "endless"
    program.write_text(f"#!/bin/sh\n{AFTER[way]}\n")
    program.chmod(0o755)
    files.options(f"Subsystem sftp {program}")
    found = small(files.fresh())
    files.restore()
    assert found.step == "check_permissions"
    assert found.code in (SILENT, "privilege.command_denied"), found
