"""What each sheet makes of one documented answer, over real HTTP: tests/data/rulings.yaml has the answers. -s shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bot.checks.base import Target
from bot.checks.http import base_url, verify_credentials, verify_permissions
from bot.checks.http_ask import holds
from bot.checks.http_judge import _fits, sheet_says
from bot.drivers.http import Answer
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.checks.test_http_sheets import OUTCOMES, at
from tests.fakes.recorded import FOLDER, KEY, answer, credential_is, recorded
from tests.fakes.serve import Reply, serving

TABLE: dict[str, Any] = yaml.safe_load((FOLDER.parent / "rulings.yaml").read_text(encoding="utf-8"))
ROWS = [(key, {"from": part["from"], "at": "identity", **row}) for key, part in TABLE.items() for row in part["rows"]]
NAMES = [
    f"{key}-{row['at']}-{row.get('status', 'key')}-{str(row.get('says', row.get('body', row.get('key', ''))))[:40]}"
    for key, row in ROWS
]


def filled(form: Any, row: Mapping[str, Any]) -> Any:
    """The provider's form, with what this row says in place of each `{name}`."""
    if isinstance(form, dict):
        return {filled(name, row): filled(inner, row) for name, inner in form.items()}
    if isinstance(form, list):
        return [filled(inner, row) for inner in form]
    if not isinstance(form, str):
        return form
    whole = re.fullmatch(r"\{(\w+)\}", form)
    return row[whole[1]] if whole else re.sub(r"\{(\w+)\}", lambda name: str(row[name[1]]), form)


def body(key: str, row: Mapping[str, Any]) -> Any:
    """Without words there is no body: nobody has documented one, and the status decides."""
    return filled(row.get("form", TABLE[key]["form"]), row) if "says" in row else row.get("body", "")


def reply(key: str, row: Mapping[str, Any], path: str, headers: Mapping[str, str]) -> Reply:
    told, spec = recorded(key), sheet(key).http
    assert spec
    exchange = path.startswith(told.get("token_path", "\0"))
    scopes = spec.scopes_path and spec.scopes_path in path and row["at"] != "identity"
    asked = (
        exchange
        if row["at"] == "token"
        else not exchange and not scopes and credential_is(told, path, headers) == "right"
    )
    if not asked:
        return answer(told, "good", path, headers)
    return row["status"], {**told.get("always", {}), **row.get("headers", {})}, body(key, row)


def look(key: str, row: Mapping[str, Any]) -> tuple[Finding, Target]:
    known, told = sheet(key), recorded(key)
    assert known.http
    settings = {**told.get("settings", {}), **row.get("settings", {})}
    begins = urlsplit(base_url(Target("crm", key, known, settings))).path
    secrets = {known.http.secret: row.get("key", KEY), **told.get("secrets", {})}
    tables = () if row["at"] in ("identity", "token") else (row["at"],)
    with serving(lambda path, headers: reply(key, row, path, headers)) as url:
        there = {**settings, "base_url": url + begins}
        target = Target("crm", key, at(url, known), there, secrets, tables, timeout=20.0)
        return (verify_permissions if tables else verify_credentials)(target), target


@pytest.mark.parametrize(("key", "row"), ROWS, ids=NAMES)
def test_an_answer_means_what_the_sheet_says(key: str, row: dict[str, Any]) -> None:
    found, target = look(key, row)
    cause, code = row["means"].split()
    verdict, ruled = found.verdict, (found.cause, found.code, list(found.alternatives))
    if row.get("verdict") == "good":
        # A key that is known, and may not make even this call: the check of rights names what is missing.
        ruling = target.memo["forbidden"][2]
        ruled = (ruling.cause, ruling.code, list(ruling.alternatives))
    assert (verdict, *ruled) == (row.get("verdict", "bad"), cause, code, row.get("or", [])), found
    assert found.facts.get("retry_after", "") == row.get("waits", "")
    assert found.facts.get("scopes_needed", []) == row.get("scopes", found.facts.get("scopes_needed", []))
    assert KEY not in repr(found)
    if "key" in row:
        assert row["key"] not in repr(found)


def heard(key: str, row: Mapping[str, Any]) -> Answer:
    """The row as the checks get it."""
    says = body(key, row)
    text = says if isinstance(says, str) else json.dumps(says)
    headers = {name.lower(): value for name, value in row.get("headers", {}).items()}
    return Answer(row["status"], headers, text, "https://x")


@pytest.mark.parametrize(("key", "row"), ROWS, ids=NAMES)
def test_it_is_the_sheet_that_says_so(key: str, row: dict[str, Any]) -> None:
    """Not what words and numbers mean elsewhere, which would hide that the sheet's own answer is never reached."""
    spec = sheet(key).http
    assert spec
    if "key" in row:
        assert any(re.search(form.pattern, row["key"]) for form in spec.keys)
        return
    target = Target("crm", key, sheet(key), row.get("settings", {}))
    said = sheet_says(target, heard(key, row), identity=row["at"] == "identity")
    assert row.get("beyond") or (said and [said.cause, said.code] == row["means"].split()), said


def test_every_row_says_where_it_was_read_and_there_are_enough() -> None:
    for key, row in ROWS:
        assert row["from"].startswith("https://"), key
        assert "says" in row or "body" in row or row.get("status") not in (401, 403), "a refusal has its own form"
    assert len(ROWS) >= 120
    assert len(TABLE) >= 45


def reached(key: str) -> set[int]:
    """The places of those answers of a sheet that decide a row here, or an answer of the provider's fixture."""
    known, told = sheet(key), recorded(key)
    assert known.http
    rows = [row for one, row in ROWS if one == key and "status" in row]
    rows += [{**told[one], "at": "" if one == "missing_scope" else "identity"} for one in OUTCOMES[1:]]
    found = set()
    for row in rows:
        target = Target("crm", key, known, {**told.get("settings", {}), **row.get("settings", {})})
        given = heard(key, {**row, "headers": {**told.get("always", {}), **row.get("headers", {})}})
        for place, match in enumerate(known.http.answers):
            if _fits(match, given) and (row["at"] == "identity" or not match.identity) and holds(target, match.when):
                found.add(place)
                break
    return found


def test_most_of_what_sheets_say_is_reached_by_what_somebody_was_answered() -> None:
    """-s lists the others: nobody's words for them could be read, or nobody has put them here yet."""
    every, silent = 0, []
    for key in TABLE:
        spec = sheet(key).http
        assert spec
        places = reached(key)
        every += len(spec.answers)
        silent += [f"{key}: {one}" for place, one in enumerate(spec.answers) if place not in places]
    print("\n" + "\n".join(silent) + f"\n{every - len(silent)} of {every} are reached")
    assert len(silent) < every * 0.3
