"""The bookkeeping of the block validator: where we are in the payload, what was wrong, what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Seen:
    """What counts over the whole payload."""

    problems: list[str] = field(default_factory=list)
    block_ids: list[str] = field(default_factory=list)
    action_ids: dict[str, list[str]] = field(default_factory=dict)
    markdown_chars: int = 0
    table_chars: int = 0
    has_input: bool = False
    focused: int = 0


@dataclass
class At:
    """A value at a place of the payload. Complaints are worded and pointed as Slack's are."""

    value: Any
    pointer: str
    surface: str
    seen: Seen
    block: str = ""

    def say(self, what: str) -> None:
        self.seen.problems.append(f"[ERROR] {what} [json-pointer:{self.pointer or '/'}]")

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def get(self, key: str) -> At:
        return At(self.value.get(key), f"{self.pointer}/{key}", self.surface, self.seen, self.block)

    def each(self) -> Iterator[At]:
        for index, item in enumerate(self.value if isinstance(self.value, list) else []):
            yield At(item, f"{self.pointer}/{index}", self.surface, self.seen, self.block)

    def is_object(self) -> bool:
        if isinstance(self.value, dict):
            return True
        self.say("must be an object")
        return False

    def only(self, allowed: str) -> None:
        for key in sorted(set(self.value) - set(allowed.split()) - {"type"}):
            self.say(f"invalid additional property: {key}")

    def string(self, key: str, limit: int, required: bool = False, least: int = 1) -> None:
        if not self.has(key):
            if required:
                self.say(f"missing required field: {key}")
            return
        at = self.get(key)
        if not isinstance(at.value, str):
            at.say("must be a string")
        elif len(at.value) < least:
            at.say(f"must be more than {least - 1} characters")
        elif len(at.value) > limit:
            at.say(f"must be less than {limit + 1} characters")

    def array(self, key: str, least: int, most: int, required: bool = True) -> At:
        at = self.get(key)
        if at.value is None:
            if required:
                self.say(f"missing required field: {key}")
        elif not isinstance(at.value, list):
            at.say("must be an array")
        elif len(at.value) < least:
            at.say(f"no fewer than {least} items allowed")
        elif len(at.value) > most:
            at.say(f"no more than {most} items allowed")
        return at

    def one_of(self, key: str, words: str, required: bool = False) -> None:
        if not self.has(key):
            if required:
                self.say(f"missing required field: {key}")
        elif self.value[key] not in words.split():
            self.get(key).say(f"must be one of: {', '.join(words.split())}")

    def flag(self, *keys: str) -> None:
        for key in keys:
            if self.has(key) and not isinstance(self.value[key], bool):
                self.get(key).say("must be a boolean")

    def url(self, key: str, required: bool = False) -> None:
        self.string(key, 3000, required)
        value = self.value.get(key)
        if isinstance(value, str) and value and ":" not in value:
            self.get(key).say("must be a valid URL")
