"""The servers' own sentences, of several versions and languages: the SQLSTATE or number gives the code. Run with -s.

errors_languages.csv holds them with names filled in. `read_in` names the server's own catalogue of messages in which the
sentence stands, letter for letter: of a package, of its source, or of its program, which holds what no translation does.
Where a translation is missing there, the server speaks English. `function` is where PostgreSQL says it was raised.

https://www.postgresql.org/docs/current/errcodes-appendix.html
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
https://mariadb.com/docs/server/reference/error-codes
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pymysql
import pytest

from bot.drivers import mysql_words, postgres_words
from bot.drivers.network import Trouble
from flows.core.explain import explain
from tests.catalogues import sentences, stands_in

Row = dict[str, str]
FILE = Path(__file__).parent.parent / "data" / "errors_languages.csv"
with FILE.open(encoding="utf-8", newline="") as file:
    ROWS: list[Row] = list(csv.DictReader(file))
LANGUAGES = {"English", "German", "French", "Japanese", "Russian", "Spanish", "Chinese"}


def name(row: Row) -> str:
    return f"{row['server']} {row['version']} {row['language']} {row['number']} {row['code']}"


def ruled(row: Row) -> Trouble:
    """What the driver's error is taken for."""
    if row["server"] != "postgres":
        return mysql_words.words(pymysql.err.OperationalError(int(row["number"]), row["message"]))
    severity, _, said = row["message"].partition(":  ")
    place = f"{severity}:  {row['number']}: {said}\nLOCATION:  {row['function']}, file.c:1"
    return postgres_words.words("", f'connection to server at "127.0.0.1", port 5432 failed: {place}')


def pasted(row: Row) -> str:
    """As it stands in a log, with its number."""
    if row["server"] == "postgres":
        return f"{row['message']} (SQLSTATE {row['number']})"
    return f"ERROR {row['number']} (HY000): {row['message']}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_a_drivers_error_has_its_code_in_every_language(row: Row) -> None:
    trouble = ruled(row)
    assert (trouble.cause, trouble.code) == (row["cause"], row["code"]), row["message"]


GROUPS = sorted({(row["server"], row["version"], row["language"]) for row in ROWS if row["read_in"]})


@pytest.mark.parametrize(("server", "version", "language"), GROUPS)
def test_what_is_said_to_stand_in_a_catalogue_stands_there(server: str, version: str, language: str) -> None:
    texts = sentences(server, version, language)
    if not texts:
        pytest.skip(f"the catalogue of {server} {version} in {language} is not on this machine: LEFT OUT")
    mine = [row for row in ROWS if (row["server"], row["version"], row["language"]) == (server, version, language)]
    said = [row["message"].partition(":  ")[2] if server == "postgres" else row["message"] for row in mine]
    assert [one for one in said if not stands_in(one, texts)] == []


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_a_pasted_text_with_its_number_has_its_cause(row: Row) -> None:
    """28000 alone says four things: in a language that it does not read, `diagnose` may say that it does not know."""
    found = explain(pasted(row), row["server"])
    unread = row["number"] == "28000" and found.confidence == "unclear"
    assert unread or found.cause == row["cause"], (row["message"], found)


def test_the_table_is_whole() -> None:
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in ROWS:
        seen[row["server"], row["language"]].append(row["version"])
    print(f"\n{'':11}" + "".join(f"{language:>10}" for language in sorted(LANGUAGES)))
    for server in ("postgres", "mysql", "mariadb"):
        print(f"{server:11}" + "".join(f"{len(seen[server, one]):10}" for one in sorted(LANGUAGES)))
    read = sum(explain(pasted(row), row["server"]).cause == row["cause"] for row in ROWS)
    assert [name(row) for row in ROWS if not row["read_in"]] == []
    print(f"{len(ROWS)} sentences; by `mend diagnose`, pasted with their number, {read} are read")
    assert {row["version"] for row in ROWS if row["server"] == "postgres"} == {str(one) for one in range(13, 19)}
    assert {language for server, language in seen if server == "postgres"} == LANGUAGES
