"""A sheet: all that is known of one connector, as data. Only `{field}` is substituted, nothing is computed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field as default
from pydantic import ValidationError

from flows.core.sheet_http import Described, KeyForm, OAuth1
from flows.core.sheet_http import HttpSpec as HttpSpec
from flows.core.sheet_http import Match as Match
from flows.core.sheet_http import Probe as Probe
from flows.core.sheet_oauth import OAuth as OAuth
from flows.core.sheet_parts import Allowlist, PlatformAuth, Regeneration, StatusPage, Strict, by_name
from flows.core.sheet_parts import Field as Field
from flows.core.sheet_places import LOADER, explained, no_yaml
from flows.core.sheet_places import SheetError as SheetError
from flows.core.sheet_places import place_of as place_of
from flows.core.sheet_rotation import Rotation

HERE = Path(__file__).parent.parent / "connectors"
# A variant is known by its own names only.
_OWN = ("key", "title", "aliases", "platform_types", "extends")


class UnknownConnector(SheetError):
    """No sheet has this key; names the nearest."""


Databases = Literal["postgres", "mysql", "mssql", "oracle", "mongodb", "redis", "snowflake", "bigquery"]
Driver = Literal[Databases, "s3", "dynamodb", "sftp", "http"]
# What people look for, in the order in which they are listed.
Family = Literal[
    "databases", "files", "advertising", "marketing", "sales", "support", "payments", "shops", "analytics", "surveys",
    "communication", "development", "work", "others",
]  # fmt: skip
_FAMILY: dict[str, Family] = {"http": "others", "s3": "files", "sftp": "files"}


class Sheet(Strict):
    """All that is known of one connector.

    `extends` names a sheet of which this one is a variant: it says only what differs. `console` is where a person signs
    in: every menu path of the sheet begins there, unless it begins with an address of its own. `roles` is who may read
    all that is needed, and goes on after "It takes"; `plans` is what is in certain plans only. `sent_as` are the
    platforms' own names of the fields that their APIs take a new credential by; dots lead inward. `support` is
    `certified`, or the address of the repository that supports it. `family` is where a list shows it; without one the
    driver tells.
    """

    key: str
    title: str
    extends: str = ""
    driver: Driver
    family: Family | None = None
    aliases: tuple[str, ...] = ()
    platform_types: dict[Literal["stitch", "airbyte", "fivetran"], str | tuple[str, ...]] = default(
        default_factory=dict
    )
    platform_auth: PlatformAuth | None = None
    sent_as: dict[Literal["stitch", "airbyte", "fivetran"], dict[str, str]] = default(default_factory=dict)
    fields: tuple[Field, ...]
    checks: tuple[str, ...]
    http: HttpSpec | None = None
    status_page: StatusPage | None = None
    allowlist: Allowlist | None = None
    console: str = ""
    roles: str = ""
    plans: tuple[str, ...] = ()
    regeneration: Regeneration | None = None
    oauth: OAuth | None = None
    rotation: Rotation | None = None
    support: str = default(default="", pattern=r"^(certified|https://.+)?$")
    docs: tuple[str, ...] = ()
    facts_date: str
    source: str

    def types_at(self, platform: str) -> tuple[str, ...]:
        """What this platform calls it: none where it does not read it."""
        there = self.platform_types.get(platform, ())  # type: ignore[call-overload]
        return (there,) if isinstance(there, str) else tuple(there)

    def secret(self, secrets: Mapping[str, str], name: str) -> str:
        """A secret by its field's name or one of the names people also use."""
        return by_name(self.fields, name, secrets)

    def field_name(self, name: str) -> str:
        """The field that people also call `name`."""
        return next((f.name for f in self.fields if name in (f.name, *f.also)), name)

    def listed_under(self) -> Family:
        return self.family or _FAMILY.get(self.driver, "databases")

    def sign_in_at(self, settings: Mapping[str, Any]) -> tuple[str, bool]:
        """The console's address, and whether it is an example: some setting that it holds is not known."""
        guessed = False

        def one(found: re.Match[str]) -> str:
            nonlocal guessed
            field = next(f for f in self.fields if f.name == found[1])
            given = str(settings.get(field.name) or field.default)
            guessed = guessed or not given
            return field.choices.get(given, given) or field.example

        return re.sub(r"\{(\w+)\}", one, self.console), guessed

    def is_secret(self, name: str) -> bool:
        return any(f.secret for f in self.fields if f.name == name)


