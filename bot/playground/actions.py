"""What a demo can break and mend: shown on the page as "what the admin would do now"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class DemoAction:
    id: str
    connection: str
    title: str
    detail: str | Callable[[], str]
    broken: Callable[[], bool]
    mend: Callable[[], None]
    break_again: Callable[[], None]

    @property
    def told(self) -> str:
        return self.detail if isinstance(self.detail, str) else self.detail()

    def as_json(self) -> dict[str, object]:
        """May block: it asks the real source whether it is broken."""
        try:
            broken: bool | None = bool(self.broken())
        except Exception:
            broken = None
        return {
            "id": self.id,
            "connection": self.connection,
            "title": self.title,
            "detail": self.told,
            "broken": broken,
        }
