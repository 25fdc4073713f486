"""What the mind hears (Event) and what it asks the hands to do (orders). Plain values, nothing acts here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["owner", "helper", "admin", "reader", "system"]


@dataclass(frozen=True)
class Event:
    """Something that happened. `key` is unique for ever and makes a second delivery harmless; `at` is Unix seconds."""

    kind: str
    key: str
    at: float
    user: str = ""
    role: Role = "system"
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "data": dict(self.data)}

    def told(self, *names: str) -> dict[str, Any]:
        """These words of its data, '' for what it does not say."""
        return {name: str(self.data.get(name, "")) for name in names}


@dataclass(frozen=True)
class Order:
    """One thing for the hands. `name` picks the hand, `args` is JSON."""

    name: Literal[
        "say", "root", "progress", "settle", "run", "open_ticket", "whisper", "send_link", "confirm_link",
        "plan_rotation", "rotate", "revoke", "start_job", "forget_kept",
    ]  # fmt: skip
    args: Mapping[str, Any] = field(default_factory=dict)


def say(template: str, *, buttons: tuple[str, ...] = (), question: bool = False, **params: Any) -> Order:
    return Order("say", {"template": template, "buttons": list(buttons), "question": question, "params": params})


def whisper(user: str, template: str, *, buttons: tuple[str, ...] = (), **params: Any) -> Order:
    return Order("whisper", {"user": user, "template": template, "buttons": list(buttons), "params": params})


def run(step: str) -> Order:
    return Order("run", {"step": step})
