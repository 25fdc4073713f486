"""Are the credentials accepted: one login attempt."""

from __future__ import annotations

import importlib
from dataclasses import replace

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
    return _with_blanks(target, result)


def _with_blanks(target: Target, result: Finding) -> Finding:
    """A refused password that ends in a line break is most likely the right one with a line break more."""
    given = target.sheet.secret(target.secrets, "password")
    if result.code not in ("auth.wrong_password", "auth.unknown_user") or not given or given == given.strip():
        return result
    words = f"{result.evidence}; the password begins or ends with a space or a line break"
    alike = tuple(dict.fromkeys((result.code, *result.alternatives)))
    return replace(result, code="auth.secret_with_whitespace", alternatives=alike, evidence=words)
