"""What is well-formed in mend.yml and could be used by nobody is found at the start, and an edit like it is not taken."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import fresh
from bot.fresh import Fresh
from bot.settings import Settings, SettingsError
from bot.usable import doubts, misnamed

GOOD: dict[str, Any] = {"connections": {"warehouse": {"connector": "postgres"}}}
CLOSED: dict[str, Any] = {**GOOD, "access": {"workspaces": ["T0LOCAL"]}}


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


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("away", [lambda path: path.write_text(""), Path.unlink])
def test_a_file_that_is_emptied_or_moved_away_while_it_is_read_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: Callable[[Path], object], named: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path, real = written(tmp_path, CLOSED), fresh.load
    settings = Fresh(path if named else None)

    def just_then(*given: Any) -> Any:
        away(path)
        return real(*given)

    path.chmod(0o600)
    with monkeypatch.context() as patched:
        patched.setattr(fresh, "load", just_then)
        assert list(settings().connections) == ["warehouse"]
    assert not settings().access.lets_in("T0OTHER")
    written(tmp_path, {**CLOSED, "connections": {"shop": {"connector": "postgres"}}})
    assert list(settings().connections) == ["shop"]


@pytest.fixture
def being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a busy machine takes for what a test does: the file does not stand still by that."""
    monkeypatch.setattr(fresh, "STILL", 3600.0)


@pytest.mark.usefixtures("being_written")
def test_who_is_shut_out_stays_so_while_the_file_is_written_bit_by_bit(tmp_path: Path) -> None:
    settings = Fresh(
        path := written(tmp_path, {**CLOSED, "access": {"workspaces": ["T0LOCAL"], "channels": ["C0DATA"]}})
    )
    with path.open("w") as out:
        out.write(yaml.safe_dump({"connections": {"shop": {"connector": "postgres"}}}))
        out.flush()
        assert (settings().access.lets_in("T0OTHER"), settings().access.channels) == (False, ["C0DATA"])
        out.write(yaml.safe_dump({"access": {"workspaces": ["T0LOCAL", "T0THIRD"]}}))
        out.flush()
        assert settings().access.channels == ["C0DATA"]
        out.write("  channels: [C0OTHER]\n")
    assert (list(settings().connections), settings().access.channels) == (["shop"], ["C0OTHER"])
    assert [settings().access.lets_in(team) for team in ("T0OTHER", "T0THIRD")] == [False, True]


@pytest.mark.usefixtures("being_written")
@pytest.mark.parametrize("clock", ["the file's", "ours"])
def test_a_limit_that_is_lifted_is_lifted_when_the_file_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    settings = Fresh(written(tmp_path, CLOSED))
    path = written(tmp_path, GOOD)
    assert not settings().access.lets_in("T0OTHER")
    if clock == "ours":  # that of the file system is ahead, say
        os.utime(path, (9e9, 9e9))
        assert not settings().access.lets_in("T0OTHER")
        now = fresh.time.monotonic()
        monkeypatch.setattr(fresh.time, "monotonic", lambda: now + fresh.STILL)
    else:
        os.utime(path, (1, 1))
    assert settings().access.lets_in("T0OTHER")


def test_who_asks_while_another_thread_reads_an_edit_gets_that_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, real = Fresh(written(tmp_path, GOOD)), fresh.load
    reading, go_on = threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        reading.set()
        go_on.wait(20)
        return real(*given)

    monkeypatch.setattr(fresh, "load", slow)
    written(tmp_path, CLOSED)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(settings)
        assert reading.wait(20)
        second = pool.submit(settings)
        wait([second], 0.3)  # as long as it would take to answer with what was
        go_on.set()
        assert not any(asked.result(20).access.lets_in("T0OTHER") for asked in (first, second))


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
