"""`mend docs`: how to verify, what rights are needed, and how to make a new credential, for one connector."""

from __future__ import annotations

import sys

from bot.checks.run import checks_of
from bot.own import use_own
from bot.views import sheet_view
from flows.core.sheet import sheet
from messages import render


def docs(connector: str) -> int:
    """All that the connector's sheet says, laid out for the terminal, as plain Markdown elsewhere."""
    use_own()
    known = sheet(connector)
    text = render.guide(
        {
            **known.model_dump(),
            "claims": [check.claim for check in checks_of(known)],
            "resources": dict(known.http.resources) if known.http else {},
            "base": sheet(known.extends).title if known.extends else "",
        },
        sheet_view(known),
    )
    if not sys.stdout.isatty():
        print(text)
        return 0
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))
    return 0
