"""Rules of the elements inside blocks: texts, buttons, selects, inputs, rich text."""

from __future__ import annotations

from collections.abc import Callable

from bot.playground.block_check import At

SELECTS = {f"{how}{what}" for how in ("", "multi_") for what in (
    "static_select", "external_select", "users_select", "conversations_select", "channels_select")}  # fmt: skip
PICKERS = {"datepicker", "timepicker", "datetimepicker", "checkboxes", "radio_buttons"}
IN_ACTIONS = SELECTS | PICKERS | {"button", "overflow", "workflow_button"}
IN_SECTION = (IN_ACTIONS - {"datetimepicker"}) | {"image"}
IN_INPUT = SELECTS | PICKERS | {
    "plain_text_input", "email_text_input", "url_text_input", "number_input", "file_input",
    "rich_text_input"}  # fmt: skip
IN_CONTEXT_ACTIONS = {"feedback_buttons", "icon_button"}


def text(at: At, limit: int, plain: bool = False, required: bool = True) -> None:
    """A text object; `plain` where Slack takes plain_text only."""
    if at.value is None:
        if required:
            at.say("missing required field")
        return
    if not at.is_object():
        return
    kind = at.value.get("type")
    if kind not in ("plain_text", "mrkdwn") or (plain and kind != "plain_text"):
        at.get("type").say("must be plain_text" if plain else "must be one of: plain_text, mrkdwn")
    at.only("text emoji" if kind == "plain_text" else "text verbatim")
    at.string("text", limit, required=True)
    at.flag("emoji", "verbatim")


def confirm(at: At) -> None:
    if at.value is None or not at.is_object():
        return
    at.only("title text confirm deny style")
    text(at.get("title"), 100, plain=True)
    text(at.get("text"), 300)
    text(at.get("confirm"), 30, plain=True)
    text(at.get("deny"), 30, plain=True)
    at.one_of("style", "primary danger")


def button(at: At) -> None:
    at.only("text action_id url value style confirm accessibility_label agent_prompt agent_prompt_display "
            "visible_to_user_ids")  # fmt: skip
    text(at.get("text"), 75, plain=True)
    at.string("value", 2000, least=0)
    at.string("accessibility_label", 75)
    at.one_of("style", "primary danger")
    at.url("url")
    confirm(at.get("confirm"))
    if at.has("visible_to_user_ids"):
        at.array("visible_to_user_ids", 1, 100)


def option(at: At, plain: bool = True) -> None:
    if not at.is_object():
        return
    at.only("text value description url")
    text(at.get("text"), 75, plain=plain)
    at.string("value", 150, required=True)
    text(at.get("description"), 75, plain=plain, required=False)


def options(at: At, most: int, plain: bool = True) -> None:
    listed = at.array("options", 1, most)
    for item in listed.each():
        option(item, plain)
    values = [o.get("value") for o in listed.value or [] if isinstance(o, dict)]
    if len(set(map(str, values))) != len(values):
        listed.say("option values must be unique")
    initial = at.value.get("initial_option")
    chosen = [initial] if initial else at.value.get("initial_options") or []
    for one in chosen:
        if isinstance(one, dict) and one.get("value") not in values:
            at.say("initial option must be one of the options")


def select(at: At) -> None:
    kind = at.value["type"]
    text(at.get("placeholder"), 150, plain=True, required=False)
    confirm(at.get("confirm"))
    if not kind.endswith("static_select"):
        return
    if at.has("options") == at.has("option_groups"):
        at.say("exactly one of options and option_groups is required")
    elif at.has("options"):
        options(at, 100)
    else:
        for group in at.array("option_groups", 1, 100).each():
            if group.is_object():
                text(group.get("label"), 75, plain=True)
                options(group, 100)


def choices(at: At) -> None:
    options(at, 5 if at.value["type"] == "overflow" else 10, plain=at.value["type"] == "overflow")
    confirm(at.get("confirm"))


