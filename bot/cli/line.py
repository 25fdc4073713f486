"""The lines of `mend check` and `mend serve`, read without the library of the other commands.

That is slow to import for a check that is over in a moment, and 6 MiB for as long as the bot runs.
"""

from __future__ import annotations

import gc
import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

CONFIG = "Path of mend.yml (default: MEND_CONFIG, else ./mend.yml)."


class UsageError(Exception):
    """The command was written wrongly."""


class Line(ArgumentParser):
    def __init__(self, name: str, does: str | None, example: str) -> None:
        super().__init__(prog=f"mend {name}", description=does, epilog=f"Example: {example}", allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `{self.prog} --help` says what there is")

    def format_help(self) -> str:
        """As the other commands begin theirs."""
        return super().format_help().replace("usage:", "Usage:", 1)


def _import_fast() -> None:
    # Imports make many objects and no garbage, and no plugin of pydantic is ours: looking for both takes a tenth.
    gc.set_threshold(100_000, 50, 50)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def check(words: Sequence[str]) -> int:
    """Run the live checks of a connection here, without Slack."""
    line = Line("check", check.__doc__, "mend check warehouse crm --json, or mend check --all")
    line.add_argument("names", nargs="*", metavar="NAME", help="Connections of mend.yml.")
    line.add_argument("--all", action="store_true", help="Every configured connection, side by side.")
    line.add_argument("--json", action="store_true", help="One JSON document on standard output.")
    line.add_argument("--config", type=Path, help=CONFIG)
    given = line.parse_intermixed_args(words)
    _import_fast()
    from bot.cli.check import check as run

    return run(given.names, given.all, given.json, given.config)


def serve(words: Sequence[str]) -> int:
    """Run the bot."""
    line = Line("serve", serve.__doc__, "mend serve --config /etc/mend/mend.yml --port 3000")
    line.add_argument("--config", type=Path, help=CONFIG)
    line.add_argument("--roles", default="slack,web,worker", help="Any of slack,web,worker.")
    line.add_argument("--host", default="127.0.0.1", help="Address for the HTTP side.")
    line.add_argument("--port", type=_port, help="Port for the HTTP side (default 3000).")
    given = line.parse_args(words)
    _import_fast()
    from bot.app import serve as run

    return run(given.config, given.roles, given.host, given.port)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"{text} is not a number from 0 to 65535")
    return int(text)
