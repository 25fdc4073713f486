"""What a way of rotating is: a look before anything is changed, then the same few deeds whatever the source."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from bot.checks.base import Target
from bot.drivers.network import Trouble

WRONG = ("invalid_credentials", "token_expired", "account_locked")


class Refused(Exception):
    """Mend cannot do it here. `kind` picks the words, `said` is what the other side said."""

    def __init__(self, kind: str, said: str = "") -> None:
        super().__init__(f"{kind}: {said}" if said else kind)
        self.kind, self.said = kind, said


@dataclass(frozen=True)
class Look:
    """What is there before: `account` is whose credential it is, `place` where (one credential is one account at one
    place), `old` how people recognise the old one, `facts` what a later step must know. Nothing of it is secret."""

    place: str
    account: str
    overlap: bool
    old: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One rotation under way: `target` holds the credential of before, `new` the new values as far as they are known.

    `resumed` says that the step was begun before by somebody who did not come back to say whether it was done.
    """

    id: str
    target: Target
    admin: tuple[str, str] | None = field(default=None, repr=False)
    new: Mapping[str, str] = field(default_factory=dict, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict)
    resumed: bool = False

    def old(self, name: str) -> str:
        return self.target.sheet.secret(self.target.secrets, name)


class Way(Protocol):
    """Every call blocks, ends within the target's limit, and raises Trouble when the source does not answer."""

    def look(self, job: Job) -> Look:
        """What is there, and whether it can be done. Changes nothing. Raises Refused."""

    def make(self, job: Job) -> dict[str, str]:
        """The new values, where Mend makes them; nothing where the source does."""

    def change(self, job: Job) -> dict[str, str]:
        """Put the new one in force, or have it made: the new values. Raises Refused when nothing was changed.

        A resumed one must end as one that was never interrupted.
        """

    def undo(self, job: Job) -> None:
        """The new one does not work: what was before is in force again. Raises Refused when the source will not."""

    def revoke(self, job: Job) -> None:
        """End the old one. `job.new` is in force. A second call changes nothing."""


def way_of(name: str) -> Way:
    return cast(Way, importlib.import_module(f"bot.repairs.rotation.{name}"))


def wrong(trouble: Trouble) -> bool:
    """The source refused the credential itself."""
    return trouble.cause in WRONG


def judged(trouble: Trouble, *lasting: str) -> Exception:
    """What will not pass by itself ends the rotation; the rest is tried again. `lasting` are causes that last here."""
    if wrong(trouble):
        return Refused("no_login", trouble.evidence)
    if trouble.cause in ("missing_privilege", "config_error", *lasting):
        return Refused("no_right", trouble.evidence)
    return trouble


@contextmanager
def judging(judge: Callable[[Trouble], Exception] = judged) -> Iterator[None]:
    """Trouble inside is what `judge` makes of it."""
    try:
        yield
    except Trouble as trouble:
        raise judge(trouble) from None
