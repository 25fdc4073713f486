"""A desk is a support-ticket system: one frozen Ticket in, one Address out. It knows nothing of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol


@dataclass(frozen=True)
class Ticket:
    """`id` is the idempotency key: the same id never makes a second ticket. `body` is Markdown, already redacted."""

    id: str
    subject: str
    body: str
    connection: str
    connector: str
    cause: str
    code: str
    requester: str
    evidence: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Address:
    """Where the ticket is: a URL, or '' for a desk without pages, and its id there."""

    url: str
    id: str


class DeskError(Exception):
    """`down` and `rate` pass by themselves; `auth` and `config` need an admin. `retry_after` in seconds.

    `unsure`: the ticket may have got through and the desk cannot be asked; a person decides whether to send again.
    """

    def __init__(
        self, kind: Literal["down", "auth", "rate", "config", "unsure"], text: str, retry_after: float = 0.0
    ) -> None:
        super().__init__(text)
        self.kind, self.retry_after = kind, retry_after


class Desk(Protocol):
    """`finds_again`: a second `open` under the same id finds the first ticket, also after a crash between the two."""

    finds_again: ClassVar[bool]

    def open(self, ticket: Ticket) -> Address:
        """Open the ticket, or find the one already opened under the same id. Raises DeskError."""

    def check(self) -> str:
        """What an admin should see to in time, or ''. Raises DeskError when the desk would not take a ticket now."""
