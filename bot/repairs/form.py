"""What the page asks for: a connection's secrets and its login name, never an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.checks.target import given
from bot.settings import REFERENCE, Connection, Settings
from flows.core.sheet import Field, Sheet, sheet

# Who logs in belongs to the credential. Where to is for mend.yml alone: what a person types here can so reach no
# other host than the administrator named.
LOGIN = frozenset({"user", "email"})
LONGEST = 16_384


@dataclass(frozen=True)
class Form:
    """The fields of one connection's page."""

    name: str
    known: Sheet
    connection: Connection
    settings: Settings

    @property
    def fields(self) -> list[Field]:
        return [field for field in self.known.fields if field.secret or self._is_login(field)]

    def _is_login(self, field: Field) -> bool:
        return field.name in LOGIN and field.name in {self.known.field_name(n) for n in self.connection.settings}

    def shown(self) -> dict[str, str]:
        """What a field shows at first: the login name that counts now, of a secret nothing."""
        return {f.name: "" if f.secret else self.before(f.name) or "" for f in self.fields}

    def fixed(self) -> dict[str, str]:
        """Where the credential is for, by the labels of the sheet; mend.yml says it."""
        asked = {field.name for field in self.fields}
        plain = {self.known.field_name(n): str(v) for n, v in self.connection.settings.items()}
        return {f.label: plain[f.name] for f in self.known.fields if f.name in plain and f.name not in asked}

    def before(self, field: str) -> str | None:
        return given(self.settings, self.known, self.connection, field)

    def wanted(self, field: Field) -> bool:
        """Whether the page insists on it: a required secret, or one that mend.yml has."""
        configured = {self.known.field_name(n) for n in self.connection.secrets}
        return not field.secret or field.required or field.name in configured

    def read(self, typed: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """(values, problems by field: missing, too_long, newline or pattern)."""
        values, problems = dict[str, str](), dict[str, str]()
        for field in self.fields:
            value = typed.get(field.name, "")
            value = _unwrapped(value) if field.secret else value.strip()
            if problem := self._problem(field, value):
                problems[field.name] = problem
            elif value:
                values[field.name] = value
        return values, problems

    def _problem(self, field: Field, value: str) -> str:
        if not value:
            return "missing" if self.wanted(field) else ""
        if len(value) > LONGEST:
            return "too_long"
        if "\n" in value and not is_long(field):
            return "newline"
        fits = not field.pattern or re.fullmatch(field.pattern, value)
        return "" if fits and "\x00" not in value else "pattern"

    def stored_as(self, field: str) -> str:
        """Its name in the vault: the one that mend.yml refers to, else connection.field."""
        for name, reference in self.connection.secrets.items():
            found = REFERENCE.fullmatch(reference.strip())
            if self.known.field_name(name) == field and found and found[1] == "vault" and "/" not in found[2]:
                return found[2].strip()
        return f"{self.name}.{field}"

    def names(self, field: str) -> set[str]:
        """Where the vault may hold it: what is typed where mend.yml refers to, what a provider gives always here."""
        return {self.stored_as(field), f"{self.name}.{field}"}

    def outdated(self) -> dict[str, str]:
        """The references of mend.yml that still give the old secret, in words."""
        places = self.connection.secret_refs()
        return {n: w for n, w in places.items() if self.stored_as(self.known.field_name(n)).startswith(f"{self.name}.")}

    def shared_with(self) -> list[str]:
        """Other connections with the same reference or the same login at the same place: they break or mend with it."""
        mine = set(self.connection.secrets.values())
        return [n for n, other in self.settings.connections.items() if n != self.name and self._same(other, mine)]

    def _same(self, other: Connection, mine: set[str]) -> bool:
        places = ("host", "port", "user", "base_url")
        here, there = ([c.settings.get(p) for p in places] for c in (self.connection, other))
        login = bool(here[0] and here[2]) and here == there
        return login or bool(mine & {r for r in other.secrets.values() if REFERENCE.fullmatch(r.strip())})


def is_long(field: Field) -> bool:
    """Keys and certificates have lines."""
    return field.secret and any(word in field.name for word in ("private_key", "certificate", "json", "credentials"))


def _unwrapped(value: str) -> str:
    """Browsers send lines with CRLF, and copying often takes a line's end along."""
    return value.replace("\r\n", "\n").strip("\n")


def form_of(settings: Settings, name: str) -> Form | None:
    connection = settings.connections.get(name)
    return Form(name, sheet(connection.connector), connection, settings) if connection else None
