"""What no part of Mend could use though it is well-formed: found at the start, not when somebody needs it in Slack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bot.desks.registry import kinds
from bot.settings import Settings, SettingsError, public_url
from bot.settings_parts import is_group, is_person
from flows.core.sheet import SheetError, sheet, sheets

# Conversations as Slack writes them: https://docs.slack.dev/reference/objects/conversation-object
CHANNEL = re.compile(r"[CG][A-Z0-9]{2,20}")


def check(settings: Settings) -> None:
    """Raises SettingsError. One connector that is not there would end the list of all connections."""
    file, known = settings.source.name if settings.source else "mend.yml", sheets()
    for name, connection in settings.connections.items():
        if connection.connector not in known.paths:  # no sheet is read for what is there
            try:
                sheet(connection.connector)
            except SheetError as error:
                raise SettingsError(f"{file}: connections.{name}.connector: {error}") from None
    if settings.desk and settings.desk.kind not in kinds():
        raise SettingsError(f"{file}: desk.kind: {settings.desk.kind!r} is no desk; choose from {', '.join(kinds())}")


def doubts(settings: Settings, env: Mapping[str, str]) -> Iterator[str]:
    """What does nothing as it is written, and is no reason not to start."""
    for one in settings.access.admins:
        if not is_person(one):
            yield f"access.admins holds {one}: write the ids of people (U0...)"
    for one in settings.access.channels:
        if not CHANNEL.fullmatch(one):
            yield f"access.channels holds {one}: write the ids of channels (C0...), else Mend may be used in none"
    for name, connection in settings.connections.items():
        if (owner := connection.owner) and not is_person(owner) and not is_group(owner):
            yield f"the owner of {name} is {owner}: write the id of a person (U0...) or user group (S0...)"
    if env.get("MEND_PUBLIC_URL") and not public_url(env):
        yield "MEND_PUBLIC_URL must begin with https://: browsers send secrets to these pages, so none are offered"
