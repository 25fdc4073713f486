"""A ticket's body, read into its parts, for desks that do not take its Markdown as it is.

The body is of Mend's own making: headings, lists, paragraphs, code fenced or indented, and code within a line. What
comes from outside stands within lines, on one line each, or in code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

HEADING, ITEM = re.compile(r"(#{1,6}) +(\S.*)"), re.compile(r"(?:[-•]|\d+\.) +(\S.*)")
CODE = re.compile(r"(`+)(.+?)\1(?!`)")
INDENT = "    "
# How a line begins that goes on with what stands above it.
INSIDE: dict[str | None, str] = {"code": INDENT, "item": " "}
# The one line of a ticket that somebody wants to click.
THREAD = re.compile(r"Thread: (https://[\w.-]+/[\w./?=&%-]*)")


@dataclass(frozen=True)
class Block:
    """`level` is a heading's. A line of text or of an item stays a line."""

    kind: Literal["heading", "item", "code", "text"]
    lines: tuple[str, ...]
    level: int = 0


def blocks(text: str) -> list[Block]:
    found: list[Block] = []
    for lines, fenced in _runs(text.replace("\r\n", "\n").replace("\r", "\n")):
        if fenced:
            found.append(Block("code", tuple(lines)))
        else:
            found += _plain(lines)
    return found


def _runs(text: str) -> Iterator[tuple[list[str], bool]]:
    for number, part in enumerate(text.split("```")):
        if lines := part.strip("\n").split("\n") if part.strip() else []:
            yield lines, number % 2 == 1


def _plain(lines: Sequence[str]) -> Iterator[Block]:
    kind: Literal["item", "code", "text"] | None = None
    held: list[str] = []

    for line in [*lines, ""]:
        bare, heading, item = line.strip(), HEADING.match(line), ITEM.match(line)
        goes_on = line.startswith(INSIDE.get(kind, "")) and not (heading or item)
        if kind and not (bare and goes_on):
            yield Block(kind, tuple(held))
            kind = None
        if not bare:
            continue
        if kind:
            held.append(bare)
        elif heading:
            yield Block("heading", (heading[2],), len(heading[1]))
        elif item:
            kind, held = "item", [item[1]]
        else:
            kind, held = "code" if line.startswith(INDENT) else "text", [bare]


def spans(line: str) -> list[tuple[str, bool]]:
    """The pieces of a line, and whether each is code."""
    pieces, at = list[tuple[str, bool]](), 0
    for code in CODE.finditer(line):
        pieces += [(line[at : code.start()], False), (code[2].strip(), True)]
        at = code.end()
    return [piece for piece in [*pieces, (line[at:], False)] if piece[0]]


def thread_of(line: str) -> str:
    """The address of the thread, on the line that has it."""
    found = THREAD.fullmatch(line)
    return found[1] if found else ""
