"""CPU and memory of a process tree, medians and percentiles."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1024 * 1024


def tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def cpu_seconds(pid: int, *, alone: bool = False) -> float:
    """User and system time of a process and, unless `alone`, of its children, the ended ones too."""
    total = 0.0
    for process in [psutil.Process(pid)] if alone else tree(pid):
        times = process.cpu_times()
        total += times.user + times.system + (0.0 if alone else times.children_user + times.children_system)
    return total


def pss(pid: int, *, alone: bool = False) -> float:
    """Proportional set size in MiB: memory that is shared is counted once among those who share it."""
    processes = [psutil.Process(pid)] if alone else tree(pid)
    return float(sum(p.memory_full_info().pss for p in processes) / MIB)


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


@dataclass(frozen=True)
class Ran:
    """One command that ran to its end: seconds, CPU seconds, peak MiB, exit code and what it printed."""

    wall: float
    cpu: float
    peak: float
    code: int
    output: str


def run(command: Sequence[str], limit: float = 60) -> Ran:
    """Run a command for `limit` seconds at most.

    A lean process starts and measures it: a child's peak begins with the memory of its parent.
    """
    lean = [sys.executable, "-I", "-S", str(Path(__file__).parent / "lean.py"), *command]
    done = subprocess.run(
        lean, capture_output=True, text=True, check=True, env={**os.environ, "BENCH_LIMIT": str(limit)}
    )
    told = json.loads(done.stdout.rpartition("\n")[2])
    return Ran(**told, output=done.stderr + done.stdout.rpartition("\n")[0])
