"""A configured connection made ready for its checks."""

from __future__ import annotations

import os

from bot.checks.base import Target
from bot.settings import Settings, SettingsError, resolve, resolve_secrets, resolve_tunnel
from flows.core.sheet import sheet


def target_for(settings: Settings, name: str) -> Target:
    """The target with its secrets read now. Raises SettingsError."""
    connection = settings.connections.get(name)
    if connection is None:
        known = ", ".join(sorted(settings.connections)) or "none"
        raise SettingsError(f"there is no connection {name!r} in mend.yml; configured are {known}")
    secrets = resolve_secrets(connection, os.environ, settings.folder)
    proxy = resolve(connection.proxy, os.environ, settings.folder) if connection.proxy else None
    return Target(
        name,
        connection.connector,
        sheet(connection.connector),
        dict(connection.settings),
        secrets,
        tuple(connection.tables),
        connection.replication,
        resolve_tunnel(connection.tunnel, os.environ, settings.folder),
        proxy,
        float(
            connection.settings.get("connect_timeout") or connection.settings.get("timeout") or settings.check_timeout
        ),
    )
