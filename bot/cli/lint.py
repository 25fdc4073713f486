"""`mend lint`: sheets, templates and flows, ours or a user's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot.cli.text import counted
from bot.lint import ROOTS, Problem, files
from bot.lint import lint as problems_in
from bot.own import use_own
from bot.settings import SettingsError
from flows.core.case import CLOSED
from flows.core.flow import Flow
from flows.core.sheet import HERE


def lint(paths: list[Path]) -> int:
    """One line per problem, with file, line and column. Without paths: Mend's own and yours beside mend.yml.

    A blank of a sheet that `mend new connector` wrote is named too; it is no fault, so the exit code stays 0.
    """
    for path in paths:
        if not path.exists():
            raise SettingsError(f"{path} does not exist: give a sheet, a template, a flow, or a folder of them")
    looked_at = paths or [*ROOTS, *use_own()]
    flows = _flows([path.resolve() for path in paths])
    found = problems_in(looked_at)
    problems = [one for one in found if not one.blank] + [said for one in flows.items() for said in _of_flow(*one)]
    unknown = [file for file in files(looked_at) if file.suffix == ".py" and file.resolve() not in map(_file, flows)]
    problems += [Problem(str(file), 1, 1, "this is no flow that Mend has") for file in unknown]
    blanks = [one for one in found if one.blank]
    for problem in [*blanks, *problems]:
        print(problem)
    left = f", {counted(len(blanks), 'blank')}" if blanks else ""
    print(f"{counted(len(files(looked_at)), 'file')}, {counted(len(problems), 'problem')}{left}")
    return 1 if problems else 0


def _flows(below: list[Path]) -> dict[str, Flow]:
    """Those that are written there, all without any path."""
    from bot.engine import FLOWS

    return {
        name: flow
        for name, flow in FLOWS.items()
        if not below or any(_file(name).is_relative_to(path) for path in below)
    }


def _file(flow: str) -> Path:
    return HERE.parent.resolve() / f"{flow}.py"


def _of_flow(name: str, flow: Flow) -> Iterator[str]:
    """Every state can be reached, and left unless the case is closed there."""
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
