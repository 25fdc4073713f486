"""One rotation, step by step. Every step can be done again by somebody who does not know whether it was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.checks.run import run_all, run_step
from bot.checks.target import given, target_for
from bot.checks.text import retold
from bot.drivers.network import Trouble
from bot.platforms.base import LastCheck, PlatformError
from bot.platforms.deliver import lives_there, pipeline_of, place_of, proving_place_of
from bot.repairs.rotation.base import Job, Look, Refused, Way, way_of, wrong
from bot.repairs.rotation.blast import admin_of, elsewhere, plan_of, sharing, stored
from bot.repairs.trial import accepted
from bot.settings import Settings
from bot.vault import NEWCOMER, opened
from flows.core.finding import Finding, explaining
from flows.core.sheet import sheet

Facts = dict[str, Any]
# A key that was made a moment ago is not yet known everywhere:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
PATIENCE = 8


class NotYet(Exception):
    """The step is to be done again later: the source does not answer, or does not know the new one yet."""


class Undone(Exception):
    """It ends here. `kept`: what was in force before is in force now, as far as a login can tell."""

    def __init__(self, kind: str, said: str, *, kept: bool) -> None:
        super().__init__(kind)
        self.kind, self.said, self.kept = kind, said, kept


class Run:
    """A rotation as its row of the ledger says, with the settings of now."""

    def __init__(self, settings: Settings, row: Any, *, resumed: bool = False) -> None:
        self.settings, self.row, self.resumed = settings, row, resumed
        self.name, self.team = str(row.connection), str(row.team)
        connection = settings.connections.get(self.name)
        known = sheet(connection.connector).rotation if connection else None
        if known is None:  # an edit of mend.yml in the middle of it throws nothing away
            raise NotYet("mend.yml does not name this connection, or its connector is not rotated, any more")
        self.known = known
        self.way: Way = way_of(known.way)
        self.steps: Mapping[str, Callable[[], Facts]] = {
            "prepare": self.prepare, "change": self.change, "test": self.test, "store": self.store,
            "send": self.send, "confirm": self.confirm, "revoke": self.revoke,
        }  # fmt: skip

    @property
    def names(self) -> list[str]:
        return [self.name, *self.row.facts.get("shared", [])]

    @property
    def places(self) -> list[Sequence[str]]:
        """The workspaces and connections that get the new one."""
        return [*((self.team, name) for name in self.names), *self.row.facts.get("elsewhere", [])]

    @property
    def before(self) -> str:
        """Where the old one is kept until it has ended."""
        return f"{self.row.id}:old"

    def job(self, **more: Any) -> Job:
        """The old one comes from where it was put aside: by now the connection itself may have the new one."""
        old = self._kept(self.before)
        target = target_for(self.settings, self.name, self.team, trial=old)
        facts = {**self.row.facts, **more}
        new = self._kept(self.row.id)
        return Job(self.row.id, target, admin_of(self.settings, self.name), new, facts, self.resumed)

    def _kept(self, batch: str) -> dict[str, str]:
        """Values by field, of this connection."""
        mine = stored(self.settings, [self.name], {field: field for field in self.known.replaces})[self.name]
        kept = opened().of_batch(batch)
        return {field: kept[name] for name, field in mine.items() if name in kept}

    def _keep(self, batch: str, values: Mapping[str, str], places: Sequence[Sequence[str]], version: str) -> None:
        """In each workspace and connection of `places`; a name of the vault that two of them refer to, once."""
        opened().forget(batch=batch)
        known = set[tuple[str, str]]()
        for team, name in places:
            named = stored(self.settings, [name], values).get(name, {})
            fresh = {vaulted: value for vaulted, value in named.items() if (team, vaulted) not in known}
            known.update((team, vaulted) for vaulted in fresh)
            if fresh:
                opened().add(batch, fresh, self.row.by, team=team, connection=name, version=version, lasts=None)

    # Steps -------------------------------------------------------------------------------------------------------

    def prepare(self) -> Facts:
        """Nothing is changed yet: the old one is put aside and the new one kept before anybody else knows it."""
        if plan_of(self.settings, self.name) is None:
            raise Undone("not_allowed", "", kept=True)
        target = target_for(self.settings, self.name, self.team)
        old = {f: target.sheet.secret(target.secrets, f) for f in self.known.replaces}
        self._keep(self.before, {f: v for f, v in old.items() if v}, [(self.team, self.name)], "before")
        shared = sharing(self.settings, self.name, self.team)
        names = [self.name, *shared]
        # Who installs Mend later reads mend.yml, which may name what ends here: the new one is kept for them too.
        others = elsewhere(self.settings, names, self.team, [*self.row.facts.get("teams", []), NEWCOMER])
        others = [("" if team == NEWCOMER else team, name) for team, name in others]
        seen = self._look()
        if new := self.way.make(self.job()):
            self._keep(self.row.id, new, [*((self.team, name) for name in names), *others], "new")
        facts = {**seen.facts, "shared": shared, "elsewhere": others, "overlap": seen.overlap, "old": seen.old}
        return {**facts, **self._pipeline()}

    def _pipeline(self) -> Facts:
        """Whether a platform takes the new one, and what it saw last: its next look is the proof."""
        try:
            place = proving_place_of(self.settings, self.name)
            seen = place.platform.last_check(place.source).id if place else ""
        except PlatformError as error:
            return {"sent": "", "taken": "", "platform_said": str(error)}
        return {**pipeline_of(self.settings, self.name), "seen_before": seen}

    def _look(self) -> Look:
        try:
            return self.way.look(self.job())
        except Refused as refused:
            raise Undone(refused.kind, refused.said, kept=True) from None
        except Trouble as trouble:
            raise Undone("unreachable", trouble.evidence, kept=True) from None

    def change(self) -> Facts:
        try:
            new = self.way.change(self.job())
        except Refused as refused:
            if self.resumed and self._works(self._kept(self.row.id)):
                return {}
            raise Undone(refused.kind, refused.said, kept=self._old_works()) from None
        # What is kept already is in force and stays untouched: between deleting and writing it we might be stopped.
        if new != self._kept(self.row.id):
            self._keep(self.row.id, new, self.places, "new")
        return {}

    def test(self) -> Facts:
        """By the connection's own checks, as the pipeline will use it."""
        found = run_all(target_for(self.settings, self.name, self.team, trial=self._kept(self.row.id)))
        if accepted(found):
            return {}
        top = explaining([f for f in found if f.step != "check_status"])
        said = top.evidence if top else ""
        if top is None or top.step != "verify_credentials" or top.verdict != "bad" or not self._out_of_patience():
            raise NotYet(said)
        try:
            self.way.undo(self.job())
        except Refused as refused:
            raise Undone("not_undone", refused.said, kept=self._old_works()) from None
        raise Undone("refused", said, kept=self._old_works())

    def _out_of_patience(self) -> bool:
        """Where nothing has to spread, one more try is enough: a server may lock who comes often with a wrong one."""
        return int(self.row.facts.get("tries", 0)) + 1 >= (PATIENCE if self.row.facts.get("overlap") else 2)

    def store(self) -> Facts:
        """In use from now on, by every connection that shares it. What the platform alone holds is not kept here."""
        there = [n for n in self.names if self.row.facts.get("sent") and lives_there(self.settings, n)]
        self._promote(there)
        return {}

    def _promote(self, there: Sequence[str] = ()) -> None:
        replaced = {}
        for name in self.names:
            connection = self.settings.connections[name]
            known = sheet(connection.connector)
            for field in self.known.replaces:
                value = given(self.settings, known, connection, known.field_name(field))
                for vaulted in stored(self.settings, [name], {field: ""})[name]:
                    replaced.update({vaulted: value} if value is not None else {})
        opened().promote(self.row.id, replaced, self.settings.vault, there)

    def send(self) -> Facts:
        """To the pipeline, for every connection that shares it. What its platform will not take, a person carries."""
        try:
            facts: Facts = {}
            for name in self.names:
                place = place_of(self.settings, name)
                seen = place.send(self._kept(self.row.id)) if place else None
                if seen and name == self.name:
                    facts = {"looked": {"id": seen.id, "state": seen.state, "said": self._evidence(seen.said)}}
            return facts
        except PlatformError as error:
            return self._by_person(str(error), passing=error.passing)

    def _by_person(self, said: str, *, passing: bool = False) -> Facts:
        """The pipeline does not have it, or has not proven it: a person sees to it before the old one ends."""
        if passing and not self._out_of_patience():
            raise NotYet(said)
        self._promote()
        return {"sent": "", "taken": "", "platform_said": said[:300]}

    def confirm(self) -> Facts:
        """As it is stored, it opens every connection that shares it; where it does not, that is told."""
        there = self.row.facts.get("sent") and lives_there(self.settings, self.name)
        if not self._works(self._kept(self.row.id) if there else {}):
            if self._out_of_patience():
                raise Undone("lost", "", kept=self._old_works())
            raise NotYet("")
        failing = [name for name in self.names[1:] if self._verified(name, {}).verdict == "bad"]
        return {"failing": failing, **(self._seen_there() if self.row.facts.get("sent") else {})}

    def _seen_there(self) -> Facts:
        """The platform's own look after it got the new one: at once, or by itself."""
        try:
            place = proving_place_of(self.settings, self.name)
            seen = place.platform.last_check(place.source) if place else None
            if (at_once := self.row.facts.get("looked")) and at_once["state"] != "running":
                seen = LastCheck(**at_once)
        except PlatformError as error:
            return self._by_person(str(error), passing=error.passing)
        if seen is None or seen.id == self.row.facts.get("seen_before") or seen.state in ("running", "none"):
            return self._by_person("it has the new one and has not looked yet whether it works", passing=True)
        if seen.state == "good":
            return {}
        return self._by_person(f"it has the new one and its own check fails: {self._evidence(seen.said)}")

    def _evidence(self, said: str) -> str:
        return retold(target_for(self.settings, self.name, self.team, trial=self._kept(self.row.id)), said)

    def revoke(self) -> Facts:
        """The old one ends."""
        try:
            self.way.revoke(self.job())
        except Refused as refused:
            raise Undone(refused.kind, refused.said, kept=True) from None
        return {}

    # What a login tells ------------------------------------------------------------------------------------------

    def _verified(self, name: str, values: Mapping[str, str]) -> Finding:
        found = run_step(target_for(self.settings, name, self.team, trial=values), "verify_credentials")
        return found[0]

    def _works(self, values: Mapping[str, str]) -> bool:
        """Whether these log in: whom a right is denied was let in. Raises NotYet when that cannot be told."""
        found = self._verified(self.name, values)
        if found.cause == "missing_privilege":
            return True
        if found.verdict != "good" and not wrong(Trouble(found.cause or "", "", "")):
            raise NotYet(found.evidence)
        return found.verdict == "good"

    def _old_works(self) -> bool:
        return self._works(self._kept(self.before))
