"""A fault as data, and how one is proved: break, look, do to the letter what is printed, look again.

To add a family: a `Site` that runs a real server, and a list of `Fault`s; see `test_postgres.py` beside this.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from bot.checks import run
from bot.checks.base import Target
from bot.settings import resolve
from flows.core.finding import Finding, explaining, overall
from flows.core.sheet import sheet
from messages import render

NEW = "n3w S3cret"
RESULTS = "fault"


@dataclass
class Wire:
    """The connection as mend.yml describes it; a remedy for the analyst changes this, not the server."""

    connector: str
    settings: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    replication: str = "key"
    timeout: float = 8.0
    tunnel: dict[str, Any] | None = None
    proxy: str | None = None

    def look(self) -> list[Finding]:
        known = sheet(self.connector)
        target = Target("warehouse", self.connector, known, self.settings, self.secrets, self.tables, self.replication,
                        tunnel=self.tunnel, proxy=self.proxy, timeout=self.timeout)  # fmt: skip
        return run.run_all(target)

    def view(self) -> dict[str, Any]:
        """As the templates see it."""
        known = sheet(self.connector)
        return {"name": "warehouse", "connector": self.connector, "title": known.title, "driver": known.driver,
                "settings": self.settings, "tables": list(self.tables)}  # fmt: skip


class Site(Protocol):
    """A real server and the connection to it.

    `fills` is what its owner writes for what stands in angle brackets, `types` the secrets that people have (by their
    names in mend.yml). `ask` is `run` with the names of the columns, where a remedy looks before it acts; `shell` runs
    a command on the server's machine, `told` is where an environment variable of Mend's would be set.
    """

    wire: Wire
    fills: dict[str, str]
    types: dict[str, str]

    def run(self, statement: str) -> Any: ...
    def ask(self, statement: str) -> list[dict[str, Any]]: ...
    def shell(self, command: str) -> None: ...
    def write(self, file: str, lines: list[str]) -> None: ...
    def restart(self) -> None: ...
    def restore(self) -> None: ...


@dataclass(frozen=True)
class Told:
    """What a person reads, taken apart: the blocks that are there to be copied."""

    finding: Finding
    text: str
    statements: list[str]
    file: str
    lines: list[str]
    commands: list[str]
    settings: dict[str, Any]
    secrets: dict[str, Any]
    restart: bool


Breaks = Callable[[Any], None]
Mends = Callable[[Any, Told], None]


def told(wire: Wire, finding: Finding) -> Told:
    """The remedy as printed in the terminal; Slack's message must hold the very same."""
    raw, view = finding.to_dict(), wire.view()
    text = str(render.next_step(raw, view))
    assert html.unescape(str(render.next_step(raw, view, escaping=True))) == text
    blocks = re.findall(r"([^\n]*)\n\n```\n(.*?)\n```", text, re.S)
    sql = [line for head, body in blocks if re.search(r" runs( this [^\n]*)?:$", head) for line in body.splitlines()]
    shell = [line for head, body in blocks if " in a shell on " in head for line in body.splitlines()]
    files = [(re.search(r"into ([^\s,:]+)", head), body) for head, body in blocks if "puts into" in head]
    own = [yaml.safe_load(body) for head, body in blocks if "settings of" in head]
    hidden = [yaml.safe_load(body) for head, body in blocks if "secrets of" in head]
    name = next((found[1] for found, _ in files if found), "")
    lines = [line for _, body in files for line in body.splitlines()]
    return Told(finding, text, sql, name, lines, shell, own[0] if own else {}, hidden[0] if hidden else {},
                "must be restarted" in text)  # fmt: skip


def filled(line: str, fills: Mapping[str, str]) -> str:
    for blank, value in fills.items():
        line = line.replace(blank, value)
    return line


def to_the_letter(site: Any, remedy: Told) -> None:
    """Whoever must act does what is printed and nothing else; they fill in only what stands in <angle brackets>."""
    fills = {"<new password>": NEW, **site.fills}
    everything = (remedy.statements, remedy.lines, remedy.commands, remedy.settings, remedy.secrets)
    assert any(everything), f"nothing to copy in: {remedy.text}"
    if remedy.lines:
        site.write(remedy.file, [filled(line, fills) for line in remedy.lines])
    for command in remedy.commands:
        site.shell(filled(command, fills))
    _run(
        site,
        [filled(statement, fills) for statement in remedy.statements],
        fills,
        f"{remedy.settings} {[site.types[name] for name in remedy.secrets if name in site.types]}",
    )
    if any("<new password>" in one for one in (*remedy.statements, *remedy.lines)):
        site.wire.secrets = {**site.wire.secrets, "password": NEW}
    if remedy.restart:
        site.restart()
    _patch(site, remedy, fills)


