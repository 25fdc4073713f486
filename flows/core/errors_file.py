"""flows/errors.yaml, as it is read: what explaining an error text knows beyond the sheets."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from flows.core.sheet_places import LOADER

FILE = Path(__file__).parent.parent / "errors.yaml"


@cache
def load() -> dict[str, Any]:
    data: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - a safe loader
    return data
