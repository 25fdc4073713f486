"""Slack's blocks as plain dicts; Slack's limits are kept here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from messages.escape import cut, escape, one_line, scrub
from messages.files import table

Block = dict[str, Any]
SECTION, CONTEXT, BLOCKS = 2900, 1900, 44
# https://docs.slack.dev/reference/block-kit/composition-objects/option-object/
OPTION_VALUE = 150
# A paragraph of a template that begins with this is small print: a context block.
SMALL = "-# "
# What is quicker needs no time beside it; "why" tells it all the same.
SLOW_MS = 500


@cache
def words() -> dict[str, Any]:
    """Buttons, states, steps and verdicts in words: messages/reauthorize/labels.yaml."""
    return table("reauthorize/labels.yaml")


@cache
def icons() -> re.Pattern[str]:
    """Every icon of ours; each stands beside a word that says the same."""
    shown = {s["icon"] for part in ("states", "verdicts") for s in words()[part].values()}
    return re.compile("|".join(map(re.escape, sorted({":lock:", *shown}))))


def labels() -> dict[str, dict[str, str]]:
    """Per action its label, the word that says the same, what a screen reader says, and its style."""
    found: dict[str, dict[str, str]] = words()["answers"]
    return found


def mrkdwn(text: str) -> Block:
    # verbatim: Slack turns no plain text of ours into links, channels or mentions.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def section(text: str, block_id: str) -> Block:
    return {"type": "section", "block_id": block_id, "text": mrkdwn(text), "expand": True}


def context(text: str, block_id: str) -> Block:
    return {"type": "context", "block_id": block_id, "elements": [mrkdwn(cut(text, CONTEXT)[0])]}


def sections(text: str, key: str, start: int = 0) -> list[Block]:
    """mrkdwn as section blocks, split at empty lines outside code; small print as context blocks."""
    parts: list[str] = []
    for piece in _pieces(text):
        joins = parts and len(parts[-1]) + len(piece) + 2 <= SECTION and not _alone(piece) and not _alone(parts[-1])
        if joins:
            parts[-1] += "\n\n" + piece
        else:
            parts.append(piece)
    if len(parts) > BLOCKS:
        parts = [*parts[: BLOCKS - 1], "... (shortened here)"]
    build = [(context, part[len(SMALL) :]) if part.startswith(SMALL) else (section, part) for part in parts]
    return [make(part, f"{key}:{start + n}") for n, (make, part) in enumerate(build)]


def _alone(part: str) -> bool:
    return part.startswith(("```", SMALL))


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for n, part in enumerate(text.split("```")):
        inside = n % 2 == 1
        # A list of the template's may end right before it: small print stands alone all the same.
        for whole in [part.strip("\n")] if inside else part.replace(f"\n{SMALL}", f"\n\n{SMALL}").split("\n\n"):
            rest = whole if inside else whole.strip()
            while rest:
                head, rest = cut(rest, SECTION - 10)
                pieces.append(f"```\n{head}\n```" if inside else head)
    return pieces or ["..."]


def value_of(case: Mapping[str, Any]) -> str:
    """What a button carries: the case, and the question that it answers."""
    return f"{case['id']}:{case['step']}:{case['version']}"


def answers(
    case: Mapping[str, Any], buttons: Sequence[str], choices: Sequence[Mapping[str, Any]], key: str, at: int
) -> list[Block]:
    """The buttons of a question, and the words that say the same."""
    value = value_of(case)
    special = {"mend_choose": lambda: _picker(value, choices), "mend_hand_over": _people}
    made = [special[b]() if b in special else button(b, value, n == 0) for n, b in enumerate(buttons)]
    elements = [element for element in made if element][:25]
    if not elements:
        return []
    built: list[Block] = [{"type": "actions", "block_id": f"{key}:{at}", "elements": elements}]
    said = in_words(buttons)
    return [*built, context(said, f"{key}:{at + 1}")] if said else built


def in_words(buttons: Sequence[str]) -> str:
    """The same answers, typed."""
    return _in_words(tuple(buttons))


@lru_cache(maxsize=1000)
def _in_words(buttons: tuple[str, ...]) -> str:
    typed = [labels()[b]["word"] for b in buttons if b in labels() and labels()[b].get("word")]
    if not typed:
        return ""
    return "Or answer in this thread: " + ", ".join(w if " number" in w else f"*{w}*" for w in typed)


def button(action: str, value: str, first: bool) -> Block:
    label = labels().get(action, {"label": action})
    made: Block = {
        "type": "button",
        "action_id": action,
        "value": value,
        "text": {"type": "plain_text", "text": label["label"]},
        "accessibility_label": label.get("says", label["label"])[:75],
    }
    style = label.get("style") or ("primary" if first else "")
    return {**made, "style": style} if style in ("primary", "danger") else made


def openers(names: Sequence[str], key: str, at: int, *, say: str = "open_case") -> Block:
    """Buttons that open a case about a connection; `/mend NAME` says the same."""
    label = labels()[say]
    made: list[Block] = [
        {
            "type": "button",
            "action_id": "mend_open" if n == 0 else f"mend_open_{n}",
            "value": name[:2000],
            "text": {"type": "plain_text", "text": one_line(_called(label["label"], name, len(names)), 75)},
            "accessibility_label": one_line(label["says"].replace("{}", scrub(name)), 75),
        }
        for n, name in enumerate(names)
    ]
    return {"type": "actions", "block_id": f"{key}:{at}", "elements": made}


def _called(label: str, name: str, of: int) -> str:
    if "{}" in label:
        return label.replace("{}", scrub(name))
    return label if of == 1 else scrub(name)


def opener(url: str, key: str, at: int) -> Block:
    """A button that opens a page; it answers nothing, so it has no value and no word."""
    label = labels()["open_page"]
    return {
        "type": "actions",
        "block_id": f"{key}:{at}",
        "elements": [
            {
                "type": "button",
                "action_id": "mend_open_page",
                "url": url,
                "style": "primary",
                "text": {"type": "plain_text", "text": label["label"]},
                "accessibility_label": label["says"],
            }
        ],
    }


def _picker(value: str, choices: Sequence[Mapping[str, Any]]) -> Block:
    options = []
    for number, choice in enumerate(choices[:100], 1):
        mark = " (broken)" if choice["broken"] else ""
        name = f"{number}. {one_line(scrub(choice['name']), 50)}{mark}"[:75]
        carried = f"{value}:{choice['name']}"[:OPTION_VALUE]
        options.append({"text": {"type": "plain_text", "text": name}, "value": carried})
    if not options:
        return {}
    return {"type": "static_select", "action_id": "mend_choose", "options": options,
            "placeholder": {"type": "plain_text", "text": "Which connection?"}}  # fmt: skip


def _people() -> Block:
    """Slack puts no value of ours on it: the case is known by the block's id."""
    label = labels()["mend_hand_over"]
    placeholder = {"type": "plain_text", "text": label["label"]}
    return {"type": "users_select", "action_id": "mend_hand_over", "placeholder": placeholder}


