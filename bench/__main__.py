"""`python -m bench`: measures the goals and prints one table."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence

from bench.place import Place, place
from bench.table import Line, printed

# The goals that one run measures together, the module and function that do, and what they are about.
RUNS: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (("1", "2"), "acks", "acks", "acknowledgement p50 and p99, committed first, beside a bare Bolt app"),
    (("3",), "acks", "stress", "acknowledgement under a slow Slack, silent checks and burning processes"),
    (("4",), "acks", "nothing_posted", "CPU of an event that posts nothing"),
    (("5", "7"), "steps", "plain", "CPU of a full step, steps per second and core"),
    (("6",), "steps", "by_tls", "CPU of a full step where Slack's API is behind TLS"),
    (("first",), "steps", "first_message", "from the command to the first message in the thread"),
    (("8", "9"), "steps", "open_cases", "growth with open cases: CPU, acknowledgements, memory"),
    (("10",), "processes", "connectors", "growth with connectors: CPU, memory, start"),
    (("11",), "words", "diagnosis", "from an error text to its cause"),
    (("12",), "processes", "memory", "memory of the acknowledging process"),
    (("13",), "checks", "live", "a live check beside the bare driver"),
    (("14",), "checks", "one_shot", "`mend check` beside the bare script"),
    (
        ("14", "15"),
        "beside",
        "beside",
        "`mend check` beside the public connection tests, with --peers, in every situation",
    ),
    (("15",), "checks", "bad", "bad cases end within their limit"),
    (("16",), "checks", "hanging", "good checks beside silent ones"),
    (("http",), "http", "checks", "a check of an HTTP source, good and bad"),
    (("17",), "words", "message", "a message: words, blocks, JSON"),
)


def options(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--list", action="store_true", help="the goals, without measuring")
    parser.add_argument("--only", action="append", metavar="N", help="this goal alone; may be repeated")
    parser.add_argument("--quick", action="store_true", help="few and short rounds, fewer cases")
    parser.add_argument("--peers", action="store_true", help="install the public connection tests and measure them too")
    parser.add_argument("--json", action="store_true", help="the lines as JSON")
    return parser.parse_args(given)


def main() -> int:
    asked = options()
    if asked.list:
        print("\n".join(f"{', '.join(numbers):6} {about}" for numbers, _, _, about in RUNS))
        return 0
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # of the relay's callers that hang up
    known = {number for numbers, _, _, _ in RUNS for number in numbers}
    if unknown := set(asked.only or ()) - known:
        print(f"bench: no goal {', '.join(sorted(unknown))}; --list says what there is", file=sys.stderr)
        return 2
    wanted = set(asked.only or known)
    began, lines = time.monotonic(), []
    with place(quick=asked.quick, peers=asked.peers) as here:
        for numbers, module, function, _ in RUNS:
            if wanted & set(numbers):
                measure = getattr(importlib.import_module(f"bench.rows.{module}"), function)
                lines += [line for line in _measured(here, numbers, measure) if line.number in wanted]
    _show(lines, time.monotonic() - began, as_json=asked.json)
    return 0


def _measured(here: Place, numbers: tuple[str, ...], measure: Callable[[Place], list[Line]]) -> list[Line]:
    """One run that breaks must not cost the others' figures."""
    try:
        return measure(here)
    except Exception as error:
        here.tell(f"goal {', '.join(numbers)} could not be measured: {error!r}")
        return [Line(number, "not measured", "", f"{type(error).__name__}, see above", None) for number in numbers]


def _show(lines: list[Line], seconds: float, *, as_json: bool) -> None:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    if as_json:
        rows = [{**dataclasses.asdict(line), "verdict": line.verdict} for line in lines]
        print(json.dumps({"load": load, "cores": os.cpu_count(), "seconds": round(seconds), "lines": rows}, indent=2))
        return
    print(printed(lines))
    print(f"\n{os.cpu_count()} cores, load at the end {load}, {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
