"""What the page asks for, and when it is offered at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cipher import make_key
from bot.repairs.form import Form, form_of
from bot.repairs.ways import ways
from bot.settings import Connection, Settings

HERE = {"host": "db.acme.test", "user": "stitch", "database": "shop"}


def form(connector: str = "postgres", **more: object) -> Form:
    given = {"settings": HERE, "secrets": {"password": "${env:PW}"}, **more}
    settings = Settings(connections={"warehouse": Connection(connector=connector, **given)})  # type: ignore[arg-type]
    found = form_of(settings, "warehouse")
    assert found
    return found


def test_it_asks_for_who_and_the_secret_and_never_for_where() -> None:
    asked = form()
    assert [field.name for field in asked.fields] == ["user", "password"]
    assert asked.shown() == {"user": "stitch", "password": ""}
    assert asked.fixed()["Host"] == "db.acme.test"


def test_what_was_typed_badly_is_named_by_field() -> None:
    assert form().read({"user": "", "password": ""}) == ({}, {"user": "missing", "password": "missing"})
    assert form().read({"user": "u", "password": "x" * 20_000})[1] == {"password": "too_long"}
    assert form().read({"user": "u", "password": "a\nb"})[1] == {"password": "newline"}
    assert form().read({"user": " u ", "password": " kept as it is \r\n", "host": "10.0.0.1"}) == (
        {"user": "u", "password": " kept as it is "},
        {},
    )


def test_a_reference_to_the_vault_is_filled_under_its_own_name() -> None:
    shared = form(secrets={"password": "${vault:shared-pw}"})
    assert (shared.stored_as("password"), shared.outdated()) == ("shared-pw", {})
    assert form(secrets={"password": "${vault:aws/prod#pw}"}).stored_as("password") == "warehouse.password"
    assert form().stored_as("password") == "warehouse.password"
    assert form().outdated() == {"password": "the environment variable PW"}


def test_other_connections_with_the_same_credential_are_named() -> None:
    def one(**more: object) -> Connection:
        given = {
            "connector": "postgres",
            "settings": {"host": "other"},
            "secrets": {"password": "${env:OTHER}"},
            **more,
        }
        return Connection(**given)  # type: ignore[arg-type]

    settings = Settings(
        connections={
            "warehouse": one(settings=HERE, secrets={"password": "${env:PW}"}),
            "same reference": one(secrets={"password": "${env:PW}"}),
            "same login": one(settings=HERE),
            "stranger": one(),
        }
    )
    found = form_of(settings, "warehouse")
    assert found
    assert found.shared_with() == ["same reference", "same login"]


@pytest.mark.parametrize(
    ("public", "local", "offered"),
    [
        ("https://mend.acme.test", "", True),
        ("", "http://127.0.0.1:3000", True),
        ("http://mend.acme.test", "", False),
        ("", "", False),
    ],
)
def test_the_page_is_offered_only_where_secrets_travel_safely(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, public: str, local: str, offered: bool
) -> None:
    monkeypatch.setenv("MEND_PUBLIC_URL", public)
    monkeypatch.setenv("MEND_LOCAL_URL", local)
    monkeypatch.setenv("MEND_SECRET_KEY", make_key())
    assert ways(form().settings, "warehouse") == (["update_credentials"] if offered else [])
    monkeypatch.delenv("MEND_SECRET_KEY")
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://db/mend")
    monkeypatch.setenv("MEND_DATA_DIR", str(tmp_path))
    assert ways(form().settings, "warehouse") == []
