"""A platform's settings of a source: objects within objects, whose names are written with dots here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# What Airbyte and Fivetran show in place of a secret.
HIDDEN = re.compile(r"\*{4,}")


def nested(values: Mapping[str, str]) -> dict[str, Any]:
    """{"credentials.token": "x"} as {"credentials": {"token": "x"}}."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        *parts, last = name.split(".")
        place = made
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = value
    return made


def lacking(there: Any, names: Mapping[str, str]) -> str:
    """The first of `names` that these settings do not have, or nothing.

    A token beside a refresh token is the platform's own to renew: another one in its place would last for its hour.
    """
    for name in names:
        place, beside = there, there
        for part in name.split("."):
            place, beside = (place.get(part), place) if isinstance(place, dict) else (None, None)
        renewed = isinstance(beside, dict) and beside.get("refresh_token") and not name.endswith("refresh_token")
        if place is None or renewed:
            return name
    return ""


def flat(there: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """{"credentials": {"token": "x"}} as ("credentials.token", "x")."""
    for name, value in there.items() if isinstance(there, dict) else ():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def hidden(there: Any) -> frozenset[str]:
    """The names of what is there and not shown."""
    return frozenset(name for name, value in flat(there) if isinstance(value, str) and HIDDEN.search(value))
