"""PostgreSQL: may the role read exactly the selected tables, and what grants it."""

from __future__ import annotations

import json
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.remedies import managed, place, remedy
from bot.checks.remedies_postgres import literal, quoted
from bot.checks.text import evidence, readable, written
from bot.drivers.postgres import Reading
from bot.drivers.postgres_catalogue import Below, TableRights
from flows.core.finding import Finding, Verdict

RIGHTS = "permissions_sufficient"
# A pipeline reads for minutes: a role whose every query ends sooner than this cannot carry it.
SHORT = 10_000
Kind = tuple[str, str, str, list[str]]


def judge(target: Target, read: Reading) -> Finding:
    """The most basic problem gives the code; every problem is in the facts, so that one round mends all."""
    kinds = [kind for kind in _kinds(target, read) if kind[3]]
    facts = {**place(target), "missing": list(dict.fromkeys(name for kind in kinds for name in kind[3]))}
    facts["similar"] = [name for right in read.rights if not right.there for name in right.similar]
    facts["statements"] = _statements(read, bool(managed(target)))
    if not kinds:
        return _in_time(target, read, facts)
    code, cause, _, names = kinds[0]
    if code in ("config.identifier_case", "config.schema_not_in_search_path"):
        facts["settings"] = ["tables: " + json.dumps(_corrected(target, read), ensure_ascii=False)]
    if code == "config.table_missing" and (kept := _kept(target, read)):
        facts["settings"] = ["tables: " + json.dumps(kept, ensure_ascii=False)]
    said = "; ".join(f"{words} {', '.join(some)}" for _, _, words, some in kinds)
    hidden = {f"{below.schema}.{below.table}": below.hidden for below in read.below}
    hidden |= {right.name: right.hidden_rows for right in read.rights if right.hidden_rows != "none"}
    only_some = code == "privilege.row_level_security" and all(hidden[name] in ("some", "held") for name in names)
    # That the right lacks is proved; that nobody grants new tables explains it, as a grant that was forgotten would.
    newer = code == "privilege.table_select_missing" and any(r.newer and not r.readable for r in read.rights)
    alike = ("privilege.default_privileges_missing",) if newer else ()
    verdict: Verdict = "unclear" if only_some else "bad"
    return finding(RIGHTS, verdict, code, cause, evidence=evidence(target, said), alternatives=alike, **facts)


def _kinds(target: Target, read: Reading) -> list[Kind]:
    rights, right = read.rights, "missing_privilege"
    there = [r for r in rights if r.there]
    unread = [r for r in there if not r.readable]
    bare = {name.strip('"') for name in target.tables if "." not in name}

    def elsewhere(r: TableRights) -> bool:
        return not r.there and r.table in bare and any(name.rpartition(".")[2] == r.table for name in r.similar)

    found: tuple[tuple[str, str, str, list[TableRights]], ...] = (
        ("config.identifier_case", "config_error", "spelt otherwise", [r for r in rights if _other_case(r)]),
        ("config.schema_not_in_search_path", "config_error", "in another schema", [r for r in rights if elsewhere(r)]),
        ("config.table_missing", "config_error", "no such table", [r for r in rights if not r.there]),
        ("privilege.role_not_active", right, "a role that may read is not active for", _inactive(rights)),
        ("privilege.schema_usage_missing", right, "no USAGE on the schema of", [r for r in there if not r.usage]),
        ("privilege.column_denied", right, "some columns may not be read of", [r for r in unread if r.some_columns]),
        ("privilege.table_select_missing", right, "no SELECT on", unread),
        ("schema.materialized_view_empty", "server_misconfigured", "never filled:", [r for r in there if r.unfilled]),
        ("privilege.row_level_security", right, "row-level security hides rows of",
         [r for r in rights if r.hidden_rows != "none"]),
    )  # fmt: skip
    denied = [b for b in read.below if not b.hidden]
    below = [f"{b.schema}.{b.table}" for b in denied if b.reader != read.user]
    # A view with security_invoker reads as whoever asks: https://www.postgresql.org/docs/current/sql-createview.html
    own = [f"{b.schema}.{b.table}" for b in denied if b.reader == read.user]
    kinds = [(code, cause, words, [r.name for r in some]) for code, cause, words, some in found]
    views: Kind = ("schema.view_definer_missing", right, "may not be read below a view by its owner:", below)
    asks: Kind = ("privilege.table_select_missing", right, "no SELECT on what a view reads as its caller:", own)
    rows = [*kinds[-1][3], *(f"{b.schema}.{b.table}" for b in read.below if b.hidden)]
    return [*kinds[:-1], asks, views, (*kinds[-1][:3], list(dict.fromkeys(rows)))]


