"""The command line: `mend`. Heavy things are imported by the command that needs them."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mend: the guided troubleshooter for broken data connections, in Slack.",
)
Config = Annotated[
    Path | None, typer.Option("--config", help="Path of mend.yml (default: MEND_CONFIG, else ./mend.yml).")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command()
def serve(
    config: Config = None,
    roles: Annotated[str, typer.Option(help="Any of slack,web,worker.")] = "slack,web,worker",
    host: Annotated[str, typer.Option(help="Address for the HTTP side.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port for the HTTP side (default 3000).")] = None,
) -> None:
    """Run the bot."""
    from bot.app import serve as run

    raise typer.Exit(run(config, roles, host, port))


@app.command("try")
def try_(
    port: Annotated[int, typer.Option(help="Port of the local Slack's page.")] = 8765,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False,
) -> None:
    """Everything on this machine without any account: a local Slack and five connections that are really broken."""
    try:
        from bot.app import try_locally

        raise typer.Exit(try_locally(port, not no_open))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Connections of mend.yml.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every configured connection, side by side.")] = False,
    json_: AsJson = False,
    config: Config = None,
) -> None:
    """Run the live checks of a connection here, without Slack."""
    from bot.cli_check import check as run

    raise typer.Exit(run(names or [], all_, json_, config))


@app.command()
def diagnose(
    text: Annotated[str | None, typer.Argument(help="The error message; without it, standard input.")] = None,
    connector: Annotated[str | None, typer.Option(help="The connector it came from.")] = None,
    json_: AsJson = False,
) -> None:
    """Explain an error message."""
    from bot.cli_diagnose import diagnose as run

    raise typer.Exit(run(text if text is not None else _standard_input(), connector, json_))


def _standard_input() -> str:
    if sys.stdin.isatty():
        print("Paste the error message, then press Ctrl-D.", file=sys.stderr)
    return sys.stdin.buffer.read(200_000).decode("utf-8", "replace")


@app.command()
def doctor(json_: AsJson = False, config: Config = None) -> None:
    """Check Mend's own set-up."""
    from bot.cli_doctor import doctor as run

    raise typer.Exit(run(json_, config))


@app.command()
def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="Sheets or templates (default: Mend's own).")] = None,
) -> None:
    """Check sheets, flows and templates."""
    from bot.cli_lint import lint as run

    raise typer.Exit(run(paths or []))


@app.command()
def connectors(json_: AsJson = False) -> None:
    """List the connectors that Mend knows."""
    from bot.cli_setup import connectors as run

    raise typer.Exit(run(json_))


new = typer.Typer(no_args_is_help=True, help="Scaffold something new.")
app.add_typer(new, name="new")


@new.callback()
def _new() -> None:
    """Scaffold something new."""


@new.command("connector")
def new_connector(key: Annotated[str, typer.Argument(help="Lower-case key, for example acme.")]) -> None:
    """Write a sheet that passes `mend lint`, to be filled in."""
    from bot.cli_setup import new_connector as run

    raise typer.Exit(run(key))


@app.command()
def graph(flow: Annotated[str, typer.Argument(help="A flow, for example reauthorize.")]) -> None:
    """Print a flow as a mermaid diagram."""
    from bot.cli_setup import graph as run

    raise typer.Exit(run(flow))


@app.command()
def manifest(url: Annotated[str | None, typer.Option(help="Public address, for HTTP mode.")] = None) -> None:
    """Print the Slack app manifest."""
    from bot.cli_setup import manifest as run

    raise typer.Exit(run(url))


# Named, not imported: their modules are heavy, and a wrong flag should be told at once.
EXPECTED = {"SettingsError", "SheetError", "StoreError", "SlackError", "DeskError"}


def main() -> None:
    """One line on standard error for everything that goes wrong, never a traceback."""
    if not sys.warnoptions:  # libraries' warnings are not for the people who read this terminal
        warnings.simplefilter("ignore")
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except BrokenPipeError:  # `mend connectors | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sys.exit(_told(error))


def _told(error: Exception) -> int:
    from bot.cli_text import hide

    names = {kind.__name__ for kind in type(error).__mro__}
    if "Abort" in names:
        return 130
    if "NoArgsIsHelpError" in names:  # its help is printed already
        return 2
    usage = getattr(error, "format_message", None)
    if usage:
        text = f"{usage()} `mend --help` and `mend COMMAND --help` say what there is"
    elif names & EXPECTED:
        text = str(error)
    else:
        # Its words could hold anything, a secret too; the place says enough.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
        text = f"a fault of Mend's own ({place}): please report it with the command you ran"
    print("mend: " + hide(text), file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
