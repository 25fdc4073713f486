"""Databases that somebody else runs: how one is recognised, and what to do there; see causes/services.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from messages.files import table

Service = Mapping[str, Any]


@cache
def services() -> dict[str, dict[str, Any]]:
    return {key: one for key, one in table("causes/services.yaml").items() if key != "shared"}


@lru_cache(maxsize=1000)
def service_of(connector: str, driver: str, host: str, said: str = "") -> str:
    """The key of a service, or nothing: by the connector, else what the server says of itself, else its name."""
    known = services()
    if connector in known:
        return connector
    if told := next((key for key in (f"{said}_{driver}", said) if key in known), ""):
        return told
    # A cluster's name ends as a single database's does: the longer pattern says more.
    fits = [
        (len(pattern), key)
        for key, one in known.items()
        for pattern in one["hosts"]
        if one["driver"] == driver and re.search(pattern, host.lower())
    ]
    return max(fits)[1] if fits else ""


def service(finding: Mapping[str, Any], connection: Mapping[str, Any]) -> Service:
    """The service of a finding, empty for a server of one's own."""
    settings = connection["settings"]
    host = str(settings.get("tls_name") or settings.get("host") or connection["host"])
    key = finding["facts"].get("service") or service_of(connection["connector"], connection["driver"], host)
    return services().get(str(key), {})
