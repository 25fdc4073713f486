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
    written(tmp_path, {"connections": {**GOOD["connections"], "shop": {"connector": "postgress"}}})
    assert list(settings().connections) == ["warehouse"]
    assert "postgress" in caplog.text


def test_an_edit_is_in_use_with_the_next_question_however_soon_it_comes(tmp_path: Path) -> None:
    settings = Fresh(written(tmp_path, GOOD))
    for number in range(50):
        path = written(tmp_path, {"connections": {f"shop-{number}": {"connector": "postgres"}}})
        os.utime(path, (1, 1))  # as on a file system whose clock has not moved on
        assert list(settings().connections) == [f"shop-{number}"]


def test_an_edit_with_wrong_rights_is_taken_when_they_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Fresh(path := written(tmp_path, GOOD))
    written(tmp_path, {"connections": {"shop": {"connector": "postgres"}}})
    with monkeypatch.context() as patched:  # root reads whatever the rights are
        patched.setattr(Path, "read_text", refused)
        assert list(settings().connections) == ["warehouse"]
    assert "cannot be read" in caplog.text
    path.chmod(0o600)
    assert list(settings().connections) == ["shop"]


def refused(*_: object, **__: object) -> str:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_is_empty_or_gone_while_it_is_saved_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, {**GOOD, "access": {"workspaces": ["T0LOCAL"]}})
    settings = Fresh(path if named else None)
    for away in (lambda: path.write_text(""), path.unlink):
        away()
        assert list(settings().connections) == ["warehouse"]
        assert not settings().access.lets_in("T0OTHER")
    written(tmp_path, {"connections": {"shop": {"connector": "postgres"}}})
    assert list(settings().connections) == ["shop"]


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
