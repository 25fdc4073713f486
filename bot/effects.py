"""The hands: perform one order of the mind. What comes back goes in by the same door as every event."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot import expiries
from bot.authorizing import Authorizing
from bot.engine import receive
from bot.hot import Slot
from bot.mending import Mending
from bot.platforms.deliver import lives_there, runs_there
from bot.repairs.trial import account_of
from bot.rotating import Rotations
from bot.settings import Settings, SettingsError
from bot.slack.sender import Sender
from bot.slack.voice import Voice
from bot.store import Store
from bot.threads import Threads
from bot.watch import Watch
from flows.core import job
from flows.core.case import Case
from flows.core.effects import Event
from flows.core.finding import Finding, explaining, overall
from messages import render

if TYPE_CHECKING:
    from bot.desks.base import Address, Ticket

log = logging.getLogger("mend.effects")


class Hands:
    """Performs orders: what is said by the voice, checks and tickets here."""

    def __init__(self, store: Store, sender: Sender, settings: Callable[[], Settings]) -> None:
        self.store, self.settings = store, settings
        self.voice = Voice(store, sender, settings)
        self.pool = Threads(max_workers=64, thread_name_prefix="check")
        self.watch = Watch(store, sender, settings, self.pool)
        self.mending = Mending(store, self.voice, settings, self.pool)
        self.authorizing = Authorizing(self.mending)
        self.rotations = Rotations(store, settings, self.pool)

    async def perform(self, name: str, args: Mapping[str, Any], key: str, snapshot: Mapping[str, Any]) -> None:
        case = Case.from_dict(snapshot)
        hand = {"run": self, "open_ticket": self, "start_job": self,
                "send_link": self.mending, "confirm_link": self.mending, "forget_kept": self.mending,
                "plan_rotation": self.rotations, "rotate": self.rotations, "revoke": self.rotations}  # fmt: skip
        await getattr(hand.get(name, self.voice), name)(case, args, key)

    async def speak(self, orders: Sequence[Sequence[Any]], snapshot: Mapping[str, Any], slot: Slot | None) -> None:
        """What a case says after one event, in its order. With a slot the last post also ends the job."""
        case = Case.from_dict(snapshot)
        for n, (name, args, key) in enumerate(orders, 1):
            if slot:
                slot.last = n == len(orders)
            await getattr(self.voice, name)(case, args, key, slot)

    async def run(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """Run the checks of a step in a worker thread; the findings come back as an event."""
        found = await self.pool.run(self._look, case, args["step"])
        event = Event(
            "checked",
            f"checked:{case.id}:{case.run}",
            time.time(),
            data={"run": case.run, "step": args["step"], "findings": [f.to_dict() for f in found]},
        )
        async with self.store.transaction() as connection:
            # That the pipeline has not run yet says nothing of the connection.
            own = [f for f in found if f.check != job.CHECK or f.verdict == "bad"]
            top, whole = explaining(own), args["step"] == "confirm_recovery"
            await expiries.note(connection, case.connection, own, whole=whole)
            if whole or top:
                verdict, cause = overall(own), top.cause if top else None
                await self.store.note_health(connection, case.connection, verdict, cause, account_of(found) or None)
            await receive(self.store, connection, case.id, event)

    def _look(self, case: Case, step: str) -> list[Finding]:
        """What our own checks see, and at the end what the pipeline itself does."""
        from bot.platforms.witness import data_flows_again

        ours = step != "await_job" or case.connection not in self.settings().connections
        found = self._checked(case, step) if ours else []
        if step not in ("await_job", "confirm_recovery") or explaining(found):
            return found
        if not runs_there(self.settings(), case.connection):
            return found
        broken_since = case.confirming_at if case.tried else 0.0
        return [*found, data_flows_again(self.settings(), case.connection, case.team, broken_since, case.opened_at)]

    async def start_job(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """Have the platform run the source; it runs once, however often it is asked."""
        from bot.platforms.witness import start_job

        problem = await self.pool.run(start_job, self.settings(), case.connection)
        event = Event("job_started", f"job_started:{key}", time.time(), args["by"], data={"problem": problem})
        async with self.store.transaction() as connection:
            await receive(self.store, connection, case.id, event)

    def _checked(self, case: Case, step: str) -> list[Finding]:
        from bot.checks.run import run_all, run_step
        from bot.checks.target import target_for
        from bot.platforms.witness import seen_there

        settings = self.settings()
        try:
            target = target_for(settings, case.connection, case.team)
        except Exception as error:
            at = "check_network" if step in ("confirm_recovery", "check_status", "await_job") else step
            return [
                Finding(at, "configuration", "bad", "config_error", "config.wrong_format", evidence=str(error)[:300])
            ]
        if lives_there(settings, case.connection):
            return seen_there(settings, case.connection, case.team, step)
        return run_all(target) if step == "confirm_recovery" else run_step(target, step)

    async def open_ticket(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """Open it, or find the one already opened. Whatever is in the way is told in the thread."""
        from bot.desks.base import DeskError

        try:
            address = await self._opened(case, key)
            data: dict[str, Any] = {"url": address.url, "id": address.id}
        except DeskError as error:
            data = {"problem": error.kind, "said": str(error), "after": error.retry_after}
        except SettingsError as error:
            data = {"problem": "config", "said": str(error)}
        except Exception as error:
            log.exception("the desk failed")
            data = {"problem": "down", "said": f"the desk failed ({type(error).__name__})"}
        async with self.store.transaction() as connection:
            await receive(self.store, connection, case.id, Event("ticket", f"ticket:{key}", time.time(), data=data))

    async def _opened(self, case: Case, key: str) -> Address:
        from bot.desks.base import Address, DeskError
        from bot.desks.registry import desk_for

        known = (await self.voice.latest(case)).ticket
        if known.get("id"):
            return Address(known.get("url", ""), known["id"])
        settings = self.settings()
        desk = await self.pool.run(desk_for, settings.desk, settings.folder)
        if not desk.finds_again:
            async with self.store.transaction() as connection:
                if not await self.store.first_time(connection, f"sending:{key}"):
                    raise DeskError("unsure", "Mend was stopped while it sent the ticket")
        return await self.pool.run(desk.open, await self._ticket(case))

    async def _ticket(self, case: Case) -> Ticket:
        from bot.desks.base import Ticket

        text = render.ticket(await self.voice.view(case))
        return Ticket(
            id=case.id,
            subject=text["subject"],
            body=text["body"],
            connection=case.connection,
            connector=case.connector,
            cause=(case.finding and case.finding.cause) or "",
            code=(case.finding and case.finding.code) or "",
            requester=case.owner,
            evidence=[f.to_dict() for f in case.findings],
        )
