"""Which module serves which `desk.kind` of mend.yml: the one of that name in this folder."""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bot.desks.base import Desk, DeskError
from bot.settings import Desk as DeskSettings
from bot.settings import resolve

NOT_DESKS = ("__init__", "base", "calls", "markdown", "registry")


def kinds() -> list[str]:
    """Every desk there is: a new module needs no entry anywhere."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in NOT_DESKS)


def desk_for(settings: DeskSettings | None, folder: Path | None = None, env: Mapping[str, str] = os.environ) -> Desk:
    """The configured desk, its secrets read now. Raises DeskError or SettingsError."""
    if settings is None:
        raise DeskError("config", "no desk is configured in mend.yml")
    if settings.kind not in kinds():
        raise DeskError("config", f"desk.kind {settings.kind!r} is not known; choose from {', '.join(kinds())}")
    module = importlib.import_module(f"bot.desks.{settings.kind}")
    given: dict[str, Any] = settings.model_extra or {}
    for key in given:
        if key not in module.KEYS:
            near = difflib.get_close_matches(key, module.KEYS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(module.KEYS)}"
            raise DeskError("config", f"desk.{key} of mend.yml: unknown key; {hint}")
    raw = {k: resolve(v, env, folder or Path.cwd()) if isinstance(v, str) else v for k, v in given.items()}
    return cast(Desk, module.make(raw))
