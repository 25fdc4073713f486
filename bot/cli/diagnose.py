"""`mend diagnose`: what an error message means."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any, BinaryIO

from bot.cli.text import as_json as shown_as_json
from bot.cli.text import beside, clean, hide
from bot.own import use_own
from bot.settings import Settings, SettingsError, load
from bot.slack.commands import connection_of
from bot.views import connection_view, sheet_view
from flows.core.causes import CAUSES
from flows.core.explain import Diagnosis, explain
from flows.core.sheet import SheetError, sheet, sheets

# Of a log, the beginning and the end are kept.
HEAD, TAIL = 100_000, 800_000
UNCLEAR = "`mend check NAME` looks at the connection itself; `--connector KEY` says which source the text is from"


def given(words: list[str]) -> str:
    """What was typed, or what the one file that was named holds, or what was pasted or piped in."""
    if len(words) == 1 and words[0] != "-" and _is_file(words[0]):
        try:
            with Path(words[0]).open("rb") as file:
                return _read(file)
        except OSError as error:
            raise SettingsError(f"{words[0]} can not be read: {error.strerror}") from None
    if len(words) == 1 and re.fullmatch(r"[\w.~/\\:-]{1,200}\.(?:log|txt|json|eml)", words[0]):
        raise SettingsError(f"there is no file {words[0]}")
    if words and words != ["-"]:
        return " ".join(words)
    if sys.stdin.isatty():
        print("Paste the error message, then press Ctrl-D.", file=sys.stderr)
    return _read(sys.stdin.buffer)


def _is_file(name: str) -> bool:
    """Never for a message, which may be longer than a name can be."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def _read(stream: BinaryIO) -> str:
    """Of any length."""
    head, tail = stream.read(HEAD), b""
    while part := stream.read(TAIL):
        tail = (tail + part)[-TAIL:]
    return (head + tail).decode("utf-8", "replace")


def diagnose(text: str, connector: str | None, as_json: bool) -> int:
    """Explain an error text. Exit code 1 when its cause is known, 3 when it is unclear."""
    if not text.strip():
        raise SettingsError("there is no error text: give it as an argument in quotes, or pipe it in")
    use_own()
    found = explain(text, sheet(connector).key if connector else None)
    settings = _settings()
    name = connection_of(found, text, settings)
    answer = _answer(found, settings, name)
    if as_json:
        print(shown_as_json(answer))
    else:
        for line in _lines(answer, name or found.connection, _who(found, settings, name)):
            print(line)
    return 3 if found.confidence == "unclear" else 1


def _settings() -> Settings:
    """What is configured, if it can be read: a text is explained without it too."""
    try:
        found = load(None, os.environ)
    except SettingsError as error:
        print(f"mend: explained without mend.yml: {hide(error)}", file=sys.stderr)
        return Settings()
    there = {name: one for name, one in found.connections.items() if _is_known(one.connector)}
    return found.model_copy(update={"connections": there})


def _is_known(connector: str) -> bool:
    try:
        return bool(sheet(connector))
    except SheetError as error:
        print(f"mend: {hide(error)}", file=sys.stderr)
        return False


def _answer(found: Diagnosis, settings: Settings | None = None, name: str = "") -> dict[str, Any]:
    """`connection` and who leads it only where the text is about one of mend.yml."""
    from messages import render

    known = settings.connections[name] if settings and name else None
    cause, view = CAUSES[found.cause], connection_view(settings, name) if settings and known else _view(found)
    finding = _finding(found)
    return {
        "cause": found.cause,
        "code": found.code,
        "confidence": found.confidence,
        "stage": found.stage,
        "connector": sheet(known.connector).key if known else found.connector,
        "summary": upper_first(render.summary(finding, view)),
        "next": render.next_step(finding, view),
        "owner": cause.owner,
        "waiting_helps": cause.waiting_helps,
        "matched": found.matched,
        **({"connection": name, "connection_owner": known.owner or ""} if known else {}),
    }


def _finding(found: Diagnosis) -> dict[str, Any]:
    said = {"cause": found.cause, "code": found.code, "facts": dict(found.facts)}
    return {"verdict": "bad", "evidence": "", "alternatives": [], **said}


def _who(found: Diagnosis, settings: Settings, name: str) -> str:
    """Who must act, as the thread calls them."""
    from messages import render

    return str(render.who(_finding(found), connection_view(settings, name) or _view(found)))


def _view(found: Diagnosis) -> dict[str, Any]:
    """A connection of which only the text is known."""
    known = sheets().get(found.connector or "")
    title = (found.connector or "").replace("_", " ").title() or "the source"
    said = sheet_view(known) if known else {"connector": found.connector or "", "title": title}
    named = {"user": "of this connection", "host": "", **found.facts}
    return {**said, "name": found.connection or "this connection", "user": named["user"], "host": named["host"]}


def _lines(answer: dict[str, Any], connection: str, who: str) -> list[str]:
    place = [f"stage {answer['stage']}"] if answer["stage"] else []
    place += [str(answer["connector"]).replace("_", " ")] if answer["connector"] else []
    place += [f"connection {connection}"] if connection else []
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    told = [
        ("Who", f"{clean(who)}{_leader(answer)}"),
        ("Next", answer["next"]),
        ("Cause", f"{answer['cause']}, {answer['code'] or 'no code'} ({answer['confidence']})"),
        *([("Where", ", ".join(place))] if place else []),
        *([("Because", answer["matched"])] if answer["matched"] else []),
        *([("Try", UNCLEAR)] if answer["confidence"] == "unclear" else []),
    ]
    return [clean(answer["summary"]), *(line for label, text in told for line in beside(label, text, width))]


def _leader(answer: dict[str, Any]) -> str:
    return f" ({clean(answer['connection_owner'])} owns the connection)" if answer.get("connection_owner") else ""


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]
