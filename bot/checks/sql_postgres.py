"""PostgreSQL: the login, and the right to read exactly the selected tables."""

from __future__ import annotations

from bot.checks.base import Target
from bot.checks.text import evidence
from bot.drivers.network import Trouble
from bot.drivers.postgres import Session, TableRights
from flows.core.finding import Finding

# The server answers a wrong password and an unknown role alike, on purpose.
ALIKE = {"auth.wrong_password": ("auth.unknown_user",)}


def _session(target: Target) -> Session | Trouble:
    """The one login of this run, kept for the permission check."""
    if "session" not in target.memo:
        try:
            target.memo["session"] = Session(
                target.settings, target.sheet.secret(target.secrets, "password"), target.timeout
            )
        except Trouble as trouble:
            target.memo["session"] = trouble
    kept: Session | Trouble = target.memo["session"]
    return kept


def _facts(target: Target) -> dict[str, str]:
    return {name: str(target.settings.get(name, "")) for name in ("user", "host", "port", "database")}


def verify_credentials(target: Target) -> Finding:
    session = _session(target)
    if isinstance(session, Trouble):
        alike = ALIKE.get(session.code, ())
        return Finding(
            "verify_credentials",
            "credentials_accepted",
            "bad",
            session.cause,
            session.code,
            alike,
            evidence(target, session.evidence),
            _facts(target),
        )
    return Finding(
        "verify_credentials", "credentials_accepted", "good", evidence=f"logged in as {target.settings.get('user')}"
    )


def verify_permissions(target: Target) -> Finding:
    session = _session(target)
    if isinstance(session, Trouble):
        return Finding(
            "check_permissions",
            "permissions_sufficient",
            "unclear",
            session.cause,
            session.code,
            evidence=evidence(target, session.evidence),
        )
    try:
        if not target.tables:
            count = session.readable_count()
            verdict, code, cause = (
                ("good", None, None) if count else ("bad", "privilege.table_select_missing", "missing_privilege")
            )
            return Finding(
                "check_permissions",
                "permissions_sufficient",
                verdict,
                cause,
                code,
                evidence=f"{count} tables are readable",
            )  # type: ignore[arg-type]
        rights = session.tables([_split(name) for name in target.tables])
    except Trouble as trouble:
        return Finding(
            "check_permissions",
            "permissions_sufficient",
            "unclear",
            trouble.cause,
            trouble.code,
            evidence=evidence(target, trouble.evidence),
        )
    finally:
        session.close()
        target.memo.pop("session", None)
    return _judge(target, rights)


def _split(name: str) -> tuple[str, str]:
    schema, _, table = name.rpartition(".")
    return schema.strip('"') or "public", table.strip('"')


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _judge(target: Target, rights: list[TableRights]) -> Finding:
    """The most basic problem first: no such table, no way into the schema, no right to read."""
    user = quoted(str(target.settings.get("user", "")))
    no_usage = sorted({_split(r.name)[0] for r in rights if not r.usage})
    absent = [r.name for r in rights if r.usage and not r.there]
    unreadable = [r.name for r in rights if r.there and not r.readable]
    grants = [f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {user};" for schema in no_usage]
    grants += [
        f"GRANT SELECT ON {'.'.join(map(quoted, _split(r.name)))} TO {user};"
        for r in rights
        if r.there and not r.readable
    ]
    facts = {**_facts(target), "missing": unreadable or absent or no_usage, "statements": grants}
    name, step = "permissions_sufficient", "check_permissions"
    if absent:
        return Finding(
            step,
            name,
            "bad",
            "config_error",
            "config.table_missing",
            evidence=f"no such table: {', '.join(absent)}",
            facts={**facts, "missing": absent},
        )
    if no_usage:
        return Finding(
            step,
            name,
            "bad",
            "missing_privilege",
            "privilege.schema_usage_missing",
            evidence=f"no USAGE on schema {', '.join(no_usage)}",
            facts=facts,
        )
    if unreadable:
        return Finding(
            step,
            name,
            "bad",
            "missing_privilege",
            "privilege.table_select_missing",
            evidence=f"no SELECT on {', '.join(unreadable)}",
            facts=facts,
        )
    filtered = [r.name for r in rights if r.row_security]
    if filtered:
        return Finding(
            step,
            name,
            "unclear",
            "missing_privilege",
            "privilege.row_level_security",
            evidence=f"row-level security may hide rows of {', '.join(filtered)}",
            facts={**facts, "missing": filtered},
        )
    return Finding(step, name, "good", evidence=f"all {len(rights)} selected tables are readable", facts=facts)
