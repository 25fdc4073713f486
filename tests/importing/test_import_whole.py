"""From nothing to a diagnosis: a real database that the platform knows is imported, checked, and its fault is named."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from bot.cli.importing import command
from bot.cli.importing.command import Found, _shown
from bot.cli.importing.progress import Progress
from bot.platforms.base import Listed, PlatformError, Shown
from tests.fakes.stitch_connect import StitchConnect
from tests.faults.postgres_site import running
from tests.importing.conftest import ROOT, TOKENS, Admin


def test_two_commands_lead_to_the_cause(stitch: tuple[StitchConnect, Admin]) -> None:
    side, admin = stitch
    with running() as site:
        server = site.server
        server.hba("host all all 127.0.0.1/32 scram-sha-256")
        server.run("CREATE ROLE reader LOGIN PASSWORD 'right-one'", "CREATE TABLE public.orders(id int)", "GRANT SELECT ON public.orders TO reader",
                   "CREATE TABLE public.people(id int)")  # fmt: skip
        side.add(
            7,
            "platform.hp-postgres",
            "Ware house",
            ("password",),
            host="127.0.0.1",
            port=str(server.port),
            dbname="postgres",
            user="reader",
        )
        side.stream(7, "orders", "public")
        assert admin.first("--write").code == 0
        checked = ["ware_house", "--json"]
        good = admin.run(*checked, command="check", WARE_HOUSE_PASSWORD="right-one")
        assert (good.code, json.loads(good.out)["verdict"]) == (0, "good")
        bad = json.loads(admin.run(*checked, command="check", WARE_HOUSE_PASSWORD="another").out)
        assert (bad["cause"], bad["code"]) == ("invalid_credentials", "auth.wrong_password")


def test_on_a_terminal_one_line_tells_and_goes_away(stitch: tuple[StitchConnect, Admin]) -> None:
    side, admin = stitch
    side.slow = 1.6
    side.add(1, "platform.hubspot", "crm\x1b]0;owned\x07", ("token",))
    ours, theirs = pty.openpty()
    words = ["--platform", "stitch", "--token-env", "TOKEN", "--base-url", side.url]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TOKEN": TOKENS["stitch"]}
    ran = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "import", *words], cwd=admin.folder, env=env, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen, until = b"", time.monotonic() + 60
    while time.monotonic() < until and select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        seen += part
    assert ran.wait(60) == 0
    os.close(ours)
    line, _, rest = seen.partition(b"\rconnections:")
    assert line.startswith(b"\rasking Stitch for its sources ...\r")
    assert line.rpartition(b"\r")[2].strip() == b""
    assert b"asking" not in rest
    assert b"\x1b" not in seen
    assert b"crm_0_owned:" in seen


def test_what_is_over_at_once_tells_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress("Stitch")
    progress.at(0, 1)
    progress.end()
    assert capfd.readouterr() == ("", "")


class Busy:
    """A platform that asks to wait so often."""

    name = "Stitch"

    def __init__(self, times: int, kind: str = "rate") -> None:
        self.times, self.kind = times, kind

    def shown(self, source: str) -> Shown:
        self.times -= 1
        if self.times >= 0:
            raise PlatformError(self.kind, f"Stitch asks to wait for {source}")  # type: ignore[arg-type]
        return Shown({})


@pytest.mark.parametrize(
    ("times", "kind", "there"), [(0, "rate", True), (2, "rate", True), (3, "rate", False), (1, "down", False)]
)
def test_a_platform_that_asks_to_wait_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, times: int, kind: str, there: bool
) -> None:
    monkeypatch.setattr(command, "WAITS", (0.01, 0.01))
    found = Found()
    shown = _shown(Busy(times, kind), Listed("7", "shop", "x", ("shop",)), found)  # type: ignore[arg-type]
    assert (shown is not None) is there
    assert found.above == ([] if there else ["shop is left out for now, import again: Stitch asks to wait for 7"])
