"""Entries as YAML. Values are written by the library, comments are one clean line: neither can end the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from bot.cli.importing.entry import Entry
from bot.cli.text import clean

# More tables than these stand below each other.
ABREAST = 6
STEP = "  "


def written(entries: Iterable[Entry], indent: str = STEP) -> list[str]:
    """The lines of some entries, below `connections:`."""
    return [line for one in entries for line in _entry(one, indent)]


def comment(text: str, indent: str = "") -> str:
    return f"{indent}# {clean(text)}"


def scalar(value: Any) -> str:
    """In one line, as it may stand after a colon, also within braces."""
    made = str(
        yaml.safe_dump([value], default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    )
    return made.strip()[1:-1]


def _entry(one: Entry, indent: str) -> list[str]:
    within = indent + STEP
    lines = [*(comment(note, indent) for note in one.notes), f"{indent}{scalar(one.name)}:"]
    for key, value in one.body.items():
        if isinstance(value, list) and len(value) > ABREAST:
            lines += [f"{within}{key}:", *(f"{within}{STEP}- {scalar(item)}" for item in value)]
        else:
            lines.append(f"{within}{key}: {scalar(value)}")
    return lines


def platform_line(given: Mapping[str, str]) -> str:
    return f"platform: {scalar(dict(given))}"
