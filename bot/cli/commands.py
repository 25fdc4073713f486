"""The commands of `mend`. Heavy things are imported by the command that needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # Plain, as the help of check and serve: boxes leave half of 80 columns to the words.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Mend: the guided troubleshooter for broken data connections, in Slack.",
)
Config = Annotated[
    Path | None, typer.Option("--config", help="Path of mend.yml (default: MEND_CONFIG, else ./mend.yml).")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


# Its line is read by `bot.cli.line`, and so is that of `check`.
READ_ELSEWHERE = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=READ_ELSEWHERE, add_help_option=False)
def serve(context: typer.Context) -> None:
    """Run the bot."""
    from bot.cli.line import serve as run

    raise typer.Exit(run(context.args))


@app.command("try", epilog="Example: mend try --no-open")
def try_(
    port: Annotated[int, typer.Option(help="Port of the local Slack's page.", min=0, max=65535)] = 8765,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False,
) -> None:
    """Try Mend here, without any account.

    A local Slack in the browser, and five connections that are really broken.
    """
    try:
        from bot.app import try_locally

        raise typer.Exit(try_locally(port, not no_open))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command(context_settings=READ_ELSEWHERE, add_help_option=False)
def check(context: typer.Context) -> None:
    """Run the live checks of a connection here, without Slack."""
    from bot.cli.line import check as run

    raise typer.Exit(run(context.args))


@app.command(
    epilog="Example: mend diagnose 'password authentication failed', mend diagnose sync.log, or "
    "tail -50 sync.log | mend diagnose",
)
def diagnose(
    text: Annotated[
        list[str] | None,
        typer.Argument(help="The error message, or a file that holds it; without it, or for -, standard input."),
    ] = None,
    connector: Annotated[str | None, typer.Option(help="The connector it came from.")] = None,
    json_: AsJson = False,
) -> None:
    """Explain an error message."""
    from bot.cli.diagnose import diagnose as run
    from bot.cli.diagnose import given

    raise typer.Exit(run(given(text or []), connector, json_))


@app.command(epilog="Example: mend doctor --json")
def doctor(json_: AsJson = False, config: Config = None) -> None:
    """Check Mend's own set-up."""
    from bot.cli.doctor import doctor as run

    raise typer.Exit(run(json_, config))


@app.command(epilog="Example: mend lint connectors/acme.yaml")
def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="Sheets or templates (default: Mend's own).")] = None,
) -> None:
    """Check sheets, flows and templates."""
    from bot.cli.lint import lint as run

    raise typer.Exit(run(paths or []))


@app.command(epilog="Example: mend connectors --json")
def connectors(
    json_: AsJson = False,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema of a sheet, for editors.")] = False,
) -> None:
    """List the connectors that Mend knows."""
    from bot.cli.setup import connectors as run

    raise typer.Exit(run(json_, schema))


@app.command(
    "import",
    short_help="Print or add the connections of your platform.",
    epilog="Example: mend import --platform stitch --token-env STITCH_TOKEN --write",
)
def import_(
    platform: Annotated[str, typer.Option(help="stitch, airbyte or fivetran, where mend.yml names none yet.")] = "",
    token_env: Annotated[str, typer.Option(help="The environment variable that holds the platform's token.")] = "",
    base_url: Annotated[str, typer.Option(help="The address of its API, where it is not the platform's own.")] = "",
    write: Annotated[bool, typer.Option("--write", help="Add them to mend.yml instead of printing them.")] = False,
    config: Config = None,
) -> None:
    """Print the connections that your pipeline platform knows and mend.yml lacks.

    As YAML on standard output; what to see to, on standard error. Secrets become references to environment variables:
    no platform shows them. Tokens: Stitch's API token, Airbyte's CLIENT_ID:CLIENT_SECRET, Fivetran's
    KEY:SECRET.
    """
    from bot.cli.importing.command import run

    raise typer.Exit(run(platform, token_env, base_url, write, config))


@app.command(epilog="Example: mend docs hubspot")
def docs(connector: Annotated[str, typer.Argument(help="A connector, for example hubspot.")]) -> None:
    """Print what a connector needs, step by step.

    What to fill in, what Mend looks at, which rights it takes, and how to make a new credential.
    """
    from bot.cli.docs import docs as run

    raise typer.Exit(run(connector))


new = typer.Typer(no_args_is_help=True, help="Scaffold something new.")
app.add_typer(new, name="new")


@new.callback()
def _new() -> None:
    """Scaffold something new."""


@new.command("connector", epilog="Example: mend new connector acme")
def new_connector(key: Annotated[str, typer.Argument(help="Lower-case key, for example acme.")]) -> None:
    """Write the sheet of a connector that is missing, with blanks that `mend lint` names.

    In a checkout of Mend it goes to flows/connectors/, with the answers for its test beside tests/; elsewhere to
    connectors/ beside mend.yml.
    """
    from bot.cli.setup import new_connector as run

    raise typer.Exit(run(key))


@app.command(epilog="Example: mend graph reauthorize")
def graph(flow: Annotated[str, typer.Argument(help="A flow, for example reauthorize.")]) -> None:
    """Print a flow as a mermaid diagram."""
    from bot.cli.setup import graph as run

    raise typer.Exit(run(flow))


@app.command(epilog="Example: mend manifest --url https://mend.example.com > manifest.json")
def manifest(url: Annotated[str | None, typer.Option(help="Public address, for HTTP mode.")] = None) -> None:
    """Print the Slack app manifest."""
    from bot.cli.setup import manifest as run

    raise typer.Exit(run(url))


vault = typer.Typer(no_args_is_help=True, help="Mend's own store of secrets, encrypted with MEND_SECRET_KEY.")
app.add_typer(vault, name="vault")


@vault.command("list", epilog="Example: mend vault list")
def vault_list(json_: AsJson = False) -> None:
    """What is kept, without any value."""
    from bot.cli.vault import listed as run

    raise typer.Exit(run(json_))


@vault.command("put", epilog="Example: mend vault put crm-token < token.txt")
def vault_put(name: Annotated[str, typer.Argument(help="As in ${vault:NAME}.")]) -> None:
    """Keep a secret.

    It is asked for without an echo, or read from standard input.
    """
    from bot.cli.vault import put as run

    raise typer.Exit(run(name))


@vault.command("show", epilog="Example: mend vault show shop.password")
def vault_show(name: Annotated[str, typer.Argument(help="As `mend vault list` names it.")]) -> None:
    """Print what is in force under a name, for whoever carries it to where it is needed."""
    from bot.cli.vault import show as run

    raise typer.Exit(run(name))


@vault.command("forget", epilog="Example: mend vault forget crm-token")
def vault_forget(name: Annotated[str, typer.Argument(help="As `mend vault list` shows it.")]) -> None:
    """Delete every version of a secret."""
    from bot.cli.vault import forget as run

    raise typer.Exit(run(name))


@vault.command("rotate-key", epilog="Example: mend vault rotate-key")
def vault_rotate_key() -> None:
    """Encrypt everything anew with the newest key."""
    from bot.cli.vault import rotate_key as run

    raise typer.Exit(run())


@vault.command("new-key", epilog="Example: mend vault new-key")
def vault_new_key() -> None:
    """Print a fresh key for MEND_SECRET_KEY."""
    from bot.cli.vault import new_key as run

    raise typer.Exit(run())
