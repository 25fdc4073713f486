"""The contract of every sheet, and what a person reads who writes one wrongly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.checks.run import MODULES
from bot.lint import lint
from flows.core.causes import CAUSES
from flows.core.sheet import HERE, SheetError, UnknownConnector, known_keys, load_sheet, sheet, sheets

DATABASE = ("name_resolves", "port_answers", "database_answers", "credentials_accepted", "permissions_sufficient")
HTTP = (
    "status_page_quiet",
    "name_resolves",
    "port_answers",
    "tls_agrees",
    "credentials_accepted",
    "permissions_sufficient",
)
TEN = {"postgres", "mysql", "mariadb", "http_api", "github", "hubspot", "stripe", "salesforce", "zendesk", "shopify"}
GOOD = (HERE / "stripe.yaml").read_text()


def test_the_ten_first_connectors_are_known() -> None:
    assert set(known_keys()) >= TEN


@pytest.mark.parametrize("key", known_keys())
def test_every_sheet_keeps_the_contract(key: str) -> None:
    one = sheet(key)
    assert one.key == key
    assert one.checks == (HTTP if one.driver == "http" else DATABASE)
    assert set(one.checks) <= set(MODULES)
    assert one.regeneration
    assert one.regeneration.who
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", one.facts_date)
    assert one.source.startswith("https://")
    assert len((HERE / f"{key}.yaml").read_text().splitlines()) <= 80
    for field in one.fields:
        assert field.help.strip().endswith((".", ")")), field.name
        assert field.example, field.name
    for match in one.http.answers if one.http else ():
        assert match.cause in CAUSES


def test_our_own_sheets_and_templates_have_no_problems() -> None:
    assert [str(one) for one in lint()] == []


def test_keys_and_aliases_lead_to_sheets_and_aliases_are_nobody_elses() -> None:
    assert sheet("pg") is sheet("postgresql") is sheet("postgres")
    names = [name for one in sheets().values() for name in (one.key, *one.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["hubspto", "Postgre", "../core/sheet", ""])
def test_an_unknown_connector_is_an_error_of_one_line(name: str) -> None:
    with pytest.raises(UnknownConnector) as caught:
        sheet(name)
    assert "\n" not in str(caught.value)


def test_the_nearest_key_is_named() -> None:
    with pytest.raises(UnknownConnector, match="did you mean hubspot"):
        sheet("hubspto")


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("title: Stripe", "tittle: Stripe", None, ""),
        ("shown_once: true", "show_once: true", r"\d+:3", "did you mean shown_once"),
        ("auth: bearer", "auth: barer", r"\d+:3", "'bearer', 'basic'"),
        ("driver: http", "driver: [", None, "not valid YAML"),
        ("key: stripe", "key: strip", "1:1", "the file's name"),
        ('body: "Invalid API Key"', 'body: "Invalid (API"', None, ""),
    ],
)
def test_a_wrong_sheet_is_an_error_with_file_line_and_column(
    tmp_path: Path, old: str, new: str, place: str | None, words: str
) -> None:
    assert old in GOOD
    file = tmp_path / "stripe.yaml"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(SheetError) as caught:
        load_sheet(file)
    assert re.match(rf"stripe\.yaml:{place or '[0-9]+:[0-9]+'}: ", str(caught.value)), caught.value
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    problem = lint([tmp_path])[0]
    assert (problem.file, problem.line > 0) == (str(file), True)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tls_agrees", "tls_agree", "there is no check 'tls_agree'"),
        ("https://api.stripe.com", "http://api.stripe.com", "does not begin with https://"),
        ("cause: token_expired", "cause: token_old", "there is no cause 'token_old'"),
        ("secret: api_key", "secret: api_kei", "is no secret field"),
        ("/v1/account", "/v1/{acount}", "{acount} is no field"),
        ('help: Leave it as it is.', 'help: ""', "needs a help"),
    ],
)  # fmt: skip
def test_lint_finds_what_the_schema_cannot(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    (tmp_path / "stripe.yaml").write_text(GOOD.replace(old, new))
    found = lint([tmp_path])
    assert any(words in one.text for one in found), found
    assert all(one.line > 1 for one in found)


def test_lint_reads_templates_and_a_path_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "bad.j2").write_text("one\n{% if %}")
    assert [(one.line, one.file) for one in lint([tmp_path])] == [(2, str(tmp_path / "bad.j2"))]
    assert lint([tmp_path / "nowhere"])[0].text == "there is no such file or folder"


def test_a_users_own_sheet_is_found_beside_ours_and_only_the_one_asked_for_is_read(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(GOOD.replace("key: stripe", "key: acme"))
    (tmp_path / "broken.yaml").write_text("key: [")
    both = sheets([tmp_path])
    assert {"acme", "broken", "stripe"} <= set(both)
    assert both["acme"].title == "Stripe"
    with pytest.raises(SheetError):
        both["broken"]
