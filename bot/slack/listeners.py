"""Slack's payloads become Events: acknowledge at once, translate, keep, queue. Nothing else happens here."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from bot.engine import receive
from bot.hot import CASE, DIRECT
from bot.settings import Settings
from bot.slack.commands import Wish, all_text, of_connection, typed, wish
from bot.slack.sender import Sender
from bot.slack.tripwire import kind_of_secret
from bot.slack.wishes import InTheWay, Wishes
from bot.slack.words import Words
from bot.store import ANSWERED, Store
from flows.core.effects import Event
from messages import render
from messages.blocks import OPTION_VALUE

log = logging.getLogger("mend.listeners")
Body = dict[str, Any]
# The button of `blocks.opener`.
PAGE = "mend_open_page"


class Listeners:
    """One listener per kind of payload; Bolt tries its listeners one by one, so there are few, the usual ones first."""

    def __init__(self, store: Store, settings: Callable[[], Settings], sender: Sender) -> None:
        self.store, self.settings = store, settings
        self.wishes = Wishes(store, settings, sender)
        self.words = Words(store, settings, self.wishes)
        self.tasks = set[asyncio.Task[None]]()

    def attach(self, app: AsyncApp) -> None:
        app.event(re.compile(".*"))(self.event)
        app.action(re.compile(".*"))(self.action)
        app.command(re.compile("^/mend"))(self.command)
        app.shortcut(re.compile(".*"))(self.shortcut)
        app.view(re.compile(".*"))(self.ignored)

    async def ignored(self, ack: AsyncAck) -> None:
        await ack()

    async def command(self, ack: AsyncAck, body: Body) -> None:
        asked = wish(str(body.get("text") or ""), self.settings())
        try:
            answer = await self._command(body, asked)
        except Exception:
            log.exception("a command could not be kept")
            answer = render.ephemeral("try_again", {})
        await ack(response_type="ephemeral", **answer)
        if asked.verb in ("open", "pick"):  # the others left nothing that could be asked again
            self._soon(self._answered(body))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        """After the acknowledgement: Bolt sends it when the listener has returned."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answered(self, body: Body) -> None:
        await asyncio.sleep(0.2)
        await self.store.hot.one(ANSWERED, {"key": typed(body)})

    async def _command(self, body: Body, asked: Wish) -> dict[str, Any]:
        place = {"team": str(body.get("team_id", "")), "channel": str(body["channel_id"])}
        key = f"cmd:{place['team']}:{body.get('trigger_id') or time.time()}"
        if refused := self.wishes.refused(place["channel"]):
            return refused
        if kind := kind_of_secret(str(body.get("text") or "")):
            return render.ephemeral("leaked_command", {"kind": kind})
        return await self.wishes.grant(asked, place, str(body["user_id"]), key, typed(body))

    # Buttons ------------------------------------------------------------

    async def action(self, ack: AsyncAck, body: Body) -> None:
        # What could not be kept is not acknowledged: Slack then tells the person that the click did not get through.
        pressed = str(body["actions"][0]["action_id"])
        if pressed == PAGE:
            pass  # Slack tells of a button that only opens a page, and wants to be answered all the same.
        elif pressed.startswith("mend_open") and (body.get("message") or body.get("view")):
            await self._open(body)
        else:
            await self._action(body)
        await ack()

    async def _open(self, body: Body) -> None:
        """The button of a reminder: a case in its thread, about the connection that it names. That of the Home tab: one
        in the direct messages with this person, which Slack names when the tab is opened."""
        action, user, team = body["actions"][0], str(body["user"]["id"]), str(body["team"]["id"])
        if message := body.get("message"):
            channel = str(body["channel"]["id"])
            place = {"team": team, "channel": channel, "thread": str(message.get("thread_ts") or message["ts"])}
        else:
            known = await self.store.hot.one(DIRECT, {"team": team, "person": user})
            channel = str(known[0]) if known else user
            place = {"team": team, "channel": channel}
        key, name = f"open:{team}:{body.get('trigger_id')}:{action.get('action_ts')}", str(action.get("value") or "")
        if name not in self.settings().connections:
            await self._gone(body, team, user, key)
        elif message and (refused := self.wishes.refused(channel)):
            await self.wishes.tell_payload(refused, place, user, key)
        else:
            try:
                await self.wishes.open(Wish("open", name, name), place, user, key)
            except InTheWay as other:
                await self.wishes.tell_payload(other.payload, place, user, key)

    async def _action(self, body: Body) -> None:
        action, user = body["actions"][0], str(body["user"]["id"])
        chosen = action.get("selected_option") or action
        value = str(chosen.get("value") or "")
        case_id, _, rest = value.partition(":")
        version, _, name = rest.partition(":")[2].partition(":")
        name = self._whole(name, len(value))
        to = str(action.get("selected_user") or "")
        if to:  # a list of people carries no value
            case_id = str(action.get("block_id") or "").partition(".")[0]
        team = str((body.get("team") or {}).get("id") or body["user"].get("team_id") or "")
        click = (body.get("trigger_id"), action.get("action_ts"), action["action_id"], user, case_id, version)
        key = ":".join(["act", team, *(str(part or "") for part in click)])
        numbered = version.isdecimal() and len(version) < 10
        stored = await self.store.hot.one(CASE, {"id": case_id}) if numbered or to else None
        if action["action_id"] == "mend_choose" and not self._chosen(name):
            stored = None
        if stored is not None:
            # Slack Connect: the team of a click is that of the person, the case's is where Mend is installed.
            home, mine = str(body["user"].get("team_id") or team), stored[1]["team"]
            data = {"team": mine, "answer": action["action_id"]} | ({"to": to} if to else {"version": int(version)})
            data.update({"stranger": True} if home != mine else {}, **self._chosen(name))
            await self._keep(case_id, Event("answered", key, time.time(), user, data=data), body, team)
        if stored is None and str(action["action_id"]).startswith("mend_"):
            await self._gone(body, team, user, key)

    async def _keep(self, case_id: str, event: Event, body: Body, team: str) -> None:
        if not body.get("view"):
            await receive(self.store, None, case_id, event)
            return
        async with self.store.hot.transaction() as connection:
            await receive(self.store, connection, case_id, event)
            await self._refresh_home(f"case:{case_id}", team, event.user, connection)

    def _whole(self, name: str, carried: int) -> str:
        """The connection's name: an option of Slack's carries so many signs, and the end of a long name is cut off."""
        known = self.settings().connections
        if name in known or carried < OPTION_VALUE:
            return name
        begun = [one for one in known if one.startswith(name)]
        return begun[0] if len(begun) == 1 else name

    def _chosen(self, name: str) -> dict[str, Any]:
        return of_connection(self.settings(), name) if name in self.settings().connections else {}

    async def _gone(self, body: Body, team: str, user: str, key: str) -> None:
        """A button whose case is not there any more says so. On the App Home there is nobody to say it to."""
        container = body.get("container") or {}
        channel = (body.get("channel") or {}).get("id") or container.get("channel_id")
        if channel:
            thread = {"thread": str(container["thread_ts"])} if container.get("thread_ts") else {}
            await self.wishes.tell("expired_button", {"team": team, "channel": str(channel), **thread}, user, key)

    # Shortcut ------------------------------------------------------------

    async def shortcut(self, ack: AsyncAck, body: Body) -> None:
        if body.get("callback_id") == "mend_troubleshoot":
            await self._shortcut(body)
        await ack()

    async def _shortcut(self, body: Body) -> None:
        message, team, user = body["message"], str(body["team"]["id"]), str(body["user"]["id"])
        place = {
            "team": team,
            "channel": str(body["channel"]["id"]),
            "thread": str(message.get("thread_ts") or message["ts"]),
        }
        key = f"cut:{team}:{body.get('trigger_id')}:{body.get('action_ts')}"
        if refused := self.wishes.refused(place["channel"]) or await self.wishes.case_here(place):
            await self.wishes.tell_payload(refused, place, user, key)
            return
        try:
            await self.wishes.report(all_text(message), place, user, key)
        except InTheWay as other:
            await self.wishes.tell_payload(other.payload, place, user, key)

    # Events ------------------------------------------------------------

    async def event(self, body: Body, context: AsyncBoltContext, client: AsyncWebClient) -> None:
        # In a channel shared with another company `team_id` may be theirs; Bolt knows whose installation is meant.
        event, team = body["event"], str(context.team_id or body.get("team_id", ""))
        kind = event.get("type")
        if kind == "app_home_opened" and event.get("tab") == "home":
            async with self.store.hot.transaction() as connection:
                if await self.store.first_time(connection, f"ev:{body.get('event_id')}"):
                    place = (team, str(event["user"]), connection, str(event.get("channel") or ""))
                    await self._refresh_home(f"home:{event['user']}", *place)
        elif kind in ("message", "app_mention"):
            await self.words.hear(body, team, str(context.bot_user_id or ""), client)
        elif kind == "app_uninstalled" or (kind == "tokens_revoked" and (event.get("tokens") or {}).get("bot")):
            from bot.upkeep import came_back, forget_team

            async with self.store.transaction() as connection:
                if await came_back(connection, team, float(body.get("event_time") or time.time())):
                    return
                await forget_team(connection, team)
            log.warning("Mend was removed from workspace %s: its cases are closed", team)
        elif kind == "channel_id_changed":
            from bot.upkeep import move_channel

            async with self.store.transaction() as connection:
                await move_channel(connection, team, event["old_channel_id"], event["new_channel_id"])

    async def _refresh_home(self, lane: str, team: str, user: str, connection: Any, direct: str = "") -> None:
        await self.store.defer(connection, "home", lane, team=team, user=user, direct=direct)
