"""What Slack refuses in blocks. `problems()` is the local Slack's judge and can lint any outgoing payload."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Literal

from bot.playground.block_check import At, Json, Seen
from bot.playground.block_elements import (
    IN_ACTIONS,
    IN_CONTEXT_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    element,
    image,
    rich_text,
    text,
)

Surface = Literal["message", "modal", "home"]
MESSAGE_ONLY = {"plan", "task_card", "table", "markdown", "context_actions", "card", "carousel", "container"}
STATUSES = "pending in_progress complete error"
MAX_BLOCKS = {"message": 50, "modal": 100, "home": 100}
MAX_MARKDOWN, MAX_TABLE, MAX_VIEW_BYTES = 12_000, 10_000, 250_000


def problems(payload: Json, surface: Surface) -> list[str]:
    """All reasons why Slack would refuse this message or view; empty when it takes it."""
    seen = Seen()
    root = At(payload, "", surface, seen)
    if surface == "message":
        _message(root)
    else:
        _view(root)
    blocks = root.array("blocks", 0 if surface != "modal" else 1, MAX_BLOCKS[surface], required=surface != "message")
    for at in blocks.each():
        if at.is_object():
            block(at)
    _over_all(blocks, seen)
    if surface == "modal" and seen.has_input and not root.has("submit"):
        root.say("submit is required when the view contains an input block")
    return seen.problems


def _message(root: At) -> None:
    body = root.value
    if not (body.get("text") or body.get("markdown_text") or body.get("blocks") or body.get("attachments")):
        root.say("no_text")
    if len(body.get("attachments") or []) > 100:
        root.say("too many attachments")


def _view(root: At) -> None:
    root.only("blocks title submit close private_metadata callback_id clear_on_close notify_on_close "
              "external_id submit_disabled")  # fmt: skip
    kind = root.value.get("type")
    if kind != root.surface:
        root.get("type").say(f"must be {root.surface}")
    if root.surface == "modal":
        text(root.get("title"), 24, plain=True)
        text(root.get("submit"), 24, plain=True, required=False)
        text(root.get("close"), 24, plain=True, required=False)
    root.string("callback_id", 255)
    root.string("external_id", 255)
    root.string("private_metadata", 3000, least=0)
    if len(json.dumps(root.value).encode()) > MAX_VIEW_BYTES:
        root.say("view is larger than 250 kB")


def _over_all(blocks: At, seen: Seen) -> None:
    for block_id, count in Counter(seen.block_ids).items():
        if count > 1:
            blocks.say(f"block_id already exists: {block_id}")
    for actions in seen.action_ids.values():
        for action_id, count in Counter(actions).items():
            if count > 1:
                blocks.say(f"action_id already exists: {action_id}")
    if seen.markdown_chars > MAX_MARKDOWN:
        blocks.say(f"all markdown blocks together must be less than {MAX_MARKDOWN + 1} characters")
    if seen.table_chars > MAX_TABLE:
        blocks.say(f"all tables together must be less than {MAX_TABLE + 1} characters")
    if seen.focused > 1:
        blocks.say("focus_on_load may be set on one element only")


def block(at: At) -> None:
    kind = str(at.value.get("type"))
    if kind not in RULES:
        at.say(f"unsupported type: {kind}")
        return
    if kind in MESSAGE_ONLY and at.surface != "message":
        at.say(f"{kind} blocks are not allowed in a {at.surface}")
    if kind == "alert" and at.surface != "modal":
        at.say(f"alert blocks are not allowed in a {at.surface}")
    at.string("block_id", 255)
    # Slack reads action_ids as one name space per block.
    at.block = at.pointer
    if at.has("block_id") and kind != "markdown":
        at.seen.block_ids.append(str(at.value["block_id"]))
    RULES[kind](at)


def _section(at: At) -> None:
    at.only("block_id text fields accessory expand")
    if not at.has("text") and not at.has("fields"):
        at.say("one of text and fields is required")
    text(at.get("text"), 3000, required=False)
    if at.has("fields"):
        for item in at.array("fields", 1, 10).each():
            text(item, 2000)
    if at.has("accessory"):
        element(at.get("accessory"), IN_SECTION)


def _header(at: At) -> None:
    at.only("block_id text level")
    text(at.get("text"), 150, plain=True)


def _image_block(at: At) -> None:
    image(at)
    text(at.get("title"), 2000, plain=True, required=False)


def _actions(at: At) -> None:
    at.only("block_id elements")
    for item in at.array("elements", 1, 25).each():
        element(item, IN_ACTIONS)


def _context(at: At) -> None:
    at.only("block_id elements")
    for item in at.array("elements", 1, 10).each():
        if item.is_object():
            image(item) if item.value.get("type") == "image" else text(item, 3000)


def _context_actions(at: At) -> None:
    at.only("block_id elements")
    for item in at.array("elements", 1, 5).each():
        element(item, IN_CONTEXT_ACTIONS)


def _input(at: At) -> None:
    at.only("block_id label element hint optional dispatch_action")
    at.seen.has_input = True
    text(at.get("label"), 2000, plain=True)
    text(at.get("hint"), 2000, plain=True, required=False)
    at.flag("optional", "dispatch_action")
    element(at.get("element"), IN_INPUT)


def _markdown(at: At) -> None:
    at.only("block_id text")
    at.string("text", MAX_MARKDOWN, required=True)
    at.seen.markdown_chars += len(str(at.value.get("text") or ""))


def _plan(at: At) -> None:
    at.only("block_id title tasks")
    at.string("title", 256, required=True)
    tasks = at.array("tasks", 0, 50, required=False)
    for task in tasks.each():
        if task.is_object():
            _task(task)
    ids = [t.get("task_id") for t in tasks.value or [] if isinstance(t, dict)]
    if len(set(map(str, ids))) != len(ids):
        tasks.say("task_id must be unique")


def _task(at: At) -> None:
    at.only("block_id task_id title status details output sources")
    if at.value.get("type") not in (None, "task_card"):
        at.get("type").say("must be task_card")
    at.string("task_id", 255, required=True)
    at.string("title", 256, required=True)
    at.one_of("status", STATUSES)
    for key in ("details", "output"):
        if at.has(key):
            rich_text(at.get(key))
    if at.has("sources"):
        for source in at.array("sources", 0, 50).each():
            if source.is_object():
                source.url("url", required=True)
                source.string("text", 256, required=True)


def _table(at: At) -> None:
    at.only("block_id rows column_settings")
    if at.has("column_settings"):
        for setting in at.array("column_settings", 0, 20).each():
            if setting.value is not None and setting.is_object():
                setting.only("align is_wrapped")
                setting.one_of("align", "left center right")
    for row in at.array("rows", 1, 100).each():
        if not isinstance(row.value, list):
            row.say("must be an array")
            continue
        if not 1 <= len(row.value) <= 20:
            row.say("must have 1 to 20 cells")
        for cell in row.each():
            _cell(cell)


def _cell(cell: At) -> None:
    if not cell.is_object():
        return
    kind = cell.value.get("type")
    if kind == "rich_text":
        rich_text(cell)
        cell.seen.table_chars += _letters(cell.value)
    elif kind == "raw_text":
        cell.string("text", MAX_TABLE, required=True)
        cell.seen.table_chars += len(str(cell.value.get("text") or ""))
    elif kind == "raw_number":
        if not isinstance(cell.value.get("value"), int | float):
            cell.say("missing required field: value")
    else:
        cell.say(f"unsupported type: {kind}")


def _letters(value: object) -> int:
    if isinstance(value, list):
        return sum(map(_letters, value))
    if isinstance(value, dict):
        return len(str(value.get("text") or "")) + _letters(value.get("elements"))
    return 0


def _alert(at: At) -> None:
    text(at.get("text"), 200)
    at.one_of("level", "default info warning error success")


def _card(at: At) -> None:
    for key, limit in (("title", 150), ("subtitle", 150), ("body", 200)):
        text(at.get(key), limit, required=False)


def _carousel(at: At) -> None:
    for item in at.array("elements", 1, 10).each():
        if item.is_object():
            _card(item)


def _container(at: At) -> None:
    text(at.get("title"), 150, required=False)
    for child in at.array("child_blocks", 1, 10).each():
        if child.is_object():
            block(child)


def _video(at: At) -> None:
    at.string("alt_text", 2000, required=True)
    text(at.get("title"), 200, plain=True)
    at.url("video_url", required=True)
    at.url("thumbnail_url", required=True)


RULES: dict[str, Callable[[At], None]] = {
    "section": _section, "header": _header, "divider": lambda at: at.only("block_id"), "image": _image_block,
    "actions": _actions, "context": _context, "context_actions": _context_actions, "input": _input,
    "markdown": _markdown, "plan": _plan, "task_card": _task, "table": _table, "rich_text": rich_text,
    "alert": _alert, "card": _card, "carousel": _carousel, "container": _container, "video": _video,
}  # fmt: skip
