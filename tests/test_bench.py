"""The benchmarks can be asked what they measure; no test asserts a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def bench(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_lists_every_goal() -> None:
    done = bench("--list")
    assert done.returncode == 0
    numbers = {word.strip(",") for line in done.stdout.splitlines() for word in line.split()[:2]}
    assert {str(n) for n in range(1, 18)} <= numbers


def test_an_unknown_goal_is_one_line_that_says_what_to_do() -> None:
    done = bench("--only", "99")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bench: no goal 99; --list says what there is\n"
