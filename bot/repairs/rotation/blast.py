"""Who else uses a credential, who may replace it, and where the new one has to go."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

from bot.checks.target import target_for
from bot.repairs.form import Form, form_of
from bot.settings import REFERENCE, Settings, SettingsError, resolve
from bot.settings_parts import is_group, is_person
from flows.core.sheet import Sheet, sheet
from flows.core.sheet_rotation import Rotation


def may_rotate(settings: Settings, name: str, user: str, groups: Collection[str] = ()) -> bool:
    """`groups` are the user groups that this person is in."""
    return not {user, *groups}.isdisjoint(allowed(settings, name))


def _owner(settings: Settings, name: str) -> str:
    return (settings.connections[name].owner if name in settings.connections else "") or ""


def owning_group(settings: Settings, name: str) -> str:
    """The user group that owns the connection, or ''."""
    owner = _owner(settings, name)
    return owner if is_group(owner) else ""


def allowed(settings: Settings, name: str) -> list[str]:
    """The admins, and the connection's owner: a person, or a user group and so whoever is in it."""
    owner = _owner(settings, name)
    return list(dict.fromkeys([*settings.access.admins, *([owner] if is_person(owner) or is_group(owner) else [])]))


def plan_of(settings: Settings, name: str) -> Rotation | None:
    """How the connection's credential is rotated by Mend, or None where people do it."""
    connection = settings.connections.get(name)
    if connection is None or not connection.rotation.allowed or not allowed(settings, name):
        return None
    return sheet(connection.connector).rotation


def admin_of(settings: Settings, name: str) -> tuple[str, str] | None:
    """The administrator's login for it. Raises SettingsError."""
    given = settings.connections[name].rotation
    if not given.admin_password:
        return None
    return given.admin_user, resolve(given.admin_password, os.environ, settings.folder)


def sharing(settings: Settings, name: str, team: str = "") -> list[str]:
    """The other connections of mend.yml that log in with the same: a reference, a secret, or a login at one place."""
    mine = settings.connections[name]
    known = sheet(mine.connector)
    fields = known.rotation.replaces if known.rotation else ()
    marks = _marks(settings, name, known, team, fields)
    found = []
    for other, connection in settings.connections.items():
        if other != name and marks & _marks(settings, other, sheet(connection.connector), team, fields):
            found.append(other)
    return found


def elsewhere(settings: Settings, names: Sequence[str], team: str, teams: Sequence[str]) -> list[tuple[str, str]]:
    """(workspace, connection) in the other workspaces that log in with the same: mend.yml is one for all of them, what
    the vault keeps is each one's own."""
    return [(other, name) for other in teams if other != team for name in names if _alike(settings, name, team, other)]


def _alike(settings: Settings, name: str, team: str, other: str) -> bool:
    """At one place a login has one password, whatever was typed for it; a key stands for itself."""
    known = sheet(settings.connections[name].connector)
    fields = [known.field_name(f) for f in (known.rotation.replaces if known.rotation else ())]
    try:
        mine, theirs = target_for(settings, name, team), target_for(settings, name, other)
    except SettingsError:
        return False
    if mine.settings.get("host"):
        return bool(mine.settings.get("user") == theirs.settings.get("user"))
    return [mine.secrets.get(f) for f in fields] == [theirs.secrets.get(f) for f in fields]


def _marks(settings: Settings, name: str, known: Sheet, team: str, fields: tuple[str, ...]) -> set[tuple[str, ...]]:
    """What a credential is recognised by. A password alone is none: two logins may have been given the same."""
    connection = settings.connections[name]
    user = str(connection.settings.get("user") or "")
    refs = {("reference", user, r) for r in connection.secrets.values() if REFERENCE.fullmatch(r.strip())}
    host = str(connection.settings.get("host") or "").lower()
    if host:
        port = str(connection.settings.get("port") or next((f.default for f in known.fields if f.name == "port"), ""))
        return {*refs, ("login", known.driver, host, port, user)}
    try:
        secrets = target_for(settings, name, team).secrets
    except SettingsError:
        return set(refs)
    return {*refs, *(("secret", secrets[f]) for f in map(known.field_name, fields) if secrets.get(f))}


def stored(settings: Settings, names: list[str], values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Per connection the names in the vault under which it reads the new values."""
    forms: dict[str, Form] = {name: form for name in names if (form := form_of(settings, name))}
    return {n: {f.stored_as(f.known.field_name(field)): v for field, v in values.items()} for n, f in forms.items()}
