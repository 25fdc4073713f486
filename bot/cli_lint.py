"""`mend lint`: sheets, templates and flows, ours or a user's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot.settings import SettingsError
from flows.core.causes import CAUSES
from flows.core.sheet import HERE, SheetError, load_sheet

OURS = (HERE, HERE.parent.parent / "messages")


def lint(paths: list[Path]) -> int:
    """One line per problem, with file, line and column. Without paths: all of Mend's own, and its flows."""
    for path in paths:
        if not path.exists():
            raise SettingsError(f"{path} does not exist: give a sheet, a template, or a folder of them")
    files = [file for path in (paths or OURS) for file in _files(path)]
    problems = [problem for file in files for problem in _of_file(file)] + ([] if paths else list(_of_flows()))
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


def _files(path: Path) -> list[Path]:
    """Beside templates, the YAML files are words, no sheets."""
    if not path.is_dir():
        return [path]
    templates = sorted(path.rglob("*.j2"))
    return templates or sorted(f for f in path.rglob("*") if f.suffix in (".yaml", ".yml"))


def _of_file(file: Path) -> list[str]:
    return _of_template(file) if file.suffix == ".j2" else _of_sheet(file)


def _of_template(file: Path) -> list[str]:
    import jinja2

    try:
        jinja2.Environment(autoescape=False).parse(file.read_text(encoding="utf-8"))  # noqa: S701 - only parsed
    except jinja2.TemplateSyntaxError as error:
        return [f"{file}:{error.lineno}:1: {error.message}"]
    except (OSError, UnicodeDecodeError) as error:
        return [f"{file}:1:1: cannot be read ({type(error).__name__})"]
    return []


def _of_sheet(file: Path) -> list[str]:
    from bot.checks.run import MODULES

    try:
        read = load_sheet(file)
    except SheetError as error:
        return [f"{file.parent}/{error}"]
    found = [f"{file}:1:1: there is no check {name!r}" for name in read.checks if name not in MODULES]
    answers = read.http.answers if read.http else ()
    found += [f"{file}:1:1: there is no cause {a.cause!r}" for a in answers if a.cause not in CAUSES]
    if read.http and read.http.base_url.startswith("http://"):
        found.append(f"{file}:1:1: http.base_url must be https")
    return found


def _of_flows() -> Iterator[str]:
    """Every state can be reached, and left unless the case is closed there."""
    from bot.engine import FLOWS
    from flows.core.case import CLOSED

    for name, flow in FLOWS.items():
        arrows = [
            (source, arrow.dest)
            for event in flow.machine.events.values()
            for source, list_ in event.transitions.items()
            for arrow in list_
            if arrow.dest and arrow.dest != source
        ]
        reached = {str(flow.machine.initial)} | {dest for _, dest in arrows}
        left = {source for source, _ in arrows} | CLOSED
        for state in flow.machine.states:
            if state not in reached:
                yield f"flow {name}: nothing leads to {state}"
            if state not in left:
                yield f"flow {name}: nothing leads out of {state}"
