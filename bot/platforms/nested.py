"""A platform's settings of a source: objects within objects, whose names are written with dots here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
    """The first of `names` that these settings do not have, or nothing."""
    for name in names:
        place = there
        for part in name.split("."):
            place = place.get(part) if isinstance(place, dict) else None
        if place is None:
            return name
    return ""