def _run(site: Any, statements: Sequence[str], fills: dict[str, str], after: str) -> None:
    """One after another; a blank that is named as a column of the answer before it is filled in from each row."""
    rows: list[dict[str, Any]] = []
    for at, statement in enumerate(statements):
        blanks = [one for one in re.findall(r"<(\w+)>", statement) if rows and one in rows[0]]
        if blanks:
            for row in rows:
                site.run(filled(statement, {f"<{one}>": str(row[one]) for one in blanks}))
        elif any(re.search(r"<\w+>", later) for later in (*statements[at + 1 :], after)) and not statement.startswith(
            "--"
        ):
            rows = site.ask(statement)
            fills |= {f"<{name}>": str(value) for row in rows for name, value in row.items()}
        else:
            site.run(statement)


def _patch(site: Any, remedy: Told, fills: Mapping[str, str]) -> None:
    """mend.yml with what is printed, and the environment with the secrets that it refers to."""
    wire = site.wire
    given = {name: _own(value, fills) for name, value in remedy.settings.items()}
    hidden = {name: _secret(site, name, value, fills) for name, value in remedy.secrets.items()}
    for tunnel in (given.pop("tunnel", None), hidden.pop("tunnel", None)):
        wire.tunnel = {**wire.tunnel, **tunnel} if tunnel else wire.tunnel
    wire.tables = tuple(given.pop("tables", wire.tables))
    wire.replication, wire.proxy = given.pop("replication", wire.replication), given.pop("proxy", wire.proxy)
    wire.settings, wire.secrets = {**wire.settings, **given}, {**wire.secrets, **hidden}


def _own(value: Any, fills: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _own(one, fills) for name, one in value.items()}
    if isinstance(value, list):
        return [_own(one, fills) for one in value]
    return filled(value, fills) if isinstance(value, str) else value


def _secret(site: Any, name: str, value: Any, fills: Mapping[str, str]) -> Any:
    """The reference, resolved as mend.yml's are, after the person has put the secret where it points."""
    if isinstance(value, dict):
        return {inner: _secret(site, inner, one, fills) for inner, one in value.items()}
    variable = re.fullmatch(r"\$\{env:(\w+)\}", value)
    assert variable, value
    typed = site.types[name]
    return resolve(value, {**os.environ, variable[1]: filled(typed, fills)}, Path.cwd())


@dataclass(frozen=True)
class Chosen:
    """What the first printed line answers decides which of the others are done; all that is done stands there."""

    choose: Callable[[Any, Told], Told]

    def __call__(self, site: Any, remedy: Told) -> None:
        chosen = self.choose(site, remedy)
        said = [*chosen.statements, *(f"{name}: {value}" for name, value in chosen.settings.items())]
        assert all(one in remedy.text for one in said), said
        to_the_letter(site, chosen)


def literal(mends: Mends) -> bool:
    return mends is to_the_letter or isinstance(mends, Chosen)


@dataclass(frozen=True)
class Fault:
    """`also` are codes that must be named as looking the same; `rounds` how often Mend may find the next problem."""

    name: str
    family: str
    cause: str
    code: str
    breaks: Breaks
    mends: Mends = to_the_letter
    also: tuple[str, ...] = ()
    verdict: str = "bad"
    rounds: int = 1

    def __str__(self) -> str:
        return self.name


def prove(fault: Fault, site: Any) -> None:
    """Raises AssertionError where Mend is wrong or its remedy does not mend."""
    try:
        before = explaining(site.wire.look())
        assert before is None, f"not whole before it was broken: {before}"
        fault.breaks(site)
        top = explaining(site.wire.look())
        assert top is not None, "nothing was found"
        assert (top.verdict, top.cause, top.code) == (fault.verdict, fault.cause, fault.code), top.evidence
        assert set(fault.also) <= set(top.alternatives), top.alternatives
        for _ in range(fault.rounds):
            remedy = told(site.wire, top)
            _note(fault, remedy, site.fills)
            _keep(fault.family, fault.name, remedy, site.wire)
            fault.mends(site, remedy)
            after = site.wire.look()
            top = explaining(after)
            if top is None:
                break
        assert overall(after) == "good", f"still {top}"
    finally:
        site.restore()


