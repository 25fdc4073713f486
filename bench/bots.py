"""The processes that are measured and those around them, each on a free loopback port, ended by their own handles."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.bare_bolt import SECRET, TOKEN
from bench.measure import cpu_seconds

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Running:
    """A process that answers at `url`, and what it took from start to the first answer: seconds, and of CPU."""

    pid: int
    url: str
    started: float
    cpu: float


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(url: str) -> bool:
    """Whether somebody speaks HTTP there, whatever they say."""
    trusting = ssl._create_unverified_context()  # noqa: S323 - our own stub on loopback
    try:
        urllib.request.urlopen(url, timeout=1, context=trusting).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        return error.code != 503
    except OSError:
        return False
    return True


@contextlib.contextmanager
def process(
    command: Sequence[str], log: Path, url: str, env: dict[str, str] | None = None, cwd: Path = ROOT, probe: str = ""
) -> Iterator[Running]:
    """Start a command and wait until it answers; end it afterwards."""
    began = time.monotonic()
    with log.open("ab") as out:
        child = subprocess.Popen(list(command), env={**os.environ, **(env or {})}, cwd=cwd, stdout=out, stderr=out)
    try:
        while not answers(probe or url):
            if child.poll() is not None or time.monotonic() - began > 60:
                raise RuntimeError(f"{' '.join(command)} does not answer: {log.read_text()[-2000:]}")
            time.sleep(0.01)
        yield Running(child.pid, url, time.monotonic() - began, cpu_seconds(child.pid, alone=True))
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)


@contextlib.contextmanager
def stub(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """The Slack Web API; its address without /api/."""
    port = free_port()
    url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    command = [sys.executable, "-m", "bench.slack_stub", str(port), *(str(p) for p in certificate or ())]
    with process(command, folder / "stub.log", f"{url}/log"):
        yield url


@contextlib.contextmanager
def bare(folder: Path, api: str, *ways: str, env: dict[str, str] | None = None) -> Iterator[Running]:
    """A bare Bolt app."""
    port = free_port()
    command = [sys.executable, "-m", "bench.bare_bolt", str(port), f"{api}/api/", *ways]
    with process(command, folder / "bare.log", f"http://127.0.0.1:{port}", env) as running:
        yield running


@contextlib.contextmanager
def mend(
    folder: Path, api: str, database: str, connections: dict[str, Any], *,
    roles: str = "slack,web,worker", env: dict[str, str] | None = None, home: Path = ROOT,
) -> Iterator[Running]:  # fmt: skip
    """The whole bot, front and worker, over HTTP."""
    port = free_port()
    config = folder / f"mend-{port}.yml"
    config.write_text(yaml.safe_dump({"connections": connections, "check_timeout": 5}), encoding="utf-8")
    given = {
        "SLACK_BOT_TOKEN": TOKEN, "SLACK_SIGNING_SECRET": SECRET, "SLACK_API_URL": f"{api}/api/", "SLACK_APP_TOKEN": "",
        "MEND_DATABASE_URL": database, "MEND_DATA_DIR": str(folder), **(env or {}),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "bot.cli", "serve", "--config", str(config), "--port", str(port), "--roles", roles,
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with process(command, folder / "mend.log", url, given, home, f"{url}/readyz") as running:
        yield running


Opened = Callable[[], contextlib.AbstractContextManager[Running]]
