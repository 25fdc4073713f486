"""A pipeline platform owns the connection that really copies data, and its own copy of the credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable


@dataclass(frozen=True)
class Source:
    """A connection as the platform knows it."""

    id: str
    name: str
    type: str


@dataclass(frozen=True)
class LastCheck:
    """The platform's own look at a source. `id` tells one from the next; `said` is its error, unredacted."""

    id: str
    state: Literal["none", "running", "good", "bad"]
    said: str = ""


JobState = Literal["none", "running", "good", "bad"]
# Who stopped a source from running by itself.
Paused = Literal["", "somebody", "platform"]


@dataclass(frozen=True)
class Job:
    """The platform's newest run of a source. Times are in seconds since 1970, 0 where they are not known.

    `part` is where a bad one failed: `loading` is the destination's matter. `said` is its error, unredacted. `next_at`
    is when the source runs again.
    """

    id: str
    state: JobState
    started: float = 0.0
    ended: float = 0.0
    part: Literal["", "extraction", "loading"] = ""
    said: str = ""
    paused: Paused = ""
    next_at: float = 0.0


Kind = Literal["down", "auth", "rate", "config"]


class PlatformError(Exception):
    """One line for people. `down` and `rate` pass by themselves; `auth` and `config` need an admin."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind = kind

    @property
    def passing(self) -> bool:
        return self.kind in ("down", "rate")


class Platform(Protocol):
    """Every call blocks, ends within seconds, and raises PlatformError."""

    name: ClassVar[str]

    def find(self, wanted: str) -> Source:
        """The source with this id or name."""

    def last_job(self, source: str) -> Job:
        """How the newest run of the source ended."""

    def start_job(self, source: str) -> None:
        """Run the source now. One that runs already is as good."""

    def check(self) -> str:
        """For the administrator: that the platform answers, in words."""


@runtime_checkable
class Taker(Platform, Protocol):
    """A platform that takes a new credential."""

    def send(self, source: str, values: Mapping[str, str]) -> LastCheck | None:
        """Give the source these values in place of its own, by the platform's names. What is not named stays.

        What the platform saw with them, where it looked at once.
        """


@runtime_checkable
class Keeper(Taker, Protocol):
    """One that also looks by itself whether it works."""

    def last_check(self, source: str) -> LastCheck:
        """What the platform saw when it last looked at the source."""


def moment(said: Any) -> float:
    """An ISO 8601 moment in seconds since 1970; 0 for what is none."""
    try:
        return datetime.fromisoformat(str(said)).timestamp()
    except ValueError:
        return 0.0
