"""New entries in an existing mend.yml: its lines stay as they are, and the whole is replaced at once or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bot.cli.importing.entry import Entry
from bot.cli.importing.text import STEP, written
from bot.settings import SettingsError
from flows.core.sheet_places import LOADER

BY_HAND = "run `mend import` without --write, and put in what it prints"


def added(text: str, entries: Sequence[Entry], above: Sequence[str], platform: str) -> str:
    """The text with these entries and the lines `above` them; with a `platform:` line where it is to get one.

    Raises SettingsError where that would change anything else: what was there before is compared.
    """
    new = text if not text or text.endswith("\n") else text + "\n"
    before = _read(text)
    node = _connections(text)
    if node is None:
        lines = ["connections:", *(STEP + line for line in above), *written(entries)]
        new += ("\n" if new.strip() else "") + "\n".join(lines) + "\n"
    else:
        new = _within(new, node, entries, above)
    if platform:
        new += platform + "\n"
    after = _read(new)
    wanted = {**(before.get("connections") or {}), **{one.name: one.body for one in entries}}
    rest = {
        key: value for key, value in after.items() if key not in ("connections", *(["platform"] if platform else []))
    }
    if after.get("connections") != wanted or rest != {k: v for k, v in before.items() if k != "connections"}:
        raise SettingsError(f"mend.yml is written in a way that Mend cannot add to: {BY_HAND}")
    return new


def _read(text: str) -> dict[str, Any]:
    try:
        read = yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader
    except yaml.YAMLError:
        raise SettingsError(f"mend.yml is written in a way that Mend cannot add to: {BY_HAND}") from None
    return read if isinstance(read, dict) else {}


def _connections(text: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and the value of `connections:`."""
    top = yaml.compose(text, Loader=yaml.SafeLoader)  # its marks count letters
    pairs = top.value if isinstance(top, yaml.MappingNode) else []
    return next(((key, value) for key, value in pairs if key.value == "connections"), None)


def _within(text: str, node: tuple[yaml.Node, yaml.Node], entries: Sequence[Entry], above: Sequence[str]) -> str:
    """Behind the last entry that there is, as far in as that."""
    key, value = node
    there = value.value if isinstance(value, yaml.MappingNode) else []
    if isinstance(value, yaml.MappingNode) and value.flow_style and there:
        raise SettingsError(f"connections: of mend.yml stands in braces: {BY_HAND}")
    indent = " " * (there[0][0].start_mark.column if there else len(STEP))
    lines = [*(indent + line for line in above), *written(entries, indent)]
    if there:
        place = _line_end(text, _end(there[-1][1]))
    else:  # nothing, ~ or {}
        place = _line_end(text, key.end_mark.index)
        if value.end_mark.index > value.start_mark.index:
            text = text[: value.start_mark.index] + text[value.end_mark.index :]
            place = _line_end(text, key.end_mark.index)
    return text[:place] + "\n".join(lines) + "\n" + text[place:]


def _end(node: yaml.Node) -> int:
    """Where the last thing in it ends: a block's own end is behind the comments that follow."""
    while isinstance(node, yaml.MappingNode | yaml.SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    """Behind the line on which what ends at `index` stands."""
    ends = len(text[:index].rstrip())
    found = text.find("\n", ends)
    return found + 1 if found >= 0 else len(text)


def replaced(path: Path, before: bytes | None, text: str) -> None:
    """Write it beside the file and put it in its place; who changed the file meanwhile is not undone."""
    real = path.resolve()
    if not real.parent.is_dir():
        raise SettingsError(f"{real.parent} is no folder: make it first, or name another file with --config")
    handle, beside = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode())
            out.flush()
            _same_rights(real, out.fileno())
            os.fsync(out.fileno())
        if (real.read_bytes() if real.exists() else None) != before:
            raise SettingsError(f"{path.name} was changed meanwhile: run `mend import` again")
        os.replace(beside, real)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _same_rights(real: Path, handle: int) -> None:
    if real.exists():
        known = real.stat()
        with contextlib.suppress(OSError):  # only root gives files away
            os.fchown(handle, known.st_uid, known.st_gid)
        os.fchmod(handle, known.st_mode & 0o7777)
    else:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(handle, 0o666 & ~mask)
