"""What a status page tells, whoever made it, and what readers of all of them need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Incident:
    """What a page reports now. `serious`: data may stop, None: not said; `maintenance`: planned, and under way;
    `part`: how one component is, which counts only where that one is asked for."""

    name: str
    state: str
    serious: bool | None = False
    maintenance: bool = False
    since: str = ""
    components: tuple[str, ...] = ()
    update: str = ""
    part: bool = False

    def about(self, wanted: Sequence[str]) -> bool:
        """Whether it concerns one of the components; one that names none concerns all."""
        named = [one.lower() for one in self.components]
        return not wanted or not named or any(want.lower() in one for want in wanted for one in named)


class OtherPage(Exception):
    """The answer is not what pages of this kind give, or says what nobody has documented."""


Reader = Callable[[Any], list[Incident]]


def dicts(many: Any) -> list[dict[str, Any]]:
    return [one for one in many if isinstance(one, dict)] if isinstance(many, list) else []


def line(text: Any) -> str:
    return " ".join(str(text or "").split())[:200]


def an_object(body: Any, *keys: str) -> dict[str, Any]:
    if not isinstance(body, dict) or any(key not in body for key in keys):
        raise OtherPage
    return body
