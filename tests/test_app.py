"""What the processes are made of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.playground import LocalSlack, run_local_slack
from tests.talk import wait

FRONT = "bot.cli, bot.cli.line, bot.app, bot.slack.connect, bot.web.app, bot.web.hooks"
HEAVY = (
    "sqlalchemy",
    "alembic",
    "procrastinate",
    "typer",
    "rich",
    "requests",
    "authlib",
    "bot.checks.run",
    "bot.vault",
)


def test_the_process_that_acknowledges_loads_nothing_that_only_others_need() -> None:
    script = f"import sys, {FRONT}; print(*(name for name in {HEAVY} if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def start(slack: LocalSlack, database: str, folder: Path, **env: str) -> subprocess.Popen[str]:
    (folder / "mend.yml").write_text("connections: {}\n")
    said = {**slack.environment(), "MEND_DATABASE_URL": database, "MEND_DATA_DIR": str(folder), **env}
    command = [sys.executable, "-m", "bot.cli", "serve", "--config", str(folder / "mend.yml"), "--port", "0"]
    return subprocess.Popen(command, env={**os.environ, **said}, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("variable", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"])
def test_a_token_that_slack_refuses_ends_the_start_with_one_line(fresh: str, tmp_path: Path, variable: str) -> None:
    slack = LocalSlack()
    with run_local_slack("127.0.0.1", 0, slack):
        process = start(slack, fresh, tmp_path, **{variable: "xapp-of-nobody"})
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert variable in said
    assert "xapp-of-nobody" not in said


def test_a_process_that_waits_for_slack_ends_when_it_is_told_to(fresh: str, tmp_path: Path) -> None:
    slack = LocalSlack()
    with run_local_slack("127.0.0.1", 0, slack):
        slack.faults.fail("apps.connections.open", times=10_000, status=503)
        process = start(slack, fresh, tmp_path)
        wait(lambda: slack.calls_of("apps.connections.open"))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 0
