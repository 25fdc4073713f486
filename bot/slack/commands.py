"""What people ask for outside a case: `/mend` and its verbs, mentions, and which connection a name means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz, process

from bot.settings import Settings
from flows.core.sheet import sheet

VERBS = frozenset({"status", "resume", "help"})
# 80 of 100 lets one or two wrong letters pass ("wharehouse") and keeps "orders-eu" apart from "orders-us".
SURE, CLOSE = 84.0, 60.0


@dataclass(frozen=True)
class Wish:
    """`verb` is open, pick, status, resume, help or unknown; `near` are names that look alike."""

    verb: str
    connection: str = ""
    asked: str = ""
    near: tuple[str, ...] = ()


def wish(text: str, settings: Settings) -> Wish:
    """Understand the words after `/mend` or a mention."""
    asked = " ".join(text.split()).strip("`*_\"'")[:80]
    if not asked:
        return Wish("pick")
    if asked.lower() in VERBS:
        return Wish(asked.lower())
    names = {name.lower(): name for name in settings.connections}
    if asked.lower() in names:
        return Wish("open", names[asked.lower()], asked)
    found = process.extract(asked.lower(), list(names), scorer=fuzz.ratio, limit=4, score_cutoff=CLOSE)
    sure = [n for n, score, _ in found if score >= SURE]
    if len(sure) == 1:
        return Wish("open", names[sure[0]], asked)
    return Wish("unknown", asked=asked, near=tuple(names[n] for n, _, _ in found))


def of_connection(settings: Settings, name: str) -> dict[str, Any]:
    """What an event says of the chosen connection."""
    connection = settings.connections[name]
    regeneration = sheet(connection.connector).regeneration
    return {
        "connection": name,
        "connector": connection.connector,
        "regeneration": regeneration.kind if regeneration else "update_credentials",
    }


def named_in(text: str, settings: Settings) -> str:
    """The one connection that a text names, else ''."""
    found = [name for name in settings.connections if name.lower() in text.lower()]
    return found[0] if len(found) == 1 else ""
