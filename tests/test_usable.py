"""What is well-formed in mend.yml and could be used by nobody is found at the start, and an edit like it is not taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.app import Fresh
from bot.settings import Settings, SettingsError
from bot.usable import doubts, misnamed

GOOD: dict[str, Any] = {"connections": {"warehouse": {"connector": "postgres"}}}


def written(folder: Path, said: dict[str, Any]) -> Path:
    path = folder / "mend.yml"
    path.write_text(yaml.safe_dump(said))
    return path


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"connections": {"shop": {"connector": "postgress"}}}, "connections.shop.connector: .* did you mean postgres"),
        ({**GOOD, "desk": {"kind": "zendsk"}}, "desk.kind: 'zendsk' is no desk; choose from .*zendesk"),
    ],
)
def test_what_nobody_could_use_ends_the_start_with_one_line(tmp_path: Path, said: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        Fresh(written(tmp_path, said))
    assert "\n" not in str(refused.value)


def test_an_edit_that_nobody_could_use_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Fresh(written(tmp_path, GOOD))
    path = written(tmp_path, {"connections": {**GOOD["connections"], "shop": {"connector": "postgress"}}})
    os.utime(path, (1, 1))
    settings._looked = 0.0
    assert list(settings().connections) == ["warehouse"]
    assert "postgress" in caplog.text


def test_an_alias_of_a_connector_is_one(tmp_path: Path) -> None:
    assert Fresh(written(tmp_path, {"connections": {"shop": {"connector": "PostgreSQL"}}}))()


def test_names_where_slack_wants_ids_are_doubted_and_so_is_an_open_address() -> None:
    said = {
        **GOOD,
        "access": {"admins": ["alice", "U0ADMIN"], "channels": ["#data", "C0DATA"]},
        "connections": {"warehouse": {"connector": "postgres", "owner": "@alice"}},
    }
    told = "\n".join(doubts(Settings.model_validate(said), {"MEND_PUBLIC_URL": "http://mend.example.com"}))
    assert [piece in told for piece in ("holds alice", "holds #data", "of warehouse is @alice", "https://")] == [
        True
    ] * 4
    assert "U0ADMIN" not in told
    assert not list(doubts(Settings.model_validate(GOOD), {"MEND_PUBLIC_URL": "https://mend.example.com"}))


def test_a_setting_that_nothing_reads_is_told_with_the_name_that_is_near() -> None:
    given = {"host": "db", "databse": "shop", "sslmode": "require"}
    said = {"connections": {"warehouse": {"connector": "postgres", "settings": given}}}
    told = list(misnamed(Settings.model_validate(said), ["warehouse"]))
    assert told == ["warehouse.settings.databse is not read: did you mean database?"]
