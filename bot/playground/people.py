"""What people do: type, edit, delete, run commands, press, pick, use shortcuts, fill in modals."""

from __future__ import annotations

import uuid
from typing import Any

from bot.playground import api_chat, interaction, typed
from bot.playground.courier import Delivery
from bot.playground.hub import TOKEN, Hub, ResponseUrl
from bot.playground.state import APP_ID, BOT_USER, Channel, Json, Message, Refused, User

DOMAIN = "local-slack"


class People:
    def __init__(self) -> None:
        self.hub = Hub()

    def _at(self, user: str, channel: str) -> tuple[User, Channel]:
        """People reach the conversations they are in; staff walk into public channels freely."""
        who, where = self.hub.space.user(user), self.hub.space.channel(channel)
        if user not in where.members:
            if where.is_private or where.is_im or who.team_id != where.team or who.is_restricted:
                raise Refused("not_in_channel", [f"{who.real_name} is not in {where.name or where.id}"])
            where.members.add(user)
        if where.is_archived:
            raise Refused("is_archived")
        return who, where

    def say(self, text: str, user: str = "U0ALICE", channel: str = "C0DATA", thread_ts: str | None = None,
            broadcast: bool = False, snippet: str = "") -> str:  # fmt: skip
        """Type a message; gives its ts. `@name` and `<@U...>` become mentions, the rest is escaped as Slack does.

        `snippet` is a text that was put beside it as a file.
        """
        hub = self.hub
        with hub.space.lock:
            who, where = self._at(user, channel)
            root = api_chat.parent(where, thread_ts)
            sent = typed.encode(hub.space, text)
            body: Json = {"type": "message", "user": user, "text": sent, "ts": hub.space.new_ts(),
                          "client_msg_id": str(uuid.uuid4()), "team": who.team_id,
                          "blocks": typed.rich(sent)}  # fmt: skip
            if who.team_id != where.team:
                body.update(user_team=who.team_id, source_team=who.team_id)
            if snippet:
                body.update(subtype="file_share", files=[typed.snippet(who.id, snippet)])
            if root is not None:
                body.update(thread_ts=root.ts, parent_user_id=root.body.get("user"))
                if broadcast:
                    body["subtype"] = "thread_broadcast"
            message = hub.space.put(where, body)
            if root is not None:
                root.rev = hub.space.touch()
        # One mention is two events with one ts: the app must see through that.
        hub.message_event(where, body)
        if f"<@{BOT_USER}" in sent and not where.is_im:
            self._mention(where, body)
        return message.ts

    def _mention(self, where: Channel, body: Json) -> None:
        if BOT_USER in where.members:
            event = {**body, "type": "app_mention", "channel": where.id, "event_ts": body["ts"]}
            self.hub.event(event, where, "app_mention")
        else:
            self.hub.slackbot(where, body["user"], f"<@{BOT_USER}> is not in this channel, so it cannot see your "
                              "message. Type `/invite @mend` to add it.", body.get("thread_ts"))  # fmt: skip

    def edit(self, ts: str, text: str, user: str = "U0ALICE", channel: str = "C0DATA") -> None:
        with self.hub.space.lock:
            _, where = self._at(user, channel)
            message = self._own(where, ts, user, "cant_update_message")
            before, sent = dict(message.body), typed.encode(self.hub.space, text)
            message.body = {**before, "text": sent, "blocks": typed.rich(sent),
                            "edited": {"user": user, "ts": self.hub.space.new_ts()}}  # fmt: skip
            message.rev = self.hub.space.touch()
        self.hub.changed_event(where, dict(message.body), before)

    def delete(self, ts: str, user: str = "U0ALICE", channel: str = "C0DATA") -> None:
        with self.hub.space.lock:
            _, where = self._at(user, channel)
            api_chat.remove(self.hub, where, self._own(where, ts, user, "cant_delete_message"))

    def _own(self, where: Channel, ts: str, user: str, error: str) -> Message:
        message = where.messages.get(ts)
        if message is None:
            raise Refused("message_not_found")
        if message.body.get("user") != user:
            raise Refused(error)
        return message

    def invite(self, user: str = BOT_USER, channel: str = "C0GENERAL") -> None:
        with self.hub.space.lock:
            where = self.hub.space.channel(channel)
            where.members.add(user)
            where.is_ext_shared = where.is_ext_shared or self.hub.space.user(user).is_stranger
            self.hub.space.touch()

    def command(self, line: str, user: str = "U0ALICE", channel: str = "C0DATA",
                thread_ts: str | None = None) -> Delivery | None:  # fmt: skip
        """Run a slash command; None when Slack itself answers (unknown, in a thread, stranger)."""
        hub = self.hub
        with hub.space.lock:
            who, where = self._at(user, channel)
            name, _, text = line.strip().partition(" ")
            if (refusal := self._refusal(name, who, where, thread_ts)) is not None:
                hub.slackbot(where, user, refusal, thread_ts)
                return None
            if name == "/invite":
                self.invite(BOT_USER, where.id)
                hub.slackbot(where, user, f"<@{BOT_USER}> was added to <#{where.id}>.")
                return None
            link = hub.response_url(where.id, user)
            payload = {
                "token": TOKEN, "team_id": where.team, "team_domain": DOMAIN, "channel_id": where.id,
                "channel_name": "directmessage" if where.is_im else where.name, "user_id": user,
                "user_name": who.name, "command": name, "text": text.strip(), "api_app_id": APP_ID,
                "is_enterprise_install": "false", "response_url": link, "trigger_id": hub.trigger(user),
            }  # fmt: skip
        failed = lambda why: hub.slackbot(where, user, f'{name} failed with the error "{why}"')  # noqa: E731
        return hub.call_app("slash_commands", payload, accepts_response=True, on_failure=failed,
                            on_ack=lambda body: self._ack_message(link, body))  # fmt: skip

    def _refusal(self, name: str, who: User, where: Channel, thread_ts: str | None) -> str | None:
        if name not in self.hub.commands and name != "/invite":
            return f"{name} is not a valid command. In Slack, all messages that start with the \"/\" character are " \
                   "interpreted as commands."  # fmt: skip
        if thread_ts:
            return f"{name} is not supported in threads. Sorry!"
        if who.team_id != where.team and name != "/invite":
            return f"{name} can be used by people of this workspace only."
        return None

    def _ack_message(self, link: str, body: Json) -> None:
        if not (body.get("text") or body.get("blocks")):
            return
        spot: ResponseUrl = self.hub.response_urls[link.rsplit("/", 1)[1]]
        try:
            with self.hub.space.lock:
                api_chat.respond(self.hub, spot, api_chat.content(body), body)
        except Refused as no:
            where = self.hub.space.channel(spot.channel)
            self.hub.slackbot(where, spot.user, f'the app\'s answer was refused with the error "{no}"')

    def press(self, action_id: str, ts: str, user: str = "U0ALICE", channel: str = "C0DATA", value: Any = None,
              block_id: str | None = None, state: Json | None = None, stale: bool = False) -> Delivery:  # fmt: skip
        """Press a button, or pick `value` in a select. `stale` presses a button that is no longer shown."""
        hub = self.hub
        with hub.space.lock:
            who, where = self._at(user, channel)
            message = self._seen(where, ts, user)
            blocks = message.body.get("blocks", [])
            if stale:
                spot, element = block_id or "stale", {"type": "button", "action_id": action_id, "value": value,
                                                      "text": {"type": "plain_text", "text": action_id}}  # fmt: skip
            else:
                spot, element = interaction.find(blocks, action_id, block_id, value)
            thread = {"thread_ts": message.thread_ts} if message.thread_ts else {}
            hidden = bool(message.body.get("is_ephemeral"))
            payload = {
                **self._interactive("block_actions", who, where.team), "message": dict(message.body),
                "container": {"type": "message", "message_ts": ts, "channel_id": where.id, "is_ephemeral": hidden,
                              **thread},
                "channel": {"id": where.id, "name": "directmessage" if where.is_im else where.name},
                "state": {"values": interaction.state(blocks, state or {})},
                "response_url": hub.response_url(where.id, user, ts, message.thread_ts),
                "actions": [interaction.action(spot, element, value, hub.space.new_ts())],
            }  # fmt: skip
            if hidden:
                del payload["message"]
        return hub.call_app("interactive", payload, on_failure=self._trouble(where, user, message.thread_ts))

    def _seen(self, where: Channel, ts: str, user: str) -> Message:
        hidden = [m for m in where.ephemerals if m.ts == ts and m.body["for_user"] == user]
        message = hidden[0] if hidden else where.messages.get(ts)
        if message is None:
            raise Refused("message_not_found")
        return message

    def _interactive(self, kind: str, who: User, team: str) -> Json:
        return {"type": kind, "team": {"id": team, "domain": DOMAIN}, "api_app_id": APP_ID, "token": TOKEN,
                "enterprise": None,
                "user": {"id": who.id, "username": who.name, "name": who.name, "team_id": who.team_id},
                "trigger_id": self.hub.trigger(who.id), "is_enterprise_install": False}  # fmt: skip

    def _trouble(self, where: Channel, user: str, thread_ts: str | None) -> Any:
        def tell(why: str) -> None:
            self.hub.slackbot(where, user, f"⚠️ Mend did not answer this in time ({why}). Try again.", thread_ts)

        return tell

    def shortcut(self, ts: str, user: str = "U0ALICE", channel: str = "C0DATA",
                 callback_id: str = "mend_troubleshoot") -> Delivery:  # fmt: skip
        """Choose a message shortcut from the message's menu."""
        hub = self.hub
        with hub.space.lock:
            who, where = self._at(user, channel)
            message = self._seen(where, ts, user)
            if callback_id not in hub.shortcuts:
                raise Refused("no_such_shortcut")
            payload = {
                **self._interactive("message_action", who, where.team), "callback_id": callback_id,
                "action_ts": hub.space.new_ts(), "message_ts": ts, "message": dict(message.body),
                "channel": {"id": where.id, "name": "directmessage" if where.is_im else where.name},
                "response_url": hub.response_url(where.id, user, ts, message.thread_ts),
            }  # fmt: skip
        return hub.call_app("interactive", payload, on_failure=self._trouble(where, user, message.thread_ts))

    def open_home(self, user: str = "U0ALICE", tab: str = "home") -> Delivery | None:
        space = self.hub.space
        event: Json = {"type": "app_home_opened", "user": user, "channel": "D" + user[1:], "tab": tab,
                       "event_ts": space.new_ts()}  # fmt: skip
        if tab == "home" and user in space.homes:
            event["view"] = dict(space.homes[user])
        return self.hub.event(event, None, "app_home_opened", space.user(user).team_id)
