"""Web API: auth, conversations, users, user groups."""

from __future__ import annotations

from bot.playground.api_chat import truth
from bot.playground.hub import Hub
from bot.playground.state import APP_ID, BOT_ID, BOT_USER, Channel, Json, Message, Refused


def auth_test(hub: Hub, args: Json) -> Json:
    return {"ok": True, "url": f"{hub.url}/", "team": hub.space.teams[hub.team], "user": "mend", "team_id": hub.team,
            "user_id": BOT_USER, "bot_id": BOT_ID, "app_id": APP_ID, "is_enterprise_install": False}  # fmt: skip


def open_connection(hub: Hub, args: Json) -> Json:
    url = hub.url.replace("http", "ws", 1)
    return {"ok": True, "url": f"{url}/link/?ticket={hub.sockets.ticket()}&app_id={APP_ID}"}


def readable(hub: Hub, args: Json) -> Channel:
    channel = hub.room(args.get("channel"))
    if channel.is_private and BOT_USER not in channel.members:
        raise Refused("channel_not_found")
    return channel


def info(hub: Hub, args: Json) -> Json:
    return {"ok": True, "channel": readable(hub, args).as_json()}


def members(hub: Hub, args: Json) -> Json:
    people = sorted(readable(hub, args).members)
    return {"ok": True, "members": people, "response_metadata": {"next_cursor": ""}}


def join(hub: Hub, args: Json) -> Json:
    channel = readable(hub, args)
    if channel.is_im or channel.is_private:
        raise Refused("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise Refused("is_archived")
    already = BOT_USER in channel.members
    channel.members.add(BOT_USER)
    hub.space.touch()
    answer: Json = {"ok": True, "channel": channel.as_json()}
    if already:
        answer["warning"] = "already_in_channel"
        answer["response_metadata"] = {"warnings": ["already_in_channel"]}
    return answer


def open_dm(hub: Hub, args: Json) -> Json:
    users = [u for u in str(args.get("users") or "").split(",") if u]
    if args.get("channel"):
        channel = readable(hub, args)
    elif len(users) != 1:
        raise Refused("users_list_not_supplied" if not users else "too_many_users")
    else:
        channel = hub.space.channel("D" + hub.space.user(users[0]).id[1:])
    return {"ok": True, "channel": channel.as_json() if truth(args.get("return_im")) else {"id": channel.id}}


def _page(hub: Hub, channel: Channel, found: list[Message], args: Json) -> Json:
    oldest, latest = str(args.get("oldest") or "0"), str(args.get("latest") or "9999999999")
    limit = min(int(args.get("limit") or 100), 999)
    inside = [m for m in found if oldest < m.ts < latest or (truth(args.get("inclusive")) and m.ts in (oldest, latest))]
    start = int(str(args.get("cursor") or "0"))
    shown = inside[start : start + limit]
    more = start + limit < len(inside)
    bodies = hub.space.exported(channel, shown)
    if not truth(args.get("include_all_metadata")):
        for body in bodies:
            body.pop("metadata", None)
    return {"ok": True, "messages": bodies, "has_more": more,
            "response_metadata": {"next_cursor": str(start + limit) if more else ""}}  # fmt: skip


def history(hub: Hub, args: Json) -> Json:
    channel = readable(hub, args)
    if BOT_USER not in channel.members:
        raise Refused("not_in_channel")
    tops = [m for m in channel.messages.values() if m.thread_ts in (None, m.ts)
            or m.body.get("subtype") == "thread_broadcast"]  # fmt: skip
    return _page(hub, channel, tops[::-1], args)


def replies(hub: Hub, args: Json) -> Json:
    channel = readable(hub, args)
    if BOT_USER not in channel.members:
        raise Refused("not_in_channel")
    message = channel.messages.get(str(args.get("ts")))
    if message is None:
        raise Refused("thread_not_found")
    return _page(hub, channel, hub.space.thread(channel, message.thread_ts or message.ts), args)


def user_info(hub: Hub, args: Json) -> Json:
    user = hub.space.user(str(args.get("user") or ""))
    return {"ok": True, "user": user.as_json("users:read.email" in hub.scopes, hub.team)}


def user_list(hub: Hub, args: Json) -> Json:
    listed = [u.as_json("users:read.email" in hub.scopes) for u in hub.space.users.values()]
    return {"ok": True, "members": listed, "response_metadata": {"next_cursor": ""}}


def user_by_email(hub: Hub, args: Json) -> Json:
    for user in hub.space.users.values():
        if user.as_json()["profile"].get("email") == args.get("email"):
            return {"ok": True, "user": user.as_json()}
    raise Refused("users_not_found")


def group_users(hub: Hub, args: Json) -> Json:
    group = str(args.get("usergroup") or "")
    if group not in hub.space.groups:
        raise Refused("no_such_subteam")
    return {"ok": True, "users": list(hub.space.groups[group])}
