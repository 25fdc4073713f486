"""`mend diagnose`: what an error message means."""

from __future__ import annotations

import json
from typing import Any

from bot.cli_text import clean
from bot.settings import SettingsError
from flows.core.causes import CAUSES
from flows.core.explain import Diagnosis, explain
from flows.core.sheet import sheet, sheets


def diagnose(text: str, connector: str | None, as_json: bool) -> int:
    """Explain an error text. Exit code 1 when its cause is known, 3 when it is unclear."""
    if not text.strip():
        raise SettingsError("there is no error text: give it as an argument in quotes, or pipe it in")
    found = explain(text, sheet(connector).key if connector else None)
    answer = _answer(found)
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        for line in _lines(answer):
            print(line)
    return 3 if found.confidence == "unclear" else 1


def _answer(found: Diagnosis) -> dict[str, Any]:
    from messages import render

    cause, view = CAUSES[found.cause], _view(found)
    finding: dict[str, Any] = {
        "verdict": "bad",
        "cause": found.cause,
        "code": found.code,
        "evidence": "",
        "facts": {},
        "alternatives": [],
    }
    return {
        "cause": found.cause,
        "code": found.code,
        "confidence": found.confidence,
        "stage": found.stage,
        "connector": found.connector,
        "summary": render.summary(finding, view),
        "next": render.next_step(finding, view),
        "owner": cause.owner,
        "waiting_helps": cause.waiting_helps,
        "matched": found.matched,
    }


def _view(found: Diagnosis) -> dict[str, Any]:
    """A connection of which only the text is known."""
    known = sheets().get(found.connector or "")
    title = known.title if known else (found.connector or "the source").replace("_", " ").title()
    driver, regeneration = (known.driver, known.regeneration) if known else ("", None)
    return {
        "name": "this connection", "connector": found.connector or "", "title": title, "driver": driver,
        "settings": {}, "secret_refs": {}, "tables": [], "owner": "", "docs": list(known.docs) if known else [],
        "regeneration": regeneration.model_dump() if regeneration else {},
        "user": "of this connection", "host": "the host",
    }  # fmt: skip


def _lines(answer: dict[str, Any]) -> list[str]:
    waiting = "helps" if answer["waiting_helps"] else "does not help"
    return [
        clean(answer["summary"]),
        f"Next:    {clean(answer['next'])}",
        f"Cause:   {answer['cause']}, {answer['code'] or 'no code'} ({answer['confidence']})",
        f"Who:     {answer['owner'].replace('_', ' ')}; waiting {waiting}",
        *([f"Because: {clean(answer['matched'])}"] if answer["matched"] else []),
    ]
