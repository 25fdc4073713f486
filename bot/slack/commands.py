"""What people ask for outside a case: `/mend` and its verbs, mentions, and which connection a name means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.settings import Settings
from flows.core.explain import Diagnosis
from flows.core.sheet import sheet

VERBS = frozenset({"status", "resume", "help"})
# 80 of 100 lets one or two wrong letters pass ("wharehouse") and keeps "orders-eu" apart from "orders-us".
SURE, CLOSE = 84.0, 60.0


@dataclass(frozen=True)
class Wish:
    """`verb` is open, pick, status, resume, help or unknown; `near` are names and verbs that look alike."""

    verb: str
    connection: str = ""
    asked: str = ""
    near: tuple[str, ...] = ()
    route: str = ""


def wish(text: str, settings: Settings) -> Wish:
    """Understand the words after `/mend` or a mention."""
    asked = " ".join(text.split()).strip("`*_\"'")[:80]
    if not asked:
        return Wish("pick")
    if asked.lower() in VERBS:
        return Wish(asked.lower())
    if asked in settings.connections:
        return Wish("open", asked, asked)
    names = {name.lower(): name for name in settings.connections}
    if asked.lower() in names:
        return Wish("open", names[asked.lower()], asked)
    if asked.lower().startswith("rotate ") and (meant := wish(asked[7:], settings)).verb == "open":
        return Wish("open", meant.connection, asked, route="mend_rotate")
    from rapidfuzz import fuzz, process  # 40 ms and 1 MiB that only a misspelt name needs

    known = {**{verb: verb for verb in VERBS}, **names}
    found = process.extract(asked.lower(), list(known), scorer=fuzz.ratio, limit=4, score_cutoff=CLOSE)
    sure = [n for n, score, _ in found if score >= SURE]
    if len(sure) == 1 and sure[0] in names:
        return Wish("open", names[sure[0]], asked)
    within = named_in(asked, settings)
    near = dict.fromkeys([*([within] if within else []), *(known[n] for n, _, _ in found)])
    return Wish("unknown", asked=asked, near=tuple(near))


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
    """The one connection that a text names, else ''. An alert writes "Shop EU" for shop_eu."""
    words = f" {_words(text)} "
    found = [name for name in settings.connections if f" {_words(name)} " in words]
    # "Shop EU" names shop_eu and not shop.
    longest = [one for one in found if not any(one != more and _words(one) in _words(more) for more in found)]
    return longest[0] if len(longest) == 1 else ""


def only_one_of(connector: str | None, settings: Settings) -> str:
    """The connection of a connector that has just one, else ''."""
    found = [name for name, one in settings.connections.items() if connector and sheet(one.connector).key == connector]
    return found[0] if len(found) == 1 else ""


def connection_of(found: Diagnosis, text: str, settings: Settings) -> str:
    """The connection of mend.yml that a text is about, as far as it can be told, else ''."""
    if not settings.connections:
        return ""
    return named_in(found.connection, settings) or named_in(text, settings) or _only_one_like(found, settings)


def _only_one_like(found: Diagnosis, settings: Settings) -> str:
    """The connector's only connection, unless the text names another user, database or host than it has."""
    name = only_one_of(found.connector, settings)
    have = settings.connections[name].settings if name else {}
    said = ((str(have.get(what) or ""), found.facts.get(what) or "") for what in ("user", "database", "host"))
    return "" if any(mine and theirs and mine.lower() != theirs.lower() for mine, theirs in said) else name


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def typed(body: Mapping[str, Any]) -> str:
    """The same command of the same person in the same place."""
    words = " ".join(str(body.get("text") or "").split()).lower()[:80]
    return ":".join(("typed", *(str(body.get(k, "")) for k in ("team_id", "channel_id", "user_id")), words))


def all_text(message: Mapping[str, Any]) -> str:
    """The text of a message with its attachments, at most 20,000 characters."""
    parts = [str(message.get("text") or "")]
    for attachment in message.get("attachments") or []:
        parts.extend(str(attachment.get(k) or "") for k in ("title", "text", "fallback"))
    return "\n".join(parts)[:20_000]
