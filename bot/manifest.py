"""The app's manifest, as it ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# In the wheel it lies beside this file, in a checkout at the top.
PLACES = (Path(__file__).parent / "app_manifest.yml", Path(__file__).parent.parent / "app_manifest.yml")


def manifest() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(next(p for p in PLACES if p.exists()).read_text(encoding="utf-8"))
    return raw


def scopes() -> list[str]:
    """What the bot asks a workspace for."""
    return list(manifest()["oauth_config"]["scopes"]["bot"])
