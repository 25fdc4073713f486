"""The way between Mend and the database: a tunnel carries the new password, a pooler has a list of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.debian import missing, program
from tests.rotation.sources import OLD, PostgresSource
from tests.rotation.test_rotate_postgres import kept
from tests.servers import free_port
from tests.sshd import USER, Sshd, missing_sshd, sshd
from tests.talk import BOB, World
from tests.web.test_credentials import everything

LEFT_OUT = missing_sshd() or missing("pgbouncer", "pgbouncer")
pytestmark = pytest.mark.skipif(bool(LEFT_OUT), reason=LEFT_OUT or "-")


@contextlib.contextmanager
def folder_of_its_own() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mend-way-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def bastion() -> Iterator[Sshd]:
    with folder_of_its_own() as folder, sshd(folder) as made:
        yield made


@pytest.fixture(scope="module")
def pooler(source: PostgresSource) -> Iterator[int]:
    """Its port. It knows the role's password by a file."""
    with folder_of_its_own() as folder:
        port, who = free_port(), source.server.server.system_user
        lines = ["[databases]", f"postgres = host=127.0.0.1 port={source.server.port}", "[pgbouncer]",
                 "listen_addr = 127.0.0.1", f"listen_port = {port}", "auth_type = scram-sha-256",
                 f"auth_file = {folder / 'users'}", f"unix_socket_dir = {folder}", f"logfile = {folder / 'log'}"]  # fmt: skip
        (folder / "ini").write_text("\n".join([*lines, ""]))
        (folder / "users").write_text(f'"stitch" "{OLD}"\n')
        for path in (folder, *folder.iterdir()) if who else ():
            os.chown(path, *pwd.getpwnam(str(who))[2:4])
        more: dict[str, Any] = {"user": who} if who else {}
        process = subprocess.Popen([str(program("pgbouncer")), "-q", str(folder / "ini")], stderr=subprocess.DEVNULL, **more)  # fmt: skip
        try:
            yield port
        finally:
            process.kill()
            process.wait(20)


@pytest.fixture(scope="module")
def world(
    database: str, source: PostgresSource, bastion: Sshd, pooler: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    key = bastion.folder / "login"
    tunnel = {"host": "127.0.0.1", "port": bastion.port, "user": USER, "host_key": bastion.host_key,
              "private_key": f"${{file:{key}}}"}  # fmt: skip
    pooled = source.connection()
    pooled["settings"]["port"] = pooler
    connections = {"inner": source.connection(tunnel=tunnel), "pooled": pooled}
    with World(database, Path(tmp_path_factory.mktemp("mend")), connections=connections) as world:
        yield world


def test_a_pooler_keeps_a_list_of_its_own_so_its_password_is_left_to_people(
    world: World, source: PostgresSource
) -> None:
    talk = world.start("rotate pooled")
    asked = talk.until("regenerating_credentials")["text"]
    assert "Mend cannot replace this credential itself" in asked
    assert "goes through a pooler, which has its own list of passwords" in asked
    assert "Nothing was changed" in asked
    assert source.opens({"password": OLD})


def test_through_a_tunnel_the_password_is_replaced_and_proven(
    world: World, source: PostgresSource, bastion: Sshd
) -> None:
    talk = world.start("rotate inner")
    talk.until("regenerating_credentials")
    talk.press("mend_confirm_rotation", user=BOB)
    talk.said("works, and Mend's checks use it")
    new = kept(world, "inner")
    assert (source.opens({"password": OLD}), source.opens({"password": new})) == (False, True)
    talk.say("done", user=BOB)
    talk.until("resolved")
    log = (bastion.folder / "log").read_text()
    assert f"Accepted publickey for {USER}" in log
    written = [line for line in source.server.log.read_text().splitlines() if "CREATE ROLE" not in line]
    seen = "\n".join([everything(world), *written, log])
    for secret in (OLD, new, bastion.private):
        assert secret not in seen
