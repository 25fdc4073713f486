"""Web API: chat.*, reactions.add. Everything a message must pass before Slack takes it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from bot.playground.blocks import problems
from bot.playground.hub import Hub, ResponseUrl
from bot.playground.state import APP_ID, BOT_ID, BOT_USER, Channel, Json, Message, Refused

MAX_TEXT, MAX_UPDATE, MAX_METADATA = 40_000, 4_000, 8_000


def decoded(args: Json, key: str, error: str) -> Any:
    """Forms carry JSON as text."""
    value = args.get(key)
    if isinstance(value, str):
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise Refused(error) from None
    return value


def truth(value: object) -> bool:
    return value in (True, "true", "True", "1", 1)


def target(hub: Hub, args: Json) -> Channel:
    """The conversation to write in, or Slack's reason why not."""
    channel = hub.room(args.get("channel"))
    if BOT_USER not in channel.members:
        if channel.is_private:
            raise Refused("channel_not_found")
        if "chat:write.public" not in hub.scopes:
            raise Refused("not_in_channel")
    if channel.is_archived:
        raise Refused("is_archived")
    return channel


def content(args: Json) -> Json:
    """text, blocks, attachments of a message, checked; blocks get their ids as Slack gives them."""
    blocks = decoded(args, "blocks", "invalid_blocks_format")
    attachments = decoded(args, "attachments", "invalid_attachments")
    text, markdown = args.get("text") or "", args.get("markdown_text")
    if markdown:
        if text or blocks:
            raise Refused("markdown_text_conflict")
        if len(str(markdown)) > 12_000:
            raise Refused("msg_too_long")
        text, blocks = str(markdown), [{"type": "markdown", "text": str(markdown)}]
    if not text and not blocks and not attachments:
        raise Refused("no_text")
    if blocks is not None and not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    found = problems({"text": text, "blocks": blocks or [], "attachments": attachments or []}, "message")
    if found:
        raise Refused("msg_blocks_too_long" if "together" in found[0] else "invalid_blocks", found)
    body: Json = {"text": str(text)}
    if blocks:
        body["blocks"] = [with_ids(b) for b in blocks]
    if attachments:
        body["attachments"] = attachments
    return body


def with_ids(block: Json) -> Json:
    block = {**block, "block_id": block.get("block_id") or secrets.token_hex(3)}
    for key in ("elements",):
        if block["type"] in ("actions", "context_actions"):
            block[key] = [{**e, "action_id": e.get("action_id") or secrets.token_hex(3)} for e in block[key]]
    return block


def metadata(args: Json) -> Json | None:
    value = decoded(args, "metadata", "invalid_metadata_format")
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("event_payload"), dict) or not value.get("event_type"):
        raise Refused("invalid_metadata_format")
    if len(json.dumps(value)) > MAX_METADATA:
        raise Refused("metadata_too_large")
    return {"event_type": value["event_type"], "event_payload": value["event_payload"]}


def parent(channel: Channel, thread_ts: object) -> Message | None:
    if not thread_ts:
        return None
    message = channel.messages.get(str(thread_ts))
    if message is None:
        raise Refused("thread_not_found")
    if message.thread_ts not in (None, message.ts):
        raise Refused("cannot_reply_to_message")
    return message


def bot_body(hub: Hub, body: Json) -> Json:
    return {"type": "message", "user": BOT_USER, "bot_id": BOT_ID, "app_id": APP_ID, "team": hub.team,
            "ts": hub.space.new_ts(), **body}  # fmt: skip


def post_message(hub: Hub, args: Json) -> Json:
    channel, body = target(hub, args), content(args)
    root, meta = parent(channel, args.get("thread_ts")), metadata(args)
    warnings = {}
    if len(body["text"]) > MAX_TEXT:
        body["text"] = body["text"][:MAX_TEXT]
        warnings = {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}
    if root is not None:
        body.update(thread_ts=root.ts, parent_user_id=root.body.get("user"))
        if truth(args.get("reply_broadcast")):
            body["subtype"] = "thread_broadcast"
    if meta:
        body["metadata"] = meta
    message = hub.space.put(channel, bot_body(hub, body))
    if root is not None:
        root.rev = hub.space.touch()
    hub.message_event(channel, message.body)
    return {"ok": True, "channel": channel.id, "ts": message.ts, "message": dict(message.body), **warnings}


