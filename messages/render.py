"""Finds the template, escapes what comes from outside, and builds Slack's blocks: one source of text for all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from messages import blocks
from messages.blocks import HERE
from messages.escape import bare, clean, cut, escape, link, one_line, plain, raw_mention, scrub, utc, when
from messages.words import connection_of, finding_of, sentences, undecided

View = Mapping[str, Any]
# Slack cuts texts of 40,000 characters and refuses edits above 4,000.
TEXT, PREVIEW, BODY = 3000, 2500, 30_000
OUTSIDE: dict[str, Any] = {"connection": "", "asked": "", "near": [], "names": [], "cases": [], "channel": "",
                           "channels": [], "url": "", "owner": "", "state": ""}  # fmt: skip


@cache
def _environment(escaping: bool) -> jinja2.Environment:
    """Autoescape would turn quotes into entities, so only what Slack reads is escaped, in `finalize`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        autoescape=False,  # noqa: S701 - Slack's mrkdwn is no HTML
        finalize=clean if escaping else bare,
    )
    known = blocks.words()
    environment.globals.update(
        raw_mention=raw_mention, link=link, utc=utc, when=when, name=one_line, verdict=blocks.verdict,
        STATE=known["states"], VERDICT=known["verdicts"], steps=_steps, tries=_tries,
        upper_first=lambda text: text[:1].upper() + text[1:],
        **sentences(environment.finalize or bare, escaping),
    )  # fmt: skip
    return environment


def _template(names: Sequence[str], *, escaping: bool = True) -> jinja2.Template:
    return _environment(escaping).select_template(list(names))


def _steps(names: Sequence[str]) -> str:
    """Steps as people call them."""
    known = blocks.words()["steps"]
    return ", ".join(str(known.get(name, name)) for name in names)


def _tries(tried: Sequence[str]) -> list[str]:
    """What was tried, in words; equal tries once, with their number."""
    known, counted = blocks.words(), dict.fromkeys(tried)
    lines = []
    for one in counted:
        trigger, _, state = one.partition(":")
        at = str(known["states"].get(state, {}).get("words", state)).lower()
        said = str(known["tried"].get(trigger, one)).replace("{}", at)
        lines.append(said + (f" ({list(tried).count(one)} times)" if list(tried).count(one) > 1 else ""))
    return lines


# What a finding means ------------------------------------------------------------------------------------------------


def _part(finding: View, connection: View, part: str, escaping: bool) -> Markup:
    """One macro of the cause's template: connector's own first, then the cause's, then what is always true."""
    known, place = finding_of(finding), connection_of(connection)
    cause = str(known["cause"] or "unclassified")
    names = [f"connectors/{place['connector']}/{cause}.j2", f"causes/{cause}.j2", "causes/unclassified.j2"]
    module = _template(names, escaping=escaping).module
    macro = getattr(module, part, None) or getattr(_template(names[-1:], escaping=escaping).module, part)
    return Markup(re.sub(r"\s+", " ", str(macro(known, place))).strip())  # noqa: S704 - escaped by finalize


def _statements(finding: View, escaping: bool) -> Markup:
    rows = finding_of(finding)["facts"].get("statements")
    fenced = _environment(escaping).globals["sql"](rows)  # type: ignore[operator]
    return Markup(f"\n\n{fenced}") if fenced else Markup("")  # noqa: S704


def summary(finding: View, connection: View, *, escaping: bool = False) -> str:
    """One sentence: what is wrong."""
    if finding_of(finding)["verdict"] == "good":
        return "Everything that Mend looked at is good."
    return _part(finding, connection, "summary", escaping)


def next_step(finding: View, connection: View, *, escaping: bool = False) -> str:
    """What to do, who must do it, and whether waiting helps."""
    if finding_of(finding)["verdict"] in ("good", "skipped"):
        return ""
    said = _part(finding, connection, "next", escaping) + " " + _part(finding, connection, "waits", escaping)
    statements = _statements(finding, escaping)
    runs = Markup(" ") + who(finding, connection, escaping=escaping) + " runs:" if statements else Markup("")
    return said + runs + statements


def who(finding: View, connection: View, *, escaping: bool = False) -> Markup:
    """Who must act."""
    return _part(finding, connection, "who", escaping)


def explain(finding: View, connection: View, *, escaping: bool = False) -> str:
    """What it means for somebody who does not know such systems, and what cannot be told apart from it."""
    known, place = finding_of(finding), connection_of(connection)
    if known["verdict"] == "good":
        return "Nothing is broken here, as far as Mend can see."
    said = _part(finding, connection, "explain", escaping)
    code = _environment(escaping).globals["code"]
    same, asks = undecided(known, place, code)  # type: ignore[arg-type]
    if same:
        said += Markup("\n\nMend cannot tell this apart from:\n") + Markup("\n").join(
            Markup("• ") + one for one in same
        )
    if same and asks:
        said += Markup("\nWhat decides it: ") + Markup(" ").join(asks)
    return said


# Messages of a case --------------------------------------------------------------------------------------------------


