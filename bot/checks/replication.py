"""Can the source's log be followed, for connections that replicate by it."""

from __future__ import annotations

import importlib

from bot.checks.base import Target, check, finding
from flows.core.finding import Finding

NAME = "replication_ready"
WAYS = {"postgres": "bot.checks.sql_postgres_log", "mysql": "bot.checks.sql_mysql_log",
        "oracle": "bot.checks.oracle_log"}  # fmt: skip


@check("check_permissions", NAME)
def replication_ready(target: Target) -> Finding:
    """The server's log can be followed, where the connection replicates by it."""
    if target.replication != "log":
        return finding(NAME, "skipped", evidence=f"replication is {target.replication}, which needs no log")
    result: Finding = importlib.import_module(WAYS[target.sheet.driver]).verify_replication(target)
    return result
