"""One source of a platform as an entry of mend.yml: what the platform shows of it, in the words of Mend's sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.checks.target import NO_TUNNEL
from bot.cli.importing.meanings import DATABASES, IMPLIED, log_of, names_of, tls_of, tunnel_of
from bot.cli.importing.names import variable
from bot.cli.importing.tables import tables_of
from bot.cli.importing.values import fitted, flattened, printable
from bot.platforms.base import Listed, Shown
from flows.core.sheet import Sheet


@dataclass
class Entry:
    """`notes` are for people: comments beside it. `variables` are those that its secrets are to be put into."""

    name: str
    body: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Made:
    """What makes entries of one platform: its kind and name, and the variables that are spoken for."""

    kind: str
    platform: str
    variables: set[str]

    def entry(self, name: str, listed: Listed, shown: Shown, known: Sequence[Sheet], *, by_name: bool) -> Entry:
        """Of the sheets of this type the first is meant; `by_name`: `find` knows the source by the entry's name."""
        one, flat = known[0], flattened(known[0].driver, shown.settings)
        made = Entry(name, {"connector": one.key})
        if not by_name:
            made.body["platform_source"] = listed.id
        if listed.paused:
            made.notes.append(f"{'paused' if listed.paused == 'somebody' else 'stopped'} in {self.platform}")
        if len(known) > 1:
            made.notes.append(f"it may be {' or '.join(sheet.key for sheet in known[1:])} too")
        self._settings(made, one, {**flat, **IMPLIED.get(listed.type, {})})
        self._secrets(made, one, shown.held, listed.id)
        self._tunnel(made, one, flat, listed.id)
        self._tables(made, one, shown, flat)
        return made

    def _settings(self, made: Entry, known: Sheet, flat: dict[str, Any]) -> None:
        settings: dict[str, Any] = {}
        for one in (f for f in known.fields if not f.secret and f.name != "sslmode"):
            there = [flat[path] for path in names_of(self.kind, known, one.name) if path in flat]
            value = next((v for v in (fitted(known, one, said) for said in there) if v is not None), None)
            if value is not None:
                settings[one.name] = value
            elif there:
                made.notes.append(f"{one.name} is left out: what {self.platform} has does not fit Mend's field")
            elif one.required:
                made.notes.append(f"settings lack {one.name}: {self.platform} does not show it")
        tls = next((f for f in known.fields if f.name == "sslmode"), None)
        mode, note = tls_of(self.kind, flat) if tls else ("", "")
        if tls and mode and fitted(known, tls, mode):
            settings["sslmode"] = mode
        made.notes += [note] if note else []
        if settings:
            made.body["settings"] = settings

    def _secrets(self, made: Entry, known: Sheet, held: frozenset[str], id_: str) -> None:
        """Those that the sheet wants, and those that the platform has."""
        wanted = [
            f.name for f in known.fields if f.secret and (f.required or held & {*names_of(self.kind, known, f.name)})
        ]
        if not wanted and known.driver in DATABASES:
            wanted = ["password"]
        if wanted:
            made.body["secrets"] = {one: self._reference(made, one, id_) for one in wanted}
        else:
            ours = ", ".join(f.name for f in known.fields if f.secret)
            made.notes.append(f"secrets are not known from {self.platform}; of {ours} those that you use")

    def _reference(self, made: Entry, one: str, id_: str) -> str:
        free = variable(made.name, f"{made.body['connector']}_{id_}", one, self.variables)
        self.variables.add(free)
        made.variables.append(free)
        return f"${{env:{free}}}"

    def _tunnel(self, made: Entry, known: Sheet, flat: dict[str, Any], id_: str) -> None:
        there = tunnel_of(flat)
        if there is None or known.driver in NO_TUNNEL:
            return
        kept, port = str(there["secret"]), str(there["port"] or 22)
        if not (printable(there["host"]) and printable(there["user"]) and port.isdecimal() and 0 < int(port) < 65536):
            made.notes.append(f"tunnel is left out: what {self.platform} has does not fit Mend's fields")
            return
        plain = {"host": str(there["host"]), "port": int(port), "user": str(there["user"])}
        made.body["tunnel"] = {**plain, kept: self._reference(made, f"tunnel_{kept}", id_)}
        if kept == "private_key" and self.kind != "airbyte":
            made.notes.append(f"the tunnel's key is {self.platform}'s own: have another let in for Mend")

    def _tables(self, made: Entry, known: Sheet, shown: Shown, flat: dict[str, Any]) -> None:
        tables, note = tables_of(known, shown.streams or ())
        if tables:
            made.body["tables"] = tables
        made.notes += [said for said in (note, shown.doubt and f"tables are not known: {shown.doubt}") if said]
        if known.driver in DATABASES and (log_of(known.driver, flat) or any(one.log for one in shown.streams or ())):
            made.body["replication"] = "log"
