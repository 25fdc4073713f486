"""From an error text to its cause: a catalogue first, then the other side's own codes, words last, honest `unclear`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from flows.core import noise
from flows.core.errors_file import load
from flows.core.notice import HEAD, facts, read
from flows.core.phrases import WORD, Phrases, phrase, plain, shown
from flows.core.sheet import sheets
from flows.core.signals import RANK, Signal, Signals, spoken
from flows.core.whose import names

FEW = 6
# How far around the words that decided a sentence reaches.
NEAR = 160


@dataclass(frozen=True)
class Diagnosis:
    """`matched` is what decided, in the rule's words. `stage`: connection, extraction, loading, account, settings."""

    cause: str
    code: str | None
    confidence: Literal["certain", "likely", "unclear"]
    stage: str
    connector: str | None
    matched: str
    connection: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


NOTHING = Diagnosis("unclassified", None, "unclear", "", None, "")
# Where a failure shows when only its words are known; what is not here shows when connecting.
STAGE = {
    "unclassified": "",
    **dict.fromkeys(("account_billing", "account_locked"), "account"),
    **dict.fromkeys(("destination_full", "destination_limit", "object_dependency", "schema_changed"), "loading"),
    **dict.fromkeys(("missing_privilege", "rate_limited", "job_limit", "log_position_lost"), "extraction"),
    **dict.fromkeys(("unsupported_object", "source_data_invalid", "server_misconfigured"), "extraction"),
    **dict.fromkeys(("feature_not_enabled", "third_party_down"), "extraction"),
}
# Servers that speak a language of their own: what one of them says proves nothing of another.
ENGINES = (("postgres", "redshift"), ("mysql", "mariadb"), ("mssql",), ("oracle",), ("mongodb",), ("redis",),
           ("snowflake",), ("bigquery",))  # fmt: skip


