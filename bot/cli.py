"""The command line: `mend`. Heavy things are imported by the command that needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
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
    from bot.app import try_locally

    raise typer.Exit(try_locally(port, not no_open))


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
    from bot.cli_check import diagnose as run

    raise typer.Exit(run(text if text is not None else sys.stdin.read(), connector, json_))


@app.command()
def doctor(json_: AsJson = False, config: Config = None) -> None:
    """Check Mend's own set-up."""
    from bot.cli_setup import doctor as run

    raise typer.Exit(run(json_, config))


@app.command()
def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="Sheets or templates (default: Mend's own).")] = None,
) -> None:
    """Check sheets, flows and templates."""
    from bot.cli_setup import lint as run

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


def main() -> None:
    """One line on standard error for everything that goes wrong, never a traceback."""
    try:
        app()
    except Exception as error:
        expected = type(error).__name__ in ("SettingsError", "SheetError", "StoreError", "SlackError", "UsageError")
        text = (
            str(error) if expected else f"{type(error).__name__}: {error}; please report this with the command you ran"
        )
        print("mend: " + " ".join(text.split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
