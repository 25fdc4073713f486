"""What the other side says by code: SQLSTATEs, numbers of databases and systems, and codes that are one word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

# `last`: it only accompanies what the words say, as a class of exceptions does.
Sure = Literal["certain", "likely", "last"]
RANK = ("certain", "likely", "last")
Row = Mapping[str, Any]
# Named as a state, in brackets, or as the code of a client's error: `SQL state: 42P01`, `(42P01)`, `code: '42P01'`.
_STATE = re.compile(
    r"(sql ?state|postgresexception(?: \(0x\d+\))?)[\s:=\[('\"]{0,6}([0-9a-z]{5})\b"
    r"|(?:[(\[]|\bcode['\"]?\s?[:=]\s?['\"])([0-9a-z]{5})[)\]'\"]"
)
_NUMBER = re.compile(
    r"\b(?:msg|error number:|sql server message) ?(\d{2,5}), (?:level|severity|state)"
    r"|\b(?:err(?:or|no)?|fehler|erreur|ошибка)(?: code)?[\s:(#\['\"]*(\d{2,5})\b( \([0-9a-z]{5}\))?"
    r"|\((\d{3,5})(?:(, ?[\"'bu])|[,)])|\bcode['\"]?\s?[:=]\s?['\"]?(\d{1,5})\b"
    r"|(?:\b|\bcode['\"]?\s?[:=]\s?['\"])(\d{6})(?: \([0-9a-z]{5}\)|:|['\"])"
    # As PHP writes it: `SQLSTATE[HY000] [2002] No such file`.
    r"|sqlstate\[\w{5}\] \[(\d{4,5})\]"
)
# A code as one word: ORA-01017, invalid_grant, ECONNREFUSED.
_NAME = re.compile(r"[A-Za-z]+-\d{4,6}\b|[A-Za-z0-9_]+")
_KINDS = ("error", "exception")
# A number of the operating system: `[Errno 111]`, `(os error 54)`, Windows' 10054.
_ERRNO = re.compile(
    r"\b(?:os err(?:no|or)|errno)[\s:]{1,2}(-?\d{1,3})\b"
    r"|(?:[(\[]|\b(?:winerror|wsa|error|exception|code)[\s:(#]{1,3})(?:0x)?(100[56]\d|1100[1-4])\b"
)
_TALKS_SQL = re.compile(r"sql|odbc|jdbc|psycopg|snowflake|redshift|\b(?:error|fatal|database|relation|query)\b")


class Signal(NamedTuple):
    row: Row
    where: str
    sure: Sure


class Signals:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.states, self.numbers, self.errnos = data["states"], data["numbers"], data["errnos"]
        self.classes: Mapping[str, Row] = data["classes"]
        self.beside: dict[str, list[tuple[re.Pattern[str], Row]]] = {}
        for row in data["beside"]:
            for key in row["any"]:
                self.beside.setdefault(str(key), []).append((re.compile(row["and"], re.I), row))
        self.names: dict[str, list[tuple[int, str, Row]]] = {}
        for rank, row in enumerate([*data["names"], *self._called(data["called"])]):
            known = {**row, "and": re.compile(row["and"], re.I)} if "and" in row else row
            for name in row["any"]:
                self.names.setdefault(str(name).lower(), []).append((rank, str(name), known))

    def _called(self, called: Mapping[str, Mapping[str, str]]) -> Iterator[Row]:
        """What a client calls a state or a number means what that means, and what stands beside it decides as there."""
        for kind, some in called.items():
            for name, key in some.items():
                number = self.states if kind == "postgres" else self.numbers[kind]
                # A word of the language may be a name elsewhere: OutOfMemory, QueryCanceled.
                base = {"of": kind, "sure": "certain" if "_" in name else "likely", "any": [name]}
                beside = self.beside.get(str(key) if kind == "postgres" else f"{kind} {key}", ())
                yield from ({**base, **finer, "any": [name], "and": pattern.pattern} for pattern, finer in beside)
                yield {**base, **number[key]}

    def found(self, text: str, who: str | None) -> list[Signal]:
        """All that stand in the text, the most exact first, and what a call went through before the call."""
        there = [*self._coded(text.lower(), who), *self._named(text)]
        return sorted(there, key=lambda one: (RANK.index(one.sure), "over" not in one.row))

    def _finer(self, row: Row, key: str, low: str) -> Row:
        """What stands beside a number decides between its meanings."""
        return next((finer for beside, finer in self.beside.get(key, ()) if beside.search(low)), row)

    def _coded(self, low: str, who: str | None) -> Iterator[Signal]:
        # Numbers in brackets are also what people count.
        talks = who is not None or bool(_TALKS_SQL.search(low))
        for found in _STATE.finditer(low):
            state = (found[2] or found[3]).upper()
            row = self.states.get(state)
            if row and (found[1] or talks or not state.isdigit()):
                # Snowflake gives one state for many things, and its number decides.
                row = self._finer(row, state, low)
                sure: Sure = "certain" if found[1] or who or not state.isdigit() else "likely"
                yield Signal(row, found.group(0), "last" if who == "snowflake" else row.get("sure") or sure)
            elif found[1] and (row := self.classes.get(state[:2])):
                yield Signal(row, found.group(0), "last")
        for found in _NUMBER.finditer(low):
            number = int(next(found[n] for n in (1, 2, 4, 6, 7, 8) if found[n]))
            # What stands alone in brackets may be seconds, rows or a line.
            exact = bool(found[1] or found[3] or found[8] or (talks and (found[5] or (who and not found[4]))))
            for kind in _speakers(found, number, who):
                if (row := self.numbers[kind].get(number)) and (exact or talks or not found[4]):
                    row = self._finer(row, f"{kind} {number}", low)
                    yield Signal({"of": kind, **row}, found.group(0), row.get("sure", "certain") if exact else "likely")
        for found in _ERRNO.finditer(low):
            if row := self.errnos.get(int(found[1] or found[2])):
                yield Signal(row, found.group(0), "certain")

    def _named(self, text: str) -> Iterator[Signal]:
        """A code that is one word; the most exact of those that are there, and what stands beside it."""
        there = []
        for word in dict.fromkeys(_NAME.findall(text)):
            key = word.lower().replace("tns-", "ora-")
            rows = self.names.get(key, ())
            if not rows and key.endswith(_KINDS):
                # One client's UndefinedTable is another's UndefinedTableError.
                rows = self.names.get(key.removesuffix(_KINDS[0]).removesuffix(_KINDS[1]), ())
            for rank, name, row in rows:
                if "and" not in row or row["and"].search(text):
                    there.append((rank, name, word, row))
                    break
        for _, name, word, row in sorted(there, key=lambda one: one[:2]):
            # Written otherwise it may be a word of the language: throttling, slowdown.
            same = word.startswith(tuple(row["any"])) or not name.isalpha()
            yield Signal(row, word.lower(), row.get("sure") or ("certain" if same else "likely"))


def _speakers(found: re.Match[str], number: int, who: str | None) -> tuple[str, ...]:
    """Whose number it is: both databases count from 1,000, and others write numbers too."""
    if who == "mongodb":
        return ("mongodb",)
    if found[7] or who == "snowflake":
        return ("snowflake",)
    if found[6]:
        return ()
    if found[1] or who == "mssql":
        return ("mssql",)
    if who in ("mysql", "mariadb"):
        return ("mysql",)
    return () if who else ("mysql",) if 1000 <= number < 5000 else ("mssql",) if number > 9999 else ()


# A name of a code holds its words: TopicAuthorizationException, "token_revoked", MISSING_SCOPES.
_CODE = re.compile(
    r"\b(?:[A-Z]\w*_)?(?:[A-Z][a-z0-9]+){2,}\b|\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b"
    r"|(?<=[\"'])[a-z]+(?:_[a-z]+)+(?=[\"'](?! ?:))"
    r"|\b[a-z]+(?:[A-Z][a-z0-9]+)*(?:Fault|Error|Exception|Failed|Denied|Expired|Exceeded|Forbidden)\b"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_")
MOST = 60


def spoken(text: str) -> str:
    """The words within the codes of a text, each on a line of its own, so that no sentence reaches into another."""
    codes = list(dict.fromkeys(_CODE.findall(text)))[:MOST]
    return "".join("\n" + " ".join(_HUMP.split(code)).lower() for code in codes)
