"""The vault: what is kept is encrypted, versioned, scoped, and forgotten."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bot import cipher
from bot.checks.target import target_for
from bot.cli.vault import rotate_key
from bot.database import migrate
from bot.references import serve_references
from bot.settings import VAULTS, Connection, Keeping, Settings, SettingsError, resolve
from bot.vault import LEFT, NEWCOMER, Vault, opened
from tests.dump import dumped

CANARY = "c4n4ry-pa55word"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MEND_SECRET_KEY", made := cipher.make_key())
    return made


@pytest.fixture
def vault(database: str, key: str) -> Iterator[Vault]:
    migrate(database)
    serve_references(database)
    yield opened()
    VAULTS.clear()
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM secrets")
    opened().engine.dispose()


def warehouse(tmp_path: Path, password: str = "old") -> Settings:
    (tmp_path / "pw").write_text(password)
    made = Connection(
        connector="postgres",
        settings={"host": "db", "user": "stitch"},
        secrets={"password": f"${{file:{tmp_path / 'pw'}}}"},
    )
    return Settings(connections={"warehouse": made})


def test_a_reference_to_the_vault_is_read_and_nothing_stands_in_the_database_in_clear(
    vault: Vault, database: str, tmp_path: Path
) -> None:
    vault.put("crm-token", CANARY, "U0BOB")
    assert resolve("${vault:crm-token}", {}, tmp_path) == CANARY
    assert "crm-token" in dumped(database)
    assert CANARY not in dumped(database)
    with pytest.raises(SettingsError, match="the vault holds no crm: put it there with `mend vault put crm`"):
        resolve("${vault:crm}", {}, tmp_path)


def test_a_proven_secret_replaces_the_file_until_the_file_changes(vault: Vault, tmp_path: Path) -> None:
    settings = warehouse(tmp_path)
    vault.add("b1", {"warehouse.password": CANARY}, "U0ALICE", team="T1", connection="warehouse")
    assert target_for(settings, "warehouse", "T1").secrets["password"] == "old"
    vault.promote("b1", {"warehouse.password": "old"})
    assert target_for(settings, "warehouse", "T1").secrets["password"] == CANARY
    assert target_for(settings, "warehouse").secrets["password"] == CANARY
    (tmp_path / "pw").write_text("newer still")
    assert target_for(settings, "warehouse", "T1").secrets["password"] == "newer still"


def test_a_secret_of_one_workspace_is_not_seen_by_another(vault: Vault, tmp_path: Path) -> None:
    settings = warehouse(tmp_path)
    vault.add("b1", {"warehouse.password": CANARY}, "U0ALICE", team="T1", connection="warehouse")
    vault.promote("b1", {"warehouse.password": "old"})
    assert target_for(settings, "warehouse", "T2").secrets["password"] == "old"
    assert vault.forget(team="T1") == 1
    assert target_for(settings, "warehouse", "T1").secrets["password"] == "old"


def test_what_one_workspace_types_under_a_name_of_the_vault_reaches_no_other(vault: Vault, tmp_path: Path) -> None:
    settings = warehouse(tmp_path)
    settings.connections["warehouse"].secrets["password"] = "${vault:crm}"
    vault.put("crm", "the operator's", "the terminal")
    vault.put("crm", "typed in T1", "U0ALICE", team="T1", connection="warehouse")
    read = {team: target_for(settings, "warehouse", team).secrets["password"] for team in ("T1", "T2")}
    assert read == {"T1": "typed in T1", "T2": "the operator's"}
    vault.put("crm", "newer still", "the terminal")
    assert target_for(settings, "warehouse", "T1").secrets["password"] == "newer still"


def test_what_counts_for_all_is_read_by_whoever_has_nothing_of_their_own(vault: Vault, tmp_path: Path) -> None:
    settings = warehouse(tmp_path)
    for batch, team, value in (("b1", "T1", "of T1"), ("b2", "", "for all")):
        vault.add(batch, {"warehouse.password": value}, "U0ALICE", team=team, connection="warehouse")
        vault.promote(batch, {"warehouse.password": "old"})
    read = {team: target_for(settings, "warehouse", team).secrets["password"] for team in ("T1", "T2", NEWCOMER)}
    assert read == {"T1": "of T1", "T2": "for all", NEWCOMER: "for all"}


def test_the_one_copy_of_what_mend_made_outlives_its_workspace_for_a_week(vault: Vault, tmp_path: Path) -> None:
    """Where the workspace had a login of its own, nobody else knows the password that Mend gave it."""
    vault.add("r1", {"warehouse.password": CANARY}, "U0BOB", team="T1", connection="warehouse", lasts=None)
    vault.promote("r1")
    vault.leave("r1", "T1")
    assert [row.version for row in vault.listed()] == [LEFT]
    assert target_for(warehouse(tmp_path), "warehouse", "T1").secrets["password"] == "old", "no check uses it"
    assert vault.read("warehouse.password", versions=("current", LEFT)) == CANARY
    assert 6 < (vault.listed()[0].forget_at - time.time()) / 86400 <= 7


def test_a_changed_user_is_kept_with_its_password(vault: Vault, tmp_path: Path) -> None:
    new = {"warehouse.password": CANARY, "warehouse.user": "stitch2"}
    vault.add("b1", new, "U0ALICE", team="T1", connection="warehouse")
    vault.promote("b1", {"warehouse.password": "old", "warehouse.user": "stitch"})
    target = target_for(warehouse(tmp_path), "warehouse", "T1")
    assert (target.settings["user"], target.secrets["password"]) == ("stitch2", CANARY)


def test_the_old_version_stays_for_a_while_and_is_then_forgotten(vault: Vault) -> None:
    for number in (1, 2, 3):
        vault.put("crm", f"value {number}", "U0BOB")
    assert [row.version for row in vault.listed()] == ["old", "current"]
    vault.add("b", {"crm": "never proven"}, "U0BOB", team="", connection="")
    vault.promote("b", keep=Keeping(old_days=1e-9))
    assert vault.sweep() == 1
    assert [row.version for row in vault.listed()] == ["current"]
    assert vault.read("crm") == "never proven"
    vault.promote("b")
    assert [row.version for row in vault.listed()] == ["current"]


def test_what_was_never_proven_is_forgotten(vault: Vault, database: str) -> None:
    vault.add("b", {"crm": "typed"}, "U0ALICE", team="", connection="")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE secrets SET forget_at = %s", [time.time() - 1])
    assert vault.sweep() == 1
    assert vault.listed() == []


def test_a_new_key_in_front_reads_the_old_and_then_makes_it_needless(
    vault: Vault, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = warehouse(tmp_path)
    vault.put("warehouse.password", CANARY, "U0BOB", connection="warehouse")
    vault.add("b", {"warehouse.password": CANARY}, "U0ALICE", team="T1", connection="warehouse")
    vault.promote("b", {"warehouse.password": "old"})
    newer = cipher.make_key()
    monkeypatch.setenv("MEND_SECRET_KEY", f"{newer}, {key}")
    assert vault.renew() == 3
    monkeypatch.setenv("MEND_SECRET_KEY", newer)
    assert target_for(settings, "warehouse", "T1").secrets["password"] == CANARY
    monkeypatch.setenv("MEND_SECRET_KEY", cipher.make_key())
    with pytest.raises(SettingsError, match="cannot be read: its key is missing"):
        vault.read("warehouse.password")
    with pytest.raises(SettingsError, match="nothing was changed"):
        vault.renew()


def test_a_vault_that_is_down_leaves_the_references_of_the_file(vault: Vault, tmp_path: Path) -> None:
    serve_references("postgresql://127.0.0.1:1/none")
    assert target_for(warehouse(tmp_path), "warehouse").secrets["password"] == "old"
    with pytest.raises(SettingsError, match="the vault's database does not answer"):
        resolve("${vault:crm}", {}, tmp_path)


@pytest.fixture
def own_key(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """A vault whose key is in a file of Mend's own, as beside the embedded database."""
    monkeypatch.delenv("MEND_SECRET_KEY", raising=False)
    monkeypatch.setenv("MEND_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("bot.cli.vault.database_url", lambda: database)
    cipher.write_keys([cipher.make_key()])
    migrate(database)
    yield (made := Vault(database))
    made.forget(name="crm")
    made.engine.dispose()


def test_a_renewal_that_was_broken_off_again_and_again_loses_no_key(
    own_key: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_key.put("crm", CANARY, "U0BOB")
    for _ in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(Vault, "renew", interrupted)
            with pytest.raises(KeyboardInterrupt):
                rotate_key()
        assert own_key.read("crm") == CANARY
    assert rotate_key() == 0
    assert (own_key.read("crm"), len(cipher.keys())) == (CANARY, 2)


def interrupted(_: Vault) -> int:
    raise KeyboardInterrupt


def test_keys_are_on_the_disk_before_they_take_the_place_of_others(
    own_key: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe = set[int]()
    monkeypatch.setattr(os, "fsync", lambda number: safe.add(os.fstat(number).st_ino))
    cipher.write_keys([cipher.make_key()])
    assert (tmp_path / "secret.key").stat().st_ino in safe


@pytest.mark.parametrize("given", ["hunter2-hunter2", "AAAA", ","])
def test_a_wrong_key_is_told_in_one_line_without_showing_it(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("MEND_SECRET_KEY", given)
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://db.acme.test/mend")
    with pytest.raises(SettingsError) as caught:
        cipher.Cipher().encrypt("x")
    assert "`mend vault new-key`" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def run(folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("MEND_SECRET_KEY", "MEND_DATABASE_URL")}
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "vault", *words],
        env={**env, "MEND_DATA_DIR": str(folder)}, input=given, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_terminal_keeps_lists_and_forgets_with_a_key_of_its_own(tmp_path: Path) -> None:
    assert run(tmp_path, "put", "crm-token", given=CANARY + "\n").returncode == 0
    key = tmp_path / "secret.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_text()
    assert run(tmp_path, "rotate-key").returncode == 0
    assert key.read_text().split(",")[1] == before
    shown = run(tmp_path, "list")
    assert "crm-token" in shown.stdout
    assert CANARY not in shown.stdout + shown.stderr
    assert run(tmp_path, "show", "crm-token").stdout == CANARY + "\n"
    assert "forgotten: 1 version of crm-token" in run(tmp_path, "forget", "crm-token").stdout
    gone = run(tmp_path, "forget", "crm-token")
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [(b"\xff\xfe\x00", "not text in UTF-8"), (b"x" * 100_001, "more than 100000"), (None, "nothing was given")],
)
def test_what_is_no_secret_is_told_and_not_kept_in_part(tmp_path: Path, given: bytes | None, said: str) -> None:
    """None: standard input is closed."""
    command = [sys.executable, "-m", "bot.cli", "vault", "put", "crm"]
    env = {**os.environ, "MEND_DATA_DIR": str(tmp_path), "PYTHONUTF8": "1"}
    closed = ["sh", "-c", 'exec "$@" <&-', "sh"] if given is None else []
    ran = subprocess.run([*closed, *command], env=env, input=given, capture_output=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert said in ran.stderr.decode()
    assert ran.stderr.count(b"\n") == 1