class Rules:
    """The rules of errors.yaml, ready to be asked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        rows = [*data["catalogue"], *data["drivers"]]
        self.phrases = Phrases(phrase(str(row["says"]), row) for row in rows)
        self.signals = Signals(data)
        self.words = [*data["words"], *data["languages"]]
        self.finer = data["finer"]

    def explain(self, text: str, connector: str | None = None) -> Diagnosis:
        """In a log its CRITICAL lines count first, then certainty: the other lines only accompany them."""
        notice = read(text)
        loading = notice.stage == "loading"
        told = names().key(notice.connector) or notice.connector or names().part(notice.whole[:HEAD].lower(), loading)
        who = connector or told or None
        found = next((d for line in notice.critical if (d := self._one(line, who)).confidence != "unclear"), None)
        if found is None:
            loud = [self._one(line, who) for line in notice.loud]
            tried = [*(d for d in loud if d.confidence == "certain"), self._one(notice.text, who)]
            tried.sort(key=lambda d: d.confidence != "certain")
            # Few lines are one message; of many, the loud ones tell and the others accompany them.
            whole = tried if notice.text.count("\n") < FEW else ()
            likely = [d for d in (*whole, *loud, *tried) if d.confidence == "likely"]
            found = next((d for d in tried if d.confidence == "certain"), likely[0] if likely else tried[-1])
            if found.code is None and found.confidence != "unclear":
                # A line of a log may be cut where the sentence goes on.
                more = (d.code for d in tried if d.cause == found.cause and d.code)
                found = replace(found, code=next(more, None))
        who = who or (found.connector if found.connector and "\n" not in notice.whole else None)
        who = who or names().about(notice.whole or notice.text, loading) or found.connector
        stage = notice.stage if found.confidence != "unclear" and notice.stage else found.stage
        return replace(found, connector=who, connection=notice.connection, stage=stage, facts=facts(notice.text))

    def _one(self, text: str, who: str | None) -> Diagnosis:
        """Of a chain of causes the innermost says most."""
        flat = " ".join(text.split())
        low = flat.lower()
        lines = noise.lines_of(text, low)
        said = self._said(flat, low, lines, who)
        if said and said.confidence != "likely":
            return said
        who = who or names().about(flat)
        told = noise.told(flat)
        inner = noise.innermost(told)
        coded = [one for part in dict.fromkeys((inner, told)) for one in self.signals.found(part, who)]
        best = min(coded, key=lambda one: RANK.index(one.sure), default=None)
        if said and (best is None or best.sure != "certain" or said.connector == who):
            return said
        if best is None or best.sure != "certain":
            own = _answered(low, who)
            if own:
                return own
        if best and best.sure != "last":
            row = _fuller(best.row, coded)
            if best.sure == "likely" and not row.get("code"):
                row = {**row, "code": self._finer(row, low, None)}
            return _diagnosis(row, best.sure, who or row.get("of"), best.where)
        inner, low = noise.heard(inner.lower()), noise.heard(told.lower())
        codes = spoken(noise.heard(flat))
        bare = noise.bare(low)
        for part in dict.fromkeys((noise.unsaid(noise.bare(inner)), noise.unsaid(bare), bare, low)):
            if found := self._worded(part + codes, low, who, flat.lower()):
                return found
        if best:
            return _diagnosis(best.row, "likely", who, best.where)
        return self._said(flat, low, lines, who, headings=True) or replace(NOTHING, connector=who)

    def _worded(self, part: str, low: str, who: str | None, raw: str) -> Diagnosis | None:
        status, where = noise.status_of(low)
        if not status and noise.is_talk(part):
            return None
        for rule in self.words:
            text = raw if "raw" in rule else part
            # A word that must be there is sooner looked for than what is around it.
            maybe = "with" not in rule or any(word in text for word in rule["with"])
            hit = _pattern(rule["has"]).search(text) if maybe else None
            if status not in rule.get("not", ()) and (hit or status in rule.get("status", ())):
                row = {**rule, "code": self._finer(rule, part, hit)}
                return _diagnosis(row, "likely", who, shown(hit.group(0), rule["has"]) if hit else where)
        return None

    def _finer(self, rule: Mapping[str, Any], part: str, hit: re.Match[str] | None) -> str | None:
        """The code by what the sentence is about: the same words refuse a table and a database."""
        code: str | None = rule.get("code")
        near = part[max(hit.start() - NEAR, 0) : hit.end() + NEAR] if hit else part[:HEAD]
        for row in self.finer:
            if row["cause"] == rule["cause"] and row.get("from") == code and _pattern(row["has"]).search(near):
                return str(row["code"])
        return code

    def _said(self, flat: str, low: str, lines: set[str], who: str | None, headings: bool = False) -> Diagnosis | None:
        """The longest message of the catalogue that is in the text; headings of notices count where nothing else is."""
        low = plain(low)
        found = self.phrases.found(low, set(WORD.findall(low)), lines)
        there = [one for one in found if headings or one.row.get("sure") != "last"]
        if who is None and any("of" in one.row or "only" in one.row for one in there):
            who = names().about(flat)
        fit = [p for p in there if p.row.get("only") in (None, who) and not _foreign(p.row.get("of"), who)]
        best = max(fit, key=lambda p: p.size, default=None)
        if best is None:
            return None
        row = best.row
        doubt = "sure" in row or _strange(row.get("of"), who) or any(best.beside(other) for other in fit)
        sure: Literal["certain", "likely", "unclear"] = "likely" if doubt else "certain"
        sure = "unclear" if row["cause"] == "unclassified" else sure
        matched = " ... ".join(best.fragments)
        return Diagnosis(row["cause"], row.get("code"), sure, row["stage"], row.get("of") or who, matched)


def _diagnosis(row: Mapping[str, Any], sure: Literal["certain", "likely"], who: str | None, where: str) -> Diagnosis:
    cause = str(row["cause"])
    if cause == "unclassified":
        return replace(NOTHING, connector=who, matched=where)
    return Diagnosis(cause, row.get("code"), sure, STAGE.get(cause, "connection"), who, where)


def _fuller(row: Mapping[str, Any], coded: list[Signal]) -> Mapping[str, Any]:
    """Of two that mean the same cause, the one that says more: `(2003, "Can't connect ... [Errno 111]")`."""
    more = (
        one.row["code"]
        for one in coded
        if one.sure != "last" and one.row["cause"] == row["cause"] and "code" in one.row
    )
    return row if "code" in row else {**row, "code": next(more, None)}


def _answered(low: str, who: str | None) -> Diagnosis | None:
    """What the sheet of this connector says of the provider's own words. A status alone is not its own."""
    if who not in sheets().paths or not (api := sheets()[who].http):
        return None
    status, _ = noise.status_of(low)
    for match in api.answers:
        hit = _pattern(match.body, re.I).search(low) if match.body and not match.header else None
        if hit and match.verdict == "bad" and match.status in (None, status):
            row = {"cause": match.cause, "code": match.code}
            return _diagnosis(row, "likely", who, shown(hit.group(0), match.body.lower()))
    return None


@cache
def _pattern(has: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Read when it is first needed: most texts are understood before the last of them."""
    return re.compile(has, flags)


def _strange(of: str | None, who: str | None) -> bool:
    """The words of an engine, in the mouth of what is none: they may mean something else there."""
    return (
        bool(who)
        and any(of in engines for engines in ENGINES)
        and not any(name in str(who) for engines in ENGINES for name in engines)
    )


def _foreign(of: str | None, who: str | None) -> bool:
    """`who` is another engine than the one whose words these are."""
    mine = [engines for engines in ENGINES if any(name in (who or "") for name in engines)]
    theirs = [engines for engines in ENGINES if of in engines]
    return bool(mine and theirs) and mine[0] != theirs[0]


@cache
def rules() -> Rules:
    return Rules(load())


def explain(text: str, connector: str | None = None) -> Diagnosis:
    """The cause of `text`, which may be a message, a mail, an alert or a log."""
    return rules().explain(text, connector)
