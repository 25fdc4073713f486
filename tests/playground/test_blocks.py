"""What Slack refuses in blocks, including what its SDK lets through."""

from __future__ import annotations

from typing import Any

import pytest

from bot.playground import problems


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrk(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain("Go"), "action_id": "go", **more}


def select(count: int) -> dict[str, Any]:
    options = [{"text": plain(str(n)), "value": str(n)} for n in range(count)]
    return {"type": "static_select", "action_id": "s", "options": options}


def cells(rows: int, columns: int, text: str = "x") -> list[list[dict[str, Any]]]:
    return [[{"type": "raw_text", "text": text}] * columns] * rows


def task(number: int, **more: Any) -> dict[str, Any]:
    return {"task_id": str(number), "title": "t", "status": "pending", **more}


RICH = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}]}
GOOD: dict[str, dict[str, Any]] = {
    "section": {"type": "section", "text": mrk("hi"), "fields": [mrk("a")], "accessory": button()},
    "header": {"type": "header", "text": plain("hi")},
    "actions": {"type": "actions", "elements": [button(), select(3)]},
    "plan": {"type": "plan", "title": "Checks", "tasks": [task(1, details=RICH), task(2, status="complete")]},
    "task types": {"type": "plan", "title": "Checks", "tasks": [task(1, type="task_card")]},
    "table": {"type": "table", "rows": cells(100, 20)},
    "markdown": {"type": "markdown", "text": "**x**"},
    "context": {"type": "context", "elements": [mrk("x")]},
    "rich": RICH,
}
BAD: dict[str, dict[str, Any]] = {
    "empty text": {"type": "section", "text": mrk("")},
    "long section": {"type": "section", "text": mrk("x" * 3001)},
    "long field": {"type": "section", "fields": [mrk("x" * 2001)]},
    "eleven fields": {"type": "section", "fields": [mrk("x")] * 11},
    "mrkdwn header": {"type": "header", "text": mrk("x")},
    "long header": {"type": "header", "text": plain("x" * 151)},
    "no actions": {"type": "actions", "elements": []},
    "twice the same action": {"type": "actions", "elements": [button(), button()]},
    "empty button": {"type": "actions", "elements": [button(text=plain(""))]},
    "long button": {"type": "actions", "elements": [button(text=plain("x" * 76))]},
    "long value": {"type": "actions", "elements": [button(value="x" * 2001)]},
    "no options": {"type": "actions", "elements": [select(0)]},
    "too many options": {"type": "actions", "elements": [select(101)]},
    "eleven radios": {"type": "actions", "elements": [{**select(11), "type": "radio_buttons"}]},
    "101 rows": {"type": "table", "rows": cells(101, 1)},
    "21 cells": {"type": "table", "rows": cells(1, 21)},
    "big table": {"type": "table", "rows": cells(10, 10, "x" * 101)},
    "51 tasks": {"type": "plan", "title": "x", "tasks": [task(n) for n in range(51)]},
    "string details": {"type": "plan", "title": "x", "tasks": [task(1, details="x")]},
    "status word": {"type": "plan", "title": "x", "tasks": [task(1, status="completed")]},
    "same task_id": {"type": "plan", "title": "x", "tasks": [task(1), task(1)]},
    "wrong icon": {"type": "context_actions", "elements": [{"type": "icon_button", "icon": "x", "text": plain("x")}]},
    "image without alt": {"type": "image", "image_url": "https://x.example/y.png"},
    "long markdown": {"type": "markdown", "text": "x" * 12_001},
    "unknown block": {"type": "banner"},
    "unknown key": {"type": "divider", "colour": "red"},
    "alert": {"type": "alert", "text": plain("x")},
    "file": {"type": "file", "external_id": "x", "source": "remote"},
}


@pytest.mark.parametrize("name", GOOD)
def test_taken(name: str) -> None:
    assert problems({"text": "t", "blocks": [GOOD[name]]}, "message") == []


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str) -> None:
    found = problems({"text": "t", "blocks": [BAD[name]]}, "message")
    assert found
    assert "json-pointer:/blocks" in found[0]


def test_payload_rules() -> None:
    assert problems({"text": ""}, "message")
    assert problems({"text": "t", "blocks": [{"type": "divider"}] * 51}, "message")
    assert problems({"text": "t", "blocks": [{"type": "divider", "block_id": "a"}] * 2}, "message")


def modal(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain("T"), "blocks": list(blocks), **more}


def test_modal_rules() -> None:
    field = {"type": "input", "label": plain("L"), "element": {"type": "plain_text_input", "action_id": "a"}}
    assert problems(modal(field, submit=plain("OK")), "modal") == []
    assert problems(modal(field), "modal")
    assert problems(modal(GOOD["header"], title=plain("x" * 25)), "modal")
    for name in ("table", "plan", "markdown"):
        assert problems(modal(GOOD[name]), "modal")
    long = {**field, "element": {"type": "plain_text_input", "action_id": "a", "max_length": 3001}}
    assert problems(modal(long, submit=plain("OK")), "modal")
