"""The workspace in memory: people, channels, messages, views. Thread-safe through one lock."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

TEAM, PARTNER_TEAM = "T0LOCAL", "T0PARTNER"
BOT_USER, BOT_ID, APP_ID = "U0MEND", "B0MEND", "A0MEND"
SLACKBOT = "USLACKBOT"


class Refused(Exception):
    """Slack says no; `error` is Slack's own word for it."""

    def __init__(self, error: str, messages: list[str] | None = None, **extra: Any) -> None:
        super().__init__(error if not messages else f"{error}: {'; '.join(messages)}")
        self.error, self.messages, self.extra = error, messages or [], extra

    def as_json(self) -> Json:
        answer: Json = {"ok": False, "error": self.error, **self.extra}
        if self.messages:
            answer["errors"] = self.messages
            answer["response_metadata"] = {"messages": self.messages}
        return answer


@dataclass
class User:
    id: str
    name: str
    real_name: str
    title: str = ""
    team_id: str = TEAM
    is_admin: bool = False
    is_restricted: bool = False
    is_bot: bool = False
    deleted: bool = False
    color: str = "4a154b"

    @property
    def is_stranger(self) -> bool:
        return self.team_id != TEAM

    def as_json(self, with_email: bool = True, seen_from: str = TEAM) -> Json:
        profile: Json = {"real_name": self.real_name, "display_name": self.name, "title": self.title}
        if with_email and not self.is_bot:
            profile["email"] = f"{self.name}@example.com"
        return {
            "id": self.id, "team_id": self.team_id, "name": self.name, "real_name": self.real_name,
            "deleted": self.deleted, "color": self.color, "tz": "Etc/UTC", "tz_offset": 0, "locale": "en-US",
            "is_admin": self.is_admin, "is_owner": False, "is_restricted": self.is_restricted,
            "is_ultra_restricted": False, "is_stranger": self.team_id != seen_from, "is_bot": self.is_bot,
            "is_app_user": False, "profile": profile,
        }  # fmt: skip


@dataclass
class Message:
    """`body` is exactly what the Web API returns; `rev` lets a reader see that it changed."""

    body: Json
    rev: int = 0

    @property
    def ts(self) -> str:
        return str(self.body["ts"])

    @property
    def thread_ts(self) -> str | None:
        value = self.body.get("thread_ts")
        return None if value is None else str(value)


@dataclass
class Channel:
    id: str
    name: str = ""
    is_im: bool = False
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    members: set[str] = field(default_factory=set)
    messages: dict[str, Message] = field(default_factory=dict)
    ephemerals: list[Message] = field(default_factory=list)
    im_user: str = ""
    team: str = TEAM

    @property
    def kind(self) -> str:
        if self.is_im:
            return "im"
        return "group" if self.is_private else "channel"

    def as_json(self) -> Json:
        if self.is_im:
            return {"id": self.id, "is_im": True, "is_channel": False, "user": self.im_user, "is_archived": False,
                    "context_team_id": self.team, "is_ext_shared": False}  # fmt: skip
        return {
            "id": self.id, "name": self.name, "is_channel": not self.is_private, "is_group": self.is_private,
            "is_im": False, "is_mpim": False, "is_private": self.is_private, "is_archived": self.is_archived,
            "is_general": self.id == "C0GENERAL", "is_shared": self.is_ext_shared,
            "is_ext_shared": self.is_ext_shared, "is_org_shared": False, "is_member": BOT_USER in self.members,
            "context_team_id": self.team, "name_normalized": self.name, "num_members": len(self.members),
        }  # fmt: skip


