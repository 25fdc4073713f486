"""What the terminal shows: no secret, and nothing that a server's answer could make the terminal do."""

from __future__ import annotations

import json
import os
import re
import unicodedata

from bot.log import IN_URL

SECRET_NAMES = re.compile(r"SECRET|TOKEN|PASSWORD|_KEY$|DATABASE_URL$")


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def clean(text: object) -> str:
    """One line without control, escape and direction characters, which a hostile server could send."""
    words = " ".join(str(text).split())
    return "".join(c for c in words if unicodedata.category(c)[0] != "C")


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
