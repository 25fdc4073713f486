"""PostgreSQL: the login, and the right to read exactly the selected tables."""

from __future__ import annotations

from typing import Any

from bot.checks.base import Target, finding
from bot.checks.text import evidence
from bot.drivers.network import Trouble
from bot.drivers.postgres import Reading, examine
from bot.drivers.postgres_catalogue import TableRights
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"


def _reading(target: Target) -> Reading | Trouble:
    """The one login of this run: a refusal is remembered too, so that it is never repeated."""
    if "sql" not in target.memo:
        password = target.sheet.secret(target.secrets, "password")
        try:
            target.memo["sql"] = examine(target.settings, password, [split(t) for t in target.tables], target.timeout)
        except Trouble as trouble:
            target.memo["sql"] = trouble
    kept: Reading | Trouble = target.memo["sql"]
    return kept


def _facts(target: Target) -> dict[str, Any]:
    return {name: str(target.settings.get(name, "")) for name in ("user", "host", "port", "database")}


def verify_credentials(target: Target) -> Finding:
    read = _reading(target)
    facts = _facts(target)
    if isinstance(read, Reading):
        return finding(LOGIN, "good", evidence=f"logged in as {read.user}", **facts)
    user, database = quoted(facts["user"]), quoted(facts["database"])
    repairs = {
        "privilege.connect_missing": [f"GRANT CONNECT ON DATABASE {database} TO {user};"],
        "auth.account_locked": [f"ALTER ROLE {user} LOGIN;"],
    }
    return finding(
        LOGIN, "unclear" if read.cause == "unclassified" else "bad", read.code, read.cause,
        evidence=evidence(target, read.evidence), alternatives=read.alternatives,
        statements=repairs.get(read.code, []), **facts,
    )  # fmt: skip


def verify_permissions(target: Target) -> Finding:
    read = _reading(target)
    trouble = read if isinstance(read, Trouble) else read.trouble
    if trouble is not None or isinstance(read, Trouble):
        assert trouble is not None
        words = evidence(target, trouble.evidence)
        return finding(RIGHTS, "unclear", trouble.code, trouble.cause, evidence=words, **_facts(target))
    if target.tables:
        return _judge(target, read)
    facts = {**_facts(target), "missing": [], "statements": []}
    said = f"{read.readable} tables are readable"
    if read.readable:
        return finding(RIGHTS, "good", evidence=said, **facts)
    return finding(RIGHTS, "bad", "privilege.table_select_missing", "missing_privilege", evidence=said, **facts)


def split(name: str) -> tuple[str, str]:
    """schema and table of `schema.table`; a part in double quotes may hold a dot."""
    parts = [part.strip('"') for part in _parts(name)]
    return (".".join(parts[:-1]) or "public", parts[-1])


def _parts(name: str) -> list[str]:
    parts, inside = [""], False
    for letter in name:
        inside = inside != (letter == '"')
        if letter == "." and not inside:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _statements(rights: tuple[TableRights, ...], role: str) -> list[str]:
    schemas = dict.fromkeys(r.schema for r in rights if r.there and not r.usage)
    usage = [f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {role};" for schema in schemas]
    grants, policies = [], []
    for right in rights:
        table = f"{quoted(right.schema)}.{quoted(right.table)}"
        if right.there and not right.readable:
            grants.append(f"GRANT SELECT ON {table} TO {role};")
        if right.hidden_rows != "none":
            policies.append(f"CREATE POLICY mend_read_all ON {table} FOR SELECT TO {role} USING (true);")
    return usage + grants + policies


def _judge(target: Target, read: Reading) -> Finding:
    """The most basic problem gives the code; every problem is in the facts, so that one round mends all."""
    rights = read.rights
    kinds: tuple[tuple[str, str, str, list[TableRights]], ...] = (
        ("config.identifier_case", "config_error", "spelt otherwise", [r for r in rights if _other_case(r)]),
        ("config.table_missing", "config_error", "no such table", [r for r in rights if not r.there]),
        ("privilege.schema_usage_missing", "missing_privilege", "no USAGE on the schema of",
         [r for r in rights if r.there and not r.usage]),
        ("privilege.column_denied", "missing_privilege", "only some columns are readable of",
         [r for r in rights if r.some_columns and not r.readable]),
        ("privilege.table_select_missing", "missing_privilege", "no SELECT on",
         [r for r in rights if r.there and not r.readable]),
        ("privilege.row_level_security", "missing_privilege", "row-level security hides rows of",
         [r for r in rights if r.hidden_rows != "none"]),
    )  # fmt: skip
    kinds = tuple(kind for kind in kinds if kind[3])
    named = [r.name for r in rights if any(r in kind[3] for kind in kinds)]
    similar = [name for r in rights if not r.there for name in r.similar]
    facts = {**_facts(target), "missing": named, "similar": similar}
    facts["statements"] = _statements(rights, quoted(read.user))
    if not kinds:
        return finding(RIGHTS, "good", evidence=f"all {len(rights)} selected tables are readable", **facts)
    said = "; ".join(f"{words} {', '.join(r.name for r in some)}" for _, _, words, some in kinds)
    only_some = all(r.hidden_rows == "some" for r in kinds[0][3]) and kinds[0][0] == "privilege.row_level_security"
    code, cause = kinds[0][:2]
    return finding(RIGHTS, "unclear" if only_some else "bad", code, cause, evidence=evidence(target, said), **facts)


def _other_case(right: TableRights) -> bool:
    return not right.there and any(name.lower() == right.name.lower() for name in right.similar)
