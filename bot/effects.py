"""The hands: perform one order of the mind. What comes back goes in by the same door as every event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bot.engine import receive
from bot.settings import Settings
from bot.slack.sender import Later, Sender
from bot.slack.voice import Voice
from bot.store import Store
from flows.core.case import Case
from flows.core.effects import Event
from flows.core.finding import Finding, explaining, overall
from messages import render


class Hands:
    """Performs orders: what is said by the voice, checks and tickets here."""

    def __init__(self, store: Store, sender: Sender, settings: Callable[[], Settings]) -> None:
        self.store, self.settings = store, settings
        self.voice = Voice(store, sender, settings)
        self.pool = ThreadPoolExecutor(max_workers=64, thread_name_prefix="check")

    async def perform(self, name: str, args: Mapping[str, Any], key: str, snapshot: Mapping[str, Any]) -> None:
        case = Case.from_dict(snapshot)
        await getattr(self if name in ("run", "open_ticket") else self.voice, name)(case, args, key)

    async def run(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """Run the checks of a step in a worker thread; the findings come back as an event."""
        found = await asyncio.get_running_loop().run_in_executor(self.pool, self._look, case.connection, args["step"])
        event = Event(
            "checked",
            f"checked:{case.id}:{case.run}",
            time.time(),
            data={"run": case.run, "step": args["step"], "findings": [f.to_dict() for f in found]},
        )
        async with self.store.transaction() as connection:
            if args["step"] == "confirm_recovery" or explaining(found):
                top = explaining(found)
                await self.store.note_health(
                    connection, case.connection, overall(found) if not top else top.verdict, top.cause if top else None
                )
            await receive(self.store, connection, case.id, event)

    def _look(self, name: str, step: str) -> list[Finding]:
        from bot.checks.run import run_all, run_step
        from bot.checks.target import target_for

        try:
            target = target_for(self.settings(), name)
        except Exception as error:
            at = "check_network" if step in ("confirm_recovery", "check_status") else step
            return [
                Finding(at, "configuration", "bad", "config_error", "config.wrong_format", evidence=str(error)[:300])
            ]
        return run_all(target) if step == "confirm_recovery" else run_step(target, step)

    async def open_ticket(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        from bot.desks.base import DeskError, Ticket
        from bot.desks.registry import desk_for

        text = render.ticket(await self.voice.view(case))
        ticket = Ticket(
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
        desk = desk_for(self.settings().desk, self.settings().folder)
        try:
            address = await asyncio.get_running_loop().run_in_executor(self.pool, desk.open, ticket)
        except DeskError as error:
            await self._answer(case, f"ticket-problem:{case.id}:{case.version}", {"problem": error.kind})
            raise Later(error.kind, error.retry_after or 30.0) from None
        await self._answer(case, f"ticket:{case.id}:{case.version}", {"url": address.url, "id": address.id})

    async def _answer(self, case: Case, key: str, data: dict[str, Any]) -> None:
        async with self.store.transaction() as connection:
            await receive(self.store, connection, case.id, Event("ticket", key, time.time(), data=data))
