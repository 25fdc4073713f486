"""MySQL and MariaDB: the login, and the right to read exactly the selected tables."""

from __future__ import annotations

from typing import Any

from bot.checks.base import Target, finding
from bot.checks.text import evidence
from bot.drivers.mysql import Reading, examine, quoted
from bot.drivers.network import Trouble
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"


def _reading(target: Target) -> Reading | Trouble:
    """The one login of this run: a refusal is remembered too, so that it is never repeated."""
    if "sql" not in target.memo:
        password = target.sheet.secret(target.secrets, "password")
        tables = [_split(target, name) for name in target.tables]
        try:
            target.memo["sql"] = examine(target.settings, password, tables, target.timeout)
        except Trouble as trouble:
            target.memo["sql"] = trouble
    kept: Reading | Trouble = target.memo["sql"]
    return kept


def _split(target: Target, name: str) -> tuple[str, str]:
    schema, _, table = name.replace("`", "").rpartition(".")
    return schema or str(target.settings.get("database", "")), table


def _facts(target: Target) -> dict[str, Any]:
    return {name: str(target.settings.get(name, "")) for name in ("user", "host", "port", "database")}


def verify_credentials(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Reading):
        return finding(LOGIN, "good", evidence=f"logged in as {read.account}", **_facts(target))
    return finding(
        LOGIN, "unclear" if read.cause == "unclassified" else "bad", read.code, read.cause,
        evidence=evidence(target, read.evidence), alternatives=read.alternatives, statements=[], **_facts(target),
    )  # fmt: skip


def verify_permissions(target: Target) -> Finding:
    read = _reading(target)
    trouble = read if isinstance(read, Trouble) else read.trouble
    facts = {**_facts(target), "missing": [], "statements": []}
    if isinstance(read, Trouble) or trouble is not None:
        assert trouble is not None
        words = evidence(target, trouble.evidence)
        return finding(RIGHTS, "unclear", trouble.code, trouble.cause, evidence=words, **facts)
    wrong = [(schema, table, why) for schema, table, why in read.tables if why is not None]
    if wrong:
        return _bad(target, read.account, wrong, facts)
    if target.tables or read.readable:
        said = f"all {len(read.tables)} selected" if target.tables else str(read.readable)
        return finding(RIGHTS, "good", evidence=f"{said} tables are readable", **facts)
    words = "0 tables are readable"
    return finding(RIGHTS, "bad", "privilege.table_select_missing", "missing_privilege", evidence=words, **facts)


def _bad(target: Target, account: str, wrong: list[tuple[str, str, Trouble]], facts: dict[str, Any]) -> Finding:
    """A table that is not there comes first; every problem is in the facts, so that one round mends all."""
    top = min((why for _, _, why in wrong), key=lambda why: why.code != "config.table_missing")
    denied = [(s, t) for s, t, why in wrong if why.cause == "missing_privilege" and why.code.startswith("privilege.")]
    facts["missing"] = [f"{schema}.{table}" for schema, table, _ in wrong]
    facts["statements"] = [f"GRANT SELECT ON {quoted(s)}.{quoted(t)} TO {account};" for s, t in denied]
    said = evidence(target, "; ".join(why.evidence for _, _, why in wrong))
    return finding(RIGHTS, "bad", top.code, top.cause, evidence=said, alternatives=top.alternatives, **facts)
