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


@dataclass(frozen=True)
class Stream:
    """A table or resource that the platform copies. `place` is its schema or database; `log`: by the source's log."""

    name: str
    place: str = ""
    log: bool = False


@dataclass(frozen=True)
class Shown:
    """What a platform shows of a source's set-up.

    `settings` are its own, objects within objects; what is hidden there counts for nothing. `held` are the credentials
    that it keeps, by its own names, dots leading inward. `streams` are those that were selected; None: not told, and
    `doubt` may say why.
    """

    settings: Mapping[str, Any]
    held: frozenset[str] = frozenset()
    streams: tuple[Stream, ...] | None = None
    doubt: str = ""


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


@dataclass(frozen=True)
class Listed(Source):
    """One of all sources. `names` are those that `find` knows it by, beside its id."""

    names: tuple[str, ...] = ()
    paused: Paused = ""

    def called(self, wanted: str) -> bool:
        return wanted == self.id or wanted.lower() in (name.lower() for name in self.names)


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

    def sources(self) -> list[Listed]:
        """Every source that was not deleted, paused ones too.

        Stitch: all in one answer, and no limit (https://www.stitchdata.com/docs/developers/stitch-connect/api).
        Airbyte: connections, and the sources that they read, by pages of at most 100, each counted from `offset`.
        Fivetran: by pages of at most 1,000, each naming the `cursor` of the next; 500 requests an hour on a trial,
        20,000 else.
        """

    def shown(self, source: str) -> Shown:
        """What the platform shows of one of `sources`: at most two requests."""

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
