"""Looks at every connection once a day, and reminds somebody before a thing runs out: once per thing and threshold."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import expiries
from bot.repairs.rotation.base import WRONG
from bot.repairs.trial import account_of
from bot.settings import Settings, SettingsError
from bot.settings_parts import is_group, is_person
from bot.slack.installs import installations
from bot.slack.outbox import again_or_drop
from bot.slack.sender import Later, Sender, SlackRefused
from bot.store import Store
from bot.tables import cases
from bot.threads import Threads
from bot.vault import opened
from flows.core.expiry import DAY, Expiry, threshold
from flows.core.finding import Finding, explaining, overall
from messages import render

log = logging.getLogger("mend.watch")
# The members of a larger group are called where all see it, not one by one.
CLOSE = 10
# What another connection may stand on as well; a token is known by its field, so only within its connection.
SHARED = ("certificate", "client_certificate", "ssh_certificate", "password")


@dataclass(frozen=True)
class Place:
    """Where a reminder goes: a person's direct messages or a channel, where `mention` is called."""

    team: str
    channel: str
    mention: str = ""


async def queue_looks(store: Store, settings: Settings) -> None:
    """One job for each connection whose time has come."""
    async with store.transaction() as connection:
        if not (await connection.execute(sa.text("SELECT pg_try_advisory_xact_lock(7264503)"))).scalar():
            return
        for name in await expiries.due_looks(connection, list(settings.connections)):
            await store.defer(connection, "look", f"look:{name}", name=name)


