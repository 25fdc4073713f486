"""A private sshd, and a way through it to a shop's database, or to a folder of files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.faults.frame import Wire
from tests.faults.postgres_site import PostgresSite
from tests.sshd import PASSWORD, USER, Sshd


class SshSite:
    """`restore` gives the server its keys and rules back. A remedy's lines go where its file's name leads."""

    fills: dict[str, str] = {}
    types: dict[str, str] = {}

    def __init__(self, server: Sshd, behind: PostgresSite | None = None) -> None:
        self.server, self.behind = server, behind
        self.first = (server.folder / "login.pub").read_text()
        self.files = server.home / "exports"
        port = str(behind.server.port if behind else server.port)
        self.fills = {**(behind.fills if behind else {}), "<host>": "127.0.0.1", "<port>": port, "<ssh host>": "127.0.0.1", "<ssh port>": str(server.port), "<folder>": str(self.files),
                      "<regular expression>": r"orders_.*\.csv$", "<name of the files>": "orders_*.csv"}  # fmt: skip
        self.restore()

    def fresh(self) -> Wire:
        where = {"host": "127.0.0.1", "port": self.server.port, "user": USER, "host_key": self.server.host_key}
        if self.behind:
            wire = self.behind.fresh()
            wire.tunnel = {**where, "private_key": self.server.private}
            return wire
        settings = {**where, "path": str(self.files), "pattern": r"orders_.*\.csv$"}
        return Wire("sftp", settings, {"private_key": self.server.private})

    def run(self, statement: str) -> object:
        """A command of the SSH server's owner; what a database behind it understands is for that one."""
        if self.behind:
            return self.behind.run(statement)
        return subprocess.run(statement, shell=True, check=True, capture_output=True)

    def write(self, file: str, lines: list[str]) -> None:
        if file.endswith("authorized_keys"):
            self.server.authorized.write_text("\n".join([*lines, self.server.authorized.read_text()]))
        else:
            once = ("MaxStartups", "Subsystem")  # these stand there in place of the old ones
            old = [
                line
                for line in self.server.options
                if not lines[0].startswith(once) or line.split()[0] != lines[0].split()[0]
            ]
            self.server.options = [*lines, *old]

    def restart(self) -> None:
        self.server.restart(*self.server.options)

    def options(self, *lines: str) -> None:
        self.server.restart(*lines)

    def restore(self) -> None:
        self.server.authorized.write_text(self.first)
        host = self.server.folder / "host.kept"
        if host.exists():
            host.replace(self.server.folder / "host")
            Path(f"{host}.pub").replace(self.server.folder / "host.pub")
            self.server.restart()
        if self.server.options:
            self.server.restart()
        self.files.mkdir(exist_ok=True)
        os.chmod(self.files, 0o755)  # noqa: S103 - a folder that another user reads
        for name in ("orders_1.csv", "orders_2.csv", "readme.txt"):
            (self.files / name).write_text("id\n1\n")
            (self.files / name).chmod(0o644)
        self.types = {"private_key": self.server.private, "passphrase": "open sesame", "password": PASSWORD}
        self.wire = self.fresh()

    def new_host_key(self, kind: str = "ed25519") -> None:
        """The server was rebuilt."""
        for end in ("", ".pub"):
            (self.server.folder / f"host{end}").rename(self.server.folder / f"host.kept{end}")
        self.server.key("host", kind=kind)
        self.server.restart()

    def key(self, value: str, **more: str) -> None:
        """This stands under private_key in mend.yml."""
        if self.wire.tunnel is not None:
            self.wire.tunnel = {**self.wire.tunnel, "private_key": value, **more}
        else:
            self.wire.secrets = {**self.wire.secrets, "private_key": value, **more}

    def password(self, value: str = PASSWORD) -> None:
        """A password stands in mend.yml, and no key."""
        if self.wire.tunnel is not None:
            self.wire.tunnel = {k: v for k, v in self.wire.tunnel.items() if k != "private_key"} | {"password": value}
        else:
            self.wire.secrets = {"password": value}

    def set(self, **values: object) -> None:
        """These values stand beside host and user in mend.yml."""
        if self.wire.tunnel is not None:
            self.wire.tunnel = {**self.wire.tunnel, **values}
        else:
            self.wire.settings |= values
