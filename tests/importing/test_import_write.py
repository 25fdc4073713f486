"""`--write` adds to mend.yml and changes nothing else of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml

from bot.cli.importing import file as writing
from bot.cli.importing.entry import Entry
from bot.cli.importing.file import added, replaced
from bot.settings import SettingsError
from tests.fakes.stitch_connect import StitchConnect
from tests.importing.conftest import Admin

NEW = Entry("new", {"connector": "hubspot", "secrets": {"access_token": "${env:NEW}"}}, ["paused in Stitch"])
FILES = {
    "empty": "",
    "only comments": "# ours\n",
    "no connections": "access: {admins: [U0ADMIN]}  # us\n",
    "nothing in it": "connections:\naccess: {admins: [U0ADMIN]}\n",
    "nothing in it at the end": "desk: {kind: email}\nconnections:",
    "tilde": "connections: ~  # none yet\nreminders: {nudge_minutes: 5}\n",
    "braces": "connections: {}\nreminders: {nudge_minutes: 5}\n",
    "one": "connections:\n  shop:   # ours\n    connector: postgres   # by hand\n    tables: [a, b]  # more to come\n\n# the desk\ndesk: {kind: email}\n",
    "wide": "connections:\n    shop:\n        connector: postgres\n        tables:\n        - a\n        - b   # last\n    # nothing below\n",
    "no end": "connections:\n  shop: {connector: postgres}",
    "words": "connections:\n  shop:\n    connector: postgres\n    owner: |\n      U0ADMIN\naccess: {}\n",
    "far away": "watch: {days: [1]}\n\nconnections:\n\n  # größer — 売上\n  shop:\n    connector: postgres\n    owner:\nplatform: {kind: stitch}\n",
    "quoted": "\"connections\":\n  'shop': {connector: postgres,\n    tables: [a,\n    b]}\n",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_line_that_was_there_stays_as_it_is(name: str) -> None:
    before = FILES[name]
    after = added(before, [NEW], ["# odd: not known"], "")
    was, now = yaml.safe_load(before) or {}, yaml.safe_load(after)
    assert now["connections"].pop("new") == NEW.body
    assert now == {**was, "connections": was.get("connections") or {}}
    left = after.splitlines()
    for line in before.splitlines():
        if line.startswith("connections:"):
            line = "connections:" + line.partition("~")[2].replace("{}", "") if "~" in line or "{}" in line else line
            assert any(one.replace(" ", "") == line.replace(" ", "") for one in left)
        else:
            assert line in left
            left = left[left.index(line) :]


@pytest.mark.parametrize(
    "text", ["connections: {shop: {connector: postgres}}\n", "connections: &a\n  x: &b {connector: s3}\n  y: *b\n---\n"]
)
def test_what_cannot_be_added_to_is_said(text: str) -> None:
    with pytest.raises(SettingsError, match="without --write"):
        added(text, [NEW], [], "")


def test_it_is_made_where_it_is_missing(stitch: tuple[StitchConnect, Admin]) -> None:
    side, admin = stitch
    side.add(1, "platform.hubspot", "crm", ("token",))
    ran = admin.first("--write", "--config", str(admin.file))
    assert (ran.code, ran.out) == (0, "")
    assert f"1 new connection added to {admin.file}" in ran.err
    assert yaml.safe_load(admin.file.read_text())["platform"] == {
        "kind": "stitch",
        "token": "${env:TOKEN}",
        "base_url": side.url,
    }
    side.add(2, "platform.stripe", "pay", ("token",))
    side.add(3, "platform.unheard-of", "odd", ())
    assert admin.run("--write").code == 0
    before = admin.file.read_text()
    assert list(yaml.safe_load(before)["connections"]) == ["crm", "pay"]
    assert before.count("unheard-of") == 1
    assert "0 new connections, 2 had already" in admin.run("--write").err
    assert admin.file.read_text() == before


def test_rights_links_and_ends_of_lines_stay(stitch: tuple[StitchConnect, Admin]) -> None:
    side, admin = stitch
    side.add(1, "platform.hubspot", "crm", ("token",))
    real = admin.folder / "kept" / "real.yml"
    real.parent.mkdir()
    said = f"# ours\r\nplatform: {{kind: stitch, token: '${{env:TOKEN}}', base_url: '{side.url}'}}\r\nconnections: {{}}\r\n"
    real.write_bytes(said.encode())
    real.chmod(0o640)
    admin.file.symlink_to(real)
    assert admin.run("--write").code == 0
    assert admin.file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    after = real.read_bytes()
    assert after.startswith(b"# ours\r\nplatform:")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert list(yaml.safe_load(after)["connections"]) == ["crm"]
    assert os.listdir(real.parent) == ["real.yml"]


def test_a_change_meanwhile_wins(tmp_path: Path) -> None:
    file = tmp_path / "mend.yml"
    file.write_text("by somebody else")
    with pytest.raises(SettingsError, match="changed meanwhile"):
        replaced(file, b"as it was", "ours")
    assert file.read_text() == "by somebody else"
    assert os.listdir(tmp_path) == ["mend.yml"]


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mend.yml"
    file.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replaced(file, b"before", "after")
    assert (file.read_text(), os.listdir(tmp_path)) == ("before", ["mend.yml"])


def test_what_it_prints_is_a_mend_yml(stitch: tuple[StitchConnect, Admin]) -> None:
    """`mend import ... > mend.yml`: the shell has made the file before Mend looks."""
    side, admin = stitch
    side.add(1, "platform.hubspot", "crm", ("token",))
    admin.file.touch()
    admin.file.write_text(admin.first().out)
    assert "0 new connections, 1 had already" in admin.run().err
