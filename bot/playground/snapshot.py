"""What one person sees, in one JSON object, for the page."""

from __future__ import annotations

from bot.playground.hub import Hub
from bot.playground.state import BOT_USER, SLACKBOT, Channel, Json

SHOWN = 300


def snapshot(hub: Hub, user_id: str) -> Json:
    space = hub.space
    with space.lock:
        user = space.users.get(user_id) or space.users["U0ALICE"]
        rooms = [c for c in space.channels.values() if _visible(c, user.id, user.is_restricted or user.is_stranger)]
        stack = [space.views[v] for v in space.modals.get(user.id, [])]
        top = stack[-1] if stack else None
        return {
            "me": user.id, "bot": BOT_USER, "revision": space.revision,
            "users": {u.id: _person(u.id, hub) for u in space.users.values()},
            "actors": [u.id for u in space.users.values() if not u.is_bot and u.id != SLACKBOT],
            "channels": [_channel(hub, c, user.id) for c in rooms],
            "home": space.homes.get(user.id), "modal": top, "modal_depth": len(stack),
            "modal_errors": space.view_errors.get(top["id"], {}) if top else {},
            "commands": hub.commands, "shortcuts": hub.shortcuts,
            "app_connected": bool(hub.http or hub.sockets.connections),
        }  # fmt: skip


def _visible(channel: Channel, user: str, limited: bool) -> bool:
    """Members see their rooms; staff see public channels too."""
    return user in channel.members or not (channel.is_im or channel.is_private or limited)


def _person(user_id: str, hub: Hub) -> Json:
    user = hub.space.users[user_id]
    return {"id": user.id, "name": user.name, "real_name": user.real_name, "title": user.title, "color": user.color,
            "is_bot": user.is_bot, "external": user.is_stranger, "guest": user.is_restricted}  # fmt: skip


def _channel(hub: Hub, channel: Channel, user: str) -> Json:
    messages = list(channel.messages.values())
    tops = [m for m in messages if m.thread_ts in (None, m.ts)][-SHOWN:]
    wanted = {m.ts for m in tops}
    shown = [m for m in messages if m.ts in wanted or m.thread_ts in wanted]
    hidden = [m for m in channel.ephemerals if m.body["for_user"] == user]
    bodies = hub.space.exported(channel, shown)
    listed = [{**body, "rev": m.rev} for body, m in zip(bodies, shown, strict=True)]
    listed += [{**m.body, "rev": m.rev} for m in hidden]
    return {
        "id": channel.id, "name": channel.name, "kind": channel.kind, "archived": channel.is_archived,
        "external": channel.is_ext_shared, "bot_in": BOT_USER in channel.members, "members": len(channel.members),
        "messages": sorted(listed, key=lambda m: str(m["ts"])),
    }  # fmt: skip
