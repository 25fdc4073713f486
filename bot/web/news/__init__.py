"""What desks tell of a ticket, each in its own words: the module of a desk's kind reads them.

It has `PROOFS`, which tell who a call is from, and `read(raw, headers)`. Kinds without a module are not heard.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast


@dataclass(frozen=True)
class News:
    """Told once under `key`, or '' for the body itself, and once per `proof` where `key` is not signed. Without
    `case` the desk is asked whose `ticket` it is. `page` must be that of the case's own ticket, where anybody could
    make one that looks like it.
    """

    key: str
    case: str
    ticket: str = ""
    page: str = ""
    status: str = ""
    comment: str = ""
    by: str = ""
    proof: str = ""

    @property
    def words(self) -> dict[str, str]:
        return {"status": self.status.lower()[:20], "comment": self.comment[:1000], "by": self.by[:80]}


class Reader(Protocol):
    PROOFS: tuple[Callable[..., bool], ...]

    def read(self, raw: Any, headers: Mapping[str, str]) -> News | None:
        """Of a call that is proven; None where there is nothing to tell."""


def heard() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")


def reader(kind: str) -> Reader | None:
    return cast(Reader, importlib.import_module(f"bot.web.news.{kind}")) if kind in heard() else None


def mapping(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def part(raw: Any, name: str) -> Mapping[str, Any]:
    return mapping(mapping(raw).get(name))
