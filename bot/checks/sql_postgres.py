"""PostgreSQL: the login, and the right to read exactly the selected tables."""

from __future__ import annotations

from bot.checks.base import Target, finding
from bot.checks.network import source
from bot.checks.reading import once
from bot.checks.remedies import managed, place, remedy
from bot.checks.sql_postgres_rights import RIGHTS, judge
from bot.checks.text import evidence, parts
from bot.drivers.network import Trouble
from bot.drivers.postgres import Asked, Reading, examine
from flows.core.expiry import ends, until
from flows.core.finding import Finding

LOGIN = "credentials_accepted"


def _reading(target: Target) -> Reading | Trouble:

    def look() -> Reading:
        password = target.sheet.secret(target.secrets, "password")
        follow = target.replication == "log" and "replication_ready" in target.sheet.checks
        tables, own = [split(name) for name in target.tables], managed(target) == "redshift"
        return examine(target.settings, password, tables, target.timeout, follow, own, _asked(target))

    return once(target, "sql", look)


def _asked(target: Target) -> Asked | None:
    """What an earlier check of this run was told at the same place."""
    host, port, *told = target.memo.get("asked_tls", (None, None))
    same = (host, port) == source(target)[:2]
    return (str(told[0]), bool(told[1])) if same and told else None


def verify_credentials(target: Target) -> Finding:
    read = _reading(target)
    facts = place(target)
    if isinstance(read, Reading):
        ending = ends(("password", f"{facts['user'] or read.user} at {facts['host']}", read.server.valid_until))
        return finding(LOGIN, "good", evidence=f"logged in as {read.user}{until(ending)}", **facts, **ending)
    pooler = "max_client_conn" in read.evidence
    made = remedy(target, read.code, read.evidence, flavor="pooler" if pooler else "")
    return finding(
        LOGIN, "unclear" if read.cause == "unclassified" else "bad", read.code, read.cause,
        evidence=evidence(target, read.evidence), alternatives=read.alternatives, **made, **facts,
    )  # fmt: skip


def reading(target: Target) -> Reading | Trouble:
    """What the one login of this run saw, or why what came after it was cut short."""
    read = _reading(target)
    return read.trouble if isinstance(read, Reading) and read.trouble else read


def verify_permissions(target: Target) -> Finding:
    read = reading(target)
    if isinstance(read, Trouble):
        return interrupted(target, RIGHTS, read)
    if target.tables:
        return judge(target, read)
    facts = {**place(target), "missing": [], "statements": []}
    said = f"{read.readable} tables are readable"
    if read.readable:
        return finding(RIGHTS, "good", evidence=said, **facts)
    return finding(RIGHTS, "bad", "privilege.table_select_missing", "missing_privilege", evidence=said, **facts)


def interrupted(target: Target, check: str, trouble: Trouble) -> Finding:
    """A limit that ended the look is proved by it; a line that broke says nothing of rights."""
    proved = trouble.code.partition(".")[0] in ("capacity", "contention", "config")
    facts = {**place(target), **remedy(target, trouble.code, trouble.evidence)}
    said = evidence(target, trouble.evidence)
    return finding(check, "bad" if proved else "unclear", trouble.code, trouble.cause, evidence=said, **facts)


def split(name: str) -> tuple[str, str]:
    """schema and table of `schema.table`; a part in double quotes may hold a dot."""
    if '"' not in name:
        schema, _, table = name.rpartition(".")
        return schema or "public", table
    found = parts(name)
    return (".".join(found[:-1]) or "public", found[-1])