def _inactive(rights: tuple[TableRights, ...]) -> list[TableRights]:
    return [r for r in rights if r.inactive_role and not (r.readable and r.usage)]


def _other_case(right: TableRights) -> bool:
    return not right.there and any(name.lower() == right.name.lower() for name in right.similar)


def _corrected(target: Target, read: Reading) -> list[str]:
    """The selection with the names as the server has them."""
    pairs = zip(target.tables, read.rights, strict=True)
    return [
        written(right.similar[0], right.table, quoted) if not right.there and right.similar else name
        for name, right in pairs
    ]


def _kept(target: Target, read: Reading) -> list[str]:
    """The selection without what is gone, and with what is only elsewhere."""
    there = zip(_corrected(target, read), read.rights, strict=True)
    return [name for name, right in there if right.there or right.similar]


def _statements(read: Reading, served: bool) -> list[str]:
    role, made = quoted(read.user), []
    inactive = _inactive(read.rights)
    for name in dict.fromkeys(r.inactive_role for r in inactive):
        # Since version 16 whether a role is used by itself belongs to the grant, not to the member.
        new = read.server.version >= 160000
        made.append(f"GRANT {quoted(name)} TO {role} WITH INHERIT TRUE;" if new else f"ALTER ROLE {role} INHERIT;")
    rights = [r for r in read.rights if r.there and r not in inactive]
    schemas = dict.fromkeys(r.schema for r in rights if not r.usage)
    made += [f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {role};" for schema in schemas]
    made += [f"GRANT SELECT{_columns(r)} ON {_of(r)} TO {role};" for r in rights if not r.readable]
    owners = dict.fromkeys((r.owner, r.schema) for r in rights if not r.readable and r.newer and not r.some_columns)
    always = "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT SELECT ON TABLES TO {};"
    made += [always.format(quoted(owner), quoted(schema), role) for owner, schema in owners]
    denied = [below for below in read.below if not below.hidden]
    made += list(dict.fromkeys(f"GRANT SELECT ON {_of(below)} TO {quoted(below.reader)};" for below in denied))
    made += [f"REFRESH MATERIALIZED VIEW {_of(r)};" for r in rights if r.unfilled]
    hidden: list[tuple[str, TableRights | Below]] = [(role, r) for r in rights if r.hidden_rows != "none"]
    hidden += [(quoted(below.reader), below) for below in read.below if below.hidden]
    return made + _rows_shown(hidden, served)


def _rows_shown(hidden: list[tuple[str, TableRights | Below]], served: bool) -> list[str]:
    """What shows every row of a table to a role that reads it, itself or by a view that it owns."""
    held = [(who, one) for who, one in hidden if _hidden(one) == "held"]
    free = dict.fromkeys(who for who, _ in held) if not served else {}
    made = [f"ALTER ROLE {who} BYPASSRLS;" for who in free]
    made += [line for who, one in held if who not in free for line in _released(one)]
    policy = "CREATE POLICY mend_read_all ON {} FOR SELECT TO {} USING (true);"
    return made + list(dict.fromkeys(policy.format(_of(one), who) for who, one in hidden if who not in free))


def _hidden(one: TableRights | Below) -> str:
    return one.hidden if isinstance(one, Below) else one.hidden_rows


def _released(right: TableRights | Below) -> list[str]:
    """BYPASSRLS is a superuser's to give, and a service has none for its users: the table's owner lets the role out."""
    where = f"schemaname = {literal(right.schema)} AND tablename = {literal(right.table)}"
    return [
        f"SELECT policyname, roles FROM pg_policies WHERE {where} AND permissive = 'RESTRICTIVE';",  # noqa: S608 - to be copied
        f"ALTER POLICY <policy> ON {_of(right)} TO <its other roles>;",
    ]


def _columns(right: TableRights) -> str:
    return f" ({', '.join(quoted(name) for name in right.denied)})" if right.some_columns else ""


def _of(one: TableRights | Below) -> str:
    return f"{quoted(one.schema)}.{quoted(one.table)}"


def _in_time(target: Target, read: Reading, facts: dict[str, Any]) -> Finding:
    """All is readable: unless the server ends every query of this role too soon to read much."""
    words = readable(len(target.tables), selected=True)
    if not 0 < read.server.timeout < SHORT:
        return finding(RIGHTS, "good", evidence=words, **facts)
    said = f"{words}, but every query of {read.user} ends after {read.server.timeout} ms (statement_timeout)"
    code = "capacity.statement_timeout"
    more = {**facts, **remedy(target, code, said)}
    return finding(RIGHTS, "unclear", code, "connection_dropped", evidence=evidence(target, said), **more)
