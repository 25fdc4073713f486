"""Servers and browsers that tests need and Python's index does not carry: brought along by root on Debian."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

# Programs that Debian keeps out of an ordinary user's path.
SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin")


def program(name: str) -> str | None:
    """The full path of a program, also of one that only root has in the path, or that lies beside its versions."""
    places = [*SBIN, *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))


@cache
def missing(name: str, *packages: str) -> str:
    """Install `packages` when the program `name` is not there; why it is still missing, or nothing."""
    if program(name):
        return ""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _install(packages)
    return "" if program(name) else f"{name} is not installed ({', '.join(packages)}): its tests are LEFT OUT"


def _install(packages: tuple[str, ...]) -> None:
    # Two test runs at once wait for one another; RUNLEVEL=1 keeps Debian from starting the servers as services.
    with (Path(tempfile.gettempdir()) / f"mend-test-install-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        if subprocess.run(install, env=quiet, capture_output=True, check=False, timeout=900).returncode:
            subprocess.run(["apt-get", "update", "-qq"], env=quiet, capture_output=True, check=False, timeout=300)
            subprocess.run(install, env=quiet, capture_output=True, check=False, timeout=900)