# The faults whose remedy had blanks that only the owner can fill in: (family, name).
FILLED: set[tuple[str, str]] = set()


def _note(fault: Fault, remedy: Told, fills: Mapping[str, str]) -> None:
    if any(blank in remedy.text for blank in fills):
        FILLED.add((fault.family, fault.name))


def _keep(family: str, name: str, remedy: Told, wire: Wire) -> None:
    """What people would read, for a reader: MEND_TEXTS names the file that gathers it."""
    if file := os.environ.get("MEND_TEXTS"):
        raw, view = remedy.finding.to_dict(), wire.view()
        parts = [f"## {family}: {name} ({remedy.finding.code})", render.summary(raw, view), render.explain(raw, view),
                 f"Who: {render.who(raw, view)}", remedy.text, f"Evidence: {remedy.finding.evidence}"]  # fmt: skip
        with Path(file).open("a", encoding="utf-8") as texts:
            texts.write("\n\n".join(str(part) for part in parts) + "\n\n")


@dataclass(frozen=True)
class Case:
    """A fault of a source that is played by a server of ours: named, and its remedy printed (`says`), not executed."""

    name: str
    cause: str
    code: str
    breaks: Callable[[Any, Wire], Any]
    says: str = ""

    def __str__(self) -> str:
        return self.name


def named(case: Case, server: Any, wire: Wire) -> None:
    """Raises AssertionError where a break is not named, or what mends it is not printed."""
    case.breaks(server, wire)
    top = explaining(wire.look())
    assert top is not None
    assert (top.cause, top.code) == (case.cause, case.code), top
    raw, view = top.to_dict(), wire.view()
    _keep(wire.connector, case.name, told(wire, top), wire)
    said = " ".join((told(wire, top).text, render.summary(raw, view), render.explain(raw, view)))
    assert case.says in said, said


def sql(*statements: str) -> Breaks:
    """Broken by statements of the administrator."""

    def broken(site: Any) -> None:
        for statement in statements:
            site.run(statement)

    return broken


def setting(**values: Any) -> Breaks:
    """Broken by what stands in mend.yml: `password`, `tables`, `replication`, or one of the settings."""

    def broken(site: Any) -> None:
        for name, value in values.items():
            if name == "password":
                site.wire.secrets = {"password": value}
            elif name in ("tables", "replication", "proxy"):
                setattr(site.wire, name, value)
            elif name == "tunnel":
                site.wire.tunnel = {**site.wire.tunnel, **value}
            else:
                site.wire.settings[name] = value

    return broken


def both(*parts: Breaks) -> Breaks:
    def broken(site: Any) -> None:
        for part in parts:
            part(site)

    return broken


def by_hand(what: Breaks) -> Mends:
    """The printed advice is no text to copy, such as to wait or to ask for the right name: this is what follows it."""
    return lambda site, _: what(site)


HOW = ("by hand", "blanks filled in", "to the letter")
Row = tuple[bool, str]


def how(fault: Fault) -> str:
    """Was what is printed executed as it stands, or with blanks filled in, or did somebody follow the advice."""
    if not literal(fault.mends):
        return HOW[0]
    return HOW[1] if (fault.family, fault.name) in FILLED else HOW[2]


def table(rows: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Per family each fault: right or not, and how it was mended."""
    lines: list[str] = []
    for family, faults in sorted(rows.items()):
        lines.append(f"{family}: {_share(list(faults.values()))}")
        lines += [f"  {'right' if ok else 'WRONG':6} {way:17} {name}" for name, (ok, way) in faults.items()]
    every = [row for faults in rows.values() for row in faults.values()]
    right = sum(ok for ok, _ in every)
    return [*lines, f"all faults: {_share(every)} ({100 * right / len(every):.1f} %)"] if every else lines


def _share(rows: list[Row]) -> str:
    counts = {way: sum(ok and way == one for ok, one in rows) for way in HOW}
    letter, blanks, hand = counts[HOW[2]], counts[HOW[1]], counts[HOW[0]]
    right = letter + blanks + hand
    return (
        f"{right} of {len(rows)} named and mended; {letter + blanks} by executing what is printed "
        f"({blanks} of them with blanks that the owner fills in), {hand} by hand"
    )
