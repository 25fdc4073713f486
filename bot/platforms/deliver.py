"""A new credential goes to where the pipeline reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.platforms.base import Keeper, Platform, PlatformError
from bot.platforms.registry import platform_for
from bot.settings import Settings
from flows.core.sheet import sheet


@dataclass(frozen=True)
class Place:
    """One source of one platform; `names` are its names of the connection's fields."""

    platform: Keeper
    source: str
    names: Mapping[str, str]

    def send(self, values: Mapping[str, str]) -> None:
        """Raises PlatformError."""
        self.platform.send(self.source, {self.names[f]: v for f, v in values.items() if f in self.names})


def place_of(settings: Settings, name: str) -> Place | None:
    """Where the pipeline keeps the credential of a connection; None where no platform of ours has it.

    Raises PlatformError when there is one and its source cannot be found.
    """
    names = sent_as(settings, name)
    platform, source = (names and source_of(settings, name)) or (None, "")
    return Place(platform, source, names) if isinstance(platform, Keeper) else None


def sent_as(settings: Settings, name: str) -> Mapping[str, str]:
    """The platform's names of the fields that Mend sends there, by ours; none where it gets none from Mend."""
    rotation = sheet(settings.connections[name].connector).rotation
    if rotation is None or settings.platform is None or not runs_there(settings, name):
        return {}
    return rotation.sent_as.get(settings.platform.kind, {})


def source_of(settings: Settings, name: str) -> tuple[Platform, str] | None:
    """The platform and the id that it knows a connection by; None where there is none. Raises PlatformError."""
    connection = settings.connections[name]
    platform = platform_for(settings) if runs_there(settings, name) else None
    if platform is None or settings.platform is None:
        return None
    type_there = sheet(connection.connector).platform_types.get(settings.platform.kind)
    source = platform.find(str(connection.platform_source or name))
    if connection.platform_source is None and source.type != type_there:
        said = f"{platform.name}'s source {source.name} is of type {source.type}: name its id as platform_source"
        raise PlatformError("config", said)
    return platform, source.id


def runs_there(settings: Settings, name: str) -> bool:
    """Whether a platform runs this connection."""
    connection = settings.connections.get(name)
    return settings.platform is not None and connection is not None and connection.platform_source is not False


def lives_there(settings: Settings, name: str) -> bool:
    """Whether the platform alone holds the credential: it runs the connection, and mend.yml gives no secret."""
    return runs_there(settings, name) and not settings.connections[name].secrets
