"""What Stitch shows of a source: its properties, which of them are credentials, and the streams that were selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.platforms.base import Shown, Stream


def shown_of(source: Mapping[str, Any], streams: Any, doubt: str = "") -> Shown:
    """The values of credentials are never returned; the report card says which there are, and which were given.

    https://www.stitchdata.com/docs/developers/stitch-connect/api#properties-object
    """
    card = source.get("report_card")
    steps = card.get("steps") if isinstance(card, dict) else None
    cards = [p for s in steps or [] if isinstance(s, dict) for p in s.get("properties") or [] if isinstance(p, dict)]
    secret = {str(one.get("name")) for one in cards if one.get("is_credential")}
    given = {str(one.get("name")) for one in cards if one.get("provided")}
    properties = source.get("properties")
    plain = {str(k): v for k, v in properties.items() if k not in secret} if isinstance(properties, dict) else {}
    return Shown(plain, frozenset(secret & given), _selected(streams), doubt)


def _selected(streams: Any) -> tuple[Stream, ...] | None:
    """https://www.stitchdata.com/docs/developers/stitch-connect/api#stream--object : `selected` is true, or null."""
    if not isinstance(streams, list):
        return None
    return tuple(_stream(one) for one in streams if isinstance(one, dict) and one.get("selected") is True)


def _stream(one: Mapping[str, Any]) -> Stream:
    """A database that has no schemas names the database alone; a view or table of others both."""
    about = one.get("metadata")
    about = about if isinstance(about, dict) else {}
    place = str(about.get("schema-name") or about.get("database-name") or "")
    return Stream(str(one.get("stream_name") or ""), place, about.get("replication-method") == "LOG_BASED")
