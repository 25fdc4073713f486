"""Are the credentials accepted: one login attempt."""

from __future__ import annotations

import importlib

from bot.checks.base import Target, check
from flows.core.finding import Finding

WAYS = {
    "postgres": "bot.checks.sql_postgres", "mysql": "bot.checks.sql_mysql", "http": "bot.checks.http",
    "mongodb": "bot.checks.mongodb", "mssql": "bot.checks.mssql", "bigquery": "bot.checks.bigquery",
    "oracle": "bot.checks.oracle", "sftp": "bot.checks.sftp", "redis": "bot.checks.redis",
    "s3": "bot.checks.aws", "dynamodb": "bot.checks.aws", "snowflake": "bot.checks.snowflake",
}  # fmt: skip


@check("verify_credentials", "credentials_accepted")
def credentials_accepted(target: Target) -> Finding:
    """The credentials are accepted."""
    result: Finding = importlib.import_module(WAYS[target.sheet.driver]).verify_credentials(target)
    return result
