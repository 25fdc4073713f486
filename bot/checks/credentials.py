"""Are the credentials accepted: one login attempt."""

from __future__ import annotations

import importlib

from bot.checks.base import Target, check
from flows.core.finding import Finding

WAYS = {"postgres": "bot.checks.sql_postgres", "mysql": "bot.checks.sql_mysql", "http": "bot.checks.http"}


@check("verify_credentials", "credentials_accepted")
def credentials_accepted(target: Target) -> Finding:
    """The server accepts the user and password."""
    result: Finding = importlib.import_module(WAYS[target.sheet.driver]).verify_credentials(target)
    return result
