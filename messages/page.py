"""Pages in the browser: plain HTML that needs no script, every value from outside escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from itertools import groupby
from typing import Any

import jinja2

from messages import render
from messages.blocks import icons, words
from messages.escape import one_line, plain, scrub
from messages.files import HERE
from messages.words import connection_of

View = Mapping[str, Any]
BLANK: dict[str, Any] = {
    "connection": {}, "fields": [], "fixed": {}, "shown": {}, "problems": {}, "required": [], "shared": [], "long": [],
    "said": None, "partial": False, "code": "", "csrf": "", "nonce": "", "difference": {}, "refs": {}, "person": "",
    "left": 0, "origin": "", "scopes": [], "account": "", "problem": "", "missing": [], "away": False, "url": "",
    "authorized": False,
    "values": [], "steps": [],
}  # fmt: skip


def foreign(text: str) -> list[str]:
    """The letters of other scripts that stand among Latin ones, with their names: they may look the same and are not.

    https://www.unicode.org/reports/tr39/#Mixed_Script_Detection
    """
    letters = [c for c in str(text)[:200] if unicodedata.category(c)[0] == "L"]
    # Up to here Latin of Europe's languages; a dotless i and a long s are taken for others all the same.
    usual = [c for c in letters if c < "\u0180" and c not in "\u0131\u017f"]
    odd = [c for c in dict.fromkeys(letters) if c not in usual] if usual else []
    return [f"{c} ({unicodedata.name(c, 'no name')})" for c in odd][:5]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        auto_reload=False, autoescape=True, finalize=lambda value: scrub(value, 4000) if type(value) is str else value,
    )  # fmt: skip
    environment.globals.update(name=one_line, paragraphs=paragraphs, foreign=foreign, VERDICT=words()["verdicts"])
    return environment


def paragraphs(text: str) -> list[tuple[str, str]]:
    """What is written for Slack, as ("p", "pre" or "ul", words); a list has an item on each line."""
    parts: list[tuple[str, str]] = []
    for n, part in enumerate(str(text).split("```")):
        for piece in [part.strip("\n")] if n % 2 else part.split("\n\n"):
            said = piece if n % 2 else plain(piece, icons())
            parts += [("pre", said)] if n % 2 else _listed(said)
    return [(kind, words) for kind, words in parts if words.strip()]


def _listed(said: str) -> list[tuple[str, str]]:
    """A text whose bullets are a list of their own."""
    runs = [
        (bullet, list(lines)) for bullet, lines in groupby(said.split("\n"), lambda line: line.startswith("\u2022"))
    ]
    return [("ul" if bullet else "p", "\n".join(line.lstrip("\u2022 ") for line in lines)) for bullet, lines in runs]


def said(finding: View | None, connection: View) -> dict[str, Any] | None:
    """A finding in the same words as in the thread."""
    if not finding:
        return None
    made = {
        "summary": render.summary, "means": render.means, "apart": render.apart, "next": render.next_step,
        "who": render.who,
    }  # fmt: skip
    spoken = {part: str(make(finding, connection)) for part, make in made.items()}
    return {**spoken, "evidence": finding.get("evidence", ""), "verdict": finding["verdict"]}


def page(template: str, view: View) -> str:
    """One page: `web/TEMPLATE.html.j2`."""
    connection = connection_of(view.get("connection") or {})
    return _environment().get_template(f"web/{template}.html.j2").render(**{**BLANK, **view, "connection": connection})
