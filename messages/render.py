"""Finds the template, escapes what comes from outside, and builds Slack's blocks. One source of text for all surfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from messages import blocks
from messages.escape import clean, link, mention, plain

HERE = Path(__file__).parent
View = Mapping[str, Any]


@cache
def _environment(escaping: bool) -> jinja2.Environment:
    """Autoescape would turn quotes into entities, so only what Slack reads is escaped, in `finalize`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - Slack's mrkdwn is no HTML
        finalize=clean if escaping else None,
    )
    environment.globals.update(mention=mention, link=link, WORDS=blocks.labels(), STATE=blocks.states())
    environment.filters["plain"] = plain
    return environment


def _template(names: Sequence[str], *, escaping: bool = True) -> jinja2.Template:
    return _environment(escaping).select_template(list(names))


def _words_for(finding: Mapping[str, Any], connection: Mapping[str, Any], part: str, *, escaping: bool) -> str:
    """One macro of the cause's template: connector's own first, then the cause's, then what is always true."""
    cause = finding.get("cause") or "unclassified"
    names = [f"connectors/{connection.get('connector', '')}/{cause}.j2", f"causes/{cause}.j2", "causes/unclassified.j2"]
    module = _template(names, escaping=escaping).module
    return " ".join(str(getattr(module, part)(finding, connection)).split(" ")).strip()


def summary(finding: Mapping[str, Any], connection: Mapping[str, Any], *, escaping: bool = False) -> str:
    """One sentence: what is wrong."""
    if finding["verdict"] == "good":
        return "Everything that Mend looked at is good."
    return _words_for(finding, connection, "summary", escaping=escaping)


def next_step(finding: Mapping[str, Any], connection: Mapping[str, Any], *, escaping: bool = False) -> str:
    """What to do, and who must do it."""
    if finding["verdict"] in ("good", "skipped"):
        return ""
    return _words_for(finding, connection, "next", escaping=escaping)


def _text(name: str, view: View) -> str:
    case, connection, finding = view["case"], view["connection"], view["finding"]
    words = {"summary": "", "next": ""}
    if finding:
        words = {part: _words_for(finding, connection, part, escaping=True) for part in words}
    names = [f"connectors/{case['connector']}/{name}.j2", f"reauthorize/{name}.j2"]
    trusted = {part: Markup(text) for part, text in words.items()}
    return _template(names).render(**view, **trusted).strip()


def message(name: str, view: View, buttons: Sequence[str] = (), *, key: str) -> dict[str, Any]:
    """A message of a case: {"text", "blocks"}; each button is also offered as a word."""
    text = _text(name, view)
    built = blocks.sections(text, key)
    built += blocks.answers(view["case"], buttons, view["params"].get("choices", []), key, len(built))
    return {"text": plain(text)[:3000], "blocks": built}


def root(view: View, *, key: str) -> dict[str, Any]:
    """The living summary at the head of the thread."""
    text = _text("root", view)
    return {"text": plain(text)[:3000], "blocks": blocks.sections(text, key)}


def progress(view: View, *, key: str) -> dict[str, Any]:
    """The checks as one message with a plan."""
    done = [c for c in view["checks"] if c["verdict"]]
    title = f"Checks of {view['case']['connection']}"
    lines = "; ".join(f"{c['claim']} {blocks.verdict_word(c)}" for c in view["checks"])
    return {"text": plain(f"{title}, {len(done)} of {len(view['checks'])} done. {lines}")[:3000],
            "blocks": [blocks.plan(title, view["checks"], key)]}  # fmt: skip


def fallback(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The same message for a workspace that refuses newer blocks."""
    return {**payload, "blocks": blocks.without_plan(payload["blocks"])}


def settled(old: Sequence[Mapping[str, Any]], answer: str, by: str) -> dict[str, Any]:
    """The question without its buttons, with who answered what."""
    label = blocks.labels().get(answer, {}).get("label", answer)
    kept = [dict(b) for b in old if b["type"] not in ("actions", "context")]
    note = f"Answered: {label}" + (f", by {mention(by)}" if by else "")
    mark = str(old[0].get("block_id", "m:0")).split(":")[0] if old else "m"
    return {"blocks": [*kept, blocks.context(note, f"{mark}:answered")]}


def ephemeral(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """An answer for one person outside a case."""
    text = _template([f"slack/{name}.j2"]).render(**params).strip()
    return {"text": text[:3900]}


def home(view: View) -> dict[str, Any]:
    """The App Home view."""
    text = _template(["slack/home.j2"]).render(**view).strip()
    return {"type": "home", "blocks": blocks.sections(text, "home")}


def ticket(view: View) -> dict[str, str]:
    """Subject and body (Markdown) of a support ticket."""
    finding, connection = view["finding"], view["connection"]
    words = {"summary": summary(finding, connection) if finding else "No check failed."}
    text = _template(["tickets/ticket.md.j2"], escaping=False).render(**view, **words)
    subject, _, body = text.partition("\n")
    return {"subject": " ".join(subject.split())[:150], "body": body.strip()[:30000]}
