"""The voice's one door: builds Slack's blocks, the ticket and the guide, one source of text for all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from messages import blocks
from messages.escape import clean, cut, escape, markdown, one_line, plain, raw_mention, scrub
from messages.meaning import apart, explain, instead, means, next_step, summary, who
from messages.templates import WhenAsked, also, template
from messages.words import connection_of, finding_of

__all__ = [
    "also", "apart", "catalogue", "claim", "ephemeral", "explain", "fallback", "guide", "home",
    "instead", "means", "message", "next_step", "progress", "reminder", "root", "settled", "summary",
    "ticket", "who",
]  # fmt: skip
View = Mapping[str, Any]
# Slack cuts texts of 40,000 characters and refuses edits above 4,000.
TEXT, PREVIEW, BODY = 3000, 2500, 30_000
# So many paused cases does the App Home offer to resume.
PAUSED = 5
# And so many broken connections does it offer to look at.
OFFERED = 5
# What a message may be told beside its case; each template asks for some of it.
ASKED: dict[str, Any] = {"by": "", "problem": "", "said": "", "trigger": "", "stage": "", "choices": [], "code": "",
                         "kind": "token", "plan": {}, "old": "", "sent": "", "kept": False, "needs": ""}  # fmt: skip
OUTSIDE: dict[str, Any] = {"connection": "", "asked": "", "near": [], "names": [], "cases": [], "channel": "",
                           "channels": [], "problem": "", "url": "", "owner": "", "state": "", "kind": "token",
                           "ending": [], "now": 0.0}  # fmt: skip


# Messages of a case --------------------------------------------------------------------------------------------------


def _seen(view: View) -> dict[str, Any]:
    """The view as templates see it: every key there, choices in the order of their numbers, the finding in words."""
    case, finding, connection = view["case"], view["finding"], connection_of(view["connection"])
    place = {**connection, "name": case["connection"] or connection["name"]}
    params = {**ASKED, **view["params"]}
    order = {name: n for n, name in enumerate(case["choices"])}
    params["choices"] = sorted(params["choices"], key=lambda c: order.get(c["name"], len(order)))
    words: dict[str, Any] = dict.fromkeys(("summary", "next", "means", "apart", "explain", "who"), "")
    if finding:
        made = {
            "summary": summary, "next": next_step, "means": means, "apart": apart, "explain": explain, "who": who,
        }  # fmt: skip
        words = {part: WhenAsked(partial(make, finding, place, escaping=True)) for part, make in made.items()}
    known = finding_of(finding) if finding else None
    told = view.get("told")
    parts: dict[str, Any] = {"summary": summary, "means": means, "who": who, "next": next_step}
    return {
        "told_in_words": {part: make(*told, escaping=True) for part, make in parts.items()} if told else {},
        "ending": [],
        "now": 0.0,
        **view,
        **words,
        "case": case,
        "connection": place,
        "finding": known,
        "params": params,
    }


def _text(name: str, view: View) -> str:
    kinds = (view["case"]["connector"], view["connection"]["extends"])
    flows = dict.fromkeys((view["case"]["flow"], "reauthorize"))
    names = [*(f"connectors/{kind}/{name}.j2" for kind in kinds if kind), *(f"{flow}/{name}.j2" for flow in flows)]
    text = template(names).render(**view)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _short(text: str, *more: str) -> str:
    """The message in plain words, for screen readers and notifications."""
    added = plain("\n".join(m for m in more if m))
    return "\n".join(t for t in (cut(plain(text, blocks.icons()), TEXT - len(added) - 1)[0], added) if t)


def message(name: str, view: View, buttons: Sequence[str] = (), *, key: str, url: str = "") -> dict[str, Any]:
    """A message of a case: {"text", "blocks"}; each button is also offered as a word. `url` is a page to open."""
    seen = _seen(view)
    if name == "escalating":
        seen["preview"] = _preview(view)
    text = _text(name, seen)
    built = blocks.sections(text, key)
    built += [blocks.opener(url, key, len(built))] if url else []
    built += blocks.answers(view["case"], buttons, seen["params"]["choices"], key, len(built))
    return {"text": _short(text, blocks.in_words(buttons)), "blocks": built}


def root(view: View, *, key: str) -> dict[str, Any]:
    """The living summary at the head of the thread."""
    text = _text("root", _seen(view))
    return {"text": _short(text), "blocks": blocks.sections(text, key)}


def progress(view: View, *, key: str) -> dict[str, Any]:
    """The checks as one message with a plan."""
    done = sum(1 for c in view["checks"] if c["verdict"])
    bad = sum(1 for c in view["checks"] if c["verdict"] == "bad")
    title = f"Checks of {one_line(view['case']['connection'])}: {done} of {len(view['checks'])} done"
    title += f", {bad} failed" if bad else ""
    lines = [f"{c['claim'].rstrip('.')}. {blocks.outcome(c)}" for c in view["checks"]]
    text = "\n".join([str(clean(title)), *(str(clean(line)) for line in lines)])
    return {"text": _short(text), "blocks": [blocks.plan(title, view["checks"], key)]}


def claim(check: str) -> str:
    """What a check of the pipeline itself proves; those of sheets say it beside what they do."""
    return str(blocks.words()["claims"][check])


def fallback(payload: View) -> dict[str, Any]:
    """The same message for a workspace that refuses newer blocks."""
    return {**payload, "blocks": blocks.without_plan(payload["blocks"])}


def settled(old: Sequence[View], answer: str, by: str) -> dict[str, Any]:
    """The question without its buttons, with who answered what."""
    known = blocks.labels().get(answer, {})
    label = clean(one_line(known.get("label", answer)))
    told = f"✓ Answered: {label}" if known.get("word") else f"✓ {label}"
    note = f"✓ {raw_mention(by)} answered: {label}" if by else told
    return {"blocks": blocks.without_buttons(old, note)}


# Elsewhere -----------------------------------------------------------------------------------------------------------


def ephemeral(name: str, params: View) -> dict[str, Any]:
    """An answer for one person outside a case."""
    return {"text": cut(_bare(name, {**OUTSIDE, **params}), TEXT)[0]}


def _bare(name: str, seen: View) -> str:
    """A text outside a case."""
    return re.sub(r"\n{3,}", "\n\n", template([f"slack/{name}.j2"]).render(**seen)).strip()


def home(view: View) -> dict[str, Any]:
    """The App Home view: the viewer's open cases, paused ones with a button, and the health of the connections."""
    seen = {"cases": [], "paused": [], "connections": [], "now": 0.0, **view}
    built = blocks.sections(_bare("home_cases", seen), "home:cases")
    for n, case in enumerate(seen["paused"][:PAUSED]):
        line = blocks.section(_bare("home_paused", {"case": case, "first": n == 0}), f"home:paused:{n}")
        built.append({**line, "accessory": blocks.button("mend_resume", blocks.value_of(case), False)})
    *health, small = blocks.sections(_bare("home_connections", seen), "home:connections")
    bad = [c["name"] for c in seen["connections"] if c.get("verdict") == "bad"][:OFFERED]
    buttons = [blocks.openers(bad, "home:open", 0, say="look_at")] if bad else []
    return {"type": "home", "blocks": [*built, *health, *buttons, small]}


