"""`mend try` as a person meets it: a page that is ready, one line when it cannot, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.servers import free_port


def started(folder: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "try", "--no-open", "--port", str(port)],
        env={**os.environ, "MEND_DATA_DIR": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
        # Who starts the tests in the background of a script has them ignore Ctrl-C, and what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def interrupted(process: subprocess.Popen[str]) -> str:
    """What it says after Ctrl-C in its terminal, which reaches the whole group."""
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=90)[0]


def uses(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cwd", "cmdline", "status"]):
        if str(folder) in f"{process.info['cwd']} {process.info['cmdline']}" and process.info["status"] != "zombie":
            found.append(str(process.info))
    return found


def test_the_page_is_ready_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    port = free_port()
    process = started(tmp_path, port)
    lines = iter(process.stdout or ())
    assert any("The local Slack is at" in line for line in lines)
    assert b"local-token" in urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read()
    assert any("Mend is ready" in line for line in lines)
    assert uses(tmp_path)
    assert "Traceback" not in interrupted(process)
    assert process.returncode == 0
    assert uses(tmp_path) == []
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


def test_ctrl_c_while_the_database_is_made_is_no_error(tmp_path: Path) -> None:
    process = started(tmp_path, free_port())
    assert "Starting the embedded database" in next(iter(process.stdout or ()))
    assert "Traceback" not in interrupted(process)
    assert process.returncode == 0
    assert uses(tmp_path) == []


@pytest.mark.parametrize(
    ("where", "word", "code"),
    [("bot.app.try_locally", "try", 0), ("bot.cli._run", "try", 0), ("bot.cli._run", "connectors", 130)],
)
def test_ctrl_c_in_the_midst_of_an_import_ends_by_an_exit_code(
    tmp_path: Path, where: str, word: str, code: int
) -> None:
    module, name = where.rsplit(".", 1)
    (tmp_path / "cut.py").write_text(
        f"import sys, {module} as cut\n"
        f"cut.{name} = lambda *_: exec('raise KeyboardInterrupt')\n"
        f"from bot.cli import main\nsys.argv = ['mend', '{word}']\nmain()\n",
    )
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "cut"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (code, "")


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, taken: int) -> None:
    process = started(tmp_path, taken)
    said = process.communicate(timeout=120)[0].splitlines()
    assert (process.returncode, said) == (2, [f"mend: port {taken} is taken: choose another with --port"])
    assert uses(tmp_path) == []


def test_a_second_one_in_the_same_folder_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    first = started(tmp_path, free_port())
    assert any("Mend is ready" in line for line in iter(first.stdout or ()))
    before = (tmp_path / "mend.yml").read_text()
    second = started(tmp_path, free_port())
    said = second.communicate(timeout=60)[0].splitlines()
    assert (second.returncode, len(said)) == (2, 1)
    assert f"another `mend try` runs in {tmp_path}" in said[0]
    assert (first.poll(), (tmp_path / "mend.yml").read_text()) == (None, before)
    interrupted(first)
    assert first.returncode == 0


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = started(tmp_path / "file", free_port())
    said = process.communicate(timeout=120)[0].splitlines()
    assert process.returncode == 2
    assert len(said) == 1
    assert "set MEND_DATA_DIR" in said[0]
