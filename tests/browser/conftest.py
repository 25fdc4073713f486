"""The browser, and `mend try` as a person starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import PATIENT, chromium
from tests.debian import missing
from tests.talk import World, wait


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole session: Playwright keeps a loop running in this thread, beside which no other can start."""
    if why := missing("chromium", "chromium"):
        pytest.skip(why)
    with chromium() as started:
        yield started


@pytest.fixture
def slack(browser: Browser, world: World) -> Iterator[Page]:
    """The page of the module's local Slack."""
    with closing(browser.new_page(viewport={"width": 1280, "height": 900})) as page:
        page.set_default_timeout(PATIENT)
        page.goto(world.slack.url)
        yield page


@pytest.fixture(scope="module")
def trying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the local Slack of a running `mend try`."""
    folder = Path(tmp_path_factory.mktemp("try"))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MEND_", "SLACK_"))}
    said = (folder / "out").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "bot.cli", "try", "--no-open", "--port", "0"],
        env={**env, "MEND_DATA_DIR": str(folder / "data")}, cwd=folder, stdout=said, stderr=said,
    )  # fmt: skip
    try:
        wait(lambda: "Mend is ready" in (folder / "out").read_text() or process.poll() is not None, 90)
        text = (folder / "out").read_text()
        found = re.search(r"local Slack is at (\S+)", text)
        assert found, text
        assert process.poll() is None, text
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(40)
