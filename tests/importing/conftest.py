"""`mend import` as a user runs it: another process, in a folder of its own."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.checks.target import target_for
from bot.settings import Settings, load
from bot.usable import check, misnamed
from tests.fakes import airbyte_api, fivetran_api, stitch_connect
from tests.fakes.airbyte_api import AirbyteApi
from tests.fakes.fivetran_api import FivetranApi
from tests.fakes.stitch_connect import StitchConnect

ROOT = Path(__file__).parent.parent.parent
TOKENS = {
    "stitch": stitch_connect.TOKEN,
    "airbyte": f"{airbyte_api.CLIENT}:{airbyte_api.SECRET}",
    "fivetran": f"{fivetran_api.KEY}:{fivetran_api.SECRET}",
}


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def connections(self) -> dict[str, Any]:
        return dict((yaml.safe_load(self.out) or {}).get("connections") or {})


@dataclass
class Admin:
    """Somebody at a terminal, with a token in a variable."""

    folder: Path
    url: str
    kind: str

    @property
    def file(self) -> Path:
        return self.folder / "mend.yml"

    def run(self, *words: str, command: str = "import", **env: str) -> Ran:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MEND_", "SLACK_"))}
        ran = subprocess.run(
            [sys.executable, "-m", "bot.cli", command, *words], capture_output=True, text=True, encoding="utf-8", check=False, timeout=120,
            cwd=self.folder, env={**clean, "PYTHONPATH": str(ROOT), "TOKEN": TOKENS[self.kind], **env},
        )  # fmt: skip
        for text in (ran.stdout, ran.stderr):
            assert "Traceback" not in text
            assert "c4n4ry" not in text
            assert "****" not in text
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def first(self, *words: str, **env: str) -> Ran:
        """Where there is no mend.yml yet."""
        return self.run("--platform", self.kind, "--token-env", "TOKEN", "--base-url", self.url, *words, **env)

    def mode(self) -> int:
        return stat.S_IMODE(self.file.stat().st_mode)


@pytest.fixture
def stitch(tmp_path: Path) -> Iterator[tuple[StitchConnect, Admin]]:
    with stitch_connect.stitch() as side:
        yield side, Admin(tmp_path, side.url, "stitch")


@pytest.fixture
def airbyte(tmp_path: Path) -> Iterator[tuple[AirbyteApi, Admin]]:
    with airbyte_api.airbyte() as side:
        side.connections.clear()
        yield side, Admin(tmp_path, side.url, "airbyte")


@pytest.fixture
def fivetran(tmp_path: Path) -> Iterator[tuple[FivetranApi, Admin]]:
    with fivetran_api.fivetran() as side:
        yield side, Admin(tmp_path, side.url, "fivetran")


@pytest.fixture
def sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Ran], Settings]:
    """What was printed, read as mend.yml: every rule that `mend doctor` and the start of the bot know holds."""

    def read(ran: Ran) -> Settings:
        (tmp_path / "printed.yml").write_text(ran.out)
        settings = load(tmp_path / "printed.yml", {})
        check(settings)
        assert list(misnamed(settings, settings.connections)) == []
        for one in settings.connections.values():
            for reference in (
                *one.secrets.values(),
                *([one.tunnel.private_key, one.tunnel.password] if one.tunnel else []),
            ):
                if reference:
                    monkeypatch.setenv(reference.removeprefix("${env:").removesuffix("}"), "x")
        for name in settings.connections:
            target_for(settings, name)
        return settings

    return read