class Sheets(Mapping[str, Sheet]):
    """Sheets by key, parsed when asked for. Later folders win, so that a user's own sheet replaces ours."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.paths = {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}
        self._read: dict[str, Sheet] = {}

    def __getitem__(self, key: str) -> Sheet:
        if key not in self.paths:
            raise KeyError(key)
        if key not in self._read:
            self._read[key] = load_sheet(self.paths[key])
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.paths))

    def __len__(self) -> int:
        return len(self.paths)

    def find(self, name: str) -> Sheet:
        """By key, else by alias. Raises UnknownConnector with the nearest right key."""
        key = name.lower().replace("-", "_").replace(" ", "_")
        if key in self.paths:
            return self[key]
        alias = next((one for one in self.values() if name.lower() in one.aliases or key in one.aliases), None)
        if alias:
            return alias
        near = difflib.get_close_matches(key, list(self), 1)
        hint = f"did you mean {near[0]}?" if near else f"`mend connectors` lists the {len(self)} that there are"
        raise UnknownConnector(f"there is no connector {name!r}: {hint}")


# Folders of a user's own, named once at start.
_also: list[Path] = []


def also(folder: Path) -> None:
    """From now on the sheets of `folder` are known too, and win over ours."""
    if folder not in _also:
        _also.append(folder)


@cache
def _sheets(extra_dirs: tuple[Path, ...]) -> Sheets:
    return Sheets((HERE, *extra_dirs))


def sheets(extra_dirs: Sequence[str | Path] = ()) -> Sheets:
    """All sheets, ours and those in `extra_dirs`; the same object for the same folders."""
    return _sheets((*_also, *(Path(folder) for folder in extra_dirs)))


def known_keys() -> list[str]:
    return list(sheets())


def sheet(key: str) -> Sheet:
    """The sheet of a connector, by key or alias. Raises UnknownConnector with the nearest right key."""
    return sheets().find(key)


_PARTS: dict[str, type[Strict]] = {
    "": Sheet, "fields": Field, "http": HttpSpec, "answers": Match, "keys": KeyForm, "oauth1": OAuth1,
    "resources": Probe, "other": Probe, "described": Described, "status_page": StatusPage, "regeneration": Regeneration,
    "allowlist": Allowlist, "oauth": OAuth, "rotation": Rotation,
}  # fmt: skip


def load_sheet(path: Path) -> Sheet:
    """Read and check one sheet. Raises SheetError with file, line and column."""
    text, raw = _parsed(path)
    if isinstance(raw, dict) and raw.get("extends"):
        raw = _on_base(path, text, raw)
    try:
        read = Sheet.model_validate(raw)
    except ValidationError as error:
        raise SheetError(explained(error, path.name, text, raw, _PARTS)) from None
    if read.key != path.stem:
        raise SheetError(f"{path.name}:{place_of(text, ['key'])}: key is {read.key!r}, the file's name {path.stem!r}")
    return read


def _parsed(path: Path) -> tuple[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "save it as text in UTF-8"
        raise SheetError(f"{path.name}:1:1: cannot be read: {why}") from None
    except yaml.YAMLError as error:
        line, column, said = no_yaml(error)
        raise SheetError(f"{path.name}:{line}:{column}: not valid YAML: {said}") from None


def _on_base(path: Path, text: str, raw: dict[str, Any]) -> dict[str, Any]:
    """What a variant says, over what its base says: one level deep, fields by their name."""
    name = str(raw["extends"])
    found = next((f for f in (path.parent / f"{name}.yaml", HERE / f"{name}.yaml") if f.exists()), None)
    base = _parsed(found)[1] if found and name != path.stem else None
    if not isinstance(base, dict) or base.get("extends"):
        why = "extends another itself" if isinstance(base, dict) else "does not exist"
        raise SheetError(f"{path.name}:{place_of(text, ['extends'])}: extends: the sheet {name!r} {why}")
    merged = {key: value for key, value in base.items() if key not in _OWN}
    for key, value in raw.items():
        old = merged.get(key)
        if key == "fields" and isinstance(old, list) and isinstance(value, list):
            merged[key] = _fields_over(old, value)
        else:
            merged[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _fields_over(old: list[Any], new: list[Any]) -> list[Any]:
    changed = {str(one.get("name")): one for one in new if isinstance(one, dict)}
    known = [one.get("name") for one in old]
    return [{**one, **changed.get(str(one.get("name")), {})} for one in old] + [
        one for one in new if not isinstance(one, dict) or one.get("name") not in known
    ]
