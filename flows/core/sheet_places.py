"""What is wrong in a sheet, with its line and column."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

_KEYS, _TEXT = "expected keys below it, as in `key: value`", "expected text: put it in quotes"
_TYPES = {
    "missing": "this key is required", "extra_forbidden": "unknown key",
    "dict_type": _KEYS, "model_type": _KEYS, "model_attributes_type": _KEYS, "string_type": _TEXT,
    "list_type": "expected a list, as in [a, b]", "tuple_type": "expected a list, as in [a, b]",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "expected a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "expected a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected true or false"),
}  # fmt: skip


# As deep as anything that people write, and many times less than what ends the process in libyaml's own recursion.
DEEPEST = 100
# So many values a file may have when all its aliases are written out.
MOST = 1_000_000
ALIAS = re.compile(r"(?:^|[\s\[{,:-])\*\w")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader to which a key that stands twice is an error: the first of the two would be lost silently.

    What is nested too deep, holds itself, or is endless for its aliases is one too.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth, self._aliases = 0, not isinstance(stream, str) or bool(ALIAS.search(stream))

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """Both parsers call this before each value; we have no resolvers by path, which it is made for."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ComposerError(None, None, f"nested more than {DEEPEST} deep", current_node.start_mark)

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if self._aliases and node is not None:
            _written_out(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        there = set[tuple[str, str]]()
        for key, _ in node.value:
            # What `<<` brought in stands elsewhere.
            own = node.start_mark.index <= key.start_mark.index <= node.end_mark.index
            if not own or not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if (key.tag, key.value) in there:
                raise ConstructorError(None, None, f"the key {key.value} stands twice", key.start_mark)
            there.add((key.tag, key.value))
        return dict(super().construct_mapping(node, deep))


def _written_out(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values it is with its aliases written out. Raises ComposerError."""
    if id(node) in known:
        if not known[id(node)]:
            raise ComposerError(None, None, "this holds itself by an alias", node.start_mark)
        return known[id(node)]
    known[id(node)] = 0
    inner = node.value if isinstance(node, yaml.CollectionNode) else []
    if isinstance(node, yaml.MappingNode):
        inner = [one for pair in node.value for one in pair]
    size = 1 + sum(_written_out(one, known) for one in inner)
    if size > MOST:
        raise ComposerError(None, None, "too much once its aliases are written out", node.start_mark)
    known[id(node)] = size
    return size


def _or_its_place(read: Callable[[Any, yaml.ScalarNode], Any], loader: _Loader, node: yaml.ScalarNode) -> Any:
    """What looks like a date or a number and is none is told with its line: 2026-02-30."""
    try:
        return read(loader, node)
    except ValueError as error:
        raise ConstructorError(None, None, f"{node.value[:20]}: {error}", node.start_mark) from None


for _kind in ("int", "timestamp"):
    _read = getattr(yaml.SafeLoader, f"construct_yaml_{_kind}")
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", partial(_or_its_place, _read))
LOADER = _Loader


def no_yaml(error: yaml.YAMLError) -> tuple[int, int, str]:
    """Line, column, and what is wrong there."""
    mark, said = getattr(error, "problem_mark", None), str(getattr(error, "problem", None) or error)
    if "cannot start any token" in said:
        said += ": indent with spaces, not tabs, and put what begins with @ ` or % in quotes"
    return (mark.line + 1, mark.column + 1, " ".join(said.split())) if mark else (1, 1, " ".join(said.split()))


class SheetError(Exception):
    """file:line:column and what is wrong, on one line."""


def explained(error: ValidationError, name: str, text: str, raw: Any, parts: Mapping[str, type[BaseModel]]) -> str:
    """What tells most, at its place; `parts` are the models by the key under which they stand, "" the whole."""
    first = telling(error)
    where = _named([str(part) for part in first["loc"] if "[" not in str(part)], raw)
    model = next((parts[part] for part in reversed(where[:-1]) if part in parts), parts[""])
    hint = f": one of {', '.join(words)}" if (words := _words(model, where)) and first["type"] == "missing" else ""
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(where[-1], list(model.model_fields), 1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(model.model_fields)}"
    return f"{name}:{place_of(text, where)}: {'.'.join(where) or 'the sheet'}: {in_words(first)}{hint}"


def telling(error: ValidationError) -> Mapping[str, Any]:
    """A mistyped key is also a missing one: the first tells more."""
    found = error.errors(include_input=False, include_url=False)
    return next((one for one in found if one["type"] == "extra_forbidden"), found[0])


def in_words(error: Mapping[str, Any]) -> str:
    """What is wrong, for somebody who writes YAML and no Python."""
    said = _TYPES.get(error["type"]) or " ".join(str(error["msg"]).removeprefix("Value error, ").split())
    return said.replace("Input should be", "expected")


def _words(model: type[BaseModel], where: Sequence[str]) -> tuple[str, ...]:
    """What a key can be, where its words are fixed."""
    kind = model.model_fields[where[-1]].annotation if where and where[-1] in model.model_fields else None
    return get_args(kind) if get_origin(kind) is Literal else ()


def _named(where: list[str], raw: Any) -> list[str]:
    """Fields by name: in a sheet that extends another, their numbers are not those of the file."""
    if len(where) > 1 and where[0] == "fields" and where[1].isdigit():
        field = raw["fields"][int(where[1])]
        where[1] = str(field.get("name", where[1])) if isinstance(field, dict) else where[1]
    return where


def place_of(text: str, where: Sequence[str]) -> str:
    """line:column of a key in a YAML text, or of the nearest parent that exists; of a list, by number or by name."""
    node, place = yaml.compose(text, Loader=LOADER), "1:1"
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if str(k.value) == part), None)
            if found is None:
                break
            node, mark = found[1], found[0].start_mark
        elif isinstance(node, yaml.SequenceNode):
            inner = _item(node, part)
            if inner is None:
                break
            node, mark = inner, inner.start_mark
        else:
            break
        place = f"{mark.line + 1}:{mark.column + 1}"
    return place


def _item(node: yaml.SequenceNode, part: str) -> Any:
    if part.isdigit():
        return node.value[int(part)] if int(part) < len(node.value) else None
    for one in node.value:
        if isinstance(one, yaml.MappingNode) and any((k.value, v.value) == ("name", part) for k, v in one.value):
            return one
    return None
