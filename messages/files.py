"""The files of words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
# libyaml reads them in a tenth of the time.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def table(name: str) -> dict[str, Any]:
    """What a YAML file of this folder holds."""
    raw: dict[str, Any] = yaml.load((HERE / name).read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - a safe one
    return raw
