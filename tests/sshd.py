"""A real sshd of one test: its own keys, its own users, its own port."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.debian import missing, program
from tests.servers import free_port

USER, PASSWORD = "mend-by-ssh", "s3cret-of-the-login"


def missing_sshd() -> str:
    """Why tests with a real sshd are left out, or nothing."""
    if os.geteuid():
        return "sshd lets in other users only when root starts it: its tests are LEFT OUT"
    return missing("sshd", "openssh-server", "openssh-sftp-server") or missing("unshare", "util-linux")


@dataclass
class Sshd:
    """`options` are lines of sshd_config; `restart` makes them count. The login's home is `home`."""

    folder: Path
    options: list[str] = field(default_factory=list)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        self.key("host")
        self.key("login")
        self.authorized.write_text((self.folder / "login.pub").read_text())
        self._users()

    @property
    def authorized(self) -> Path:
        return self.home / ".ssh" / "authorized_keys"

    @property
    def host_key(self) -> str:
        return " ".join((self.folder / "host.pub").read_text().split()[:2])

    @property
    def private(self) -> str:
        return (self.folder / "login").read_text()

    def key(self, name: str, passphrase: str = "", kind: str = "ed25519") -> str:
        """A new key pair in `name` and `name.pub`; the private half."""
        file = self.folder / name
        for old in (file, self.folder / f"{name}.pub"):
            old.unlink(missing_ok=True)
        size = ["-b", "2048"] if kind == "rsa" else []
        made = ["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", "test", "-f", str(file)]
        subprocess.run(made, check=True, capture_output=True)
        return file.read_text()

    def _users(self) -> None:
        """Copies of the system's lists with one login more; they are seen by this sshd alone."""
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
        ).stdout.strip()
        uid = pwd.getpwnam("nobody").pw_uid
        lists = {"passwd": f"{USER}:x:{uid}:{uid}::{self.home}:/bin/sh", "shadow": f"{USER}:{hashed}:1:0:99999:7:::"}
        for name, line in lists.items():
            copy = self.folder / name
            shutil.copy(f"/etc/{name}", copy)
            copy.write_text(copy.read_text() + line + "\n")
            copy.chmod(0o644 if name == "passwd" else 0o600)
        for place in (self.home, self.home / ".ssh", self.authorized):
            os.chown(place, uid, uid)
        for place in (self.folder, *self.folder.parents):
            if place.stat().st_uid == os.geteuid() and str(place).startswith("/tmp/"):
                place.chmod(place.stat().st_mode | 0o011)

    def start(self) -> None:
        self.port = self.port or free_port()
        given = {line.split()[0].lower() for line in self.options if line.strip()}
        usual = [
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {self.folder / 'host'}", "UsePAM no",
            "StrictModes no", f"PidFile {self.folder / 'pid'}", "Subsystem sftp internal-sftp",
            "PasswordAuthentication yes", "KbdInteractiveAuthentication no", "MaxAuthTries 6", "LogLevel VERBOSE",
            "PermitRootLogin no", "UseDNS no",
        ]  # fmt: skip
        lines = [*self.options, *(line for line in usual if line.split()[0].lower() not in given)]
        (self.folder / "config").write_text("\n".join(lines) + "\n")
        Path("/run/sshd").mkdir(exist_ok=True)
        binds = " && ".join(f"mount --bind {self.folder / name} /etc/{name}" for name in ("passwd", "shadow"))
        command = f"{binds} && exec {program('sshd')} -D -f {self.folder / 'config'} -E {self.folder / 'log'}"
        self.process = subprocess.Popen(
            [str(program("unshare")), "-m", "sh", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            assert self.process
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5) as peer:
                if peer.recv(4):
                    return
            time.sleep(0.05)
        raise AssertionError("sshd does not answer")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def restart(self, *options: str) -> None:
        self.stop()
        self.options = list(options)
        self.start()


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    made = Sshd(folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()
