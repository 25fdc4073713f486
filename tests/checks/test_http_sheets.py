"""Each provider's own answers, over real HTTP, lead to the true cause. Run with -s to see the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bot import scaffold
from bot.checks.base import Target
from bot.checks.http import base_url, verify_credentials, verify_permissions
from flows.core.causes import CAUSES
from flows.core.finding import Finding
from flows.core.sheet import Sheet, known_keys, load_sheet, sheet
from tests.fakes.recorded import FOLDER, KEY, answer, recorded
from tests.fakes.serve import serving

KEYS = [key for key in known_keys() if sheet(key).driver == "http"]
OUTCOMES = ("good", "bad_credential", "missing_scope", "rate_limit", "down")
ROWS: dict[str, dict[str, str]] = {}


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    print("\n" + "".join(f"{one:33}" for one in ("", *OUTCOMES)))
    for key, row in ROWS.items():
        print(f"{key:33}" + "".join(f"{row.get(one, ''):33}" for one in OUTCOMES))
    print(f"{len(ROWS)} connectors, {sum(len(row) for row in ROWS.values())} verdicts")


def at(url: str, known: Sheet) -> Sheet:
    """The sheet with its token address on this machine too."""
    assert known.http
    if not known.http.token_url:
        return known
    path = urlsplit(known.http.token_url).path
    return known.model_copy(update={"http": known.http.model_copy(update={"token_url": url + path})})


def ask(known: Sheet, told: Mapping[str, Any], outcome: str) -> tuple[Finding, Finding]:
    assert known.http
    settings = told.get("settings", {})
    begins = urlsplit(base_url(Target("crm", known.key, known, settings))).path
    secrets = {known.http.secret: KEY, **told.get("secrets", {})}
    with serving(lambda path, headers: answer(told, outcome, path, headers)) as url:
        there = {**settings, "base_url": url + begins}
        target = Target("crm", known.key, at(url, known), there, secrets, tuple(told["tables"]), timeout=20.0)
        return verify_credentials(target), verify_permissions(target)


def run(key: str, outcome: str) -> tuple[Finding, Finding]:
    login, rights = ask(sheet(key), recorded(key), outcome)
    for one in (login, rights):
        assert KEY not in repr(one)
        assert "\n" not in one.evidence
        assert len(one.evidence) <= 500
        assert "{" not in one.evidence, "the provider's words, not its JSON"
        assert one.cause is None or one.cause in CAUSES
    telling = rights if outcome == "missing_scope" else login
    ROWS.setdefault(key, {})[outcome] = f"{telling.verdict} {telling.code or ''}"
    return login, rights


@pytest.mark.parametrize("key", KEYS)
def test_a_good_connection_is_good(key: str) -> None:
    login, rights = run(key, "good")
    assert (login.verdict, rights.verdict) == ("good", "good"), (login, rights)
    spec = sheet(key).http
    assert spec
    assert bool(login.facts.get("account")) == bool(spec.account)


@pytest.mark.parametrize("key", KEYS)
def test_a_bad_credential_is_named_in_the_providers_words(key: str) -> None:
    login, _ = run(key, "bad_credential")
    told = recorded(key)["bad_credential"]
    # A provider that says no more than "Forbidden" is not told from a firewall.
    assert (login.verdict, login.code) == (told.get("verdict", "bad"), told["expect"]), login
    assert login.cause in ("invalid_credentials", "token_expired")


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_right_names_the_resource_and_what_it_needs(key: str) -> None:
    login, rights = run(key, "missing_scope")
    told = recorded(key)["missing_scope"]
    assert login.verdict == "good", login
    assert (rights.verdict, rights.code) == ("bad", told["expect"]), rights
    assert rights.cause in ("missing_privilege", "feature_not_enabled")
    assert rights.facts["missing"] == told["missing"]
    assert rights.facts["scopes_needed"] == told.get("scopes", [])


@pytest.mark.parametrize("key", KEYS)
def test_a_rate_limit_is_no_bad_credential(key: str) -> None:
    told = recorded(key)["rate_limit"]
    for one in run(key, "rate_limit"):
        assert (one.verdict, one.cause, one.code) == ("bad", "rate_limited", told["expect"]), one
        # `waits`: what the provider's own header says, where it is not the standard one.
        assert one.facts.get("retry_after", "") == told.get("waits", told.get("headers", {}).get("Retry-After", ""))


@pytest.mark.parametrize("key", KEYS)
def test_a_provider_that_is_down_is_no_bad_credential(key: str) -> None:
    told = recorded(key)["down"]
    for one in run(key, "down"):
        assert (one.verdict, one.cause, one.code) == ("bad", "third_party_down", told["expect"]), one


def test_what_new_connector_writes_passes_as_it_is(tmp_path: Path) -> None:
    names = {"key": "acme", "dashed": "acme", "title": "Acme", "upper": "ACME", "today": "2026-11-24"}
    (tmp_path / "acme.yaml").write_text(scaffold.SHEET.format(**names))
    known, told = load_sheet(tmp_path / "acme.yaml"), yaml.safe_load(scaffold.ANSWERS.format(**names))
    codes = {outcome: [one.code for one in ask(known, told, outcome)] for outcome in OUTCOMES}
    assert codes["good"] == [None, None]
    assert codes["missing_scope"] == [None, told["missing_scope"]["expect"]]
    for outcome in ("bad_credential", "rate_limit", "down"):
        assert codes[outcome][0] == told[outcome]["expect"]


def test_sixty_providers_are_known_and_nobody_is_recorded_for_nothing() -> None:
    assert len(KEYS) >= 60
    assert sorted(file.stem for file in FOLDER.glob("*.yaml")) == KEYS
