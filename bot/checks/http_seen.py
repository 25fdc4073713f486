"""What the calls for the selected resources said, one by one, and what follows from all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from bot.checks.http_ruling import Ruling
from bot.drivers.http import Answer
from flows.core.sheet import Probe

KEY = ("invalid_credentials", "token_expired")
MISSING = ("missing_privilege", "feature_not_enabled")
# Where this is said once there is nothing more to ask.
FOR_ALL = ("ip_not_allowlisted", "account_locked")


@dataclass(frozen=True)
class Word:
    """What is wrong with one resource. `passing`: an outage, which is a matter of this one if the others answer."""

    name: str
    ruling: Ruling
    words: str
    answer: Answer | None = None
    passing: bool = False


@dataclass
class Seen:
    """What the probes of the resources said.

    `held`: refusals of the key, as long as nothing has answered to it; `proven`: something answered to it afterwards;
    `stopped`: what made the rest not worth asking; `needs`: what each table lacks, in words.
    """

    known: Iterable[str] = ()
    implies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    answering: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    needed: dict[str, None] = field(default_factory=dict)
    roles: dict[str, None] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    granted: list[str] | None = None
    words: list[Word] = field(default_factory=list)
    held: list[tuple[Word, Probe]] = field(default_factory=list)
    proven: bool = False
    controls: int = 0
    for_everybody: bool = False
    in_a_row: int = 0
    stopped: Word | None = None

    def lacks(self, scopes: Iterable[str]) -> list[str]:
        """Scopes that are surely not granted; none when the provider does not say what is."""
        if not self.granted:
            return []
        implied = {more for one in self.granted for more in self.implies.get(one, ())}
        return [one for one in scopes if one not in self.granted and one not in implied]

    def hides(self, probe: Probe, answer: Answer, lacking: list[str]) -> bool:
        """A part is surely hidden, or all of it may be: nobody says what is granted, and nothing is there."""
        return probe.partial and bool(lacking or (not self.granted and answer.body in ([], {})))

    def answers(self, name: str) -> None:
        """The key is good: who refused it before does not let it read."""
        self.answering.append(name)
        held, self.held, self.in_a_row = self.held, [], 0
        for word, probe in held:
            self.unproven.remove(word.name)
            self.refuses(word, probe)

    def refuses(self, word: Word, probe: Probe) -> None:
        """401 to a key that others answer to."""
        self.proven = True
        ruling = Ruling("bad", "missing_privilege", "auth.insufficient_scope", (word.ruling.code,))
        self.lacking(replace(word, ruling=ruling), probe)

    def lacking(self, word: Word, probe: Probe, named: Iterable[str] = ()) -> None:
        """A table without access. Its scope is not what it lacks where that is granted, or something else is wrong."""
        self.words.append(word)
        self.missing.append(word.name)
        self.in_a_row = 0
        about_us = word.ruling.cause == "missing_privilege"
        given = named or self.lacks(probe.scopes) or (() if self.granted else probe.scopes)
        scopes, roles = (list(given), [probe.role] if probe.role else []) if about_us else ([], [])
        self.needed.update(dict.fromkeys(scopes))
        self.roles.update(dict.fromkeys(roles))
        self.needs[word.name] = ", ".join([*scopes, *roles])

    def partly(self, name: str, scopes: Iterable[str]) -> None:
        """It answers, and something may stay hidden."""
        self.partial.append(name)
        self.needed.update(dict.fromkeys(scopes))
        self.needs[name] = ", ".join(scopes)
        self.in_a_row = 0

    def open(self, word: Word) -> None:
        """Not proven, and why."""
        self.words.append(word)
        self.unproven.append(word.name)

    def general(self, word: Word) -> None:
        """What may be a matter of all: after some in a row no more are asked, after a limit none."""
        self.open(word)
        self.in_a_row += 1
        enough = 2 if word.passing or word.ruling.cause in FOR_ALL else 3
        if word.ruling.cause == "rate_limited":
            self.stopped = word
        elif self.in_a_row >= enough:
            self.stopped = self.words[-enough]

    def first(self) -> Word | None:
        """What the finding is about: the key and the address, rights, what stopped us, and what else is wrong."""
        if self.stopped and self.stopped.ruling.cause in (*KEY, *FOR_ALL):
            return self.stopped
        bad = [one for one in self.words if one.ruling.verdict == "bad"]
        right = next((one for one in bad if one.name in self.missing), None)
        answered = bool(self.answering or self.missing or self.partial)
        lasting = next((one for one in bad if not (one.passing and answered)), None)
        if told := right or self.stopped or lasting:
            return told
        if self.partial:
            needs = f" without {', '.join(self.needed)}" if self.needed else ""
            words = f"{', '.join(self.partial)} answer, but a part may stay hidden{needs}"
            return Word("", Ruling("unclear", "missing_privilege", "privilege.rows_hidden"), words)
        if self.words:
            return replace(self.words[0], ruling=replace(self.words[0].ruling, verdict="unclear"))
        return self._unasked()

    def _unasked(self) -> Word | None:
        if self.unknown:
            named = [f"{one}{self._similar(one)}" for one in self.unknown[:8]]
            ruling = Ruling("unclear", "config_error", "config.object_missing")
            return Word("", ruling, f"no call is known for {', '.join(named)}")
        if self.unproven:
            return Word("", Ruling("unclear", "unclassified", "availability.too_slow"), "time ran out")
        return None

    def _similar(self, name: str) -> str:
        bare = name.rpartition(".")[2].lower()
        known = {one.lower(): one for one in self.known}
        near = get_close_matches(bare, known, 1, 0.8)
        return f" (perhaps {known[near[0]]})" if near else ""

    def facts(self) -> dict[str, Any]:
        needs = [f"{name}: {needed}" for name, needed in self.needs.items() if needed]
        return {
            "missing": [*self.missing, *self.partial], "scopes_needed": list(self.needed),
            "scopes_granted": self.granted or [], "unproven": self.unproven, "roles_needed": list(self.roles),
            **({"needs": needs} if len(set(self.needs.values())) > 1 else {}),
        }  # fmt: skip

    def others(self, told: Word) -> str:
        """What else is known beside the first trouble, so that nobody asks one by one."""
        why = {one.name: one.words.removeprefix(f"{one.name}: ")[:60].strip() for one in self.words}
        said = {**why, **{name: needed for name, needed in self.needs.items() if needed}}
        parts: tuple[tuple[str, list[str], dict[str, str]], ...] = (
            ("also without access", [one for one in self.missing if one != told.name], said),
            ("perhaps hidden in part", self.partial if told.name else [], said),
            ("not proven", [one for one in self.unproven if one != told.name and one not in told.words], why),
            ("answering", self.answering, {}),
        )
        listed = [(what, [_with(one, more) for one in names[:8]], names[8:]) for what, names, more in parts if names]
        words = [f"{what}: {', '.join(names)}{' ...' if more else ''}" for what, names, more in listed]
        return "; " + "; ".join(words) if words else ""


def _with(name: str, said: dict[str, str]) -> str:
    return f"{name} ({said[name]})" if said.get(name) else name