class Watch:
    """Performs the jobs `look` and `remind`."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        settings: Callable[[], Settings],
        pool: Threads,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.sender, self.settings, self.pool, self.clock = store, sender, settings, pool, clock
        # Each holds a connection to the database while Slack is asked.
        self.reminding = asyncio.Semaphore(4)

    async def look(self, name: str) -> None:
        """The same checks as in a case, unless one made them today, and the people behind the connection."""
        if name not in self.settings().connections:
            return
        async with self.store.alone() as connection:
            lately = await expiries.looked_lately(connection, name)
            known = (await self.store.health(connection)).get(name)
        # A login that was refused is not tried again by itself: some sources lock the account after a few.
        refused = known is not None and known.cause in WRONG
        left = await self._left(name)
        found = [] if lately else await self.pool.run(self._checked, name, refused)
        async with self.store.transaction() as connection:
            await expiries.note(connection, name, found, whole=not (lately or refused))
            await expiries.people_left(connection, name, left)
            if found and not refused:
                top = explaining(found)
                cause = top.cause if top else None
                await self.store.note_health(connection, name, overall(found), cause, account_of(found) or None)
        await self._remind(name)

    def _checked(self, name: str, refused: bool) -> list[Finding]:
        from bot.checks.run import run_all, run_step
        from bot.checks.target import target_for

        try:
            target = target_for(self.settings(), name)
        except SettingsError as error:
            log.warning("%s is not looked at: %s", name, error)
            return []
        return run_step(target, "check_network") if refused else run_all(target)

    # People ------------------------------------------------------------------------------------------------------

    async def _left(self, name: str) -> list[str]:
        """Who owns the connection or put in its credentials, and is deactivated in Slack."""
        owner = self.settings().connections[name].owner or ""
        by = [entry.by for entry in (await self.pool.run(lambda: opened().kept(name))).values()]
        people = [one for one in dict.fromkeys((owner, *by)) if is_person(one)]
        return [one for one in people if (await self._known(one))[1].get("deleted")]

    async def _known(self, user: str) -> tuple[str, Mapping[str, Any]]:
        """The workspace of this person, and what it says of them: nothing where Mend may not ask. '' for a stranger.

        A workspace that shares a channel with theirs knows them too, and is not theirs.
        """
        teams = await self._teams()
        for team in teams:
            info = await self.sender.user(team, user)
            if info.get("id") == user and not info.get("is_stranger"):
                return team, info
        return (teams[0], {}) if len(teams) == 1 else ("", {})

    async def _teams(self) -> list[str]:
        """Where Mend is: installed by itself, or by SLACK_BOT_TOKEN."""
        async with self.store.alone() as connection:
            query = sa.select(installations.c.team).order_by(installations.c.at)
            teams = list((await connection.execute(query)).scalars())
        own = await self.sender.team()
        return list(dict.fromkeys([*teams, *([own] if own else [])]))

    # Reminders ---------------------------------------------------------------------------------------------------

    async def _remind(self, name: str) -> None:
        settings, now = self.settings(), self.clock()
        days = settings.watch.days
        async with self.store.alone() as connection:
            rows = await self.store.ending(connection, [name], now + max(days) * DAY)
        ways = await self._ways(settings, name) if rows else []
        async with self.store.transaction() as connection:
            for row, places in itertools.product(rows, ways):
                at_most = threshold(Expiry(row.kind, row.what, row.at), days, now)
                shared = row.kind in SHARED
                names = await expiries.sharing(connection, row) if shared else [name]
                key = _key(row.kind, row.what, "" if shared else name, round(row.at), at_most, places[0].channel)
                if at_most is not None and await expiries.claim(connection, key, row.at):
                    view = {"kind": row.kind, "what": row.what, "at": row.at, "names": names}
                    job = {"key": key, "places": [asdict(place) for place in places], "view": view}
                    await self.store.defer(connection, "remind", f"remind:{key}", **job)

    async def _ways(self, settings: Settings, name: str) -> list[list[Place]]:
        """Who is reminded, each with where, the best place first: the owner alone, or each member of the group that is
        it; else the connection's channel with its owner called, else an administrator.
        """
        owner = settings.connections[name].owner or ""
        team, people = await self._group(owner) if is_group(owner) else ("", [owner] if is_person(owner) else [])
        found = [await self._direct(one, owner) for one in people] if len(people) <= CLOSE else []
        if direct := [[place] for place in found if place]:
            return direct
        mention = "" if is_person(owner) else owner
        places = [Place(where, channel, mention) for where, channel in await self._channels(settings, name, team)]
        admins = [await self._direct(admin) for admin in settings.access.admins]
        places += [one for one in admins if one][:1]
        if not places:
            log.warning("%s: nobody can be reminded: give it an owner, or set watch.channel in mend.yml", name)
        return [places] if places else []

    async def _group(self, group: str) -> tuple[str, Sequence[str]]:
        """The workspace of a user group, and who is in it."""
        for team in await self._teams():
            if people := await self.sender.members(team, group):
                return team, people
        return "", ()

    async def _direct(self, user: str, owner: str = "") -> Place | None:
        """A person alone; who hears of it as one of a group is told so."""
        team, info = await self._known(user)
        if not team or info.get("deleted"):
            return None
        if not is_group(owner):
            return Place(team, user)
        outside = info.get("is_bot") or await self.sender.is_guest(team, user)
        return None if outside else Place(team, user, owner)

    async def _channels(self, settings: Settings, name: str, home: str) -> list[tuple[str, str]]:
        """(team, channel) of mend.yml, else where its last case was; never one where Mend may not be used.

        mend.yml does not say in which workspace the channel is: the others do not know it.
        """
        allowed, teams = settings.access.channels, await self._teams()
        if settings.watch.channel:
            return [(team, settings.watch.channel) for team in sorted(teams, key=lambda team: team != home)]
        query = sa.select(cases.c.team, cases.c.channel).where(cases.c.connection == name, cases.c.team.in_(teams))
        query = query.where(cases.c.channel.not_like("D%")).order_by(cases.c.changed_at.desc()).limit(1)
        async with self.store.alone() as connection:
            row = (await connection.execute(query)).first()
        return [(row.team, row.channel)] if row and (not allowed or row.channel in allowed) else []

    async def remind(self, key: str, places: Sequence[Mapping[str, str]], view: Mapping[str, Any]) -> None:
        """Post it once, at the first of the places that Slack lets it be posted to."""
        async with self.reminding, self.store.alone() as connection:
            if not await expiries.hold(connection, key):
                raise Later("another process is sending this", 1.0)
            try:
                await self._post(connection, key, [Place(**raw) for raw in places], view)
            finally:
                await expiries.let_go(connection, key)

    async def _post(
        self, connection: AsyncConnection, key: str, places: Sequence[Place], view: Mapping[str, Any]
    ) -> None:
        for place in places:
            before = await expiries.begin(connection, key)
            if before == "sent" or (before != "due" and await self._is_there(connection, place, key, before)):
                break
            try:
                payload = render.reminder({**view, "mention": place.mention, "now": self.clock()}, key=f"r{key}")
                answer = await self.sender.call("chat.postMessage", place.team, channel=place.channel, **payload)
                if is_person(place.channel):
                    await expiries.learn(connection, place.team, place.channel, str(answer["channel"]))
                    if before != "due":
                        await self._take_back(place, str(answer["channel"]), key)
                break
            except SlackRefused as refusal:
                await expiries.become(connection, key, "lost" if refusal.lost else "due")
                again_or_drop(refusal)
        await expiries.become(connection, key, "sent")

    async def _is_there(self, connection: AsyncConnection, place: Place, key: str, before: str) -> bool:
        """Whether a post got through that was not written down: its answer was lost, or somebody was killed.

        Direct messages are looked through where Slack has told which they are. Else a lost answer counts as a post, and
        who was killed may not have come to it: it is sent again, and a second one taken back once it is known where.
        """
        channel = place.channel
        if is_person(channel):
            channel = await expiries.direct_of(connection, place.team, channel)
        if not channel:
            return before == "lost"
        try:
            there = bool(await self.sender.find(place.team, channel, "", f"r{key}", time.time() - DAY))
        except SlackRefused as refusal:
            raise Later(refusal.error, refusal.retry_after) from None
        if there and is_person(place.channel):
            await self._take_back(place, channel, key)
        return there

    async def _take_back(self, place: Place, channel: str, key: str) -> None:
        try:
            await self.sender.keep_one(place.team, channel, f"r{key}", time.time() - DAY)
        except SlackRefused as refusal:
            if refusal.passing:
                raise Later(refusal.error, refusal.retry_after) from None
            log.warning("a reminder may stand twice in %s: %s", channel, refusal.error)


def _key(*parts: object) -> str:
    return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()[:20]
