"""A platform's values as those of a sheet's fields: only what fits, and nothing that a terminal should not see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.cli.text import clean
from bot.platforms.nested import HIDDEN, flat
from flows.core.sheet import Field, Sheet

LONGEST = 300
# Somebody's name and password in an address.
LOGIN = re.compile(r"://[^/?#]*@")


def printable(value: object) -> bool:
    """One line of no control, escape or direction character, and not hidden."""
    text = str(value)
    return bool(text) and len(text) <= LONGEST and clean(text) == text and not HIDDEN.search(text)


def flattened(driver: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Its plain values by their paths. Yes and no stay what they are: no field of a sheet takes them."""
    plain: dict[str, Any] = {}
    for path, value in flat(shown):
        if isinstance(value, list) and len(value) == 1:  # one account of those that were chosen
            value = value[0]
        if isinstance(value, bool | int) or (isinstance(value, str) and value and not HIDDEN.search(value)):
            plain[path] = value
    return {**plain, **_member(shown, plain)} if driver == "mongodb" else plain


def _member(shown: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """MongoDB's members are a list, or stand in one address; Mend takes one of them, or the name of all."""
    hosts, inner = shown.get("hosts"), shown.get("database_config")
    databases = inner.get("databases") if isinstance(inner, dict) else None
    whole = str(
        (hosts[0] if isinstance(hosts, list) and hosts else "") or plain.get("database_config.connection_string", "")
    )
    found: dict[str, Any] = {}
    if place := re.match(r"(mongodb\+srv://)?(?:mongodb://)?(?:[^@/?#]*@)?([^/?#,:]+)(?::(\d+))?", whole):
        found = {"host": (place[1] or "") + place[2], **({"port": place[3]} if place[3] else {})}
    if isinstance(databases, list) and len(databases) == 1 and isinstance(databases[0], str):
        found["database"] = databases[0]
    return found


def fitted(known: Sheet, field: Field, value: Any) -> str | int | None:
    """The value as this field takes it, else None."""
    if isinstance(value, bool) or not printable(value) or LOGIN.search(str(value)):
        return None
    said = str(value)
    if field.choices:
        return next((key for key, host in field.choices.items() if said.lower() in (key, host.lower())), None)
    tries = (
        said if said == "/" else said.rstrip("/"),
        _within(known, field.name, said),
        said.replace("-", ""),
        _inner(said),
    )
    fits = next((one for one in tries if one and (not field.pattern or re.fullmatch(field.pattern, one))), None)
    if field.name == "port":
        return int(fits) if fits and fits.isdecimal() and 0 < int(fits) < 65536 else None
    return fits


def _inner(said: str) -> str:
    """`123` of properties/123 and act_123, and what stands in the address of a Google sheet."""
    found = re.fullmatch(r"(?:properties/|act_)(\d+)|https://docs\.google\.com/spreadsheets/d/([\w-]+).*", said)
    return next((part for part in found.groups() if part), "") if found else ""


def _within(known: Sheet, field: str, said: str) -> str:
    """`acme` of acme.zendesk.com or https://acme.zendesk.com/, as the sheet's own address has it."""
    base = known.http.base_url if known.http else ""
    before, hole, after = base.partition(f"{{{field}}}")
    if not hole:
        return ""
    scheme, host = before.split("://")[-1], after.split("/")[0]
    found = re.match(rf"(?:https?://)?{re.escape(scheme)}([^/]+?){re.escape(host)}/?$", said)
    return found[1] if found else ""
