"""What people ask for outside a case: a new one, their own ones, help; and why they may not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.engine import new_case_id, receive
from bot.hot import CASE_IN_THREAD, Connection
from bot.settings import Settings
from bot.slack.commands import Wish, connection_of, of_connection
from bot.slack.home import OPEN, PAUSED
from bot.slack.sender import Later, Sender
from bot.store import Store
from bot.views import ending, in_order, reported_as, said_of, told_of
from flows.core.effects import Event
from flows.core.expiry import DAY
from flows.core.explain import explain
from messages import render

Payload = dict[str, Any]
# Slack wants its answer within three seconds; a person of whom it tells nothing by then is shown no names.
ASKING = 1.0


class InTheWay(Exception):
    """A thread has room for one case; `payload` says which is there."""

    def __init__(self, payload: Payload) -> None:
        super().__init__("a case is under way in this thread")
        self.payload = payload


class Wishes:
    """`place` holds team and channel, and the thread when there is one."""

    def __init__(self, store: Store, settings: Callable[[], Settings], sender: Sender) -> None:
        self.store, self.settings, self.sender = store, settings, sender

    def refused(self, channel: str) -> Payload | None:
        """Why Mend may not be used here."""
        allowed = self.settings().access.channels
        if allowed and channel not in allowed and not channel.startswith("D"):
            return render.ephemeral("channel_not_allowed", {"channels": list(allowed)})
        return None

    async def grant(self, asked: Wish, place: Mapping[str, str], user: str, key: str, typed: str = "") -> Payload:
        """Do it, and the answer for this person alone. `typed` knows a command that is typed again."""
        settings = self.settings()
        if asked.verb in ("status", "resume"):
            return await self._own_cases(asked.verb, place, user, key)
        if not settings.connections and asked.verb != "help":
            return render.ephemeral("nothing_configured", {})
        if asked.verb in ("open", "pick"):
            opened = await self.open(asked, place, user, key, typed=typed)
            guessed = asked.asked.lower() != asked.connection.lower()
            if guessed and not await self._is_member(place["team"], user):
                return render.ephemeral("starting", {"connection": asked.asked})
            return opened
        member = await self._is_member(place["team"], user)
        names = sorted(settings.connections)[:20] if member else []
        if asked.verb == "unknown":
            near = list(asked.near) if member else []
            return render.ephemeral("unknown_connection", {"asked": asked.asked, "near": near, "names": names})
        return render.ephemeral("usage", {"names": names})

    async def _is_member(self, team: str, user: str) -> bool:
        """Whether this person may read the names of connections."""
        try:
            async with asyncio.timeout(ASKING):
                return not await self.sender.is_guest(team, user)
        except (TimeoutError, Later):
            return False

    async def _groups(self, team: str, user: str) -> list[str]:
        """The owning user groups that this member is in, if Slack says so in time."""
        groups = self.settings().groups
        if not groups or not await self._is_member(team, user):
            return []
        try:
            async with asyncio.timeout(ASKING):
                return await self.sender.groups_of(team, user, groups)
        except (TimeoutError, Later):
            return []

    async def open(
        self, asked: Wish, place: Mapping[str, str], user: str, key: str, *, typed: str = "", **told: Any
    ) -> Payload:
        """`told` is what a pasted text means. Raises InTheWay when the thread has its case, or is about to."""
        settings = self.settings()
        data: dict[str, Any] = {**place, "choices": sorted(settings.connections), **told}
        if asked.connection:
            data.update(of_connection(settings, asked.connection))
            data.update({"trigger": "regenerate", "answer": asked.route} if asked.route else {})
        async with self.store.hot.transaction() as connection:
            if typed and await self.store.asked_again(connection, typed):
                return render.ephemeral("starting", {"connection": asked.connection})
            if place.get("thread"):
                await self._alone(connection, place)
            if not asked.connection:
                data["choices"] = in_order(settings, await self.store.health(connection))
            elsewhere = await self.store.open_case(connection, place["team"], place["channel"], asked.connection, OPEN)
            await receive(self.store, connection, new_case_id(), Event("opened", key, time.time(), user, data=data))
        if asked.connection and elsewhere:
            link = {"owner": elsewhere.owner, "url": elsewhere.permalink}
            return render.ephemeral("already_open", {"connection": asked.connection, **link})
        return render.ephemeral("starting", {"connection": asked.connection})

    async def case_here(self, place: Mapping[str, str]) -> Payload | None:
        """What to say when a case is under way in this thread: it has room for one."""
        async with self.store.hot.transaction() as connection:
            try:
                await self._alone(connection, place)
            except InTheWay as other:
                return other.payload
        return None

    async def _alone(self, connection: Connection, place: Mapping[str, str]) -> None:
        coming = await self.store.opening_in(connection, place["team"], place["channel"], place["thread"])
        # Over the same connection: of many at once each would hold one and wait for another.
        row = await self.store.hot.one(CASE_IN_THREAD, place, connection)
        if row is not None and row[1]["state"] in OPEN:
            raise InTheWay(_here(row[1]["connection"], row[1]["owner"]))
        if coming:
            raise InTheWay(_here(coming["data"].get("connection", ""), coming["user"]))

    async def report(self, text: str, place: Mapping[str, str], user: str, key: str) -> Payload:
        """Open a case about a text that tells of an error. The text is not kept, only what it means."""
        found = await asyncio.to_thread(explain, text)
        settings = self.settings()
        name = connection_of(found, text, settings)
        said = await asyncio.to_thread(said_of, found, settings, name)
        told: dict[str, Any] = {"reported": reported_as(found, said) if said else "", "told": told_of(found)}
        return await self.open(Wish("open" if name else "pick", name), place, user, key, **told)

    async def _own_cases(self, verb: str, place: Mapping[str, str], user: str, key: str) -> Payload:
        led = [user, *await self._groups(place["team"], user)]
        if verb == "status":
            return await self._status(place["team"], user, led)
        async with self.store.hot.transaction() as connection:
            rows = await self.store.cases_of(connection, place["team"], led, PAUSED)
            if not rows:
                return render.ephemeral("resume_none", {})
            last = next((r for r in rows if r.channel == place["channel"]), rows[0])
            data = {"team": place["team"], "answer": "mend_resume"}
            await receive(self.store, connection, last.id, Event("answered", key, time.time(), user, data=data))
        return render.ephemeral("resuming", {"connection": last.connection, "url": last.permalink})

    async def _status(self, team: str, user: str, led: Sequence[str]) -> Payload:
        """No connection to the database is held while Slack is asked who they are: there are some for twenty people."""
        settings = self.settings()
        until = time.time() + max(settings.watch.days) * DAY
        async with self.store.hot.transaction() as connection:
            rows = await self.store.cases_of(connection, team, led, OPEN)
            soon = await self.store.ending(connection, settings.connections, until)
        listed = [{"connection": r.connection, "state": r.state, "permalink": r.permalink} for r in rows]
        shown = ending(soon, settings) if soon and await self._is_member(team, user) else []
        return render.ephemeral("status_list", {"cases": listed, "ending": shown, "now": time.time()})

    async def tell(self, name: str, place: Mapping[str, str], user: str, key: str, **params: Any) -> None:
        """Say it to this person alone, once."""
        await self.tell_payload(render.ephemeral(name, params), place, user, key)

    async def tell_payload(self, payload: Payload, place: Mapping[str, str], user: str, key: str) -> None:
        async with self.store.hot.transaction() as connection:
            if await self.store.first_time(connection, key + ":said"):
                where = {"thread": "", **place}
                await self.store.defer(
                    connection, "tell", f"tell:{where['channel']}", **where, user=user, payload=payload
                )


def _here(name: str, owner: str) -> Payload:
    return render.ephemeral("case_here", {"connection": name, "owner": owner})
