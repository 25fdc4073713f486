"""What the terminal shows: no secret, and nothing that a server's answer could make the terminal do."""

from __future__ import annotations

import json
import os
import re
import textwrap
import unicodedata

from bot.log import IN_URL

# Labels such as "Next:" stand in a column of their own.
COLUMN = 9
SECRET_NAMES = re.compile(r"SECRET|TOKEN|PASSWORD|_KEY$|DATABASE_URL$")


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def clean(text: object) -> str:
    """One line without control, escape and direction characters, which a hostile server could send."""
    words = " ".join(str(text).split())
    return "".join(c for c in words if unicodedata.category(c)[0] != "C")


def beside(label: str, text: object, width: int | None = None) -> list[str]:
    """Lines of `text` beside its label; what stands between fences is to be copied and keeps its lines.

    Prose is wrapped at `width` columns; without it (a pipe, a file) each paragraph is one line.
    """
    told: list[str] = []
    for n, part in enumerate(str(text).split("```")):
        if n % 2:
            told += [f"    {_copied(line)}".rstrip() for line in part.strip("\n").splitlines()]
        else:
            told += [line for one in re.split(r"\n\s*\n", part) if one.strip() for line in _wrapped(clean(one), width)]
    head, *rest = told or [""]
    return [f"{label + ':':{COLUMN}}{head.lstrip()}", *rest]


def _wrapped(text: str, width: int | None) -> list[str]:
    # Names and addresses stay in one piece, so that they can be copied.
    room = max(width, 40) - COLUMN if width else len(text)
    rows = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return [" " * COLUMN + row for row in rows]


def _copied(line: str) -> str:
    return "".join(c for c in line.expandtabs() if unicodedata.category(c)[0] != "C")


def as_json(value: object) -> str:
    """For people's eyes and programs alike: letters as they are, but nothing that commands a terminal, or that no
    encoding has.
    """
    made = json.dumps(value, indent=2, ensure_ascii=False)
    odd = (c for c in set(made) if unicodedata.category(c)[0] == "C" and c != "\n")
    return made.translate({ord(c): "\ufffd" if "\ud800" <= c <= "\udfff" else json.dumps(c)[1:-1] for c in odd})


def hide(text: object) -> str:
    """`clean`, and without the values of secret environment variables or passwords in URLs."""
    shown = str(text)
    values = {v for k, v in os.environ.items() if SECRET_NAMES.search(k.upper()) and len(v) >= 6}
    for value in sorted(values, key=len, reverse=True):
        shown = shown.replace(value, "***")
    return clean(IN_URL.sub(r"\1***@", shown))
