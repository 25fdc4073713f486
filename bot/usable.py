"""What no part of Mend could use though it is well-formed: found at the start, not when somebody needs it in Slack."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import BaseModel

from bot.desks.registry import kinds
from bot.settings import SECRET_OF_TUNNEL, Connection, Settings, SettingsError, public_url
from bot.settings_parts import REFERENCE, is_group, is_person
from flows.core.sheet import Field, SheetError, sheet, sheets

# Settings that every sheet of a driver has, beside its own fields.
COMMON = ("ca_file", "connect_timeout", "resources", "ssl_cert", "ssl_key", "ssl_root_cert", "status_url", "timeout")
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
    if "*" in (env.get("FORWARDED_ALLOW_IPS") or ""):
        yield "FORWARDED_ALLOW_IPS is *: any caller may name another address, and no limit holds: name the proxies"


def literals(settings: Settings) -> Iterator[str]:
    """The secrets that stand in mend.yml itself, by their place there; those of a connection as connection.field."""
    parts: list[tuple[str, BaseModel | None, Sequence[str]]] = [
        ("platform", settings.platform, ("token",)),
        ("desk", settings.desk, ("token", "client_secret", "password")),
        ("hooks.alert", settings.hooks.alert, ("secret",)),
        ("hooks.desk", settings.hooks.desk, ("secret",)),
        *((f"oauth.{key}", app, ("client_secret",)) for key, app in settings.oauth.items()),
    ]
    for name, connection in settings.connections.items():
        yield from (f"{name}.{field}" for field, value in connection.secrets.items() if _literal(value))
        parts.append((f"{name}.tunnel", connection.tunnel, SECRET_OF_TUNNEL))
        parts.append((f"{name}.oauth", connection.oauth, ("client_secret",)))
    for place, part, fields in parts:
        yield from (f"{place}.{field}" for field in fields if _literal(getattr(part, field, "")))


def _literal(value: object) -> bool:
    return isinstance(value, str) and bool(value) and not REFERENCE.fullmatch(value.strip())


def in_the_file(settings: Settings) -> Iterator[str]:
    for place in literals(settings):
        yield f"the secret {place} stands in mend.yml itself: better ${{env:...}} or ${{file:...}}"


def incomplete(settings: Settings, names: Iterable[str]) -> Iterator[str]:
    """Settings that a source cannot be reached or known by without, where nothing is given and nothing is usual."""
    for name in names:
        connection = settings.connections.get(name)
        if connection is None:
            continue
        meant = {near for _, near in _mistyped(connection)}
        for field in _fields(connection):
            needed = field.required and not field.secret and not field.default and field.name not in meant
            if needed and not any(connection.settings.get(one) for one in (field.name, *field.also)):
                yield f"{name}.settings.{field.name} is missing: {field.help.split('. ')[0].rstrip('.')}"


def misnamed(settings: Settings, names: Iterable[str]) -> Iterator[str]:
    """Settings and secrets that nothing reads, where another name is near: their default would be taken instead."""
    for name in names:
        connection = settings.connections.get(name)
        for place, near in _mistyped(connection) if connection else ():
            yield f"{name}.{place} is not read: did you mean {near}?"


def _fields(connection: Connection) -> tuple[Field, ...]:
    """None for a connector that is not there, which is told where its connection is looked at."""
    try:
        return sheet(connection.connector).fields
    except SheetError:
        return ()


def _mistyped(connection: Connection) -> Iterator[tuple[str, str]]:
    """The places of names that nothing reads, as settings.prot, each with the name that is near."""
    fields = _fields(connection)
    known = {*COMMON, *(one for field in fields for one in (field.name, *field.also))}
    for part, given in (("settings", connection.settings), ("secrets", connection.secrets)):
        for one in given:
            near = difflib.get_close_matches(one, sorted(known), 1, 0.7) if fields and one not in known else []
            if near:
                yield f"{part}.{one}", near[0]
