"""Oracle's MySQL for tests. Debian carries that server in its unstable suite alone, which needs a newer C library than
its stable one: the packages are fetched by apt and unpacked into a folder beside the system, with the libraries that
they need. Nothing is installed. MySQL is under the GPL, version 2; nothing of it is part of Mend."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

PACKAGE = "mysql-server-core"
# What only its scripts and other languages need.
WITHOUT = re.compile(r"perl|gcc-\d+-base|gdbm|libdb5|libbz2|gconv|legacy|tirpc-common")
FOLDER = Path(tempfile.gettempdir()) / f"mend-test-mysqld-{os.geteuid()}"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")


def program() -> list[str]:
    """The command that runs mysqld with its own libraries."""
    libraries = FOLDER / "root/usr/lib/x86_64-linux-gnu"
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(base() / "sbin/mysqld")]


def base() -> Path:
    return FOLDER / "root/usr"


def version() -> str:
    said = subprocess.run([*program(), "--no-defaults", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Ver (\d+\.\d+\.\d+)", said)
    assert found, said
    return found[1]


@cache
def missing_mysqld() -> str:
    """Fetch the server when it is not there; why it is still missing, or nothing."""
    if os.uname().machine != "x86_64" or not shutil.which("apt-get") or not SOURCES.exists():
        return "MySQL's own server is fetched from Debian's unstable suite, for x86_64: its tests are LEFT OUT"
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    if FOLDER.stat().st_uid != os.geteuid():
        return f"{FOLDER} belongs to somebody else: the tests of MySQL are LEFT OUT"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not (FOLDER / "whole").exists():
                _fetch()
            version()
        except (OSError, subprocess.SubprocessError, AssertionError) as error:
            return f"MySQL's own server could not be fetched ({error!r:.200}): its tests are LEFT OUT"
    return ""


def _fetch() -> None:
    for name in ("state/lists/partial", "cache/archives/partial", "debs"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    shutil.rmtree(FOLDER / "root", ignore_errors=True)
    (FOLDER / "status").touch()
    # The machine's own mirror and key, asked for another suite.
    first = SOURCES.read_text().split("\n\n")[0]
    (FOLDER / "unstable.sources").write_text(re.sub(r"^Suites:.*$", "Suites: sid", first, flags=re.M) + "\n")
    _apt("update")
    asked = _apt("install", "-s", "--no-install-recommends", PACKAGE)
    names = [name for name in re.findall(r"^Inst (\S+)", asked, re.M) if not WITHOUT.search(name)]
    _apt("download", *names)
    for package in sorted((FOLDER / "debs").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(FOLDER / "root")], check=True, capture_output=True)
        package.unlink()
    (FOLDER / "whole").touch()


def _apt(*words: str) -> str:
    own = {"Dir::State": FOLDER / "state", "Dir::Cache": FOLDER / "cache", "Dir::State::status": FOLDER / "status",
           "Dir::Etc::sourcelist": FOLDER / "unstable.sources", "Dir::Etc::sourceparts": "/dev/null",
           "APT::Sandbox::User": "root"}  # fmt: skip
    options = [part for name, value in own.items() for part in ("-o", f"{name}={value}")]
    command = ["apt-get", "-qq", *options, *words]
    return subprocess.run(command, cwd=FOLDER / "debs", capture_output=True, text=True, check=True, timeout=300).stdout