def _seen(view: View) -> dict[str, Any]:
    """The view as templates see it: every key there, choices in the order of their numbers, the finding in words."""
    case, finding, connection = view["case"], view["finding"], connection_of(view["connection"])
    place = {**connection, "name": case["connection"] or connection["name"]}
    params = {"by": "", "problem": "", "trigger": "", "choices": [], **view["params"]}
    order = {name: n for n, name in enumerate(case["choices"])}
    params["choices"] = sorted(params["choices"], key=lambda c: order.get(c["name"], len(order)))
    words: dict[str, Any] = {"summary": "", "next": "", "explain": "", "who": ""}
    if finding:
        made = {"summary": summary, "next": next_step, "explain": explain, "who": who}
        words = {part: Markup(make(finding, place, escaping=True)) for part, make in made.items()}  # noqa: S704
    known = finding_of(finding) if finding else None
    return {**view, **words, "case": case, "connection": place, "finding": known, "params": params}


def _text(name: str, view: View) -> str:
    names = [f"connectors/{view['case']['connector']}/{name}.j2", f"reauthorize/{name}.j2"]
    text = _template(names).render(**view)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _short(text: str, *more: str) -> str:
    """The message in plain words, for screen readers and notifications."""
    added = plain("\n".join(m for m in more if m))
    return "\n".join(t for t in (cut(plain(text, blocks.icons()), TEXT - len(added) - 1)[0], added) if t)


def message(name: str, view: View, buttons: Sequence[str] = (), *, key: str) -> dict[str, Any]:
    """A message of a case: {"text", "blocks"}; each button is also offered as a word."""
    seen = _seen(view)
    if name == "escalating":
        seen["preview"] = _preview(view)
    text = _text(name, seen)
    built = blocks.sections(text, key)
    built += blocks.answers(view["case"], buttons, seen["params"]["choices"], key, len(built))
    return {"text": _short(text, blocks.in_words(buttons)), "blocks": built}


def root(view: View, *, key: str) -> dict[str, Any]:
    """The living summary at the head of the thread."""
    text = _text("root", _seen(view))
    return {"text": _short(text), "blocks": blocks.sections(text, key)}


def progress(view: View, *, key: str) -> dict[str, Any]:
    """The checks as one message with a plan."""
    done = sum(1 for c in view["checks"] if c["verdict"])
    title = f"Checks of {one_line(view['case']['connection'])}: {done} of {len(view['checks'])} done"
    lines = [f"{c['claim'].rstrip('.')}: {blocks.outcome(c)}" for c in view["checks"]]
    text = "\n".join([str(clean(title)), *(str(clean(line)) for line in lines)])
    return {"text": _short(text), "blocks": [blocks.plan(title, view["checks"], key)]}


def fallback(payload: View) -> dict[str, Any]:
    """The same message for a workspace that refuses newer blocks."""
    return {**payload, "blocks": blocks.without_plan(payload["blocks"])}


def settled(old: Sequence[View], answer: str, by: str) -> dict[str, Any]:
    """The question without its buttons, with who answered what."""
    label = clean(one_line(blocks.labels().get(answer, {}).get("label", answer)))
    note = f"✓ {raw_mention(by)} answered: {label}" if by else f"✓ Answered: {label}"
    return {"blocks": blocks.without_buttons(old, note)}


# Elsewhere -----------------------------------------------------------------------------------------------------------


def ephemeral(name: str, params: View) -> dict[str, Any]:
    """An answer for one person outside a case."""
    text = _template([f"slack/{name}.j2"]).render(**{**OUTSIDE, **params})
    return {"text": cut(re.sub(r"\n{3,}", "\n\n", text).strip(), TEXT)[0]}


def home(view: View) -> dict[str, Any]:
    """The App Home view: the viewer's open cases and the health of the connections."""
    text = _template(["slack/home.j2"]).render(**{"cases": [], "connections": [], **view})
    return {"type": "home", "blocks": blocks.sections(re.sub(r"\n{3,}", "\n\n", text).strip(), "home")}


def ticket(view: View) -> dict[str, str]:
    """Subject and body (Markdown) of a support ticket."""
    finding, place = view["finding"], connection_of(view["connection"])
    words: dict[str, Any] = {"summary": "No check has failed.", "explain": "", "next": "", "who": ""}
    if finding:
        made = {"summary": summary, "explain": explain, "next": next_step, "who": who}
        words = {part: Markup(make(finding, place)) for part, make in made.items()}  # noqa: S704 - scrubbed
    text = _template(["tickets/ticket.md.j2"], escaping=False).render(**{**view, "connection": place}, **words)
    subject, _, body = re.sub(r"\n{3,}", "\n\n", text).partition("\n")
    return {"subject": one_line(subject, 150), "body": cut(body.strip(), BODY)[0]}


def _preview(view: View) -> Markup:
    """The ticket as it would be sent, for a code block."""
    made = ticket(view)
    shown, rest = cut(scrub(f"{made['subject']}\n\n{made['body']}".replace("`", ""), BODY), PREVIEW)
    note = "\n... (shortened here, the ticket holds all)" if rest else ""
    return Markup(escape(shown + note))  # noqa: S704 - escaped
