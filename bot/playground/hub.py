"""What the parts of the local Slack share: keys, triggers, response URLs, events on their way to the app."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from bot.playground.courier import Courier, Delivery
from bot.playground.faults import Faults
from bot.playground.http_events import HttpEvents
from bot.playground.oauth import OAuthApp
from bot.playground.openid import OpenIdSide
from bot.playground.socket_mode import SocketMode
from bot.playground.state import APP_ID, BOT_ID, BOT_USER, SLACKBOT, TEAM, Channel, Json, Message, Refused, Workspace

TRIGGER_SECONDS, RESPONSE_SECONDS, RESPONSE_USES = 3.0, 1800.0, 5
SCOPES = ("commands", "chat:write", "app_mentions:read", "im:history", "channels:history", "groups:history",
          "channels:read", "groups:read", "channels:join", "im:write", "users:read", "users:read.email",
          "usergroups:read", "reactions:write")  # fmt: skip
EVENTS = ("app_mention", "message.im", "message.channels", "message.groups", "app_home_opened")
TOKEN = "local-verification-token"  # noqa: S105 - Slack's deprecated, public verification field


@dataclass
class Call:
    method: str
    args: Json
    response: Json
    status: int = 200
    at: float = field(default_factory=time.monotonic)


@dataclass
class Trigger:
    user: str
    expires: float
    used: bool = False


@dataclass
class ResponseUrl:
    channel: str
    user: str
    expires: float
    ts: str | None = None
    thread_ts: str | None = None
    uses: int = 0


class Hub:
    def __init__(self) -> None:
        self.space = Workspace()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.bot_token = f"xoxb-local-{secrets.token_hex(12)}"
        self.app_token = f"xapp-local-{secrets.token_hex(12)}"
        self.signing_secret = secrets.token_hex(16)
        self.scopes: set[str] = set(SCOPES)
        self.subscriptions: set[str] = set(EVENTS)
        self.commands: dict[str, str] = {"/mend": "[connection | status | resume | help]"}
        self.shortcuts: dict[str, str] = {"mend_troubleshoot": "Troubleshoot this"}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.echo_own = True
        # Which workspace each bot token belongs to, and the one whose call is being answered.
        self.tokens = {self.bot_token: TEAM}
        self.team = TEAM
        self.revoked: set[str] = set()
        self.oauth = OAuthApp()
        self.openid = OpenIdSide()
        self.url = ""
        self.public_url = ""
        self.courier = Courier(self._transport)
        self.sockets = SocketMode(self.courier)
        self.http: HttpEvents | None = None

    def _transport(self) -> SocketMode | HttpEvents:
        return self.http or self.sockets

    def room(self, channel_id: object) -> Channel:
        """A conversation, as far as the token in use reaches."""
        channel = self.space.channel(str(channel_id or ""))
        if channel.team != self.team:
            raise Refused("channel_not_found")
        return channel

    def trigger(self, user: str) -> str:
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user, time.monotonic() + TRIGGER_SECONDS)
        return trigger_id

    def spend_trigger(self, trigger_id: object) -> str:
        trigger = self.triggers.get(str(trigger_id))
        if trigger is None:
            raise Refused("invalid_trigger_id" if trigger_id else "invalid_arguments")
        if trigger.used:
            raise Refused("exchanged_trigger_id")
        if time.monotonic() > trigger.expires:
            raise Refused("expired_trigger_id")
        trigger.used = True
        return trigger.user

    def response_url(self, channel: str, user: str, ts: str | None = None, thread_ts: str | None = None) -> str:
        key = secrets.token_urlsafe(18)
        self.response_urls[key] = ResponseUrl(channel, user, time.monotonic() + RESPONSE_SECONDS, ts, thread_ts)
        return f"{self.url}/response/{key}"

    def permalink(self, channel: str, ts: str, thread_ts: str | None = None) -> str:
        link = f"{self.public_url or self.url}/archives/{channel}/p{ts.replace('.', '')}"
        return f"{link}?thread_ts={thread_ts}&cid={channel}" if thread_ts and thread_ts != ts else link

    def call_app(self, kind: str, payload: Json, **more: object) -> Delivery:
        return self.courier.send(Delivery(kind, payload, **more))  # type: ignore[arg-type]

    def event(self, event: Json, channel: Channel | None, name: str, team: str = TEAM) -> Delivery | None:
        """Events reach the app when it subscribed to them and sits in the conversation."""
        if name not in self.subscriptions or (channel is not None and BOT_USER not in channel.members):
            return None
        team = channel.team if channel else team
        authorization = {"enterprise_id": None, "team_id": team, "user_id": BOT_USER, "is_bot": True,
                         "is_enterprise_install": False}  # fmt: skip
        return self.call_app("events_api", {
            "token": TOKEN, "team_id": team, "context_team_id": team, "context_enterprise_id": None,
            "api_app_id": APP_ID, "event": event, "type": "event_callback", "event_id": self.space.new_id("Ev"),
            "event_time": int(time.time()), "authorizations": [authorization],
            "is_ext_shared_channel": bool(channel and channel.is_ext_shared),
            "event_context": f"4-{secrets.token_hex(12)}",
        })  # fmt: skip

    def message_event(self, channel: Channel, body: Json, **more: object) -> Delivery | None:
        if body.get("bot_id") == BOT_ID and not self.echo_own:
            return None
        event = {**body, "type": "message", "channel": channel.id, "channel_type": channel.kind,
                 "event_ts": body["ts"], **more}  # fmt: skip
        return self.event(event, channel, f"message.{channel.kind}{'' if channel.is_im else 's'}")

    def changed_event(self, channel: Channel, now: Json, before: Json) -> None:
        ts = self.space.new_ts()
        body = {"subtype": "message_changed", "hidden": True, "message": now, "previous_message": before, "ts": ts,
                "bot_id": now.get("bot_id")}  # fmt: skip
        if body["bot_id"] is None:
            body.pop("bot_id")
        self.message_event(channel, body)

    def deleted_event(self, channel: Channel, before: Json) -> None:
        self.message_event(channel, {"subtype": "message_deleted", "hidden": True, "deleted_ts": before["ts"],
                                     "previous_message": before, "ts": self.space.new_ts()})  # fmt: skip

    def ephemeral(self, channel: Channel, user: str, body: Json, sender: str = BOT_USER) -> Message:
        own = {"bot_id": BOT_ID, "app_id": APP_ID} if sender == BOT_USER else {}
        message = Message({"type": "message", "subtype": "bot_message", "is_ephemeral": True, "user": sender,
                           "for_user": user, "ts": self.space.new_ts(), **own, **body})  # fmt: skip
        with self.space.lock:
            channel.ephemerals.append(message)
            message.rev = self.space.touch()
        return message

    def slackbot(self, channel: Channel, user: str, text: str, thread_ts: str | None = None) -> None:
        body: Json = {"text": text}
        if thread_ts:
            body["thread_ts"] = thread_ts
        self.ephemeral(channel, user, body, SLACKBOT)
