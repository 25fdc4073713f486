"""From an error text to its cause: a catalogue first, then the other side's own codes, words last, honest `unclear`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

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
_STATUS = re.compile(
    r"\b(?:http|status|code|error|response)\D{0,14}\b([45]\d\d)\b|\b([45]\d\d):? (?:client|server) error"
    r"|[\[(]([45]\d\d)(?=[\]),]| -)"
)
# `401 Unauthorized`: a status with its own words behind it. https://www.rfc-editor.org/rfc/rfc9110#section-15
# And as a log of requests has it: behind the address or the protocol.
_STATUS_LINE = re.compile(
    r"\b([45]\d\d)\b[\s:,-]+(?:unauthorized|forbidden|not found|too many|bad gateway|service|gateway|internal|payment|locked)"
    r"|(?:https?://\S+|\bhttp/[\d.]+[\"']?)\s+(?:[:>-]{1,2}\s*)?([45]\d\d)\b(?! ?(?:records|rows|items|mb|kb|ms|seconds|bytes|files))"
    r"|\b(?:returned|answered|responded|got|received)(?: with)?(?: a| an)? ([45]\d\d)\b(?! ?(?:records|rows|items|mb|kb|ms|seconds|bytes|files))"
)
# What platforms put around what they were told.
_AROUND = re.compile(
    r"(?:unable|failed|could not|cannot) (?:to )?connect(?: to [^:.]{1,60}?)? with (?:the )?provided configuration"
    r"|failed to connect to db: \S+|configuration check failed|the connection tests failed"
    r"|connection to server at \S+, port \d+ failed"
    r"|check that the (?:server|host\w*) .{1,120}?(?:\.|$)"
    r"|(?:make sure|ensure|verify|check|may be|might be|could be)\b[^.:]{0,120}\bfirewall[^.]{0,80}(?:\.|$)"
    r"|[^.:]{0,80}\bthe following (?:\d+ )?errors?(?:\(s\))?:"
)
# What a program says of its own fault, or to announce the words of another: no cause is in it.
_ITSELF = re.compile(
    r"no module named \S+|modulenotfounderror|index out of (?:range|bounds)|object has no attribute"
    r"|\bindices must be\b|must be (?:a )?(?:str|int|bytes)\w*,? not \w+|object is not \w+|cannot read propert(?:y|ies) of|nullpointerexception|invalid literal for int"
    r"|\bunknown (?:error|exception|reason)|\btask is being killed\b"
    r"|cannot open shared object file(?:: no such file or directory)?|undefined symbol: \S+|(?:could not|cannot|couldn't) find (?:driver|module \S+)|\bclassnotfoundexception\b"
    r"|\bnoclassdeffounderror\b|can't open lib '[^']{1,80}' ?: file not found|command not found|\b(?:no such|unknown|unrecognized) (?:option|flag|argument)s?\b:? \S+"
    r"|missing \d* ?required positional arguments?|invalid memory address or nil pointer dereference|stack overflow|\bsyntaxerror\b(?:: invalid syntax)?"
    r"|(?:unable|failed|could not|cannot) (?:to )?connect\b[^:]{0,120}\bfollowing error:",
    re.I,
)
# People who talk to each other use our nouns too: without a sign of failure they report none.
_TALK = re.compile(r"\b(?:we|our|i|us|hi|hello|thanks|could (?:you|somebody)|can (?:you|someone)|meeting|monday)\b")
_SIGN = re.compile(
    r"err|fail|exception|fault|denied|refus|invalid|expire|revoke|reject|unable|cannot|can ?n[o']t|\bn[o']t?\b|n't\b|limit|quota|exceed"
    r"|missing|unknown|wrong|incorrect|bad |timed? ?out|closed|reset|broken|lost|down|unavail|outage|mainten|delay|paus|suspend"
    r"|inactiv|disabl|block|lock|forbid|unauthori|require|must|need|re-?auth|re-?connect (?:your|to)|interrupt|terminat|kill|full"
    r"|too |out of|only|malform|mismatch|no longer|problem|trouble|restrict|unreach|overdue|unpaid|past due|stopped|[^\x00-\x7f]"
)
# Places are no words: frames of a stack, paths of an address, packages.
_PLACES = re.compile(
    r"\bat [\w.$/<>]+\((?:[^()]{0,120}:\d+|unknown source|native method)\)|\bfile \S+, line \d+, in \S+"
    r"|(?<=://)([^\s/'\"<>]+)[^\s'\"<>]*|\b(?:[a-z_]\w*\.){2,}(?=[a-z])",
    re.I,
)
# What a request, an answer or a log repeats of settings and headers: `tls=no`, `"ssh":{"use":false}`, `password: "***"`.
_OFF = re.compile(
    r"\b(?:user|password|passwd|pwd|dbname|sslmode)=(?!\W)\S+|\bno (?:ssh )?tunnel\b|[\"']?\b(?:ssh|ssl|tls|proxy|tunnel|mfa|sso)\w*[\"']?\s?[:=]\s?"
    r"(?:[\"']{2}|[\"']?(?:no|off|false|none|null|0|disabled?)\b[\"']?|\{[^{}]{0,40}\bfalse\b[^{}]{0,200}\})"
    r"|[\"']?\b(?:ssl|tls)\w*[\"']?\s?[:=]\s?[\"']?(?:yes|on|true|1|require|prefer(?:red)?|verify[-_]\w+)\b[\"']?"
    r"|[\"']?\b\w*(?:password|passwd|pwd)[\"']?\s?[:=]\s?(?:\*{2,}|<[\w -]{1,40}>|([\"'])[^\s\"']{0,80}\1)"
    r"|\b(?:(?:x-)?rate-?limit-[\w-]+|(?:permissions|feature|content-security)-policy|strict-transport-security)[\"']?\s?:\s?\S+"
    r"|\b\w+time_?outs?(?:_?ms|_?millis|_?seconds|_?secs?)?[\"']?\s?[:=]\s?[\"']?\d+",
    re.I,
)
_INNER = re.compile(r"\bcaused by:? ", re.I)
# Servers that speak a language of their own: what one of them says proves nothing of another.
ENGINES = (("postgres", "redshift"), ("mysql", "mariadb"), ("mssql",), ("oracle",), ("mongodb",), ("redis",),
           ("snowflake",), ("bigquery",))  # fmt: skip
# What people say of what they did or ask, without a sign of failure, and a list of what it may be: nobody else said it.
_THEIRS = re.compile(
    r"(?:^|[.!?:;>\"')][\"')\s]{1,6})(?:(?:so|and|but|then|yes|also|now) )*(i|we|my|our)(?:'\w+)?\b(?:[^.!?:]|[.:!?](?! |$)){0,300}[.!?:](?= |$)"
    r"|\b(?:could it be|should (?:i|we)|do (?:i|we)|can (?:i|we)|is there an?y?|does any\w*|any idea|has any\w*)\b[^.!?:]{0,200}\?"
    r"|\b(?:possible|likely|potential|common|probable) (?:causes?|reasons?|solutions?)\b.{0,600}|可能(?:的)?原因.{0,300}"
)
# A log line's beginning: time, logger, level.
_PREFIX = re.compile(r"^.{0,80}?\b(?:critical|error|warning|fatal|info)\b[\s:\]-]*")
# A mail's subject, forwarded or not.
_SUBJECT = re.compile(
    r"^(?:\W*(?:subject|betreff|re|fwd?|aw|wg)\s?: ?)*(?:\[[^\]]{1,40}\] ?)?(?:stitch notification ?[-:\u2013] ?)?"
)


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
        who = who or (found.connector if found.connector and "\n" not in notice.whole else None)
        who = who or names().about(notice.whole or notice.text, loading) or found.connector
        stage = notice.stage if found.confidence != "unclear" and notice.stage else found.stage
        return replace(found, connector=who, connection=notice.connection, stage=stage, facts=facts(notice.text))

    def _one(self, text: str, who: str | None) -> Diagnosis:
        """Of a chain of causes the innermost says most."""
        flat = " ".join(text.split())
        low = flat.lower()
        lines = _lines(text, low)
        said = self._said(flat, low, lines, who)
        if said and said.confidence != "likely":
            return said
        who = who or names().about(flat)
        inner = " ".join(_INNER.split(told := _OFF.sub(" ", flat))[-1:])
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
        inner, low = (_ITSELF.sub(" ", _PLACES.sub(r"\1", one.lower())) for one in (inner, told))
        codes = spoken(_ITSELF.sub(" ", _PLACES.sub(r"\1", flat)))
        bare = _AROUND.sub(" ", low)
        for part in dict.fromkeys((_unsaid(_AROUND.sub(" ", inner)), _unsaid(bare), bare, low)):
            if found := self._worded(part + codes, low, who, flat.lower()):
                return found
        if best:
            return _diagnosis(best.row, "likely", who, best.where)
        return self._said(flat, low, lines, who, headings=True) or replace(NOTHING, connector=who)

    def _worded(self, part: str, low: str, who: str | None, raw: str) -> Diagnosis | None:
        status, where = _status(low)
        if not status and _TALK.search(part) and not _SIGN.search(part):
            return None
        for rule in self.words:
            hit = _pattern(rule["has"]).search(raw if "raw" in rule else part)
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


def _unsaid(low: str) -> str:
    """Without what people say of themselves."""
    return _THEIRS.sub(lambda found: found[0] if found[1] and _SIGN.search(found[0]) else " ", low)


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
    status, _ = _status(low)
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


def _lines(text: str, low: str) -> set[str]:
    """The lines, with and without what a log puts before them."""
    lines = [" ".join(line.split()) for line in text.lower().splitlines()] + [low]
    bare = (line for one in lines for line in (one, _PREFIX.sub("", one), _SUBJECT.sub("", one)))
    return {plain(line).strip(" .!") for line in bare}


def _status(low: str) -> tuple[int, str]:
    found = _STATUS_LINE.search(low) or _STATUS.search(low)
    status = next(g for g in found.groups() if g) if found else "0"
    return int(status), f"HTTP {status}"


@cache
def rules() -> Rules:
    return Rules(load())


def explain(text: str, connector: str | None = None) -> Diagnosis:
    """The cause of `text`, which may be a message, a mail, an alert or a log."""
    return rules().explain(text, connector)
