"""What a Snowflake login may use and read, asked so that nothing runs in a warehouse and nothing is paid."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.drivers.network import Deadline, Trouble
from bot.drivers.snowflake import Login, Session, session
from bot.drivers.snowflake_words import NUMBERS

AT_ONCE = 50
DENIED = "missing_privilege"
SUSPENDED = ("server_misconfigured", "availability.warehouse_suspended")


@dataclass
class Reading:
    """Where the login stands, what was refused of which thing, and what its role holds: (privilege, kind, name);
    `trouble` is what cut short the look."""

    role: str = ""
    warehouse: str = ""
    note: str = ""
    monitor: str = ""
    refused: list[tuple[str, Trouble]] = field(default_factory=list)
    grants: frozenset[tuple[str, str, str]] = frozenset()
    trouble: Trouble | None = None


def examine(
    login: Login, tables: Sequence[Sequence[str]], deadline: Deadline, proxy: str | None, ca_file: str | None
) -> Reading:
    """Log in once and look; `tables` are quoted names in parts. Raises Trouble when the login is refused."""
    with session(login, deadline, proxy, ca_file) as made:
        reading = Reading(made.role, made.warehouse)
        try:
            missing = _places(made) or _warehouse(made, reading)
            wanted = [] if missing else [_whole(made, parts) for parts in tables]
            for refused in [missing] if missing else _unreadable(made, wanted):
                reading.refused.append(refused)
        except Trouble as trouble:
            reading.trouble = trouble
        if reading.refused and made.role:
            reading.grants = _grants(made)
        return reading


def _whole(made: Session, parts: Sequence[str]) -> str:
    """ "DATABASE"."SCHEMA"."TABLE": what is not written is what the session has by default."""
    given = [_name(made.database), _name(made.schema or "PUBLIC")]
    return ".".join(part for part in (*given[: max(0, 3 - len(parts))], *parts) if part)


def _name(plain: str) -> str:
    return '"' + plain.replace('"', '""') + '"' if plain else ""


def _places(made: Session) -> tuple[str, Trouble] | None:
    """A login with a database that is hidden or not there succeeds; the session just stands nowhere."""
    wanted = made.login
    if wanted.database and not made.database:
        words = f"login: the session has no database, {wanted.database} was asked for"
        return wanted.database, Trouble(DENIED, "privilege.database_missing", words, ("config.unknown_database",))
    if wanted.schema and not made.schema:
        words, name = f"login: the session has no schema, {wanted.schema} was asked for", wanted.schema.upper()
        hidden = Trouble(DENIED, "privilege.schema_usage_missing", words, ("config.unknown_database",))
        return f"{_name(made.database)}.{_name(name)}", hidden
    return None


def _warehouse(made: Session, reading: Reading) -> tuple[str, Trouble] | None:
    """Whether queries could run. Nothing is resumed: that would be paid for."""
    cause, code, alike = NUMBERS["390201"]
    if not made.warehouse:
        asked = made.login.warehouse
        words = f"{asked} was asked for" if asked else "none is set here, and the user has none by default"
        return asked, Trouble(cause, code, f"login: the session has no warehouse: {words}", alike if asked else ())
    # https://docs.snowflake.com/en/sql-reference/sql/show-warehouses: needs no running warehouse
    rows = made.ask(f"SHOW WAREHOUSES LIKE {_text(made.warehouse)}")
    rows = [row for row in rows if row.get("name") == made.warehouse]
    if not rows:
        return None
    row = rows[0]
    reading.monitor = "" if row.get("resource_monitor") in (None, "", "null") else str(row["resource_monitor"])
    asleep, wakes = str(row.get("state")) in ("SUSPENDED", "SUSPENDING"), str(row.get("auto_resume")) == "true"
    if asleep and (spent := _spent(made, reading.monitor)):
        return made.warehouse, spent
    if asleep and not wakes:
        words = f"SHOW WAREHOUSES: {made.warehouse} is suspended, and auto_resume is false"
        return made.warehouse, Trouble(*SUSPENDED, words)
    reading.note = f"{made.warehouse} is {'asleep and wakes for a query' if asleep else 'running'}"
    return None


def _spent(made: Session, monitor: str) -> Trouble | None:
    """Whether a resource monitor keeps the warehouse asleep. Most roles may not see monitors, and then nothing is said.

    https://docs.snowflake.com/en/sql-reference/sql/show-resource-monitors
    """
    if not monitor:
        return None
    try:
        rows = made.ask(f"SHOW RESOURCE MONITORS LIKE {_text(monitor)}")
    except Trouble:
        return None
    for row in rows:
        with contextlib.suppress(ValueError):
            used, quota = float(str(row.get("used_credits") or 0)), float(str(row.get("credit_quota") or 0))
            at = float(str(row.get("suspend_at") or "100").rstrip("%"))
            if row.get("name") == monitor and quota and used >= quota * at / 100:
                words = f"SHOW RESOURCE MONITORS: {monitor} has used {used:g} of {quota:g} credits"
                cause, code, alike = NUMBERS["090073"]
                return Trouble(cause, code, words, alike)
    return None


def _unreadable(made: Session, tables: Sequence[str]) -> Iterator[tuple[str, Trouble]]:
    """EXPLAIN asks for the same rights as the query, and runs nothing: many tables at once, one by one when refused.

    https://docs.snowflake.com/en/sql-reference/sql/explain
    """
    for start in range(0, len(tables), AT_ONCE):
        part = tables[start : start + AT_ONCE]
        if (some := _explained(made, part)) is None:
            continue
        for name in part:
            if made.deadline.over():
                # One of them is refused, and there is no time to see which.
                yield part[0], some
                return
            refused = _explained(made, [name])
            if refused:
                yield name, refused


def _explained(made: Session, names: Sequence[str]) -> Trouble | None:
    query = " UNION ALL ".join(f"SELECT 1 FROM {name}" for name in names)  # noqa: S608 - quoted names
    try:
        made.ask(f"EXPLAIN USING TEXT {query}")
    except Trouble as trouble:
        if trouble.cause != DENIED:
            raise
        said = trouble.evidence.partition(f"{query}: ")[2] or trouble.evidence
        return Trouble(trouble.cause, trouble.code, f"{names[0]}: {said}", trouble.alternatives)
    return None


def _grants(made: Session) -> frozenset[tuple[str, str, str]]:
    """What the role itself holds; what it inherits is not listed, and an answer too long to read says nothing."""
    try:
        rows = made.ask(f"SHOW GRANTS TO ROLE {_name(made.role)}")
    except Trouble:
        return frozenset()
    return frozenset(
        (str(row.get("privilege")), str(row.get("granted_on")), str(row.get("name")).replace('"', "")) for row in rows
    )


def _text(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"
