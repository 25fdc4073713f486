"""A configured connection made ready for its checks."""

from __future__ import annotations

import os

from bot.checks.base import Target
from bot.settings import Settings, SettingsError, resolve
from flows.core.sheet import sheet


def target_for(settings: Settings, name: str) -> Target:
    """The target with its secrets read now. Raises SettingsError."""
    connection = settings.connections.get(name)
    if connection is None:
        known = ", ".join(sorted(settings.connections)) or "none"
        raise SettingsError(f"there is no connection {name!r} in mend.yml; configured are {known}")
    secrets = {field: resolve(value, os.environ, settings.folder) for field, value in connection.secrets.items()}
    proxy = resolve(connection.proxy, os.environ, settings.folder) if connection.proxy else None
    return Target(
        name,
        connection.connector,
        sheet(connection.connector),
        dict(connection.settings),
        secrets,
        tuple(connection.tables),
        connection.replication,
        connection.tunnel,
        proxy,
        float(
            connection.settings.get("connect_timeout") or connection.settings.get("timeout") or settings.check_timeout
        ),
    )
