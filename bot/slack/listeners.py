"""Slack's payloads become Events: acknowledge at once, translate, keep, queue. Nothing else happens here."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.engine import new_case_id, receive
from bot.settings import Settings
from bot.slack.commands import Wish, named_in, of_connection, wish
from bot.slack.home import OPEN
from bot.store import Store
from flows.core.effects import Event
from flows.core.words import understand
from messages import render

log = logging.getLogger("mend.listeners")
HEARD = (None, "file_share", "thread_broadcast")
Body = dict[str, Any]


class Listeners:
    """One listener per kind of payload; Bolt tries its listeners one by one, so there are few."""

    def __init__(self, store: Store, settings: Callable[[], Settings], bot_user: Callable[[], str]) -> None:
        self.store, self.settings, self.bot_user = store, settings, bot_user

    def attach(self, app: AsyncApp) -> None:
        app.command(re.compile("^/mend"))(self.command)
        app.action(re.compile(".*"))(self.action)
        app.shortcut(re.compile(".*"))(self.shortcut)
        app.view(re.compile(".*"))(self.ignored)
        app.event(re.compile(".*"))(self.event)

    async def ignored(self, ack: AsyncAck) -> None:
        await ack()

    # /mend ------------------------------------------------------------

    async def command(self, ack: AsyncAck, body: Body) -> None:
        try:
            answer = await self._command(body)
        except Exception:
            log.exception("a command could not be kept")
            answer = render.ephemeral("try_again", {})
        await ack(response_type="ephemeral", **answer)

    async def _command(self, body: Body) -> dict[str, Any]:
        settings, channel = self.settings(), str(body["channel_id"])
        if refused := self._refused(settings, channel):
            return refused
        asked = wish(str(body.get("text") or ""), settings)
        place = {"team": str(body.get("team_id", "")), "channel": channel}
        key = f"cmd:{place['team']}:{body.get('trigger_id') or time.time()}"
        if asked.verb in ("status", "resume"):
            return await self._own_cases(asked.verb, place, str(body["user_id"]), key)
        if asked.verb in ("open", "pick") and settings.connections:
            await self._open(asked, place, str(body["user_id"]), key)
        return self._reply(asked, settings)

    def _refused(self, settings: Settings, channel: str) -> dict[str, Any] | None:
        allowed = settings.access.channels
        if allowed and channel not in allowed and not channel.startswith("D"):
            return render.ephemeral("channel_not_allowed", {"channels": list(allowed)})
        return None

    def _reply(self, asked: Wish, settings: Settings) -> dict[str, Any]:
        if not settings.connections and asked.verb != "help":
            return render.ephemeral("nothing_configured", {})
        if asked.verb in ("open", "pick"):
            return render.ephemeral("starting", {"connection": asked.connection, "asked": asked.asked})
        if asked.verb == "unknown":
            names = sorted(settings.connections)
            return render.ephemeral(
                "unknown_connection", {"asked": asked.asked, "near": list(asked.near), "names": names[:20]}
            )
        return render.ephemeral("usage", {"names": sorted(settings.connections)[:20]})

    async def _open(self, asked: Wish, place: dict[str, str], user: str, key: str, **more: Any) -> None:
        settings = self.settings()
        data = {**place, "choices": sorted(settings.connections), **more}
        if asked.connection:
            data.update(of_connection(settings, asked.connection))
        async with self.store.transaction() as connection:
            if not data.get("connection"):
                health = await self.store.health(connection)
                bad = {n for n, row in health.items() if row.verdict == "bad"}
                data["choices"] = sorted(settings.connections, key=lambda n: (n not in bad, n))
            await receive(self.store, connection, new_case_id(), Event("opened", key, time.time(), user, data=data))

    async def _own_cases(self, verb: str, place: dict[str, str], user: str, key: str) -> dict[str, Any]:
        states = OPEN if verb == "status" else ("expired", "cancelled", "escalated")
        async with self.store.transaction() as connection:
            rows = await self.store.cases_of(connection, place["team"], user, states)
            here = [r for r in rows if r.channel == place["channel"]] or rows
            if verb == "resume" and here:
                data = {"team": place["team"], "answer": "mend_resume"}
                await receive(self.store, connection, here[0].id, Event("answered", key, time.time(), user, data=data))
        if verb == "resume":
            return render.ephemeral(
                "starting" if here else "resume_none", {"connection": here[0].connection, "asked": ""} if here else {}
            )
        listed = [{"connection": r.connection, "state": r.state, "permalink": r.permalink} for r in rows]
        return render.ephemeral("status_list", {"cases": listed})

    # Buttons ------------------------------------------------------------

    async def action(self, ack: AsyncAck, body: Body) -> None:
        try:
            await self._action(body)
        except Exception:
            log.exception("a click could not be kept")
        await ack()

    async def _action(self, body: Body) -> None:
        action, user = body["actions"][0], body["user"]
        option = action.get("selected_option") or {}
        parts = str(option.get("value") or action.get("value") or "").split(":", 3)
        if len(parts) < 3 or not parts[2].isdigit():
            return
        team = str((body.get("team") or {}).get("id") or user.get("team_id") or "")
        data: dict[str, Any] = {"team": team, "answer": action["action_id"], "version": int(parts[2])}
        if str(user.get("team_id") or team) != team:
            data["stranger"] = True
        if action["action_id"] == "mend_choose":
            name = parts[3] if len(parts) > 3 else ""
            if name not in self.settings().connections:
                return
            data.update(of_connection(self.settings(), name))
        click = (body.get("trigger_id"), action.get("action_ts"), action["action_id"], user["id"], parts[0], parts[2])
        key = ":".join(["act", team, *(str(part or "") for part in click)])
        async with self.store.transaction() as connection:
            stored = await self.store.load(connection, parts[0])
            if stored and stored["team"] == team:
                await receive(
                    self.store, connection, parts[0], Event("answered", key, time.time(), str(user["id"]), data=data)
                )

    # Shortcut ------------------------------------------------------------

    async def shortcut(self, ack: AsyncAck, body: Body) -> None:
        try:
            if body.get("callback_id") == "mend_troubleshoot" and not self._refused(
                self.settings(), str(body["channel"]["id"])
            ):
                await self._shortcut(body)
        except Exception:
            log.exception("a shortcut could not be kept")
        await ack()

    async def _shortcut(self, body: Body) -> None:
        """The error is read out of the message here; its text is not kept, only what it means."""
        from flows.core.explain import explain

        message = body["message"]
        text = _all_text(message)
        found = await asyncio.to_thread(explain, text)
        name = named_in(text, self.settings())
        reported = f"{found.cause} {found.code or ''}".strip() if found.cause else ""
        place = {
            "team": str(body["team"]["id"]),
            "channel": str(body["channel"]["id"]),
            "thread": str(message.get("thread_ts") or message["ts"]),
        }
        key = f"cut:{place['team']}:{body.get('trigger_id')}:{body.get('action_ts')}"
        await self._open(Wish("open" if name else "pick", name), place, str(body["user"]["id"]), key, reported=reported)

    # Events ------------------------------------------------------------

    async def event(self, body: Body) -> None:
        event, team = body["event"], str(body.get("team_id", ""))
        kind = event.get("type")
        if kind == "app_home_opened" and event.get("tab") == "home":
            async with self.store.transaction() as connection:
                if await self.store.first_time(connection, f"ev:{body.get('event_id')}"):
                    await self.store.defer(connection, "home", f"home:{event['user']}", team=team, user=event["user"])
        elif kind in ("message", "app_mention"):
            await self._message(event, team)
        elif kind in ("app_uninstalled", "tokens_revoked"):
            log.warning("Mend was removed from workspace %s", team)

    async def _message(self, event: Body, team: str) -> None:
        user = event.get("user")
        if event.get("subtype") not in HEARD or event.get("bot_id") or not user or user == self.bot_user():
            return
        channel, ts = str(event["channel"]), str(event["ts"])
        thread, text = event.get("thread_ts"), str(event.get("text") or "")
        author = event.get("user_team") or event.get("source_team") or team
        key = f"msg:{team}:{channel}:{ts}"
        if (thread or channel.startswith("D")) and await self._answer(
            team, channel, thread, str(user), text, key, author != team
        ):
            return
        direct = event.get("channel_type") == "im" or channel.startswith("D")
        if event["type"] == "app_mention" or (direct and not thread):
            await self._ask(
                re.sub(rf"<@{re.escape(self.bot_user())}(\|[^>]*)?>", " ", text),
                team,
                channel,
                str(thread or ""),
                str(user),
                key,
                direct,
            )

    async def _answer(
        self, team: str, channel: str, thread: str | None, user: str, text: str, key: str, stranger: bool
    ) -> bool:
        """A word in a case's thread, or in a direct message to the person's open case. True when it was ours."""
        async with self.store.transaction() as connection:
            if thread:
                row = await self.store.case_in_thread(connection, team, channel, str(thread))
            else:
                row = next(iter(await self.store.cases_of(connection, team, user, OPEN, channel)), None)
            if row is None:
                return False
            body = await self.store.load(connection, row.id) or {}
            data = self._understood(text, body)
            if data is None:
                if not thread:
                    return False
                if not (body["waiting"] and body["owner"] == user and len(text) <= 40):
                    return True
                data = {"answer": "unclear"}
            event = Event(
                "answered",
                key,
                time.time(),
                user,
                data={"team": team, **data, **({"stranger": True} if stranger else {})},
            )
            await receive(self.store, connection, row.id, event)
        return True

    def _understood(self, text: str, body: Body) -> dict[str, Any] | None:
        """The answer in a text: a number or name while choosing, else one of the words."""
        words = re.sub(r"<@[A-Z0-9]+(\|[^>]*)?>", " ", text).strip()
        if body["state"] == "choosing":
            names = body["choices"]
            picked = names[int(words) - 1] if words.isdigit() and 0 < int(words) <= len(names) else ""
            if not picked and words:
                picked = wish(words, self.settings()).connection
            if picked and picked in self.settings().connections:
                return {"answer": "mend_choose", **of_connection(self.settings(), picked)}
        answer = understand(words, body["state"])
        return {"answer": answer} if answer else None

    async def _ask(self, text: str, team: str, channel: str, thread: str, user: str, key: str, direct: bool) -> None:
        """A mention or a direct message that is not an answer."""
        settings, place = self.settings(), {"team": team, "channel": channel, **({"thread": thread} if thread else {})}
        asked = wish(text, settings)
        if self._refused(settings, channel) or (direct and asked.verb == "unknown" and len(asked.asked) > 40):
            return
        if asked.verb in ("open", "pick") and settings.connections:
            await self._open(asked, place, user, key)
            return
        reply = (
            self._reply(asked, settings)
            if asked.verb not in ("status", "resume")
            else await self._own_cases(asked.verb, place, user, key)
        )
        async with self.store.transaction() as connection:
            if await self.store.first_time(connection, key + ":said"):
                await self.store.defer(
                    connection, "tell", f"tell:{channel}", channel=channel, user=user, thread=thread, payload=reply
                )


def _all_text(message: Body) -> str:
    """The text of a message with its attachments, at most 20,000 characters."""
    parts = [str(message.get("text") or "")]
    for attachment in message.get("attachments") or []:
        parts.extend(str(attachment.get(k) or "") for k in ("title", "text", "fallback"))
    return "\n".join(parts)[:20_000]
