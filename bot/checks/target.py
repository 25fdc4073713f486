"""A configured connection made ready for its checks."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bot.checks.base import Target
from bot.settings import VAULTS, Connection, Settings, SettingsError, resolve, resolve_tunnel
from flows.core.sheet import Sheet, sheet

if TYPE_CHECKING:
    from bot.vault import Entry

log = logging.getLogger("mend.checks")
# So many connections are named to somebody who asks for one that is not there.
NAMED = 8
# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LONGEST = 3600
# Drivers of services that speak HTTP.
NO_TUNNEL = ("http", "s3", "dynamodb", "bigquery", "snowflake")


def target_for(settings: Settings, name: str, team: str = "", trial: Mapping[str, str] | None = None) -> Target:
    """The target with its secrets read now; `trial` are new values to be tried. Raises SettingsError."""
    connection = settings.connections.get(name)
    if connection is None:
        raise SettingsError(f"there is no connection {name!r} in mend.yml; {_there_are(settings, name)}")
    known_sheet = sheet(connection.connector)
    if connection.tunnel and known_sheet.driver in NO_TUNNEL:
        raise SettingsError(f"{name}: a tunnel leads to databases only; HTTP connectors take proxy: http://host:port")
    _fits(name, known_sheet, connection)
    kept = _newer(settings, known_sheet, connection, _kept(name, team))
    plain, secrets = _values(settings, known_sheet, connection, kept, trial or {}, team)
    since = {field: entry.at for field, entry in kept.items() if field not in (trial or {})}
    proxy = resolve(connection.proxy, os.environ, settings.folder) if connection.proxy else None
    return Target(
        name,
        connection.connector,
        known_sheet,
        plain,
        secrets,
        tuple(connection.tables),
        connection.replication,
        resolve_tunnel(connection.tunnel, os.environ, settings.folder),
        proxy,
        _timeout(name, connection) or settings.check_timeout,
        since,
        _instead(known_sheet, connection, since),
        None if trial else _renewal(settings, name, known_sheet, connection, kept),
    )


def _there_are(settings: Settings, name: str) -> str:
    """The names most like this one, or the first few."""
    from difflib import get_close_matches  # only a wrong name needs it

    known = sorted(settings.connections)
    if near := get_close_matches(name, known, 3, 0.7):
        return f"did you mean {' or '.join(near)}?"
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    where = settings.source or settings.folder / "mend.yml"
    return f"configured are {', '.join(known[:NAMED])}{more}" if known else f"none is configured in {where}"


def _timeout(name: str, connection: Connection) -> float | None:
    """Seconds, or None where the connection says nothing of it. Raises SettingsError."""
    for key in ("connect_timeout", "timeout"):
        if value := connection.settings.get(key):
            try:
                seconds = float(value)
            except (TypeError, ValueError):
                seconds = 0.0
            if not 0 < seconds <= LONGEST:
                raise SettingsError(f"{name}.settings.{key} is {value}: write seconds, more than 0 and up to {LONGEST}")
            return seconds
    return None


def _fits(name: str, known: Sheet, connection: Connection) -> None:
    """A word where the sheet lists the words that there are: another would be taken for one of them. Raises
    SettingsError.
    """
    for field in known.fields:
        if not re.fullmatch(r"[\w-]+(\|[\w-]+)+", field.pattern):
            continue
        # All modes are understood everywhere; a sheet lists those that differ.
        words = MODES if field.name == "sslmode" else tuple(field.pattern.split("|"))
        given = next((one for key in (field.name, *field.also) if (one := connection.settings.get(key))), None)
        if given is not None and str(given) not in words:
            listed = [word for word in words if word != "allow"]
            raise SettingsError(f"{name}.settings.{field.name} is {given}: choose from {', '.join(listed)}")


def _instead(known: Sheet, connection: Connection, since: Mapping[str, float]) -> dict[str, str]:
    """Where mend.yml has the secrets in whose place the vault's count; one that refers to the vault is the same."""
    places = {known.field_name(name): where for name, where in connection.secret_refs().items()}
    return {field: places[field] for field in since if not places.get(field, "the vault entry").startswith("the vault")}


def _renewal(
    settings: Settings, name: str, known: Sheet, connection: Connection, kept: Mapping[str, Entry]
) -> Callable[[bool], Mapping[str, str]] | None:
    if "oauth" not in kept:
        return None
    from bot.checks.oauth import renewal_of

    return renewal_of(settings, name, known, connection, kept)


def _kept(name: str, team: str) -> dict[str, Entry]:
    """What the vault holds for a connection; a vault that is down leaves the references of mend.yml."""
    if "" not in VAULTS:
        return {}
    from bot.vault import NoVault, opened

    try:
        return opened().kept(name, team)
    except NoVault:  # so nothing in it is newer
        return {}
    except SettingsError as error:
        log.warning("the references of mend.yml are used: %s", error)
        return {}


def given(settings: Settings, known: Sheet, connection: Connection, field: str) -> str | None:
    """What mend.yml says of a field, or None when it says nothing that can be read."""
    for name, reference in connection.secrets.items():
        if known.field_name(name) == field:
            try:
                return resolve(reference, os.environ, settings.folder)
            except SettingsError:
                return None
    value = connection.settings.get(field)
    return None if value is None else str(value)


def _newer(settings: Settings, known: Sheet, connection: Connection, kept: Mapping[str, Entry]) -> dict[str, Entry]:
    """Of what the vault holds, what counts instead of mend.yml."""
    return {name: entry for name, entry in kept.items() if entry.overrides(given(settings, known, connection, name))}


def _values(
    settings: Settings,
    known: Sheet,
    connection: Connection,
    kept: Mapping[str, Entry],
    trial: Mapping[str, str],
    team: str,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings and secrets: what is tried, else what the vault holds and is newer, else what mend.yml says."""
    plain, hidden = dict(connection.settings), dict[str, str]()
    newer = {**{name: entry.value for name, entry in kept.items() if name != "oauth"}, **trial}
    for name, reference in connection.secrets.items():
        if known.field_name(name) not in newer:
            hidden[name] = resolve(reference, os.environ, settings.folder, team)
    for name, value in newer.items():
        (hidden if known.is_secret(name) else plain)[name] = value
    return plain, hidden
