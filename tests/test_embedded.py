"""The embedded PostgreSQL: whoever starts it, wherever its files are, whatever happened before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from bot.database import StoreError, database_url
from bot.embedded import ACCOUNT, Embedded

ENDS_AT_ONCE = (
    "import sys; from bot.embedded import Embedded; from pathlib import Path; Embedded(Path(sys.argv[1])).start()"
)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Embedded]:
    one = Embedded(tmp_path / "postgres")
    yield one
    one.leave()


def test_the_last_one_to_leave_stops_it(server: Embedded) -> None:
    second = Embedded(server.folder)
    url = server.start()
    assert second.start() == url
    second.leave()
    assert answers(url)
    server.leave()
    assert not answers(url)


def test_what_was_stored_is_there_at_the_next_start(server: Embedded) -> None:
    with psycopg.connect(server.start()) as connection:
        connection.execute("CREATE TABLE kept()")
    server.leave()
    with psycopg.connect(server.start()) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == ("kept",)


def test_it_is_taken_over_from_a_process_that_was_killed(server: Embedded) -> None:
    subprocess.run([sys.executable, "-c", ENDS_AT_ONCE, str(server.folder)], check=True)
    url = server.start()
    assert answers(url)
    server.leave()
    assert not answers(url)


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="who has which number is read in /proc")
def test_it_starts_after_a_power_cut_though_another_program_has_its_number(server: Embedded) -> None:
    server.start()
    file = server.folder / "postmaster.pid"
    said, owner = file.read_text(), file.stat()
    number = said.partition("\n")[0]
    before = psutil.Process(int(number))
    before.kill()
    psutil.wait_procs([before, *before.children(recursive=True)], 20)
    who = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    other = subprocess.Popen(["sleep", "60"], **who)
    try:
        file.write_text(said.replace(number, str(other.pid), 1))
        os.chown(file, owner.st_uid, owner.st_gid)
        assert answers(server.start())
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_first_start_that_was_cut_short_is_begun_anew(server: Embedded) -> None:
    half = server.folder.with_name(".postgres.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    assert answers(server.start())
    assert not half.exists()


def test_a_folder_deeper_than_a_sockets_address_may_be(tmp_path: Path) -> None:
    one = Embedded(tmp_path / ("d" * 120) / "postgres")
    url = one.start()
    assert answers(url)
    one.leave()
    assert not Path(url.partition("host=")[2].partition("&")[0]).exists()


def test_an_odd_name_and_foreign_settings_of_postgresql_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PGPORT", "6543"), ("PGHOST", "db.example.com"), ("PGDATA", "/nowhere")):
        monkeypatch.setenv(name, value)
    one = Embedded(tmp_path / "it's $HOME & 100% `mine`" / "postgres")
    url = one.start()
    assert answers(url)
    one.leave()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another account")
def test_root_opens_no_folder_and_no_file_of_its_own() -> None:
    with tempfile.TemporaryDirectory(prefix="mend-own-") as name:  # tests beside this one open what pytest gives
        server = Embedded(Path(name) / "closed" / "postgres")
        server.folder.parent.mkdir(mode=0o700)
        above = {folder: folder.stat().st_mode for folder in server.folder.parents}
        try:
            assert answers(server.start())
            assert {folder: folder.stat().st_mode for folder in above} == above
            assert server.folder.owner() == ACCOUNT
            assert server.folder.stat().st_mode & 0o077 == 0
        finally:
            server.leave()


@pytest.mark.parametrize("where", ["file/data", "file"])
def test_a_data_folder_that_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("MEND_DATABASE_URL", raising=False)
    monkeypatch.setenv("MEND_DATA_DIR", str(tmp_path / where))
    with pytest.raises(StoreError, match="set MEND_DATA_DIR to a folder"):
        database_url()


def test_what_postgresql_says_is_told(server: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    server.start()
    server.leave()
    (server.folder / "postgresql.conf").write_text("nonsense = 1\n")
    monkeypatch.delenv("MEND_DATABASE_URL", raising=False)
    monkeypatch.setenv("MEND_DATA_DIR", str(server.folder.parent))
    with pytest.raises(
        StoreError,
        match=r"does not start: .*postgres/postgresql.conf.* contains errors .*postgres/log tells more.* MEND_DATABASE_URL",
    ):
        database_url()


def runs_in(folder: Path, process: psutil.Process) -> bool:
    return str(folder) in str(process.info["cwd"]) and process.info["status"] != "zombie"


def test_ctrl_c_at_the_very_start_of_a_program_leaves_it_not_running(
    server: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is held back until the program is in our hands, and comes right then."""
    began: list[int] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *words: object, **how: object) -> None:
            super().__init__(*words, **how)  # type: ignore[call-overload]
            if "initdb" in str(words):
                began.append(self.pid)
                signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            server.start()
    finally:
        signal.signal(signal.SIGINT, before)
    # Nobody may have collected yet what a killed program began.
    assert began
    assert [one for one in psutil.process_iter(["cwd", "status"]) if runs_in(server.folder.parent, one)] == []
