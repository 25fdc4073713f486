"""What a finding means, in words: the cause's template, and per code its own sentences from causes/codes.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from markupsafe import Markup

from messages.blocks import HERE
from messages.escape import escape, one_line, scrub

FINDING: dict[str, Any] = {
    "step": "", "check": "", "verdict": "bad", "cause": None, "code": None, "alternatives": [], "evidence": "",
    "facts": {}, "took_ms": 0,
}  # fmt: skip
CONNECTION: dict[str, Any] = {
    "name": "this connection", "connector": "", "title": "the source", "driver": "", "settings": {}, "secret_refs": {},
    "tables": [], "owner": "", "regeneration": {}, "docs": [], "user": "", "host": "",
}  # fmt: skip
# Stands after "user" or "database" when nobody has said which.
UNKNOWN = "of this connection"
Given = Mapping[str, Any]
Finalize = Callable[[Any], Any]


@cache
def _codes() -> dict[str, dict[str, str]]:
    """code -> its sentences."""
    raw = yaml.safe_load((HERE / "causes" / "codes.yaml").read_text(encoding="utf-8"))
    return {f"{family}.{name}": said for family, names in raw.items() for name, said in names.items()}


def finding_of(finding: Given) -> dict[str, Any]:
    """A finding with every key; what `mend diagnose` knows is less than what a check saw."""
    return {**FINDING, **{k: v for k, v in finding.items() if v is not None or k in ("cause", "code")}}


def connection_of(connection: Given) -> dict[str, Any]:
    return {**CONNECTION, **{k: v for k, v in connection.items() if v not in (None, "")}}


def _listed(value: Any, most: int = 12) -> str:
    names = [value] if isinstance(value, str) else list(value or [])
    shown = ", ".join(one_line(n, 80) for n in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _with_article(found: re.Match[str]) -> str:
    first = found.start() == 0
    return f"{'The' if first else 'the'} {found[1].lower()} {UNKNOWN}"


def values(finding: Given, connection: Given) -> dict[str, str]:
    """What `{field}` in codes.yaml stands for."""
    facts = finding["facts"]

    def of(name: str, otherwise: str) -> str:
        return one_line(facts.get(name) or connection["settings"].get(name) or connection.get(name) or otherwise, 80)

    user, host, port = of("user", UNKNOWN), of("host", "the server"), of("port", "")
    login = "<user>" if user == UNKNOWN else user
    similar = _listed(facts.get("similar"), 4)
    retry = one_line(facts.get("retry_after") or "", 20)
    return {
        "user": user, "host": host, "port": port, "where": f"{host}:{port}" if port else host,
        "role": '"' + login.replace('"', '""') + '"', "account": "'" + login.replace("'", "''") + "'@'%'",
        "database": of("database", UNKNOWN), "name": one_line(connection["name"]),
        "title": one_line(connection["title"]), "missing": _listed(facts.get("missing")) or "what was selected",
        "similar": f" (there is {similar})" if similar else "", "retry": f" about {retry} seconds" if retry else "",
    }  # fmt: skip


def sentences(finalize: Finalize, escaping: bool) -> dict[str, Callable[..., Any]]:
    """The functions that templates use, for Slack (`escaping`) or for the terminal and tickets."""

    def code(finding: Given, connection: Given, part: str, of: str = "") -> Markup:
        """The sentence of a code, or nothing when it is unknown."""
        known = _codes().get(of or str(finding["code"]), {})
        said = known.get(f"{part}_{connection['driver']}") or known.get(part, "")
        fixed = escape(said) if escaping else said
        filled = values(finding, connection)
        text = re.sub(r"\{(\w+)\}", lambda m: str(finalize(filled[m[1]])), fixed)
        text = text.replace(f'"{UNKNOWN}"', "of that name")
        return Markup(re.sub(rf"\b(?<!the )(user|login|database) {UNKNOWN}", _with_article, text, flags=re.I))  # noqa: S704

    def sql(statements: Any) -> Markup:
        """Statements to copy, in a code block."""
        rows = [statements] if isinstance(statements, str) else list(statements or [])
        shown = "\n".join(scrub(row, 400) for row in rows[:25])
        more = f"\n-- and {len(rows) - 25} more of the same kind" if len(rows) > 25 else ""
        text = scrub(shown + more, 2500)
        return Markup(f"```\n{escape(text) if escaping else text}\n```") if rows else Markup("")  # noqa: S704

    def evidence(value: Any, limit: int = 500) -> Markup:
        """The other side's own words."""
        text = scrub(value, limit)
        return Markup(escape(text) if escaping else text)  # noqa: S704

    return {"code": code, "sql": sql, "evidence": evidence}


def undecided(finding: Given, connection: Given, code: Callable[..., Markup]) -> tuple[list[Markup], list[Markup]]:
    """(what else would look the same, the questions that decide)."""
    others: Sequence[str] = [str(a) for a in finding["alternatives"]][:4]
    same = [code(finding, connection, "say", a) or Markup(escape(scrub(a))) for a in others]  # noqa: S704
    asks = [code(finding, connection, "ask", a) for a in (*others, str(finding["code"]))]
    return same, [a for a in asks if a][:3]
