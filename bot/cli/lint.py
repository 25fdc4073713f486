"""`mend lint`: sheets, templates and flows, ours or a user's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot.cli.text import counted
from bot.lint import ROOTS, files
from bot.lint import lint as problems_in
from bot.own import use_own
from bot.settings import SettingsError


def lint(paths: list[Path]) -> int:
    """One line per problem, with file, line and column. Without paths: Mend's own and yours beside mend.yml."""
    for path in paths:
        if not path.exists():
            raise SettingsError(f"{path} does not exist: give a sheet, a template, or a folder of them")
    looked_at = paths or [*ROOTS, *use_own()]
    problems = [str(one) for one in problems_in(looked_at)] + ([] if paths else list(_of_flows()))
    for problem in problems:
        print(problem)
    print(f"{counted(len(files(looked_at)), 'file')}, {counted(len(problems), 'problem')}")
    return 1 if problems else 0


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
