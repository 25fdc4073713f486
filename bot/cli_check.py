"""`mend check`: the live checks of connections in the terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from bot.checks.run import run_all
from bot.checks.target import target_for
from bot.cli_text import clean
from bot.settings import Settings, SettingsError, literals, load
from flows.core.causes import CAUSES
from flows.core.finding import Finding, explaining, overall

EXIT = {"good": 0, "bad": 1, "unclear": 3}
COLOUR = {"good": "green", "bad": "red", "unclear": "yellow", "skipped": "dim"}
# Side by side, but gently: a fleet behind one host must not look like an attack.
AT_ONCE = 16
Result = dict[str, Any]


def check(names: list[str], everything: bool, as_json: bool, config: Path | None) -> int:
    """Exit code: 0 all good, 1 something bad, 3 something unclear."""
    settings = load(config, os.environ)
    wanted = sorted(settings.connections) if everything else list(dict.fromkeys(names))
    if not wanted:
        raise SettingsError(
            "mend.yml has no connections: describe one (see README)" if everything and not settings.connections
            else "name a connection of mend.yml, or give --all"
        )  # fmt: skip
    for name in wanted:
        target_for(settings, name)  # a usage error is told before anything runs
    for place in literals(settings):
        print(
            f"mend: the secret {place} stands in mend.yml itself: better ${{env:...}} or ${{file:...}}", file=sys.stderr
        )
    many = everything or len(wanted) > 1
    results = _side_by_side(settings, wanted, quiet=as_json) if many else [_alone(settings, wanted[0], quiet=as_json)]
    if as_json:
        print(json.dumps(results if many else results[0], indent=2, ensure_ascii=False))
    elif many:
        _table(results)
    verdicts = {r["verdict"] for r in results}
    return EXIT["bad"] if "bad" in verdicts else EXIT["unclear"] if "unclear" in verdicts else EXIT["good"]


def _alone(settings: Settings, name: str, *, quiet: bool) -> Result:
    """One connection: each finding is told as it comes."""
    if quiet:
        return result(settings, name)
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def tell(f: Finding) -> None:
        line = Text(f"{f.verdict:8}", COLOUR[f.verdict]).append(f"{f.check:24}", "default")
        console.print(
            line.append(clean(f.evidence)[:200], "default").append(f"  {f.took_ms} ms", "dim"), soft_wrap=True
        )

    with console.status(f"checking {clean(name)}"):
        found = result(settings, name, tell)
    console.print(
        Text(f"\n{clean(name)}: {found['verdict']}. ", "bold").append(clean(found["summary"])), soft_wrap=True
    )
    for line in _advice(found):
        console.print(Text(line), soft_wrap=True)
    return found


def _advice(found: Result) -> list[str]:
    """A red result says the cause, the next step, whose it is, and whether waiting helps."""
    top = next((f for f in found["findings"] if f["verdict"] == found["verdict"] and f["next"]), None)
    if top is None:
        return []
    same = f" (could as well be {', '.join(top['alternatives'])})" if top["alternatives"] else ""
    waiting = "helps" if found["waiting_helps"] else "does not help"
    return [
        f"Next:    {clean(top['next'])}",
        f"Cause:   {found['cause'] or 'unclear'}, {found['code'] or 'no code'}{same}",
        f"Who:     {(found['owner'] or 'nobody').replace('_', ' ')}; waiting {waiting}",
    ]


def _side_by_side(settings: Settings, names: list[str], *, quiet: bool) -> list[Result]:
    """Many connections at once, in the order they were named; progress goes to standard error."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    done: dict[str, Result] = {}
    with Progress(console=console, disable=quiet, transient=True) as progress, ThreadPoolExecutor(AT_ONCE) as pool:
        task = progress.add_task("checking", total=len(names))
        running = {pool.submit(result, settings, name): name for name in names}
        for one in as_completed(running):
            done[running[one]] = one.result()
            progress.advance(task)
            if not quiet and not console.is_terminal:
                print(
                    f"{len(done)}/{len(names)} {clean(running[one])}: {done[running[one]]['verdict']}", file=sys.stderr
                )
    return [done[name] for name in names]


def _table(results: list[Result]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for header in ("Connection", "Verdict", "What is wrong", "Code", "Who", "Waiting helps"):
        table.add_column(header, overflow="fold")
    order = {"bad": 0, "unclear": 1, "good": 2}
    for r in sorted(results, key=lambda r: (order[r["verdict"]], r["cause"] or "", r["connection"])):
        good = r["verdict"] == "good"
        waiting = "" if good else "yes" if r["waiting_helps"] else "no"
        cells = [r["connection"], "" if good else r["summary"], r["code"] or "", (r["owner"] or "").replace("_", " ")]
        name, *rest = [Text(clean(cell)) for cell in cells]
        table.add_row(name, Text(r["verdict"], COLOUR[r["verdict"]]), *rest, Text(waiting))
    console = Console()
    # Cut to 80 columns, a table in a log file would say nothing.
    Console(width=max(console.width, 140) if not console.is_terminal else None).print(table)


def result(settings: Settings, name: str, on_finding: Callable[[Finding], None] | None = None) -> Result:
    """The object of `mend check --json` for one connection."""
    from bot.views import connection_view
    from messages import render

    began = time.monotonic()
    target = target_for(settings, name)
    found = run_all(target, on_finding)
    view, top, verdict = connection_view(settings, name), explaining(found), overall(found)
    cause = CAUSES.get(top.cause or "unclassified") if top else None
    return {
        "connection": name,
        "connector": target.connector,
        "verdict": verdict,
        "cause": top.cause if top else None,
        "code": top.code if top else None,
        "summary": render.summary(top.to_dict(), view) if top else _fine(verdict),
        "owner": cause.owner if cause else None,
        "waiting_helps": cause.waiting_helps if cause else False,
        "took_ms": round((time.monotonic() - began) * 1000),
        "findings": [_plain(f, view) for f in found],
    }


def _fine(verdict: str) -> str:
    return "Everything that Mend looked at is good." if verdict == "good" else "Nothing could be checked."


def _plain(f: Finding, view: dict[str, Any]) -> Result:
    from messages import render

    raw = f.to_dict()
    step = render.next_step(raw, view) if f.verdict in ("bad", "unclear") else ""
    keys = ("step", "check", "verdict", "cause", "code", "alternatives", "evidence")
    return {**{key: raw[key] for key in keys}, "next": step, "took_ms": f.took_ms}
