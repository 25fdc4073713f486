"""Evidence: the other side's words, on one line, without our secrets."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.checks.base import Target
from bot.log import IN_URL

UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


# An error of a job may hold a whole answer of the source with its headers, and secrets that are not ours to know.
SECRET = re.compile(
    r"(?i)((?:authorization|cookie|passw(?:or)?d|secret|token|api[-_]?key)[\w-]*[\"']*\s*[:=]\s*[\"']?)"
    r"((?:bearer|basic)\s+)?[^\s,;}&\"']+"
)


def retold(target: Target, text: str) -> str:
    """Evidence out of what a platform was told, also without secrets that only the platform knows."""
    return evidence(target, IN_URL.sub(r"\1***@", SECRET.sub(r"\1***", text)))


def evidence(target: Target, text: str) -> str:
    """At most 500 characters, secrets replaced, longest first so that no part of one remains; what no terminal, no JSON
    and no database should get of a stranger is U+FFFD."""
    for value in sorted((v for v in target.secrets.values() if len(v) >= 3), key=len, reverse=True):
        text = text.replace(value, "***")
    return UNSEEN.sub("\ufffd", " ".join(text.split())[:500])


def parts(name: str, quotes: str = '""') -> list[str]:
    """`schema.table` at its dots; in `quotes` (opening and closing one) there may be dots, and a closing one twice."""
    found, inside, at = [""], False, 0
    while at < len(name):
        letter = name[at]
        if inside and name[at : at + 2] == quotes[1] * 2:
            found[-1] += letter
            at += 1
        elif letter == quotes[inside]:
            inside = not inside
        elif letter == "." and not inside:
            found.append("")
        else:
            found[-1] += letter
        at += 1
    return found


def written(found: str, table: str, quoted: Callable[[str], str]) -> str:
    """`schema.table` of a catalogue as mend.yml takes it: in quotes where a dot or a quote is part of the table's."""
    schema, name = found[: -len(table) - 1], found[-len(table) :]
    return f"{quoted(schema)}.{quoted(name)}" if "." in name or quoted("")[0] in found else found


def readable(number: int, *, selected: bool, thing: str = "table") -> str:
    """As in: all 3 selected tables are readable; 1 table is readable."""
    which = ("the selected" if number == 1 else f"all {number} selected") if selected else str(number)
    return f"{which} {thing}{' is' if number == 1 else 's are'} readable"
