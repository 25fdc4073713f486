"""MySQL and MariaDB: the login, and the right to read exactly the selected tables."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.network import kept_line
from bot.checks.remedies import managed, place, remedy
from bot.checks.text import evidence, parts, readable, written
from bot.drivers.mysql import Reading, examine
from bot.drivers.mysql_catalogue import Seen, quoted
from bot.drivers.network import Trouble
from flows.core.expiry import ends, until
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"
# A pipeline reads for minutes: an account whose every query ends sooner than this cannot carry it.
SHORT = 10.0
# What stands in the way first gives the code.
ORDER = (
    "config.identifier_case", "config.table_missing", "privilege.role_not_active", "privilege.table_select_missing",
    "privilege.column_denied",
)  # fmt: skip


def reading(target: Target) -> Reading:
    """The one login of this run: a refusal is remembered too, so that it is never repeated."""
    if "sql" not in target.memo:
        password = target.sheet.secret(target.secrets, "password")
        tables = [_split(target, name) for name in target.tables]
        try:
            follow, rds = target.replication == "log", managed(target) in ("rds_mysql", "aurora_mysql")
            line = kept_line(target)
            target.memo["sql"] = examine(target.settings, password, tables, target.timeout, follow, rds, line)
        except Trouble as trouble:
            target.memo["sql"] = Reading(refused=trouble)
    kept: Reading = target.memo["sql"]
    return kept


def _split(target: Target, name: str) -> tuple[str, str]:
    *schema, table = parts(name, "``")
    return ".".join(schema) or str(target.settings.get("database", "")), table


def to_copy(target: Target, read: Reading, code: str, said: str) -> dict[str, Any]:
    """The remedy in the dialect of this server; a known account replaces what else its owner must look up."""
    more = {"flavor": read.server.flavor}
    return remedy(target, code, said, **more, **({"account": read.account} if read.account else {}))


def verify_credentials(target: Target) -> Finding:
    read = reading(target)
    why = read.refused
    if why is None:
        where = place(target)
        ending = ends(("password", f"{where['user']} at {where['host']}", read.password_until))
        return finding(LOGIN, "good", evidence=f"logged in as {read.account}{until(ending)}", **where, **ending)
    facts = {**place(target), **to_copy(target, read, why.code, why.evidence)}
    verdict = "unclear" if why.cause == "unclassified" else "bad"
    said = evidence(target, why.evidence)
    return finding(LOGIN, verdict, why.code, why.cause, evidence=said, alternatives=why.alternatives, **facts)  # type: ignore[arg-type]


def verify_permissions(target: Target) -> Finding:
    read = reading(target)
    trouble = read.refused or read.trouble
    if trouble is not None:
        return interrupted(target, RIGHTS, read, trouble)
    facts = {**place(target), "missing": [], "statements": []}
    wrong = [_judged(seen, read) for seen in read.tables if seen.why is not None]
    if wrong:
        return _bad(target, read, wrong, facts)
    if not (target.tables or read.readable):
        words = "0 tables are readable"
        return finding(RIGHTS, "bad", "privilege.table_select_missing", "missing_privilege", evidence=words, **facts)
    said = readable(len(read.tables) if target.tables else read.readable, selected=bool(target.tables))
    return _beside(target, read, said, facts)


def interrupted(target: Target, check: str, read: Reading, trouble: Trouble) -> Finding:
    """A limit that ended the look is proved by it; a line that broke says nothing of rights."""
    proved = trouble.code.partition(".")[0] in ("capacity", "contention", "config")
    facts = {**place(target), **to_copy(target, read, trouble.code, trouble.evidence)}
    said = evidence(target, trouble.evidence)
    return finding(check, "bad" if proved else "unclear", trouble.code, trouble.cause, evidence=said, **facts)


Wrong = tuple[Seen, str, str]


def _judged(seen: Seen, read: Reading) -> Wrong:
    """A table with its code and cause; what is spelt otherwise or granted to a role that sleeps says more."""
    assert seen.why is not None
    if seen.why.code in ("config.table_missing", "privilege.table_select_missing"):
        if any(name.lower() == seen.name.lower() for name in seen.similar):
            return seen, "config.identifier_case", "config_error"
        if _sleeping(seen, read):
            return seen, "privilege.role_not_active", "missing_privilege"
    return seen, seen.why.code, seen.why.cause


def _sleeping(seen: Seen, read: Reading) -> str:
    """The role that was given to the account and would let it read, were it active."""
    schema = quoted(seen.schema)
    places = "|".join(re.escape(one) for one in ("*.*", f"{schema}.*", f"{schema}.{quoted(seen.table)}"))
    right = re.compile(rf"^GRANT (?:.*\bSELECT\b.*|ALL PRIVILEGES) ON (?:{places}) TO ")
    return next((role for role, lines in read.sleeping.items() if any(right.match(line) for line in lines)), "")


def _bad(target: Target, read: Reading, wrong: list[Wrong], facts: dict[str, Any]) -> Finding:
    """Every problem is in the facts, so that one round mends all."""
    ranked = sorted(wrong, key=lambda one: ORDER.index(one[1]) if one[1] in ORDER else len(ORDER))
    top, code, cause = ranked[0]
    facts["missing"] = [seen.name for seen, _, _ in wrong]
    facts["similar"] = [name for seen, _, _ in wrong for name in seen.similar]
    facts["statements"] = list(dict.fromkeys(line for one in wrong for line in _statements(one, read)))
    if code == "config.identifier_case":
        facts["settings"] = ["tables: " + json.dumps(_corrected(target, wrong), ensure_ascii=False)]
    if code == "config.table_missing" and (kept := _kept(target, wrong)):
        facts["settings"] = ["tables: " + json.dumps(kept, ensure_ascii=False)]
    said = evidence(target, "; ".join(seen.why.evidence for seen, _, _ in wrong if seen.why))
    same = top.why.alternatives if top.why and code == top.why.code else ()
    return finding(RIGHTS, "bad", code, cause, evidence=said, alternatives=same, **facts)


def _corrected(target: Target, wrong: list[Wrong]) -> list[str]:
    """The selection with the names as the server has them."""
    cased = [seen for seen, code, _ in wrong if code == "config.identifier_case"]
    right = {seen.name: written(seen.similar[0], seen.table, quoted) for seen in cased}
    return [right.get(".".join(_split(target, name)), name) for name in target.tables]


def _kept(target: Target, wrong: list[Wrong]) -> list[str]:
    """The selection without what is gone."""
    gone = {seen.name for seen, code, _ in wrong if code == "config.table_missing"}
    return [name for name in target.tables if ".".join(_split(target, name)) not in gone]


def _statements(wrong: Wrong, read: Reading) -> list[str]:
    seen, code, _ = wrong
    table = f"{quoted(seen.schema)}.{quoted(seen.table)}"
    if code == "privilege.role_not_active":
        role = quoted(_sleeping(seen, read))
        return [f"SET DEFAULT ROLE {role} {'FOR' if read.server.maria else 'TO'} {read.account};"]
    if code in ("privilege.table_select_missing", "privilege.column_denied"):
        return [f"GRANT SELECT ON {table} TO {read.account};"]
    if code == "schema.view_definer_missing":
        return _for_definer(seen, table)
    return []


def _for_definer(seen: Seen, table: str) -> list[str]:
    assert seen.why is not None
    definer, look = seen.definer or "<definer>", f"SHOW CREATE VIEW {table};"
    if seen.why.evidence.endswith(("(1449)", "(1045)")):
        # A view needs its owner's name to have rights; nobody has to log in by it.
        made = [f"CREATE USER {definer} ACCOUNT LOCK;", f"GRANT SELECT ON {quoted(seen.schema)}.* TO {definer};"]
        return [look, *made]
    return [look, f"GRANT SELECT ON {quoted(seen.schema)}.<table below the view> TO {definer};"]


def _beside(target: Target, read: Reading, words: str, facts: dict[str, Any]) -> Finding:
    """All is readable: unless the server ends every query too soon, or lacks what the settings ask of it."""
    if not read.zone_known:
        zone, code = str(target.settings.get("time_zone")), "config.timezone_tables_missing"
        said = evidence(target, f"CONVERT_TZ knows nothing of {zone}")
        more = to_copy(target, read, code, said)
        return finding(RIGHTS, "bad", code, "server_misconfigured", evidence=said, **{**facts, **more})
    if 0 < read.server.limit < SHORT:
        said, code = f"{words}, but every query ends after {read.server.limit:g} s", "capacity.statement_timeout"
        more = {**facts, **to_copy(target, read, code, said)}
        return finding(RIGHTS, "unclear", code, "connection_dropped", evidence=evidence(target, said), **more)
    return finding(RIGHTS, "good", evidence=words, **facts)
