"""Slack's blocks as plain dicts; Slack's limits are kept here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Block = dict[str, Any]
HERE = Path(__file__).parent


@cache
def _labels_file() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load((HERE / "reauthorize" / "labels.yaml").read_text(encoding="utf-8"))
    return raw


def labels() -> dict[str, dict[str, str]]:
    """Per action its label, the word that says the same, and its style."""
    found: dict[str, dict[str, str]] = _labels_file()["answers"]
    return found


def states() -> dict[str, dict[str, str]]:
    """Per state its icon and words."""
    found: dict[str, dict[str, str]] = _labels_file()["states"]
    return found


def sections(text: str, key: str, start: int = 0) -> list[Block]:
    """mrkdwn in sections of at most 3,000 characters, cut at empty lines outside code."""
    parts: list[str] = []
    for piece in _pieces(text):
        if parts and len(parts[-1]) + len(piece) < 2800 and "```" not in piece and "```" not in parts[-1]:
            parts[-1] += "\n\n" + piece
        else:
            parts.append(piece)
    return [
        {
            "type": "section",
            "block_id": f"{key}:{start + n}",
            "text": {"type": "mrkdwn", "text": part[:2990]},
            "expand": True,
        }
        for n, part in enumerate(parts[:40])
    ]


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for n, part in enumerate(text.split("```")):
        if n % 2:
            inner = part.strip("\n")
            pieces.extend(f"```\n{inner[i : i + 2800]}\n```" for i in range(0, max(len(inner), 1), 2800))
        else:
            pieces.extend(p.strip() for p in part.split("\n\n") if p.strip())
    return pieces or [" "]


def context(text: str, block_id: str) -> Block:
    return {"type": "context", "block_id": block_id, "elements": [{"type": "mrkdwn", "text": text[:2000]}]}


def answers(
    case: Mapping[str, Any], buttons: Sequence[str], choices: Sequence[Mapping[str, Any]], key: str, at: int
) -> list[Block]:
    """The buttons of a question, and the words that say the same."""
    if not buttons:
        return []
    value = f"{case['id']}:{case['step']}:{case['version']}"
    elements = [
        _picker(value, choices) if b == "mend_choose" else _button(b, value, n == 0) for n, b in enumerate(buttons)
    ]
    words = [f"*{labels()[b]['word']}*" for b in buttons if labels()[b].get("word")]
    built: list[Block] = [{"type": "actions", "block_id": f"{key}:{at}", "elements": [e for e in elements if e]}]
    if words:
        built.append(context(f"Or answer here in words: {', '.join(words)}", f"{key}:{at + 1}"))
    return built


def _button(action: str, value: str, first: bool) -> Block:
    label = labels()[action]
    button: Block = {
        "type": "button",
        "action_id": action,
        "value": value,
        "text": {"type": "plain_text", "text": label["label"]},
    }
    style = label.get("style") or ("primary" if first else "")
    return {**button, "style": style} if style in ("primary", "danger") else button


def _picker(value: str, choices: Sequence[Mapping[str, Any]]) -> Block:
    options = []
    for choice in choices[:100]:
        name = str(choice["name"])[:60] + (" (broken)" if choice["broken"] else "")
        options.append({"text": {"type": "plain_text", "text": name[:75]}, "value": f"{value}:{choice['name']}"[:150]})
    if not options:
        return {}
    return {"type": "static_select", "action_id": "mend_choose", "options": options,
            "placeholder": {"type": "plain_text", "text": "Which connection?"}}  # fmt: skip


def verdict_word(check: Mapping[str, Any]) -> str:
    word = {"good": "Good", "bad": "Failed", "unclear": "Cannot tell", "skipped": "Left out"}.get(check["verdict"])
    return word or ("Running" if check["status"] == "in_progress" else "Waiting")


def _rich(text: str) -> Block:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def plan(title: str, checks: Sequence[Mapping[str, Any]], key: str) -> Block:
    tasks = []
    for check in checks[:50]:
        task: Block = {"task_id": check["task_id"], "title": str(check["claim"])[:250], "status": check["status"]}
        words = verdict_word(check) + (
            f" in {check['took_ms']} ms" if check["verdict"] in ("good", "bad", "unclear") else ""
        )
        if check["verdict"] == "skipped":
            words += ": an earlier result explains it"
        task["output"] = _rich(f"{words}. {check['evidence'][:200]}".strip())
        tasks.append(task)
    return {"type": "plan", "block_id": f"{key}:0", "title": title[:150], "tasks": tasks}


def without_plan(old: Sequence[Mapping[str, Any]]) -> list[Block]:
    built: list[Block] = []
    for block in old:
        if block["type"] != "plan":
            built.append(dict(block))
            continue
        lines = [
            block["title"],
            *(f"• {t['title']} {t['output']['elements'][0]['elements'][0]['text']}" for t in block["tasks"]),
        ]
        text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        built += sections(text, str(block["block_id"]).split(":")[0])
    return built
