"""`mend check`: the live checks of connections in the terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bot.checks.run import get_ready, run_all
from bot.checks.target import target_for
from bot.cli.fleet import COLOUR, Result, side_by_side, told
from bot.cli.text import as_json as shown_as_json
from bot.cli.text import beside, clean, hide
from bot.own import use_own
from bot.references import serve_references_if_any
from bot.settings import REFERENCE, Settings, SettingsError, load
from bot.usable import in_the_file, incomplete, misnamed
from flows.core.causes import CAUSES
from flows.core.expiry import DAY, expiries
from flows.core.finding import Finding, explaining, overall
from flows.core.sheet import SheetError, sheet
from flows.core.sheet_places import place_of

EXIT = {"good": 0, "bad": 1, "unclear": 3}
PARTS = ("step", "check", "verdict", "cause", "code", "alternatives", "evidence")


def check(names: list[str], everything: bool, as_json: bool, config: Path | None) -> int:
    """Exit code: 0 all good, 1 something bad, 3 something unclear."""
    use_own(config)
    settings = load(config, os.environ)
    serve_references_if_any()
    wanted = sorted(settings.connections) if everything else list(dict.fromkeys(names))
    if not wanted:
        raise SettingsError(
            "mend.yml has no connections: describe one (see README), or let `mend import` do it"
            if everything and not settings.connections
            else "name a connection of mend.yml, or give --all"
        )  # fmt: skip
    many = everything or len(wanted) > 1
    for name in {**dict.fromkeys(names), **dict.fromkeys(wanted)}:  # a usage error is told before anything runs
        if not many or name not in settings.connections:
            target_for(settings, name)
    for said in (*in_the_file(settings), *misnamed(settings, wanted), *incomplete(settings, wanted)):
        print(f"mend: {clean(said)}", file=sys.stderr)
    results = _many(settings, wanted, quiet=as_json) if many else [_alone(settings, wanted[0], quiet=as_json)]
    if as_json:
        plain = [{key: value for key, value in r.items() if key != "expires"} for r in results]
        print(shown_as_json(plain if many else plain[0]))
    elif many:
        told(settings, results)
        _soon(results, max(settings.watch.days))
    verdicts = {r["verdict"] for r in results}
    return EXIT["bad"] if "bad" in verdicts else EXIT["unclear"] if "unclear" in verdicts else EXIT["good"]


def _alone(settings: Settings, name: str, *, quiet: bool) -> Result:
    """One connection: each finding is told as it comes."""
    if quiet:
        return result(settings, name)
    from rich.console import Console
    from rich.text import Text

    from bot.views import connection_view

    console = Console(highlight=False)

    def tell(f: Finding) -> None:
        line = Text(f"{f.verdict:8}", COLOUR[f.verdict]).append(f"{f.check:24}", "default")
        line.append(clean(f.evidence)[:400], "default")
        line.append("" if f.verdict == "skipped" else f"  {f.took_ms} ms", "dim").rstrip()
        console.print(line, soft_wrap=True)

    with console.status(f"checking {clean(name)}"):
        found = result(settings, name, tell)
    console.print(
        Text(f"\n{clean(name)}: {found['verdict']}. ", "bold").append(clean(found["summary"])), soft_wrap=True
    )
    width = console.width if console.is_terminal else None
    for line in [*_advice(found, connection_view(settings, name), width), *_ending(found)]:
        console.print(Text(line), soft_wrap=True)
    return found


def _advice(found: Result, view: dict[str, Any], width: int | None) -> list[str]:
    """A red result says the cause, the next step, what it could be instead, whose it is, and whether waiting helps."""
    from messages import render

    seen = ("verdict", "cause", "code")
    top = next((f for f in found["findings"] if all(f[key] == found[key] for key in seen) and f["next"]), None)
    if top is None:
        return []
    same = f" (could as well be {', '.join(top['alternatives'])})" if top["alternatives"] else ""
    others, questions = render.instead(top, view)
    told = [
        ("Who", render.who(top, view)),
        ("Next", top["next"]),
        *(("Or", other) for other in others),
        *(("Ask", question) for question in questions if others),
        ("Cause", f"{found['cause'] or 'unclear'}, {found['code'] or 'no code'}{same}"),
    ]
    return [line for label, text in told for line in beside(label, text, width)]


def _ending(found: Result) -> list[str]:
    """What runs out, soonest first."""
    if not found["expires"]:
        return []
    from messages.expiring import plainly

    return [f"Expires: {clean(plainly(one, time.time()))}" for one in found["expires"]]


def _many(settings: Settings, names: list[str], *, quiet: bool) -> list[Result]:
    """In the order they were named. Interrupted, nothing more is begun, and what is known by then is told."""
    done: dict[str, Result] = {}
    _get_ready(settings, names)
    try:
        side_by_side(settings, names, partial(_looked_at, settings), done, quiet=quiet)
    except KeyboardInterrupt:
        if not quiet:
            print(f"mend: stopped; {len(done)} of {len(names)} were looked at", file=sys.stderr)
            told(settings, list(done.values()))
        raise
    return [done[name] for name in names]


def _get_ready(settings: Settings, names: list[str]) -> None:
    """Sheets that cannot be read, or that nobody knows, are told by their connection."""
    for key in dict.fromkeys(settings.connections[name].connector for name in names):
        with suppress(SheetError):
            get_ready(sheet(key), tunnel=any(settings.connections[name].tunnel for name in names))


def _looked_at(settings: Settings, name: str) -> Result:
    try:
        return result(settings, name)
    except (SettingsError, SheetError) as error:
        return _misconfigured(settings, name, hide(error))
    except Exception as error:  # of ours: it says nothing about the connection, nor about the others
        said = f"The check itself failed ({type(error).__name__}): please report it."
        finding = Finding("check_status", "configuration", "unclear", "unclassified", None, evidence=said)
        return _unlooked(settings, name, finding, said, said)


def _misconfigured(settings: Settings, name: str, said: str) -> Result:
    """One connection whose configuration is wrong does not keep the others from being looked at."""
    connection = settings.connections[name]
    where = ["connections", name]
    for field, reference in connection.secrets.items():
        if (found := REFERENCE.fullmatch(reference.strip())) and found[2].strip() in said:
            where += ["secrets", field]
    summary = f"{said} ({_place(settings, where)})"
    finding = Finding("check_status", "configuration", "bad", "config_error", "config.wrong_format", evidence=summary)
    return _unlooked(settings, name, finding, summary, said)


def _unlooked(settings: Settings, name: str, finding: Finding, summary: str, step: str) -> Result:
    """The result of a connection that no check could look at."""
    plain = {key: finding.to_dict()[key] for key in PARTS}
    return {
        "connection": name, "connector": settings.connections[name].connector, "verdict": finding.verdict,
        "cause": finding.cause, "code": finding.code, "summary": summary,
        "owner": CAUSES[finding.cause or "unclassified"].owner, "waiting_helps": False, "took_ms": 0, "expires": [],
        "findings": [{**plain, "next": step, "took_ms": 0}],
    }  # fmt: skip


def _place(settings: Settings, where: list[str]) -> str:
    file = settings.source
    line = place_of(file.read_text(encoding="utf-8"), where).split(":")[0] if file else ""
    return f"{file.name if file else 'mend.yml'}:{line}"


def _soon(results: list[Result], days: int) -> None:
    """What runs out within so many days, of all connections."""
    for r in results:
        near = {**r, "expires": [one for one in r["expires"] if one["at"] < time.time() + days * DAY]}
        for line in _ending(near):
            print(f"{clean(r['connection'])}: {line.removeprefix('Expires: ')}")


def result(settings: Settings, name: str, on_finding: Callable[[Finding], None] | None = None) -> Result:
    """The object of `mend check --json` for one connection."""
    from bot.views import connection_view

    began = time.monotonic()
    target = target_for(settings, name)
    # A good source has answered by then.
    words = threading.Timer(1.0, _get_words_ready)
    words.daemon = True
    words.start()
    try:
        found = run_all(target, on_finding)
    finally:
        words.cancel()
    view, top, verdict = connection_view(settings, name), explaining(found), overall(found)
    cause = CAUSES.get(top.cause or "unclassified") if top else None
    return {
        "connection": name,
        "connector": target.connector,
        "verdict": verdict,
        "cause": top.cause if top else None,
        "code": top.code if top else None,
        "summary": _summary(top, view) if top else _fine(verdict),
        "owner": cause.owner if cause else None,
        "waiting_helps": cause.waiting_helps if cause else False,
        "took_ms": round((time.monotonic() - began) * 1000),
        "expires": [asdict(one) for one in expiries(found)],
        "findings": [_plain(f, view) for f in found],
    }


def _get_words_ready() -> None:
    """Templates and codes take a quarter of a second to load: who waits for a silent server loads them meanwhile."""
    from messages import render

    render.next_step(Finding("check_network", "port_answers", "bad", "host_unreachable").to_dict(), {})


def _summary(top: Finding, view: dict[str, Any]) -> str:
    from messages import render  # templates are for what is not good

    return render.summary(top.to_dict(), view)


def _fine(verdict: str) -> str:
    return "Everything that Mend looked at is good." if verdict == "good" else "Nothing could be checked."


def _plain(f: Finding, view: dict[str, Any]) -> Result:
    raw, step = f.to_dict(), ""
    if f.verdict in ("bad", "unclear"):
        from messages import render

        step = render.next_step(raw, view)
    return {**{key: raw[key] for key in PARTS}, "next": step, "took_ms": f.took_ms}
