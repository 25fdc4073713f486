"""Shapes of what a person does to an element: the `actions[]` entry and `state.values`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.playground.state import Json, Refused

CHOSEN = {"users_select": "selected_user", "conversations_select": "selected_conversation",
          "channels_select": "selected_channel", "datepicker": "selected_date", "timepicker": "selected_time",
          "datetimepicker": "selected_date_time", "multi_users_select": "selected_users",
          "multi_conversations_select": "selected_conversations",
          "multi_channels_select": "selected_channels"}  # fmt: skip


def elements(blocks: list[Json]) -> Iterator[tuple[str, Json]]:
    """Every interactive element with its block_id."""
    for block in blocks:
        found = [*block.get("elements", []), block.get("accessory"), block.get("element")]
        for element in found if block.get("type") != "rich_text" else []:
            if isinstance(element, dict) and element.get("type") not in ("image", "mrkdwn", "plain_text"):
                yield str(block.get("block_id", "")), element
        yield from elements(block.get("child_blocks", []))


def find(blocks: list[Json], action_id: str, block_id: str | None, value: object) -> tuple[str, Json]:
    same = [(b, e) for b, e in elements(blocks) if e.get("action_id") == action_id
            and (block_id is None or b == block_id)]  # fmt: skip
    exact = [(b, e) for b, e in same if e.get("type") == "button" and value is not None and e.get("value") == value]
    if not same:
        raise Refused("no_such_action", [f"no element with action_id {action_id} is shown"])
    return (exact or same)[0]


def _option(element: Json, value: object) -> Json:
    listed = element.get("options") or [o for g in element.get("option_groups", []) for o in g["options"]]
    for option in listed:
        if option["value"] == value:
            return dict(option)
    raise Refused("no_such_option", [f"{value!r} is not offered"])


def chosen(element: Json, value: Any) -> Json:
    """What the person picked or typed, in the words of this element's type."""
    kind = str(element["type"])
    if kind in CHOSEN:
        return {"type": kind, CHOSEN[kind]: value}
    if kind in ("static_select", "external_select", "radio_buttons", "overflow"):
        return {"type": kind, "selected_option": _option(element, value) if value is not None else None}
    if kind in ("multi_static_select", "multi_external_select", "checkboxes"):
        return {"type": kind, "selected_options": [_option(element, v) for v in value or []]}
    return {"type": kind, "value": value}


def action(block_id: str, element: Json, value: Any, ts: str) -> Json:
    kind = element["type"]
    base: Json = {"action_id": element.get("action_id"), "block_id": block_id, "action_ts": ts, "type": kind}
    if kind in ("button", "icon_button"):
        kept: Json = {k: element[k] for k in ("text", "value", "style", "url") if k in element}
        return {**base, **kept, **({"value": value} if value is not None else {})}
    if kind == "feedback_buttons":
        halves = [element["positive_button"], element["negative_button"]]
        half = next((h for h in halves if h["value"] == value), halves[0])
        return {**base, "value": half["value"], "text": half["text"]}
    return {**base, **chosen(element, value)}


def initial(element: Json) -> Any:
    """What the element holds before anybody touched it."""
    if one := element.get("initial_option"):
        return one["value"]
    if many := element.get("initial_options"):
        return [o["value"] for o in many]
    for key in ("initial_value", "initial_user", "initial_date", "initial_time", "initial_date_time",
                "initial_channel", "initial_conversation", "initial_users"):  # fmt: skip
        if element.get(key) is not None:
            return element[key]
    return None


def state(blocks: list[Json], given: Json) -> Json:
    """`given` is {block_id: {action_id: value}}, or {block_id: value} or {action_id: value} for short."""
    values: Json = {}
    for block_id, element in elements(blocks):
        if element["type"] in ("button", "overflow", "feedback_buttons", "icon_button", "workflow_button"):
            continue
        action_id = str(element.get("action_id", ""))
        own = given.get(block_id, given.get(action_id, initial(element)))
        value = own.get(action_id, initial(element)) if isinstance(own, dict) else own
        values.setdefault(block_id, {})[action_id] = chosen(element, value or None)
    return values


def missing(blocks: list[Json], values: Json) -> dict[str, str]:
    """Slack itself checks that required inputs are filled in."""
    found = {}
    for block in blocks:
        if block.get("type") == "input" and not block.get("optional"):
            block_id = str(block["block_id"])
            entry: Json = next(iter(values.get(block_id, {}).values()), {})
            if not any(v for k, v in entry.items() if k != "type"):
                found[block_id] = "Please complete this required field."
    return found
