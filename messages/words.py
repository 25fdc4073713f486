"""What a finding means, in words: the cause's template, and per code its own sentences from causes/codes.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from markupsafe import Markup

from messages.escape import escape, one_line, scrub
from messages.files import table
from messages.services import service

FINDING: dict[str, Any] = {
    "step": "", "check": "", "verdict": "bad", "cause": None, "code": None, "alternatives": [], "evidence": "",
    "facts": {}, "took_ms": 0,
}  # fmt: skip
CONNECTION: dict[str, Any] = {
    "name": "this connection", "connector": "", "title": "the source", "driver": "", "settings": {}, "secret_refs": {},
    "tables": [], "owner": "", "console": "", "console_guessed": False, "in_stitch": False, "steps_begin_there": False,
    "regeneration": {}, "docs": [], "user": "", "host": "",
    "extends": "", "allowlist": {}, "roles": "", "plans": [], "grants": {}, "grant": "", "support": "", "sent_to": "",
}  # fmt: skip
# Stands after "user" or "database" when nobody has said which.
UNKNOWN = "of this connection"
FIELD = re.compile(r"\{(\w+)\}")
# "The name {host}", where nobody has said which.
BARE_HOST = re.compile(r"\b(the (?:name|server)) \{host\}", re.I)
NAMELESS = re.compile(rf"\b(?<!the )(user|login|database) {UNKNOWN}", re.I)
# What a unit is called, its seconds, and up to how many seconds one counts in it.
_UNITS = (("second", 1, 90), ("minute", 60, 5400), ("hour", 3600, 129_600), ("day", 86_400, 10**9))
Given = Mapping[str, Any]
Finalize = Callable[[Any], Any]


@cache
def codes() -> dict[str, dict[str, str]]:
    """code -> its sentences."""
    families = table("causes/codes.yaml").items()
    return {f"{family}.{name}": said for family, names in families for name, said in names.items()}


# Who refuses before the source is reached.
SSH, TUNNEL = ("tunnel_opens", "host_key_known"), "The SSH server"


def by_ssh(finding: Given, connection: Given) -> bool:
    """The SSH server is what answered, of a tunnel or of files."""
    return finding["check"] in SSH or connection["driver"] == "sftp"


def finding_of(finding: Given) -> dict[str, Any]:
    """A finding with every key; what `mend diagnose` knows is less than what a check saw."""
    known = {**FINDING, **{k: v for k, v in finding.items() if v is not None or k in ("cause", "code")}}
    if isinstance(known["facts"].get("missing"), str):
        known["facts"] = {**known["facts"], "missing": [known["facts"]["missing"]]}
    return known


def connection_of(connection: Given) -> dict[str, Any]:
    return {**CONNECTION, **{k: v for k, v in connection.items() if v not in (None, "")}}


def _listed(value: Any, most: int = 12) -> str:
    names = [value] if isinstance(value, str) else list(value or [])
    shown = ", ".join(one_line(n, 80) for n in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def wait(seconds: Any) -> str:
    """A time to wait, rounded up, as people say it."""
    given = str(seconds or "")
    if not re.fullmatch(r"\d{1,9}", given):
        return ""
    count, unit = next((-(-int(given) // size), unit) for unit, size, most in _UNITS if int(given) <= most)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _with_article(found: re.Match[str]) -> str:
    first = found.start() == 0
    return f"{'The' if first else 'the'} {found[1].lower()} {UNKNOWN}"


def _host(finding: Given, connection: Given) -> Any:
    return finding["facts"].get("host") or connection["settings"].get("host") or connection.get("host")


def _of(name: str, otherwise: str, finding: Given, connection: Given) -> str:
    told = finding["facts"].get(name) or connection["settings"].get(name) or connection.get(name)
    return one_line(told or otherwise, 80)


def _login(finding: Given, connection: Given) -> str:
    user = _of("user", UNKNOWN, finding, connection)
    return "<user>" if user == UNKNOWN else user


def _where(f: Given, c: Given, _: Given) -> str:
    host, port = _of("host", "the server", f, c), _of("port", "", f, c)
    return f"{host}:{port}" if port else host


def _said(words: str, shown: str) -> str:
    return words.format(shown) if shown else ""


# What each `{field}` of codes.yaml stands for: of a finding, its connection, and the service where that runs.
FIELDS: dict[str, Callable[[Given, Given, Given], str]] = {
    "user": lambda f, c, _: _of("user", UNKNOWN, f, c),
    "host": lambda f, c, _: _of("host", "the server", f, c),
    "port": lambda f, c, _: _of("port", "", f, c),
    "where": _where,
    "role": lambda f, c, _: '"' + _login(f, c).replace('"', '""') + '"',
    "account": lambda f, c, _: "'" + _login(f, c).replace("'", "''") + "'@'%'",
    "database": lambda f, c, _: _of("database", UNKNOWN, f, c),
    "name": lambda f, c, _: one_line(c["name"]),
    "title": lambda f, c, _: TUNNEL if f["check"] == "tunnel_opens" else one_line(c["title"]),
    "missing": lambda f, c, _: _listed(f["facts"].get("missing") or f["facts"].get("right")) or "what was selected",
    "similar": lambda f, c, _: _said(" (there is {})", _listed(f["facts"].get("similar"), 4)),
    "retry": lambda f, c, _: _said(" about {}", wait(f["facts"].get("retry_after"))),
    "network": lambda f, c, there: one_line(there.get("network", ""), 200),
    "ca": lambda f, c, there: one_line(there.get("ca", ""), 200),
}


def sentences(finalize: Finalize, escaping: bool) -> dict[str, Callable[..., Any]]:
    """The functions that templates use, for Slack (`escaping`) or for the terminal and tickets."""

    def code(finding: Given, connection: Given, part: str, of: str = "") -> Markup:
        """The sentence of a code, or nothing when it is unknown."""
        there, name = service(finding, connection), of or str(finding["code"])
        own = there.get("codes", {}).get(name, {})
        known = {**codes().get(name, {}), **own}
        special = known.get(f"{part}_{'ssh' if by_ssh(finding, connection) else connection['driver']}", "")
        # What the finding gives to copy is not said a second time in the sentence.
        told = part in own or ("`" in special and finding["facts"].get("statements"))
        said = ("" if told else special) or known.get(part, "")
        if not said:
            return Markup("")
        text = escape(said) if escaping else said
        if "{host}" in text and not _host(finding, connection):
            text = BARE_HOST.sub(r"\1", text)
        if "{" in text:
            text = FIELD.sub(lambda m: str(finalize(FIELDS[m[1]](finding, connection, there))), text)
        if UNKNOWN in text:
            text = NAMELESS.sub(_with_article, text.replace(f'"{UNKNOWN}"', "of that name"))
        return Markup(text)  # noqa: S704 - our own words, filled with what `finalize` has escaped

    def sql(statements: Any) -> Markup:
        """Statements to copy, in a code block."""
        rows = [statements] if isinstance(statements, str) else list(statements or [])
        # A single backtick belongs to the names of MySQL and must be copied with them.
        shown = "\n".join(scrub(row, 1200, fence="```") for row in rows[:25])
        more = f"\n-- and {len(rows) - 25} more of the same kind" if len(rows) > 25 else ""
        text = scrub(shown + more, 2500, fence="```")
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