def image(at: At) -> None:
    at.only("image_url slack_file alt_text title block_id")
    at.string("alt_text", 2000, required=True)
    at.url("image_url")
    if at.has("image_url") == at.has("slack_file"):
        at.say("exactly one of image_url and slack_file is required")


def typed_input(at: At) -> None:
    text(at.get("placeholder"), 150, plain=True, required=False)
    for key in ("min_length", "max_length"):
        value = at.value.get(key)
        if value is not None and not (isinstance(value, int) and 0 <= value <= 3000):
            at.get(key).say("must be between 0 and 3000")
    at.string("initial_value", 3000, least=0)
    at.flag("multiline", "focus_on_load")
    if at.value["type"] == "number_input" and not isinstance(at.value.get("is_decimal_allowed"), bool):
        at.say("missing required field: is_decimal_allowed")


def feedback(at: At) -> None:
    at.only("action_id positive_button negative_button")
    for key in ("positive_button", "negative_button"):
        half = at.get(key)
        if half.value is None:
            at.say(f"missing required field: {key}")
        elif half.is_object():
            half.only("text value accessibility_label")
            text(half.get("text"), 75, plain=True)
            half.string("value", 2000, required=True)
            half.string("accessibility_label", 75)


def icon_button(at: At) -> None:
    at.only("action_id icon text accessibility_label value visible_to_user_ids confirm")
    at.one_of("icon", "trash", required=True)
    text(at.get("text"), 75, plain=True)
    at.string("value", 2000, least=0)
    confirm(at.get("confirm"))


def element(at: At, allowed: set[str]) -> None:
    if not at.is_object():
        return
    kind = at.value.get("type")
    if kind not in allowed:
        at.say(f"unsupported type: {kind}")
        return
    if kind in ("file_input",) and at.surface != "modal":
        at.say(f"{kind} is only allowed in modals")
    at.string("action_id", 255)
    if at.has("action_id"):
        at.seen.action_ids.setdefault(at.block, []).append(str(at.value["action_id"]))
    if at.value.get("focus_on_load") is True:
        at.seen.focused += 1
    if rule := RULES.get(str(kind)):
        rule(at)


RULES: dict[str, Callable[[At], None]] = {
    "button": button, "workflow_button": lambda at: text(at.get("text"), 75, plain=True),
    "overflow": choices, "checkboxes": choices, "radio_buttons": choices, "image": image,
    "feedback_buttons": feedback, "icon_button": icon_button,
    **dict.fromkeys(SELECTS, select),
    **dict.fromkeys(("plain_text_input", "email_text_input", "url_text_input", "number_input"), typed_input),
}  # fmt: skip

LEAVES = {"text": "text", "link": "url", "emoji": "name", "user": "user_id", "channel": "channel_id",
          "usergroup": "usergroup_id", "broadcast": "range", "date": "timestamp", "color": "value",
          "team": "team_id"}  # fmt: skip


def rich_text(at: At) -> None:
    """A rich_text object, as a block or inside tasks and table cells."""
    if not at.is_object():
        return
    if at.value.get("type") != "rich_text":
        at.say("must be a rich_text object")
        return
    at.only("elements block_id")
    for part in at.array("elements", 0, 1000).each():
        if part.is_object():
            _rich_part(part)


def _rich_part(part: At) -> None:
    kind = part.value.get("type")
    if kind == "rich_text_list":
        part.one_of("style", "bullet ordered", required=True)
        for item in part.array("elements", 1, 1000).each():
            if item.is_object():
                _rich_part(item)
        return
    if kind not in ("rich_text_section", "rich_text_preformatted", "rich_text_quote"):
        part.say(f"unsupported type: {kind}")
        return
    for leaf in part.array("elements", 0, 1000).each():
        if not leaf.is_object():
            continue
        needed = LEAVES.get(str(leaf.value.get("type")))
        if needed is None:
            leaf.say(f"unsupported type: {leaf.value.get('type')}")
        elif leaf.value.get(needed) in (None, ""):
            leaf.say(f"missing required field: {needed}")
