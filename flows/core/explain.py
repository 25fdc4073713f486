"""From an error text to its cause: a catalogue first, then the other side's own codes, words last, honest `unclear`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

FILE = Path(__file__).parent.parent / "errors.yaml"
LIMIT = 20_000


@dataclass(frozen=True)
class Diagnosis:
    """`matched` is the part of the text that decided. `stage`: connection, extraction, loading, account, settings."""

    cause: str
    code: str | None
    confidence: Literal["certain", "likely", "unclear"]
    stage: str
    connector: str | None
    matched: str


@dataclass(frozen=True)
class Entry:
    """A message of the catalogue: its fragments stand in the text in this order."""

    fragments: tuple[str, ...]
    whole: bool
    cause: str
    code: str | None
    stage: str
    of: str | None
    only: str | None


# Where a failure shows when only its words are known; what is not here shows when connecting.
STAGE = {
    "unclassified": "",
    **dict.fromkeys(("account_billing", "account_locked"), "account"),
    **dict.fromkeys(("destination_full", "destination_limit", "object_dependency", "schema_changed"), "loading"),
    **dict.fromkeys(("missing_privilege", "rate_limited", "job_limit", "log_position_lost"), "extraction"),
    **dict.fromkeys(("unsupported_object", "source_data_invalid", "server_misconfigured"), "extraction"),
    **dict.fromkeys(("feature_not_enabled", "third_party_down"), "extraction"),
}
CONNECTORS = {
    "postgres": r"postgres|psycopg|pg_hba|libpq",
    "mysql": r"mysql",
    "mariadb": r"mariadb",
    "mssql": r"sql server|mssql|pymssql",
    "oracle": r"\bora-\d{5}|oracle",
    **{one: one for one in ("hubspot", "github", "stripe", "salesforce", "zendesk", "shopify", "mongodb", "netsuite")},
    **{one: one for one in ("snowflake", "redshift", "bigquery", "databricks", "dynamodb")},
}
_STATE = re.compile(
    r"sqlstate[\s:=\[(]*([0-9a-z]{5})\b|[(\[]([0-9a-z]{5})[)\]]|\berr(?:or|no)?[\s:(#]*(\d{4})\b|\((\d{4}),"
)
_STATUS = re.compile(
    r"\b(?:http|status|code|error|response)\D{0,14}\b([45]\d\d)\b|\b([45]\d\d):? (?:client|server) error"
)
# `401 Unauthorized`: a status with its own words behind it. https://www.rfc-editor.org/rfc/rfc9110#section-15
_STATUS_LINE = re.compile(
    r"\b([45]\d\d)\b[\s:,-]+(?:unauthorized|forbidden|not found|too many|bad gateway|service|gateway|internal|payment)"
)
_WORD = re.compile(r"[a-z0-9_]+")
# A log line's beginning: time, logger, level.
_PREFIX = re.compile(r"^.{0,80}?\b(?:critical|error|warning|fatal|info)\b[\s:\]-]*")


def explain(text: str, connector: str | None = None) -> Diagnosis:
    """The cause of `text`. In a log, its CRITICAL lines count first: the others only accompany them."""
    text = text[:LIMIT]
    critical = [line for line in text.splitlines() if "CRITICAL" in line]
    for part in (*reversed(critical), text):
        found = _explain(part, connector)
        if found.confidence != "unclear":
            return found
    return found


def _explain(text: str, connector: str | None) -> Diagnosis:
    low = " ".join(text.lower().split())
    who = connector or next((name for name, hint in CONNECTORS.items() if re.search(hint, low)), None)
    entry = _in_catalogue(text, low, who)
    if entry:
        sure: Literal["certain", "unclear"] = "unclear" if entry.cause == "unclassified" else "certain"
        return Diagnosis(entry.cause, entry.code, sure, entry.stage, who or entry.of, " ... ".join(entry.fragments))
    for state, matched in _states(low):
        known = _data()["states"].get(state)
        if known:
            return _diagnosis(known, "certain", who, matched)
    status, where = _status(low)
    for rule in _rules():
        hit = rule["has"].search(low)
        if hit or status in rule["status"]:
            return _diagnosis(rule, "likely", who, hit.group(0) if hit else where)
    return Diagnosis("unclassified", None, "unclear", "", who, "")


def _diagnosis(
    known: Mapping[str, Any], sure: Literal["certain", "likely"], who: str | None, matched: str
) -> Diagnosis:
    cause = str(known["cause"])
    return Diagnosis(cause, known.get("code"), sure, STAGE.get(cause, "connection"), who, matched[:200])


def _in_catalogue(text: str, low: str, who: str | None) -> Entry | None:
    """The longest entry whose fragments are in the text. Only entries that share a word with it are looked at."""
    index, lines = _catalogue(), {_bare(line) for line in text.lower().splitlines()}
    best: tuple[int, Entry | None] = (0, None)
    for word in set(_WORD.findall(low)):
        for entry in index.get(word, ()):
            length = sum(map(len, entry.fragments))
            if length > best[0] and entry.only in (None, who) and _holds(entry, low, lines):
                best = (length, entry)
    return best[1]


def _bare(line: str) -> str:
    return _PREFIX.sub("", " ".join(line.split())).strip(" .!\"'")


def _holds(entry: Entry, low: str, lines: set[str]) -> bool:
    if entry.whole:
        return entry.fragments[0] in lines or low.strip(" .!\"'") == entry.fragments[0]
    at = 0
    for fragment in entry.fragments:
        found = low.find(fragment, at)
        # What varies is a name or a number, not another sentence.
        if found < 0 or (at and found - at > 200):
            return False
        at = found + len(fragment)
    return True


def _states(low: str) -> Iterator[tuple[str, str]]:
    for found in _STATE.finditer(low):
        yield next(g for g in found.groups() if g).upper(), found.group(0)


def _status(low: str) -> tuple[int, str]:
    found = _STATUS_LINE.search(low) or _STATUS.search(low)
    return (int(next(g for g in found.groups() if g)), found.group(0)) if found else (0, "")


@cache
def _data() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader
    return read


@cache
def _rules() -> list[dict[str, Any]]:
    return [{**rule, "has": re.compile(rule["has"]), "status": rule.get("status", ())} for rule in _data()["words"]]


@cache
def _catalogue() -> dict[str, list[Entry]]:
    """Entries by their longest word: measured, an index costs microseconds where trying all costs milliseconds."""
    index: dict[str, list[Entry]] = {}
    for raw in _data()["catalogue"]:
        says = " ".join(str(raw["says"]).lower().split())
        fragments = tuple(part.strip() for part in says.removeprefix("=").split("*"))
        entry = Entry(
            fragments, says.startswith("="), raw["cause"], raw.get("code"), raw["stage"], raw.get("of"), raw.get("only")
        )
        index.setdefault(max((w for f in fragments for w in _WORD.findall(f)), key=len), []).append(entry)
    return index
