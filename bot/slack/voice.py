"""What a case says in its thread, in the words of `messages`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from bot import views
from bot.hot import CASE, PERMALINK, Slot
from bot.settings import Settings
from bot.slack.outbox import Outbox, again_or_drop, metadata
from bot.slack.sender import Later, Sender, SlackRefused, closed_to_us
from bot.store import Store
from bot.tables import cases, messages
from flows.core.case import CLOSED, Case
from flows.core.flow import STEP_OF
from messages import render


class Voice:
    """Performs the orders that say something. `settings` is asked anew for each, so that an edited mend.yml is seen."""

    def __init__(self, store: Store, sender: Sender, settings: Callable[[], Settings]) -> None:
        self.store, self.sender, self.settings = store, sender, settings
        self.outbox = Outbox(store, sender)

    async def view(self, case: Case, params: Mapping[str, Any] | None = None, url: str | None = None) -> dict[str, Any]:
        """`url` is the address of the case's root, where it is known already."""
        if url is None:
            row = await self.store.hot.one(PERMALINK, {"id": case.id})
            url = str(row[0] or "") if row else ""
        health = {}
        if case.state == "choosing":
            async with self.store.hot.connection() as connection:
                health = await self.store.health(connection)
        settings = self.settings()
        extra = {"choices": views.choices(settings, health)} if case.state == "choosing" else {}
        return views.case_view(
            case,
            settings,
            step=STEP_OF[case.state],
            url=url,
            params={**extra, **(params or {})},
            asker=await self._asker(case) if case.state == "escalating" else "",
        )

    async def _asker(self, case: Case) -> str:
        """What colleagues call the owner. The support agent cannot look an id of Slack up."""
        try:
            info = await self.sender.user(case.team, case.owner) if case.owner else {}
        except Later:  # a ticket does not wait for a name
            return ""
        return str(info.get("real_name") or (info.get("profile") or {}).get("real_name") or "")

    async def say(self, case: Case, args: Mapping[str, Any], key: str, slot: Slot | None = None) -> None:
        view = await self.view(case, args["params"], slot.url if slot else None)
        payload = render.message(args["template"], view, args["buttons"], key=key)
        await self.outbox.post(case, key, payload, case.version if args["buttons"] else -1, slot)

    async def root(self, case: Case, args: Mapping[str, Any], key: str, slot: Slot | None = None) -> None:
        """The living summary: posted once, then edited."""
        key = f"{case.id}.root"
        latest = await self.latest(case)
        view = await self.view(latest)
        await self.show(latest, key, render.root(view, key=key), slot)
        # Not at once: what comes first in the thread need not wait for the address of its head.
        if latest.thread and not view["url"]:
            await self._link(case)

    async def progress(self, case: Case, args: Mapping[str, Any], key: str, slot: Slot | None = None) -> None:
        key = f"{case.id}.run{args['walk']}"
        await self.show(case, key, render.progress(await self.view(case), key=key), slot)

    async def live(self, case: Case, template: str, params: Mapping[str, Any], key: str) -> None:
        """A line of the thread that is edited as things go on."""
        await self.show(case, key, render.message(template, await self.view(case, params), key=key))

    async def show(self, case: Case, key: str, payload: dict[str, Any], slot: Slot | None = None) -> None:
        """A message that lives: posted once, then edited."""
        if await self.outbox.shown(key):
            now = case.waiting or case.state in CLOSED
            await self.outbox.edit(key, {**payload, "metadata": metadata(case)}, now=now)
        else:
            await self.outbox.post(case, key, payload, -1, slot)

    async def settle(self, case: Case, args: Mapping[str, Any], key: str, slot: Slot | None = None) -> None:
        """Take the buttons off every answered question and say who answered what."""
        async with self.store.alone() as connection:
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
            await self.outbox.edit(row.key, {**row.shown, **done}, now=True, settled=True)

    async def whisper(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        latest = await self.latest(case)
        view, url = await self.view(latest, args["params"]), args.get("url", "")
        payload = render.message(args["template"], view, args["buttons"], key=key, url=url)
        to = args["user"]
        try:
            if args.get("direct"):  # they need not be in the case's channel
                await self.sender.call("chat.postMessage", case.team, channel=to, unfurl_links=False, **payload)
                return
            where = {"channel": latest.channel, "thread_ts": latest.thread}
            await self.sender.call("chat.postEphemeral", case.team, **where, user=to, **payload)
        except SlackRefused as refusal:
            if not closed_to_us(refusal.error) or args.get("direct"):
                return again_or_drop(refusal)
            # Who left the channel, or never was in it, still gets what is for them alone.
            await self.whisper(case, {**args, "direct": True}, key)

    async def latest(self, case: Case) -> Case:
        row = await self.store.hot.one(CASE, {"id": case.id})
        return Case.from_dict(row[1]) if row else case

    async def _link(self, case: Case) -> None:
        latest = await self.latest(case)
        place = {"channel": latest.channel, "message_ts": latest.thread}
        try:
            answer = await self.sender.ask("chat.getPermalink", case.team, **place)
        except SlackRefused:
            return
        link = str(answer.get("permalink") or "")
        async with self.store.alone() as connection:
            await connection.execute(cases.update().where(cases.c.id == case.id).values(permalink=link))
