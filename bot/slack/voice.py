"""What a case says in its thread: posts once, edits in place, never faster than Slack allows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot import views
from bot.settings import Settings
from bot.slack.sender import Later, Sender, SlackRefused
from bot.store import Store, cases, messages
from flows.core.case import CLOSED, Case
from flows.core.flow import STEP_OF
from messages import render

log = logging.getLogger("mend.voice")
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


class Voice:
    """Performs the orders that say something. `settings` is asked anew for each, so that an edited mend.yml is seen."""

    def __init__(self, store: Store, sender: Sender, settings: Callable[[], Settings]) -> None:
        self.store, self.sender, self.settings = store, sender, settings

    # What is said -----------------------------------------------------------------------------------------------

    async def view(self, case: Case, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        async with self.store.transaction() as connection:
            row = (await connection.execute(sa.select(cases.c.permalink).where(cases.c.id == case.id))).first()
            health = await self.store.health(connection) if case.state == "choosing" else {}
        settings = self.settings()
        extra = {"choices": views.choices(settings, health)} if case.state == "choosing" else {}
        return views.case_view(
            case,
            settings,
            step=STEP_OF[case.state],
            url=row.permalink if row else "",
            params={**extra, **(params or {})},
        )

    async def say(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        view = await self.view(case, args["params"])
        payload = render.message(args["template"], view, args["buttons"], key=key)
        await self._post(case, key, payload, case.version if args["question"] else -1)

    async def root(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """The living summary: posted once, then edited."""
        key = f"{case.id}.root"
        latest = await self._latest(case)
        payload = render.root(await self.view(latest), key=key)
        if not await self._shown(key):
            await self._post(latest, key, payload, -1)
            await self._link(case)
        else:
            await self._edit(
                key, {**payload, "metadata": metadata(latest)}, now=latest.waiting or latest.state in CLOSED
            )

    async def progress(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        key = f"{case.id}.run{args['walk']}"
        payload = render.progress(await self.view(case), key=key)
        if await self._shown(key):
            await self._edit(key, {**payload, "metadata": metadata(case)}, now=case.waiting or case.state in CLOSED)
        else:
            await self._post(case, key, payload, -1)

    async def settle(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """Take the buttons off every answered question and say who answered what."""
        async with self.store.transaction() as connection:
            query = sa.select(messages).where(
                messages.c.case_id == case.id,
                messages.c.version >= 0,
                messages.c.ts.is_not(None),
                messages.c.settled.is_(False),
            )
            rows = (await connection.execute(query)).all()
        for row in rows:
            if row.version > int(args.get("version", case.version)):
                continue
            done = render.settled(row.shown["blocks"], args["answer"], args["by"])
            await self._edit(row.key, {**row.shown, **done}, now=True, settled=True)

    async def whisper(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        latest = await self._latest(case)
        payload = render.message(args["template"], await self.view(latest, args["params"]), args["buttons"], key=key)
        try:
            await self.sender.call(
                "chat.postEphemeral", channel=latest.channel, user=args["user"], thread_ts=latest.thread, **payload
            )
        except SlackRefused as refusal:
            self._again_or_drop(refusal)

    async def _latest(self, case: Case) -> Case:
        async with self.store.transaction() as connection:
            body = await self.store.load(connection, case.id)
        return Case.from_dict(body) if body else case

    async def _shown(self, key: str) -> bool:
        async with self.store.transaction() as connection:
            row = (await connection.execute(sa.select(messages.c.ts).where(messages.c.key == key))).first()
        return row is not None and row.ts is not None

    async def _post(self, case: Case, key: str, payload: dict[str, Any], version: int) -> None:
        """Post once. A row without ts means that an earlier try may have got through: look before posting again."""
        latest = await self._latest(case)
        began = time.time()
        row = {
            "key": key,
            "case_id": case.id,
            "channel": latest.channel,
            "team": case.team,
            "version": version,
            "edited_at": began,
        }
        async with self.store.transaction() as connection:
            fresh = (
                await connection.execute(
                    insert(messages).values(**row).on_conflict_do_nothing().returning(messages.c.key)
                )
            ).first()
            known = (await connection.execute(sa.select(messages).where(messages.c.key == key))).one()
        if known.ts is not None:
            return
        ts = None if fresh else await self.sender.find(latest.channel, latest.thread, key, known.edited_at)
        if ts is None:
            ts = await self._send(latest, key, {**payload, "metadata": metadata(case)})
        if ts is not None:
            await self._posted(latest, key, ts, {**payload, "metadata": metadata(case)})

    async def _send(self, case: Case, key: str, payload: dict[str, Any]) -> str | None:
        args = {
            "channel": case.channel,
            **({"thread_ts": case.thread} if case.thread else {}),
            "unfurl_links": False,
            **payload,
        }
        try:
            return str((await self.sender.call("chat.postMessage", **args))["ts"])
        except SlackRefused as refusal:
            if refusal.error in ("not_in_channel", "channel_not_found") and key.endswith(".root"):
                return await self._move_to_direct_message(case, payload)
            if refusal.error in ("invalid_blocks", "invalid_blocks_format"):
                return str((await self.sender.call("chat.postMessage", **{**args, **render.fallback(payload)}))["ts"])
            if refusal.error == "ratelimited":
                await self._forget(key)
            self._again_or_drop(refusal)
            return None

    async def _forget(self, key: str) -> None:
        """Slack said that it did not take the message: the next try need not look for it."""
        async with self.store.transaction() as connection:
            await connection.execute(messages.delete().where(messages.c.key == key))

    async def _move_to_direct_message(self, case: Case, payload: dict[str, Any]) -> str | None:
        """The bot is not in that channel: go on in a direct message with the person who asked."""
        note = render.ephemeral("not_in_channel", {"channel": case.channel})
        try:
            await self.sender.call("chat.postMessage", channel=case.owner, **note)
            answer = await self.sender.call("chat.postMessage", **{"channel": case.owner, **payload})
        except SlackRefused as refusal:
            self._again_or_drop(refusal)
            return None
        case.channel = str(answer["channel"])
        return str(answer["ts"])

    def _again_or_drop(self, refusal: SlackRefused) -> None:
        if refusal.passing:
            raise Later(refusal.error, max(refusal.retry_after, 1.0)) from None
        log.warning("slack refused a message: %s", refusal.error)

    async def _posted(self, case: Case, key: str, ts: str, payload: dict[str, Any]) -> None:
        async with self.store.transaction() as connection:
            await connection.execute(
                messages.update()
                .where(messages.c.key == key)
                .values(ts=ts, shown=payload, channel=case.channel, edited_at=time.time())
            )
            if key.endswith(".root"):
                place = sa.func.jsonb_build_object("channel", case.channel, "thread", case.thread or ts)
                await connection.execute(
                    cases.update()
                    .where(cases.c.id == case.id)
                    .values(thread=case.thread or ts, channel=case.channel, body=cases.c.body.op("||")(place))
                )

    async def _link(self, case: Case) -> None:
        latest = await self._latest(case)
        try:
            answer = await self.sender.client.chat_getPermalink(channel=latest.channel, message_ts=latest.thread)
        except Exception:
            return
        async with self.store.transaction() as connection:
            await connection.execute(
                cases.update().where(cases.c.id == case.id).values(permalink=str(answer.get("permalink") or ""))
            )

    # Edits --------------------------------------------------------------------------------------------------------

    async def _edit(self, key: str, payload: dict[str, Any], *, now: bool, settled: bool = False) -> None:
        """Edit, or keep the wish for the sweeper when the message or the workspace was edited too lately."""
        async with self.store.transaction() as connection:
            row = (await connection.execute(sa.select(messages).where(messages.c.key == key).with_for_update())).one()
            if row.shown == payload:
                return
            recent = sa.select(sa.func.count()).where(
                messages.c.team == row.team, messages.c.edited_at > time.time() - 60
            )
            crowded = ((await connection.execute(recent)).scalar() or 0) > EDITS_A_MINUTE and not settled
            early = not now and time.time() - row.edited_at < EDIT_SECONDS
            values: dict[str, Any] = {"wanted": payload, "due_at": max(time.time(), row.edited_at) + EDIT_SECONDS}
            if not early and not crowded:
                values = {"wanted": payload, "due_at": None}
            await connection.execute(
                messages.update().where(messages.c.key == key).values(**values, settled=row.settled or settled)
            )
        if not early and not crowded:
            await self.flush(key)

    async def flush(self, key: str) -> None:
        """Send the wanted content of a message, if it is still wanted."""
        async with self.store.transaction() as connection:
            row = (await connection.execute(sa.select(messages).where(messages.c.key == key))).first()
        if row is None or row.wanted is None or row.ts is None:
            return
        try:
            await self.sender.call("chat.update", channel=row.channel, ts=row.ts, **row.wanted)
        except SlackRefused as refusal:
            if refusal.error in ("invalid_blocks", "msg_too_long"):
                await self.sender.call(
                    "chat.update", channel=row.channel, ts=row.ts, **{**row.wanted, **render.fallback(row.wanted)}
                )
            else:
                self._again_or_drop(refusal)
        async with self.store.transaction() as connection:
            await connection.execute(
                messages.update()
                .where(messages.c.key == key, messages.c.wanted == row.wanted)
                .values(shown=row.wanted, wanted=None, due_at=None, edited_at=time.time())
            )
