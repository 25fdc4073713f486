"""Text from outside pings nobody, runs nothing, and stays inside its code block."""

from __future__ import annotations

import json
import re

import pytest

from messages import render
from tests.messages.test_messages import NAMES, OUTSIDE, fits
from tests.messages.views import CHECKS, FINDING, WAREHOUSE, case, view

HOSTILE = {
    "ping": "<!channel> <!here> @here @channel @everyone <@U0VICTIM> <#C0SECRET> <https://evil.example|click>",
    "jinja": "{{ 7 * 7 }} {% raw %} {{ case.__class__ }} {name} {",
    "fence": "``` *out* ``` `x` ```",
    "bidi": "abc\u202egpj.exe\u2066\u200f\x00\x1b[31m\u2028",
    "long": "x" * 40_000,
    "entities": "&<>" * 3000,
    "lines": "a\n\n" * 3000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_does_no_harm_anywhere(text: str) -> None:
    words = ("user", "host", "port", "database", "incident", "since", "url", "scopes_granted")
    lists = {"missing": [text] * 40, "statements": [text] * 40, "scopes_needed": [text], "similar": [text]}
    facts = {**dict.fromkeys(words, text), **lists}
    finding = {**FINDING, "evidence": text, "alternatives": [text], "facts": facts}
    place = {
        **WAREHOUSE,
        "title": text,
        "secret_refs": {text: text},
        "user": text,
        "settings": {"user": text, "host": text},
    }
    hurt = case(connection=text, owner=text, reported=text, findings=[finding] * 8, ticket={"url": text, "id": text},
                tried=[text], skipped=[text], choices=[text],
                told={"cause": text, "code": text, "confidence": text})  # fmt: skip
    choices = [{"name": text, "title": text, "broken": True}]
    params = {"by": text, "problem": text, "trigger": text, "choices": choices}
    checks = [{**CHECKS[2], "claim": text, "evidence": text}]
    seen = view(case=hurt, connection=place, finding=finding, checks=checks, params=params, url=text,
                told=(finding, place))  # fmt: skip
    made = [render.message(n, seen, ("mend_check_again", "mend_choose"), key="k") for n in NAMES]
    made += [render.message("failed", view(finding={**finding, "cause": c, "code": None}), (), key="k")
             for c in ("third_party_down", "missing_privilege", "rate_limited")]  # fmt: skip
    made += [
        render.root(seen, key="k"),
        render.progress(seen, key="k"),
        render.fallback(render.progress(seen, key="k")),
    ]
    outside = {"connection": text, "asked": text, "near": [text], "names": [text], "url": text, "owner": text}
    made += [{**render.ephemeral(n, outside), "blocks": []} for n in OUTSIDE]
    made += [{"text": "x", **render.settled(made[0]["blocks"], text, text)}]
    for payload in made:
        fits(payload)
        harmless(payload)
    hurt_case = {"id": text[:20], "connection": text, "state": "choosing", "permalink": text, "step": "choose",
                 "version": 1, "changed_at": 0.0}  # fmt: skip
    home = render.home({"cases": [hurt_case], "paused": [hurt_case], "connections": choices})
    fits(home, "home")
    harmless(home)


def harmless(payload: object) -> None:
    said = _texts(payload)
    raw = json.dumps(said, ensure_ascii=False)
    assert not re.search(r"<!(channel|here|everyone)|<@U0VICTIM|<#C0|<https://evil", raw)
    assert not re.search(r"@(here|channel|everyone)", raw)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u0000\u001b\u2028]", "".join(said))
    for text in said:
        assert text.count("```") % 2 == 0


def _texts(value: object) -> list[str]:
    """Every text that Slack reads as mrkdwn or shows plainly, option values aside."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn" or value.get("type") == "text":
            return [str(value["text"])] if value["type"] == "mrkdwn" else []
        found = [str(value["text"])] if isinstance(value.get("text"), str) and "type" not in value else []
        return found + [t for k, v in value.items() if k != "text" or not isinstance(v, str) for t in _texts(v)]
    return [t for v in value for t in _texts(v)] if isinstance(value, list) else []


def test_evidence_cannot_end_its_code_block() -> None:
    blocks = render.message("failed", view(finding={**FINDING, "evidence": "a ``` *out* ``` b"}), (), key="k")["blocks"]
    fenced = next(b["text"]["text"] for b in blocks if b["type"] == "section" and "*out*" in b["text"]["text"])
    assert fenced.startswith("```")
    assert fenced.endswith("```")
    assert fenced.count("```") == 2


def test_values_are_never_run_as_templates() -> None:
    said = render.message("failed", view(finding={**FINDING, "evidence": "{{ 7 * 7 }}"}), (), key="k")["text"]
    assert "{{ 7 * 7 }}" in said


def test_the_terminal_gets_no_control_characters() -> None:
    finding = {**FINDING, "facts": {"user": "a\x1b[2Jb\u202ec"}}
    assert not re.search("[\x1b\u202e]", render.summary(finding, WAREHOUSE) + render.next_step(finding, WAREHOUSE))


def test_a_huge_ticket_is_shortened_in_its_preview_and_says_so() -> None:
    hurt = case(state="escalating", findings=[{**FINDING, "evidence": "y" * 500}] * 30)
    message = render.message("escalating", view(case=hurt), ("mend_confirm_ticket",), key="k")
    fits(message)
    assert "shortened here" in str(message["blocks"])
    assert len(render.ticket(view(case=hurt))["body"]) > 10_000
