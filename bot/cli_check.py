"""`mend check` and `mend diagnose`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from bot.checks.run import checks_of, run_all
from bot.checks.target import target_for
from bot.settings import Settings, SettingsError, literals, load
from flows.core.causes import CAUSES
from flows.core.finding import Finding, explaining, overall

EXIT = {"good": 0, "bad": 1, "unclear": 3}
# Side by side, but gently: a fleet behind one host must not look like an attack.
AT_ONCE = 16


def check(names: list[str], everything: bool, as_json: bool, config: Path | None) -> int:
    """Exit code: 0 all good, 1 something bad, 3 something unclear."""
    settings = load(config, os.environ)
    wanted = sorted(settings.connections) if everything else names
    if not wanted:
        raise SettingsError("name a connection of mend.yml, or give --all")
    for name in wanted:
        target_for(settings, name)  # a usage error is told before anything runs
    for place in literals(settings):
        print(
            f"mend: the secret {place} stands in mend.yml itself; better ${{env:...}} or ${{file:...}}", file=sys.stderr
        )
    results = _run(settings, wanted, quiet=as_json)
    if as_json:
        print(json.dumps(results if everything or len(results) > 1 else results[0], indent=2, ensure_ascii=False))
    verdicts = {r["verdict"] for r in results}
    return EXIT["bad"] if "bad" in verdicts else EXIT["unclear"] if "unclear" in verdicts else EXIT["good"]


def _run(settings: Settings, names: list[str], *, quiet: bool) -> list[dict[str, Any]]:
    if len(names) == 1 or quiet:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(lambda n: result(settings, n, _printer() if not quiet else None), names))
        if not quiet:
            _conclude(results[0])
        return results
    from rich.console import Console
    from rich.table import Table

    results = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(result, settings, name): name for name in names}
        for done in as_completed(running):
            results.append(done.result())
            print(f"{len(results)}/{len(names)} {results[-1]['connection']}: {results[-1]['verdict']}", file=sys.stderr)
    table = Table("Connection", "Verdict", "Cause", "What is wrong", "Owner")
    for r in sorted(results, key=lambda r: (r["verdict"] == "good", r["cause"] or "", r["connection"])):
        table.add_row(r["connection"], r["verdict"], r["code"] or "", r["summary"], r["owner"] or "")
    Console().print(table)
    return sorted(results, key=lambda r: str(r["connection"]))


def _printer() -> Callable[[Finding], None]:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    word = {
        "good": "[green]good   [/]",
        "bad": "[red]bad    [/]",
        "unclear": "[yellow]unclear[/]",
        "skipped": "[dim]skipped[/]",
    }
    return lambda f: console.print(
        f"{word[f.verdict]} {escape(f.check):24} {escape(f.evidence[:200])}  [dim]{f.took_ms} ms[/]"
    )


def _conclude(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    console.print(f"\n[bold]{escape(found['connection'])}: {found['verdict']}[/]  {escape(found['summary'])}")
    bad = next((f for f in found["findings"] if f["verdict"] in ("bad", "unclear") and f["next"]), None)
    if bad:
        helps = "Waiting helps." if found["waiting_helps"] else ""
        console.print(f"{escape(bad['next'])} {helps}\n[dim]{found['code'] or ''} · who: {found['owner']}[/]")


def result(settings: Settings, name: str, on_finding: Callable[[Finding], None] | None = None) -> dict[str, Any]:
    """The object of contract.md for one connection."""
    from bot.views import connection_view
    from messages import render

    began = time.monotonic()
    target = target_for(settings, name)
    checks_of(target.sheet)
    found = run_all(target, on_finding)
    view, top, verdict = connection_view(settings, name), explaining(found), overall(found)
    cause = CAUSES.get(top.cause or "unclassified") if top else None
    return {
        "connection": name,
        "connector": target.connector,
        "verdict": verdict,
        "cause": top.cause if top else None,
        "code": top.code if top else None,
        "summary": render.summary(top.to_dict(), view) if top else "Everything that Mend looked at is good.",
        "owner": cause.owner if cause else None,
        "waiting_helps": cause.waiting_helps if cause else False,
        "took_ms": round((time.monotonic() - began) * 1000),
        "findings": [_plain(f, view) for f in found],
    }


def _plain(f: Finding, view: dict[str, Any]) -> dict[str, Any]:
    from messages import render

    raw = f.to_dict()
    raw.pop("facts")
    return {**raw, "next": render.next_step({**raw, "facts": f.facts}, view) if f.verdict in ("bad", "unclear") else ""}


def diagnose(text: str, connector: str | None, as_json: bool) -> int:
    """Explain an error text. Exit code 1 when its cause is known, 3 when it is unclear."""
    from flows.core.explain import explain
    from messages import render

    found = explain(text, connector)
    cause = CAUSES[found.cause]
    finding = {
        "verdict": "bad",
        "cause": found.cause,
        "code": found.code,
        "evidence": "",
        "facts": {},
        "alternatives": [],
    }
    view = {
        "name": "this connection",
        "title": found.connector or "The source",
        "connector": found.connector or "",
        "driver": "",
        "user": "(the configured one)",
        "host": "the host",
    }
    answer = {
        "cause": found.cause,
        "code": found.code,
        "confidence": found.confidence,
        "stage": found.stage,
        "connector": found.connector,
        "summary": render.summary(finding, view),
        "next": render.next_step(finding, view),
        "owner": cause.owner,
        "waiting_helps": cause.waiting_helps,
        "matched": found.matched,
    }
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        for name in ("summary", "next", "cause", "code", "confidence", "owner"):
            print(f"{name:11} {answer[name]}")
    return 3 if found.confidence == "unclear" else 1
