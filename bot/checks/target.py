"""A configured connection made ready for its checks."""

from __future__ import annotations

import logging
import os
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


def target_for(settings: Settings, name: str, team: str = "", trial: Mapping[str, str] | None = None) -> Target:
    """The target with its secrets read now; `trial` are new values to be tried. Raises SettingsError."""
    connection = settings.connections.get(name)
    if connection is None:
        raise SettingsError(f"there is no connection {name!r} in mend.yml; {_there_are(settings, name)}")
    known_sheet = sheet(connection.connector)
    if connection.tunnel and known_sheet.driver in ("http", "s3", "dynamodb", "bigquery", "snowflake"):
        raise SettingsError(f"{name}: a tunnel leads to databases only; HTTP connectors take proxy: http://host:port")
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
        float(
            connection.settings.get("connect_timeout") or connection.settings.get("timeout") or settings.check_timeout
        ),
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
    from bot.vault import opened

    try:
        return opened().kept(name, team)
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
