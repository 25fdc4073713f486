"""May this identity read what was selected."""

from __future__ import annotations

import importlib

from bot.checks.base import Target, check
from bot.checks.credentials import WAYS
from flows.core.finding import Finding


@check("check_permissions", "permissions_sufficient")
def permissions_sufficient(target: Target) -> Finding:
    """The identity may read everything that was selected."""
    result: Finding = importlib.import_module(WAYS[target.sheet.driver]).verify_permissions(target)
    return result
