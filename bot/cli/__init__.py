"""The command line: `mend`. What must start fast is begun without the library of the other commands."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Named, not imported: their modules are heavy, and a wrong flag should be told at once.
EXPECTED = {"UsageError", "SettingsError", "SheetError", "StoreError", "SlackError", "DeskError"}


def _run(words: Sequence[str]) -> int:
    if words[:1] in (["check"], ["serve"]):
        from bot.cli import line

        return int(getattr(line, words[0])(words[1:]))
    from bot.cli.commands import app

    return int(app(standalone_mode=False) or 0)


def main() -> None:
    """One line on standard error for everything that goes wrong, never a traceback."""
    if not sys.warnoptions:  # libraries' warnings are not for the people who read this terminal
        warnings.simplefilter("ignore")
    if sys.stdin is None:  # closed by who started this
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    try:
        sys.exit(_run(sys.argv[1:]))
    except BrokenPipeError:  # `mend connectors | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(0 if sys.argv[1:2] == ["try"] else 130)  # that is how it is ended, however early
    except Exception as error:
        sys.exit(_told(error))
    finally:
        # At its end the interpreter would look through all modules for garbage: a sixth of what a good check takes.
        gc.freeze()
        # A Ctrl-C that falls into code run from text (a dataclass in the making) is kept in mind by CPython until text
        # is run again: under `python -m` it would end by the signal, whatever exit code is given here.
        exec("")  # noqa: S102


def _command(context: Any) -> str:
    """The command that a line was about, without its arguments."""
    words: list[str] = []
    while context is not None and context.parent is not None:
        words.insert(0, str(context.info_name))
        context = context.parent
    return " ".join(["mend", *words])


def _told(error: Exception) -> int:
    from bot.cli.text import hide

    names = {kind.__name__ for kind in type(error).__mro__}
    if "Abort" in names:
        return 130
    usage = getattr(error, "format_message", None)
    if "NoArgsIsHelpError" in names:  # its message is the help
        print(error)
        text = f"no command is given: write one of these behind `{_command(getattr(error, 'ctx', None))}`"
    elif usage:
        text = f"{usage().rstrip('.?')}: `{_command(getattr(error, 'ctx', None))} --help` says what there is"
    elif names & EXPECTED:
        text = str(error)
    elif isinstance(error, OSError) and error.strerror and (error.filename or error.errno == errno.ENOSPC):
        text = f"{error.filename or 'the output cannot be written'}: {error.strerror}"  # a full disk, a lost right
    else:
        # Its words could hold anything, a secret too; the place says enough.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
        text = f"a fault of Mend's own ({place}): please report it with the command you ran"
    print("mend: " + hide(text), file=sys.stderr)
    return 2
