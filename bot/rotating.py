"""The hands for rotations: what is done is written down before and after each step, so that anybody can go on."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.drivers.network import Trouble
from bot.engine import receive
from bot.repairs.rotation import ledger
from bot.repairs.rotation.preview import preview
from bot.repairs.rotation.run import NotYet, Run, Undone
from bot.settings import Settings, SettingsError
from bot.slack.installs import installations
from bot.slack.sender import Later
from bot.store import Store
from bot.tables import cases
from bot.threads import Threads
from bot.vault import fingerprint, opened
from flows.core.case import Case
from flows.core.effects import Event
from flows.core.expiry import DAY
from flows.core.sheet_rotation import STEPS, steps

log = logging.getLogger("mend.rotation")


class Rotations:
    """Performs `plan_rotation`, `rotate` and `revoke`."""

    def __init__(self, store: Store, settings: Callable[[], Settings], pool: Threads) -> None:
        self.store, self.settings, self.pool = store, settings, pool

    async def plan_rotation(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        seen = await self.pool.run(preview, self.settings(), case.connection, case.team, await self._teams(case))
        data = {"run": args["run"], "problem": "", **{k: v for k, v in seen.items() if k != "credential"}}
        async with self.store.transaction() as connection:
            await receive(self.store, connection, case.id, Event("planned", f"planned:{key}", time.time(), data=data))

    async def rotate(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """Begin, or go on where somebody stopped: the same order always means the same rotation."""
        rotation = "r" + hashlib.sha256(key.encode()).hexdigest()[:12]
        async with self.store.transaction() as connection:
            known = await ledger.find(connection, rotation)
        if known is None and not await self._begin(rotation, case, args["by"]):
            return
        await self._go_on(rotation)

    async def _begin(self, rotation: str, case: Case, by: str) -> bool:
        teams = await self._teams(case)
        seen = await self.pool.run(preview, self.settings(), case.connection, case.team, teams)
        row = {"id": rotation, "case_id": case.id, "team": case.team, "connection": case.connection, "by": by,
               "facts": {"teams": teams}}  # fmt: skip
        async with self.store.transaction() as connection:
            problem, said = seen.get("problem", ""), seen.get("said", "")
            row |= {"credential": fingerprint(seen.get("credential", ""))}
            names = [case.connection, *seen.get("plan", {}).get("shared", [])]
            if not problem and not await ledger.begin(connection, row, names):
                problem = "busy"
            if problem:
                data = {"id": rotation, "problem": problem, "said": said, "kept": True}
                event = Event("unrotated", f"unrotated:{rotation}", time.time(), by, data=data)
                await receive(self.store, connection, case.id, event)
        if not problem:
            log.info("rotation %s of %s begins, %s said yes", rotation, case.connection, by)
        return not problem

    async def finish(self, rotation: str) -> None:
        """Of a workspace that removed Mend meanwhile."""
        await self._go_on(rotation)

    async def _go_on(self, rotation: str) -> None:
        while (row := await self._row(rotation)) is not None and row.ended_at is None:
            step = _next(row)
            if step == "carry":
                return await self._park(row)
            if step is None:
                return await self._end(row)
            await self._do(row, step)

    async def _do(self, row: Any, step: str) -> None:
        """One step; that it was begun is known before it is."""
        resumed = row.facts.get("entered") == step
        async with self.store.transaction() as connection:
            await ledger.note(connection, row.id, {"entered": step})
        try:
            facts = await self.pool.run(lambda: Run(self.settings(), row, resumed=resumed).steps[step]())
        except (NotYet, Trouble) as why:
            await self._wait(row, step, why)
        except SettingsError as why:
            if step != "prepare":  # mend.yml is mended some time: what was changed is not left half-way
                return await self._wait(row, step, why)
            await self._undone(row, Undone("settings", str(why), kept=True))
        except Undone as why:
            await self._undone(row, why)
        else:
            async with self.store.transaction() as connection:
                await ledger.note(connection, row.id, {**facts, "tries": 0}, step=step)
                await self._tell(connection, row, "rotating", step, step=step)
            log.info("rotation %s of %s: %s is done", row.id, row.connection, step)

    async def _wait(self, row: Any, step: str, why: Exception) -> None:
        tries = int(row.facts.get("tries", 0)) + 1
        async with self.store.transaction() as connection:
            await ledger.note(connection, row.id, {"tries": tries})
        log.warning("rotation %s of %s waits before %s: %s", row.id, row.connection, step, type(why).__name__)
        raise Later(f"{step} is to be done again", min(2.0**tries, 60.0))

    async def _undone(self, row: Any, why: Undone) -> None:
        async with self.store.transaction() as connection:
            more = {"problem": why.kind, "said": why.said[:300], "kept": why.kept}
            await self._tell(connection, row, "unrotated", "", **more)
            await ledger.end(connection, row.id)
            left = await self._left(connection, row)
        log.warning("rotation %s of %s ended without a new credential: %s", row.id, row.connection, why.kind)
        await self.pool.run(self._forget, row.id, None if why.kept and not left else 7 * DAY)

    async def _park(self, row: Any) -> None:
        """A person carries the new one to the pipeline; until then the old one is valid, where there can be two."""
        facts = row.facts
        async with self.store.transaction() as connection:
            more = {"old": facts["old"] if facts["overlap"] else "", "problem": facts.get("platform_said", "")}
            more |= {"failing": ", ".join(facts.get("failing", [])), "taken": facts.get("taken", "")}
            await self._tell(connection, row, "carry", "", **more)
            left = await self._left(connection, row)
            if left or not facts["overlap"]:
                await ledger.end(connection, row.id)
            elif row.due_at is None:
                await ledger.note(connection, row.id, {}, due_at=time.time() + ledger.REMIND)
        if left or not facts["overlap"]:
            await self._ended(row, left, more["old"])

    async def _end(self, row: Any) -> None:
        async with self.store.transaction() as connection:
            more = {"old": row.facts["old"], "sent": row.facts.get("sent", "")}
            await self._tell(connection, row, "rotated", "", **more)
            await ledger.end(connection, row.id)
            left = await self._left(connection, row)
        await self._ended(row, left)

    async def _ended(self, row: Any, left: bool, old: str = "") -> None:
        """A new one is in use. Where nobody is left to be told, the log says where it is, and what is still valid."""
        await self.pool.run(self._forget, row.id, None)
        if not left:
            return
        await self.pool.run(lambda: opened().leave(row.id, row.team))
        log.warning(
            "the credential of %s was replaced for workspace %s, which is gone: `mend vault list` names the new one and"
            " `mend vault show` prints it for whoever puts it into the pipeline%s",
            row.connection, row.team, f"; the old one ({old}) is still valid" if old else "",
        )  # fmt: skip

    async def _left(self, connection: AsyncConnection, row: Any) -> bool:
        """Whether its workspace is gone, which may have happened since the row was read."""
        now = await ledger.find(connection, row.id)
        return now is not None and bool(now.facts.get("left"))

    async def revoke(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """End the old one now. Whatever comes back is told, and a second order finds it ended."""
        row = await self._row(args["id"])
        if row is None or row.ended_at is not None:
            return
        problem = ""
        try:
            await self.pool.run(lambda: Run(self.settings(), row).revoke())
        except (NotYet, Trouble, Undone, SettingsError) as why:
            problem = getattr(why, "said", "") or getattr(why, "evidence", "") or str(why)
        async with self.store.transaction() as connection:
            event = Event("revoked", f"revoked:{key}", time.time(), args["by"], data={"id": row.id, "problem": problem})
            await receive(self.store, connection, case.id, event)
            if not problem:
                await ledger.end(connection, row.id)
        if not problem:
            log.info("rotation %s of %s: the old one has ended, %s said so", row.id, row.connection, args["by"])
            await self.pool.run(self._forget, row.id, None)

    # -------------------------------------------------------------------------------------------------------------

    async def _teams(self, case: Case) -> list[str]:
        """The workspaces of this Mend: those that installed it, and where this connection was asked about."""
        asked = sa.select(cases.c.team).where(cases.c.connection == case.connection)
        async with self.store.alone() as connection:
            found = await connection.execute(sa.union(sa.select(installations.c.team), asked))
            return sorted(found.scalars())

    async def _row(self, rotation: str) -> Any:
        async with self.store.transaction() as connection:
            return await ledger.find(connection, rotation)

    async def _tell(self, connection: AsyncConnection, row: Any, kind: str, part: str, **data: Any) -> None:
        if await self._left(connection, row):
            return
        event = Event(kind, f"{kind}:{row.id}:{part}", time.time(), row.by, data={"id": row.id, **data})
        await receive(self.store, connection, row.case_id, event)

    def _forget(self, rotation: str, later: float | None) -> None:
        """What was put aside; what is in use has another version by now and stays."""
        if later:
            for batch in (rotation, f"{rotation}:old"):
                opened().expire(batch, later)
        else:
            opened().drop_unused(rotation)


def _next(row: Any) -> str | None:
    """The step after the last one that is known to be done."""
    if not row.step:
        return "prepare"
    overlap, sent, taken = (bool(row.facts.get(fact)) for fact in ("overlap", "sent", "taken"))
    plan = steps(overlap=overlap, sent=sent, taken=taken)
    return next((step for step in STEPS[STEPS.index(row.step) + 1 :] if step in plan), None)
