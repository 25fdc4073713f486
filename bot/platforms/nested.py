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