def verdict(check: Mapping[str, Any]) -> str:
    """A check's verdict in words, or how far it is."""
    known = words()["verdicts"]
    return str(known.get(check["verdict"] or check["status"], known["pending"])["words"])


def outcome(check: Mapping[str, Any]) -> str:
    """What one check saw, on one line."""
    said, evidence = verdict(check), one_line(scrub(check["evidence"]), 200)
    if check["verdict"] in ("good", "bad", "unclear") and check["took_ms"] >= SLOW_MS:
        said += f" after {check['took_ms'] / 1000:.1f} s"
    if check["verdict"] == "skipped" and not evidence:
        evidence = "An earlier result explains it."
    return f"{said}: {evidence}" if evidence else f"{said}."


def _open(check: Mapping[str, Any]) -> bool:
    """Neither good nor bad. Slack has no sign for that, so it gets the empty circle of a task that is not done."""
    return check["verdict"] in ("skipped", "unclear")


def _title(check: Mapping[str, Any]) -> str:
    claim = one_line(scrub(check["claim"]), 230) or "A check"
    return f"{verdict(check)}: {claim[:1].lower()}{claim[1:]}" if _open(check) else claim


def _rich(text: str) -> Block:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def plan(title: str, checks: Sequence[Mapping[str, Any]], key: str) -> Block:
    """A plan block: every check from the beginning, each with its word. Its tasks carry no `type`."""
    tasks = [
        {
            "task_id": str(check["task_id"])[:255],
            "title": _title(check),
            "status": check["status"],
            "output": _rich(outcome(check).removeprefix(f"{verdict(check)}: ") if _open(check) else outcome(check)),
        }
        for check in checks[:50]
    ]
    return {"type": "plan", "block_id": f"{key}:0", "title": one_line(scrub(title), 150), "tasks": tasks}


def without_plan(old: Sequence[Mapping[str, Any]]) -> list[Block]:
    """The same as sections, for a workspace that refuses plan blocks."""
    built: list[Block] = []
    for block in old:
        if block["type"] != "plan":
            built.append(dict(block))
            continue
        lines = [f"• *{escape(t['title'])}*\n   {escape(_task_words(t))}" for t in block["tasks"]]
        text = f"*{escape(str(block['title']))}*\n\n" + "\n\n".join(lines)
        built += sections(text, re.sub(r":\d+$", "", str(block["block_id"])))
    return built


def _task_words(task: Mapping[str, Any]) -> str:
    return str(task["output"]["elements"][0]["elements"][0]["text"])


def without_buttons(old: Sequence[Mapping[str, Any]], note: str) -> list[Block]:
    """The question as it was, its buttons and their words replaced by what was answered."""
    kept: list[Block] = []
    asked = False
    for block in old:
        if block["type"] == "actions":
            asked = True
        elif not (asked and block["type"] == "context"):
            kept.append(dict(block))
    mark = re.sub(r":[^:]*$", "", str(old[0].get("block_id", "m:0"))) if old else "m"
    return [*kept, context(note, f"{mark}:answered")]
