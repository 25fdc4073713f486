"""Messages that stay: posted once, edited in place, never faster than Slack allows, found again after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.hot import FORGET, PROMISE, SHOWN, TOLD, UNLOCK, Slot
from bot.slack.sender import Later, Sender, SlackRefused, closed_to_us
from bot.store import Store
from bot.tables import messages
from bot.wire import as_json
from flows.core.case import Case
from flows.core.flow import STEP_OF
from messages import render

log = logging.getLogger("mend.outbox")
# Slack asks for edits at least 3 s apart; chat.update allows 50 a minute for the whole workspace.
EDIT_SECONDS, EDITS_A_MINUTE = 3.0, 45


def metadata(case: Case) -> dict[str, Any]:
    """The message metadata of contract.md: ids and labels only."""
    top = case.finding
    verdict = top.verdict if top else ("good" if case.state == "resolved" else "")
    payload = {
        "case": case.id,
        "state": case.state,
        "step": STEP_OF[case.state],
        "verdict": verdict,
        "cause": (top and top.cause) or "",
        "code": (top and top.code) or "",
    }
    return {"event_type": "mend_case", "event_payload": payload}


def again_or_drop(refusal: SlackRefused) -> None:
    if refusal.passing:
        raise Later(refusal.error, refusal.retry_after) from None
    log.warning("slack refused a message: %s", refusal.error)


class Outbox:
    """Each message has a key, which stands in its block ids: by it Slack can be asked whether a post got through."""

    def __init__(self, store: Store, sender: Sender) -> None:
        self.store, self.sender = store, sender
        # A post holds a connection to the database while Slack is slow: some are left for everything else.
        self.posting = asyncio.Semaphore(12)

    async def shown(self, key: str) -> bool:
        row = await self.store.hot.one(SHOWN, {"key": key})
        return row is not None and row[0] is not None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot | None]:
        """For who would speak at once; None when so many are speaking that it is for the queue to say who is next."""
        if self.posting.locked():
            yield None
            return
        async with self._slot() as slot:
            yield slot

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[Slot]:
        async with self.posting, self.store.hot.connection() as connection:
            slot = Slot(connection)
            try:
                yield slot
            finally:
                await self._unlock(slot)

    async def _unlock(self, slot: Slot) -> None:
        if slot.promised and not slot.connection.closed:
            await self.store.hot.one(UNLOCK, {}, slot.connection)
        slot.promised = ""

    # Posts --------------------------------------------------------------------------------------------------------

    async def post(self, case: Case, key: str, payload: dict[str, Any], version: int, slot: Slot | None = None) -> None:
        """Post once, in the thread where the case is by now."""
        if slot is None:
            async with self._slot() as slot:
                return await self.post(case, key, payload, version, slot)
        since: float | None = None
        if slot.promised != key:
            row = {"key": key, "case": case.id, "channel": case.channel, "team": case.team, "version": version}
            found = await self.store.hot.one(PROMISE, {**row, "now": time.time()}, slot.connection)
            assert found is not None
            locked, fresh, ts, edited_at, channel, thread = found
            if not locked:
                raise Later("another process is posting this", 1.0)
            slot.promised = key
            if ts is not None:
                await self._unlock(slot)
                return
            case = replace(case, channel=channel or case.channel, thread=thread or case.thread)
            since = None if fresh else edited_at
        try:
            await self._post(case, key, {**payload, "metadata": metadata(case)}, since, slot)
        except SlackRefused as refusal:
            if refusal.error == "ratelimited":  # Slack did not take it: the next try need not look for it
                await self.store.hot.one(FORGET, {"key": key}, slot.connection)
            again_or_drop(refusal)
            await self._unlock(slot)  # or whoever posts it later is kept out by us

    async def _post(self, case: Case, key: str, payload: dict[str, Any], since: float | None, slot: Slot) -> None:
        ts = None if since is None else await self.sender.find(case.team, case.channel, case.thread, key, since)
        ts = ts or await self._send(case, key, payload)
        told = {
            "key": key, "ts": ts, "shown": as_json(payload), "now": time.time(), "channel": case.channel,
            "thread": case.thread or ts, "root_of": case.id if key.endswith(".root") else "",
            "job": slot.job if slot.last else 0, "worker": slot.worker,
        }  # fmt: skip
        await self.store.hot.one(TOLD, told, slot.connection)
        slot.promised, slot.finished = "", slot.last

    async def _send(self, case: Case, key: str, payload: dict[str, Any]) -> str:
        thread = {"thread_ts": case.thread} if case.thread else {}
        args = {"channel": case.channel, **thread, "unfurl_links": False, **payload}
        try:
            return await self._post_now(case.team, args)
        except SlackRefused as refusal:
            if closed_to_us(refusal.error) and key.endswith(".root"):
                return await self._move_to_direct_message(case, payload, refusal.error)
            if refusal.error in ("invalid_blocks", "invalid_blocks_format"):
                return await self._post_now(case.team, {**args, **render.fallback(payload)})
            raise

    async def _post_now(self, team: str, args: Mapping[str, Any]) -> str:
        return str((await self.sender.call("chat.postMessage", team, **args))["ts"])

    async def _move_to_direct_message(self, case: Case, payload: dict[str, Any], error: str) -> str:
        """The bot may not write in that channel: go on in a direct message with the person who asked."""
        note = {**render.ephemeral("not_in_channel", {"problem": error}), "metadata": payload["metadata"]}
        answer = await self.sender.call("chat.postMessage", case.team, **{"channel": case.owner, **payload})
        # The thread of a message that was pointed at stays behind.
        case.channel, case.thread, ts = str(answer["channel"]), "", str(answer["ts"])
        with contextlib.suppress(SlackRefused):
            await self._post_now(case.team, {"channel": case.channel, "thread_ts": ts, **note})
        return ts

    # Edits --------------------------------------------------------------------------------------------------------

    async def edit(self, key: str, payload: dict[str, Any], *, now: bool, settled: bool = False) -> None:
        """Edit at once, or leave the wish to the sweeper: when the message was edited too lately, or we are killed."""
        async with self.store.transaction() as connection:
            row = (await connection.execute(sa.select(messages).where(messages.c.key == key).with_for_update())).one()
            early = not now and time.time() - row.edited_at < EDIT_SECONDS
            due_at = (row.edited_at if early else time.time()) + EDIT_SECONDS
            wish = {"wanted": payload, "due_at": due_at} if row.shown != payload else {"wanted": None, "due_at": None}
            await connection.execute(
                messages.update().where(messages.c.key == key).values(**wish, settled=row.settled or settled)
            )
        if wish["wanted"] and not early:
            await self.flush(key, now=now)

    async def flush(self, key: str, *, now: bool = False) -> None:
        """Send the wanted content of a message, if it is still wanted and the workspace may be edited.

        With `now` somebody waits for it (the case asks, or has ended): then only Slack itself may hold it back.
        """
        async with self.store.transaction() as connection:
            row = (await connection.execute(sa.select(messages).where(messages.c.key == key))).first()
            if row is None or row.wanted is None or row.ts is None:
                return
            free_at = 0.0 if now or row.settled else await self._free_at(connection, row.team)
            values = {"due_at": free_at} if free_at else {"updated_at": time.time()}
            await connection.execute(messages.update().where(messages.c.key == key).values(**values))
        if free_at:
            return
        await self._update(row)
        async with self.store.alone() as connection:
            await connection.execute(
                messages.update()
                .where(messages.c.key == key, messages.c.wanted == row.wanted)
                .values(shown=row.wanted, wanted=None, due_at=None, edited_at=time.time())
            )

    async def _free_at(self, connection: AsyncConnection, team: str) -> float:
        """When the workspace may be edited again; 0 for now. What was wanted meanwhile becomes one edit."""
        recent = sa.select(messages.c.updated_at).where(
            messages.c.team == team, messages.c.updated_at > time.time() - 60
        )
        nth = recent.order_by(messages.c.updated_at.desc()).offset(EDITS_A_MINUTE - 1).limit(1)
        oldest = (await connection.execute(nth)).scalar()
        return float(oldest) + 60 if oldest else 0.0

    async def _update(self, row: Any) -> None:
        place = {"channel": row.channel, "ts": row.ts}
        try:
            try:
                await self.sender.call("chat.update", row.team, **place, **row.wanted)
            except SlackRefused as refusal:
                if refusal.error not in ("invalid_blocks", "msg_too_long"):
                    raise
                simpler = {**row.wanted, **render.fallback(row.wanted)}
                await self.sender.call("chat.update", row.team, **place, **simpler)
        except SlackRefused as refusal:
            again_or_drop(refusal)