class Workspace:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.revision = 0
        self.on_change: list[Callable[[], None]] = []
        self._last_ts = 0
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.views: dict[str, Json] = {}
        self.modals: dict[str, list[str]] = {}
        self.view_errors: dict[str, dict[str, str]] = {}
        self.homes: dict[str, Json] = {}
        self.teams = {TEAM: "Local Slack"}
        self.groups: dict[str, list[str]] = {"S0DATA": ["U0BOB"]}
        _furnish(self)

    def touch(self) -> int:
        with self.lock:
            self.revision += 1
            self.changed.notify_all()
            listeners = list(self.on_change)
        for listener in listeners:
            listener()
        return self.revision

    def new_ts(self) -> str:
        with self.lock:
            self._last_ts = max(self._last_ts + 1, int(time.time() * 1_000_000))
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        return prefix + secrets.token_hex(5).upper()

    def user(self, user_id: str) -> User:
        if user_id not in self.users:
            raise Refused("user_not_found")
        return self.users[user_id]

    def channel(self, channel_id: str) -> Channel:
        """Accepts a user id too, as chat.postMessage does: that is the person's DM with the app."""
        if channel_id in self.users and channel_id != BOT_USER:
            channel_id = "D" + channel_id[1:]
        if channel_id not in self.channels:
            raise Refused("channel_not_found")
        return self.channels[channel_id]

    def add_user(self, user: User) -> User:
        with self.lock:
            self.users[user.id] = user
            if not user.is_bot and user.id != SLACKBOT:
                dm = "D" + user.id[1:]
                home = user.team_id if user.team_id in self.teams else TEAM
                self.channels[dm] = Channel(dm, is_im=True, im_user=user.id, members={user.id, BOT_USER}, team=home)
        return user

    def add_channel(self, channel: Channel) -> Channel:
        with self.lock:
            self.channels[channel.id] = channel
        self.touch()
        return channel

    def put(self, channel: Channel, body: Json) -> Message:
        message = Message(body)
        with self.lock:
            channel.messages[message.ts] = message
            message.rev = self.touch()
        return message

    def thread(self, channel: Channel, ts: str) -> list[Message]:
        return [m for m in channel.messages.values() if m.ts == ts or m.thread_ts == ts]

    def exported(self, channel: Channel, wanted: list[Message]) -> list[Json]:
        """Messages as history shows them: a thread's parent carries its reply counts."""
        threads: dict[str, list[Message]] = {}
        for message in channel.messages.values():
            if message.thread_ts and message.thread_ts != message.ts:
                threads.setdefault(message.thread_ts, []).append(message)
        return [_with_replies(m, threads.get(m.ts, [])) for m in wanted]


def _with_replies(message: Message, replies: list[Message]) -> Json:
    body = dict(message.body)
    if replies:
        speakers = list(dict.fromkeys(str(m.body.get("user", "")) for m in replies))
        body.update(thread_ts=message.ts, reply_count=len(replies), reply_users=speakers,
                    reply_users_count=len(speakers), latest_reply=replies[-1].ts, is_locked=False)  # fmt: skip
    return body


def _furnish(space: Workspace) -> None:
    for user in (
        User("U0ALICE", "alice", "Alice Moreau", "Analyst", color="1571a0"),
        User("U0BOB", "bob", "Bob Okafor", "Data engineer, admin", is_admin=True, color="28803a"),
        User("U0DANA", "dana", "Dana Lind", "Marketing", color="b5482a"),
        User("U0CHARLIE", "charlie", "Charlie Vance", "Partner company (Slack Connect)", PARTNER_TEAM, color="8d4bbb"),
        User("U0GUEST", "gina", "Gina Ruiz", "Guest", is_restricted=True, color="96690a"),
        User(BOT_USER, "mend", "Mend", "App", is_bot=True, color="4a154b"),
        User(SLACKBOT, "slackbot", "Slackbot", is_bot=True, color="5c6b73"),
    ):
        space.add_user(user)
    staff = {"U0ALICE", "U0BOB", "U0DANA", "U0GUEST"}
    space.add_channel(Channel("C0DATA", "data-alerts", members={*staff, BOT_USER}))
    space.add_channel(Channel("C0GENERAL", "general", members=set(staff)))
    shared = {"U0ALICE", "U0BOB", "U0CHARLIE", BOT_USER}
    space.add_channel(Channel("C0SHARED", "partner-shared", is_ext_shared=True, members=shared))
