"""What a platform copies, in the form in which Mend's checks read `tables`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bot.cli.importing.meanings import OBJECTS
from bot.cli.importing.values import printable
from bot.cli.text import counted
from bot.platforms.base import Stream
from flows.core.sheet import Sheet

# More than these is a whole database, and nobody reads the list.
MOST = 500


def tables_of(known: Sheet, streams: Sequence[Stream]) -> tuple[list[str], str]:
    """Those that Mend can look at, and what to know of the others."""
    if known.driver == "http":
        return _resources(known, streams)
    written = WRITTEN.get(known.driver)
    if written is None or not streams:
        return [], ""
    tables = sorted({name for one in streams if one.name and (name := written(one)) and printable(name)})
    if len(tables) > MOST:
        return [], f"{len(tables)} tables are selected: name those that matter as tables"
    left = len(set(streams)) - len(tables)
    return tables, f"{counted(left, 'selected table')} left out: mend.yml cannot name it so" if left else ""


def _resources(known: Sheet, streams: Sequence[Stream]) -> tuple[list[str], str]:
    """Names that differ in capitals and dashes alone are one; what the sheet has no call for is nothing to look at."""
    if known.http is None or not streams:
        return [], ""
    ours = {_bare(name): name for name in known.http.resources}
    found = {ours.get(_bare(one.name), "") for one in streams}
    if known.key in OBJECTS:
        found |= {one.name for one in streams if _bare(one.name) not in ours and re.fullmatch(r"\w{1,80}", one.name)}
    tables = sorted(found - {""})
    if not tables:
        return [], "Mend has a check for none of its selected streams, and looks at all that it knows"
    left = len({_bare(one.name) for one in streams}) - len(tables)
    return tables, f"{counted(left, 'selected stream')} without a check in Mend" if left > 0 else ""


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _quoting(one: Stream) -> str:
    """A part that holds a dot stands in double quotes."""
    if '"' in one.place + one.name:
        return ""
    return ".".join(f'"{part}"' if "." in part else part for part in (one.place, one.name) if part)


def _plain(one: Stream) -> str:
    """Where nothing is quoted, the last dot is the one between schema and table."""
    return "" if re.search(r"[.`\[\]]", one.name) or re.search(r"[`\[\]]", one.place) else _dotted(one)


def _collection(one: Stream) -> str:
    """The first dot is the one between database and collection."""
    return "" if "." in one.place else _dotted(one)


def _dotted(one: Stream) -> str:
    return f"{one.place}.{one.name}" if one.place else one.name


WRITTEN: dict[str, Callable[[Stream], str]] = {
    "postgres": _quoting,
    "snowflake": _quoting,
    "mysql": _plain,
    "mssql": _plain,
    "oracle": _plain,
    "bigquery": _plain,
    "mongodb": _collection,
    "dynamodb": lambda one: one.name,
}