def own_message(channel: Channel, ts: object, error: str) -> Message:
    message = channel.messages.get(str(ts))
    if message is None or message.body.get("subtype") == "tombstone":
        raise Refused("message_not_found")
    if message.body.get("bot_id") != BOT_ID:
        raise Refused(error)
    return message


def update(hub: Hub, args: Json) -> Json:
    channel = target(hub, args)
    message = own_message(channel, args.get("ts"), "cant_update_message")
    if len(str(args.get("text") or "")) > MAX_UPDATE:
        raise Refused("msg_too_long")
    body, meta = content(args), metadata(args)
    before = dict(message.body)
    with hub.space.lock:
        # Slack drops blocks that an update does not repeat; metadata stays unless given anew.
        kept = {k: v for k, v in before.items() if k not in ("blocks", "attachments")}
        message.body = {**kept, **body, "edited": {"user": BOT_USER, "ts": hub.space.new_ts()}}
        if meta is not None:
            message.body["metadata"] = meta
        message.rev = hub.space.touch()
    hub.changed_event(channel, dict(message.body), before)
    return {"ok": True, "channel": channel.id, "ts": message.ts, "text": body["text"], "message": dict(message.body)}


def remove(hub: Hub, channel: Channel, message: Message) -> None:
    """A thread's parent with replies leaves a tombstone behind."""
    before = dict(message.body)
    if any(m.thread_ts == message.ts and m is not message for m in channel.messages.values()):
        message.body = {"type": "message", "subtype": "tombstone", "hidden": True, "ts": message.ts,
                        "user": "USLACKBOT", "text": "This message was deleted.", "thread_ts": message.ts}  # fmt: skip
        message.rev = hub.space.touch()
        hub.changed_event(channel, dict(message.body), before)
        return
    del channel.messages[message.ts]
    hub.space.touch()
    hub.deleted_event(channel, before)


def delete(hub: Hub, args: Json) -> Json:
    channel = target(hub, args)
    message = own_message(channel, args.get("ts"), "cant_delete_message")
    remove(hub, channel, message)
    return {"ok": True, "channel": channel.id, "ts": message.ts}


def post_ephemeral(hub: Hub, args: Json) -> Json:
    channel, body = target(hub, args), content(args)
    user = str(args.get("user") or "")
    if user not in channel.members:
        raise Refused("user_not_in_channel")
    if len(body["text"].encode()) > MAX_UPDATE:
        raise Refused("msg_too_long")
    root = parent(channel, args.get("thread_ts"))
    if root is not None:
        body["thread_ts"] = root.ts
    message = hub.ephemeral(channel, user, body)
    return {"ok": True, "message_ts": message.ts}


def get_permalink(hub: Hub, args: Json) -> Json:
    channel = hub.room(args.get("channel"))
    message = channel.messages.get(str(args.get("message_ts")))
    if message is None:
        raise Refused("message_not_found")
    return {"ok": True, "channel": channel.id, "permalink": hub.permalink(channel.id, message.ts, message.thread_ts)}


def add_reaction(hub: Hub, args: Json) -> Json:
    channel = target(hub, args)
    message = channel.messages.get(str(args.get("timestamp")))
    if message is None:
        raise Refused("message_not_found")
    name = str(args.get("name") or "").strip(":")
    if not name:
        raise Refused("invalid_name")
    reactions: list[Json] = message.body.setdefault("reactions", [])
    for reaction in reactions:
        if reaction["name"] == name:
            if BOT_USER in reaction["users"]:
                raise Refused("already_reacted")
            reaction["users"].append(BOT_USER)
            break
    else:
        reactions.append({"name": name, "users": [BOT_USER], "count": 1})
    message.rev = hub.space.touch()
    return {"ok": True}


def respond(hub: Hub, link: ResponseUrl, body: Json, args: Json) -> Message:
    channel = hub.space.channel(link.channel)
    if args.get("response_type") == "in_channel":
        thread = args.get("thread_ts")
        message = hub.space.put(channel, bot_body(hub, {**body, **({"thread_ts": thread} if thread else {})}))
        hub.message_event(channel, message.body)
        return message
    if link.thread_ts:
        body = {**body, "thread_ts": link.thread_ts}
    return hub.ephemeral(channel, link.user, body)
