"""A sheet: all that is known of one connector, as data. Only `{field}` is substituted, nothing is computed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

HERE = Path(__file__).parent.parent / "connectors"


class SheetError(Exception):
    """file:line:column and what is wrong, on one line."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SheetField(Strict):
    """One thing a person fills in. `also` are other names under which people write it."""

    name: str
    label: str
    help: str
    example: str = ""
    secret: bool = False
    required: bool = False
    default: str = ""
    pattern: str = ""
    also: tuple[str, ...] = ()


class Match(Strict):
    """An answer of the provider that means a cause: all given conditions hold."""

    status: int | None = None
    body: str = ""
    header: str = ""
    cause: str
    code: str


class Probe(Strict):
    """A read-only call for one resource, with the scopes it needs."""

    path: str
    scopes: tuple[str, ...] = ()


class Http(Strict):
    base_url: str
    auth: Literal["bearer", "basic", "header", "query", "none"] = "bearer"
    secret: str = "access_token"
    user: str = ""
    header: str = ""
    prefix: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    identity: str
    own_error: str = ""
    scopes_header: str = ""
    resources: dict[str, Probe] = Field(default_factory=dict)
    answers: tuple[Match, ...] = ()


class StatusPage(Strict):
    kind: Literal["statuspage", "generic"]
    url: str


class Regeneration(Strict):
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
    platform_types: dict[str, str] = Field(default_factory=dict)
    fields: tuple[SheetField, ...]
    checks: tuple[str, ...]
    http: Http | None = None
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


def known_keys() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.yaml"))


@cache
def sheet(key: str) -> Sheet:
    """The sheet of a connector. Raises SheetError with the nearest right key."""
    path = HERE / f"{key}.yaml"
    if not key.replace("_", "").isalnum() or not path.exists():
        near = difflib.get_close_matches(key, known_keys(), 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known_keys())}"
        raise SheetError(f"there is no connector {key!r}: {hint}")
    return load_sheet(path)


def load_sheet(path: Path) -> Sheet:
    """Read and check one sheet. Raises SheetError with file, line and column."""
    text = path.read_text(encoding="utf-8")
    try:
        raw: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe loaders
        return Sheet.model_validate(raw)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise SheetError(f"{path.name}:{place}: not valid YAML: {error.problem}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = [str(part) for part in first["loc"]]
        near = difflib.get_close_matches(where[-1], list(Sheet.model_fields), 1) if where else []
        hint = f"; did you mean {near[0]}?" if first["type"] == "extra_forbidden" and near else ""
        raise SheetError(f"{path.name}:{_place(text, where)}: {'.'.join(where)}: {first['msg']}{hint}") from None


def _place(text: str, where: list[str]) -> str:
    node, place = yaml.compose(text, Loader=yaml.SafeLoader), "1:1"
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if str(k.value) == part), None)
            if found is None:
                break
            node, place = found[1], f"{found[0].start_mark.line + 1}:{found[0].start_mark.column + 1}"
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            place = f"{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    return place
