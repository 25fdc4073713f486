"""A user's own sheets and words, beside mend.yml: `connectors/*.yaml` and `messages/`, which win over ours."""

from __future__ import annotations

import os
from pathlib import Path

from bot.settings import config_file
from flows.core import sheet


def own_sheets(config: Path | None = None) -> Path:
    return config_file(config, os.environ).parent / "connectors"


def use_own(config: Path | None = None) -> list[Path]:
    """Take them into use; the folders that are there."""
    sheets, words = own_sheets(config), own_sheets(config).with_name("messages")
    found = []
    if sheets.is_dir() and sheets != sheet.HERE:
        sheet.also(sheets)
        found.append(sheets)
    if words.is_dir():
        from messages import files, render

        if words != files.HERE:  # in a checkout
            render.also(words)
            found.append(words)
    return found