def reminder(view: View, *, key: str) -> dict[str, Any]:
    """Before something runs out: kind, what and at of the thing, names of the connections, whom to call, and now."""
    names = view["names"]
    said = template(["watch/reminder.j2"]).render(**{"row": view, "mention": "", **view})
    text = re.sub(r"\n{3,}", "\n\n", said).strip()
    built = blocks.sections(text, key)
    return {"text": _short(text), "blocks": [*built, blocks.openers(names[:5], key, len(built))]}


def ticket(view: View) -> dict[str, str]:
    """Subject and body (Markdown) of a support ticket."""
    finding, place = view["finding"], connection_of(view["connection"])
    words: dict[str, Any] = {"summary": "No check has failed.", "explain": "", "next": "", "who": ""}
    if finding:
        made = {"summary": summary, "explain": explain, "next": next_step, "who": who}
        words = {part: WhenAsked(partial(make, finding, place)) for part, make in made.items()}
    text = template(["tickets/ticket.md.j2"], escaping=False).render(**{**view, "connection": place}, **words)
    subject, _, body = re.sub(r"\n{3,}", "\n\n", text).partition("\n")
    return {"subject": one_line(subject, 150), "body": cut(body.strip(), BODY)[0]}


def guide(sheet: View, connection: View) -> str:
    """All that the sheet of one connector says, as Markdown for the terminal."""
    place = connection_of(connection)
    own = [f"connectors/{kind}/make.j2" for kind in (place["connector"], place["extends"]) if kind]
    make = template([*own, "reauthorize/make.j2"], escaping=False).render(connection=place)
    seen = {**sheet, **{part: place[part] for part in ("console", "console_guessed")}}
    text = template(["terminal/guide.md.j2"], escaping=False).render(**seen, make=markdown(make))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"^## ", r"\n## ", text, flags=re.M)).strip()


def catalogue(families: Sequence[tuple[str, Sequence[View]]]) -> str:
    """The connectors of each family, by key and title, in at most 80 columns for titles up to 55."""
    return template(["terminal/connectors.txt.j2"], escaping=False).render(families=families).strip()


def _preview(view: View) -> Markup:
    """The ticket as it would be sent, for a code block."""
    made = ticket(view)
    # Fences would end the block it stands in; a single backtick belongs to names of MySQL and must be copied with them.
    text = f"{made['subject']}\n\n{made['body']}".replace("```", "")
    shown, rest = cut(scrub(text, BODY, fence="```"), PREVIEW)
    note = "\n... (shortened here, the ticket holds all)" if rest else ""
    return Markup(escape(shown + note))  # noqa: S704 - escaped
