"""A sheet: all that is known of one connector, as data. Only `{field}` is substituted, nothing is computed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic import Field as default

HERE = Path(__file__).parent.parent / "connectors"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SheetError(Exception):
    """file:line:column and what is wrong, on one line."""


class UnknownConnector(SheetError):
    """No sheet has this key; names the nearest."""


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a pattern: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Field(Strict):
    """One thing a person fills in. `also` are other names under which people write it, `where` is where to find it."""

    name: str
    label: str
    help: str
    example: str = ""
    where: str = ""
    secret: bool = False
    required: bool = False
    default: str = ""
    pattern: Pattern = ""
    also: tuple[str, ...] = ()


class Match(Strict):
    """An answer of the provider that means a cause: all given conditions hold.

    `body` is searched in the body, ignoring case; `header` is `Name` or `Name: pattern`. `alternatives` are codes
    that this answer cannot tell from `code`.
    """

    status: int | None = None
    body: Pattern = ""
    header: Pattern = ""
    cause: str
    code: str
    alternatives: tuple[str, ...] = ()


class Probe(Strict):
    """A read-only call for one resource, with the scopes it needs. `partial`: without them it answers, but less."""

    path: str
    scopes: tuple[str, ...] = ()
    partial: bool = False


class HttpSpec(Strict):
    """How to call the API. `own_error` is a JSON key, `own_header` a header, that the provider's own errors carry.

    Granted scopes are in a header, or in the answer of `scopes_path` under `scopes_body` (dots lead inward);
    `scopes_said` finds in a refusal, as its first group, the scopes that it asks for.
    """

    base_url: str
    auth: Literal["bearer", "basic", "header", "query", "none"] = "bearer"
    secret: str = "access_token"  # noqa: S105 - the name of a field
    user: str = ""
    header: str = ""
    prefix: str = ""
    headers: dict[str, str] = default(default_factory=dict)
    identity: str
    own_error: str = ""
    own_header: str = ""
    scopes_header: str = ""
    scopes_path: str = ""
    scopes_body: str = ""
    scopes_said: Pattern = ""
    implies: dict[str, tuple[str, ...]] = default(default_factory=dict)
    resources: dict[str, Probe] = default(default_factory=dict)
    other: Probe | None = None
    answers: tuple[Match, ...] = ()


class StatusPage(Strict):
    kind: Literal["statuspage", "generic"]
    url: str


class Regeneration(Strict):
    """How a new credential is made. `steps` is the path in the provider's console."""

    kind: Literal["update_credentials", "reauthorize", "rotate"]
    who: str
    steps: str = ""
    shown_once: bool = False
    old_stays_valid: bool = True


class Sheet(Strict):
    key: str
    title: str
    driver: Literal["postgres", "mysql", "http"]
    aliases: tuple[str, ...] = ()
    platform_types: dict[Literal["stitch", "airbyte", "fivetran"], str] = default(default_factory=dict)
    fields: tuple[Field, ...]
    checks: tuple[str, ...]
    http: HttpSpec | None = None
    status_page: StatusPage | None = None
    regeneration: Regeneration | None = None
    support: str = ""
    docs: tuple[str, ...] = ()
    facts_date: str
    source: str

    def secret(self, secrets: Mapping[str, str], name: str) -> str:
        """A secret by its field's name or one of the names people also use."""
        field = next((f for f in self.fields if f.name == name), None)
        for key in (name, *(field.also if field else ())):
            if key in secrets:
                return secrets[key]
        return ""


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
        if name in self.paths:
            return self[name]
        alias = next((one for one in self.values() if name.lower() in (one.key, *one.aliases)), None)
        if alias:
            return alias
        near = difflib.get_close_matches(name.lower(), list(self), 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self)}"
        raise UnknownConnector(f"there is no connector {name!r}: {hint}")


@cache
def _sheets(extra_dirs: tuple[Path, ...]) -> Sheets:
    return Sheets((HERE, *extra_dirs))


def sheets(extra_dirs: Sequence[str | Path] = ()) -> Sheets:
    """All sheets, ours and those in `extra_dirs`; the same object for the same folders."""
    return _sheets(tuple(Path(folder) for folder in extra_dirs))


def known_keys() -> list[str]:
    return list(sheets())


def sheet(key: str) -> Sheet:
    """The sheet of a connector, by key or alias. Raises UnknownConnector with the nearest right key."""
    return sheets().find(key)


def load_sheet(path: Path) -> Sheet:
    """Read and check one sheet. Raises SheetError with file, line and column."""
    try:
        text = path.read_text(encoding="utf-8")
        raw: Any = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
        read = Sheet.model_validate(raw)
    except (OSError, UnicodeDecodeError) as error:
        raise SheetError(f"{path.name}:1:1: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        said = " ".join(str(getattr(error, "problem", None) or error).split())
        raise SheetError(f"{path.name}:{place}: not valid YAML: {said}") from None
    except ValidationError as error:
        raise SheetError(_explained(error, path.name, text)) from None
    if read.key != path.stem:
        raise SheetError(f"{path.name}:{place_of(text, ['key'])}: key is {read.key!r}, the file's name {path.stem!r}")
    return read


_PARTS: dict[str, type[Strict]] = {
    "fields": Field, "http": HttpSpec, "answers": Match, "resources": Probe, "other": Probe,
    "status_page": StatusPage, "regeneration": Regeneration,
}  # fmt: skip


def _explained(error: ValidationError, name: str, text: str) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = [str(part) for part in first["loc"] if part != "[key]"]
    hint = ""
    if first["type"] == "extra_forbidden":
        model = next((_PARTS[part] for part in reversed(where[:-1]) if part in _PARTS), Sheet)
        near = difflib.get_close_matches(where[-1], list(model.model_fields), 1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(model.model_fields)}"
    said = "unknown key" if first["type"] == "extra_forbidden" else " ".join(first["msg"].split())
    return f"{name}:{place_of(text, where)}: {'.'.join(where) or 'the sheet'}: {said}{hint}"


def place_of(text: str, where: Sequence[str]) -> str:
    """line:column of a key in a YAML text, or of the nearest parent that exists."""
    node, place = yaml.compose(text, Loader=yaml.SafeLoader), "1:1"
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if str(k.value) == part), None)
            if found is None:
                break
            node, mark = found[1], found[0].start_mark
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            mark = node.start_mark
        else:
            break
        place = f"{mark.line + 1}:{mark.column + 1}"
    return place
