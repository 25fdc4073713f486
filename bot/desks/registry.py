"""Which module serves which `desk.kind` of mend.yml."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import cast

from bot.desks.base import Desk, DeskError
from bot.settings import Desk as DeskSettings
from bot.settings import resolve

KINDS = {"email": "bot.desks.email", "zendesk": "bot.desks.zendesk"}


def desk_for(settings: DeskSettings | None, folder: Path | None = None) -> Desk:
    """The configured desk, its secrets read now. Raises DeskError or SettingsError."""
    if settings is None:
        raise DeskError("config", "no desk is configured in mend.yml")
    if settings.kind not in KINDS:
        raise DeskError("config", f"desk.kind {settings.kind!r} is not known; choose from {', '.join(KINDS)}")
    raw = {
        k: resolve(v, os.environ, folder or Path.cwd()) if isinstance(v, str) else v
        for k, v in (settings.model_extra or {}).items()
    }
    return cast(Desk, importlib.import_module(KINDS[settings.kind]).make(raw))
