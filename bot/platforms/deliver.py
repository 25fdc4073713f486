"""A new credential goes to where the pipeline reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.platforms.base import Keeper, LastCheck, Platform, PlatformError, Taker
from bot.platforms.registry import platform_for
from bot.settings import Settings
from flows.core.sheet import sheet

Kind = TypeVar("Kind", bound=Taker)


@dataclass(frozen=True)
class Place(Generic[Kind]):
    """One source of one platform; `names` are its names of the connection's fields."""

    platform: Kind
    source: str
    names: Mapping[str, str]

    def send(self, values: Mapping[str, str]) -> LastCheck | None:
        """What the platform saw with them, where it looked at once. Raises PlatformError; half of a credential, which
        would match nothing, is not sent.
        """
        if unknown := sorted(set(values) - set(self.names)):
            raise PlatformError("config", f"Mend does not know what {self.platform.name} calls {', '.join(unknown)}")
        return self.platform.send(self.source, {self.names[field]: value for field, value in values.items()})


def place_of(settings: Settings, name: str) -> Place[Taker] | None:
    """Where the pipeline keeps the credential of a connection; None where no platform of ours takes it.

    Raises PlatformError when there is one and its source cannot be found.
    """
    names = sent_as(settings, name)
    platform, source = (names and source_of(settings, name)) or (None, "")
    return Place(platform, source, names) if isinstance(platform, Taker) else None


def proving_place_of(settings: Settings, name: str) -> Place[Keeper] | None:
    """The same of a platform that looks by itself whether what it was given works; None where it does not."""
    place = place_of(settings, name)
    if place is None or not isinstance(place.platform, Keeper):
        return None
    return Place(place.platform, place.source, place.names)


def pipeline_of(settings: Settings, name: str) -> dict[str, str]:
    """The platform that takes a new credential and looks whether it works (`sent`), or only takes it (`taken`), by its
    name; or why none does (`platform_said`).
    """
    try:
        place = place_of(settings, name)
    except PlatformError as error:
        return {"sent": "", "taken": "", "platform_said": str(error)}
    there, looks = place.platform.name if place else "", place and isinstance(place.platform, Keeper)
    return {"sent": there if looks else "", "taken": "" if looks else there, "platform_said": ""}


def sent_as(settings: Settings, name: str) -> Mapping[str, str]:
    """The platform's names of the fields that Mend sends there, by ours; none where it gets none from Mend."""
    if settings.platform is None or not runs_there(settings, name):
        return {}
    return sheet(settings.connections[name].connector).sent_as.get(settings.platform.kind, {})


def source_of(settings: Settings, name: str) -> tuple[Platform, str] | None:
    """The platform and the id that it knows a connection by; None where there is none. Raises PlatformError."""
    connection = settings.connections[name]
    platform = platform_for(settings) if runs_there(settings, name) else None
    if platform is None or settings.platform is None:
        return None
    types = sheet(connection.connector).types_at(settings.platform.kind)
    source = platform.find(str(connection.platform_source or name))
    if connection.platform_source is None and source.type not in types:
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
