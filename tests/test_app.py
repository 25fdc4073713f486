"""What the processes are made of."""

from __future__ import annotations

import subprocess
import sys

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
