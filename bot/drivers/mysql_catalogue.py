"""What MySQL and MariaDB say of the rights of whoever asks: their own catalogue first, a table only in doubt."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from bot.drivers.mysql_words import words
from bot.drivers.network import Trouble

VARIABLES = (
    "version", "log_bin", "binlog_format", "binlog_row_image", "server_id", "expire_logs_days",
    "binlog_expire_logs_seconds", "binlog_expire_logs_auto_purge", "log_slave_updates", "log_replica_updates",
    "innodb_read_only", "read_only", "max_allowed_packet", "max_statement_time", "max_execution_time",
    "lower_case_table_names", "basedir", "aurora_version",
)  # fmt: skip
# Only what the caller may see is listed, and the privileges are those in force, roles included.
COLUMNS = """
SELECT c.table_schema, c.table_name, t.table_type, MIN(c.privileges LIKE '%%select%%')
FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema IN %s AND c.table_name IN %s GROUP BY 1, 2, 3
"""
PARTLY = "SELECT DISTINCT table_schema, table_name FROM information_schema.column_privileges"
# That table lacks what a role grants; SHOW GRANTS has it.
PARTLY_GRANTED = re.compile(r"^GRANT [^`]*\bSELECT \(.* ON `((?:[^`]|``)+)`\.`((?:[^`]|``)+)` TO ")
SIMILAR = """
SELECT table_schema, table_name FROM information_schema.tables WHERE LOWER(table_name) IN %s
AND table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY 1, 2 LIMIT 50
"""
DEFINERS = "SELECT table_schema, table_name, definer FROM information_schema.views WHERE table_schema IN %s"
READABLE = """
SELECT count(*) FROM information_schema.tables
WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
"""
SLEEPING = """
SELECT role_name FROM information_schema.applicable_roles
WHERE role_name NOT IN (SELECT role_name FROM information_schema.enabled_roles WHERE role_name IS NOT NULL)
"""
# RDS and Aurora purge the log by a table of their own, and as soon as they can while it holds no number; what the
# variables of MySQL say is not what happens there. The procedure shows the table to whoever may not read it.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mysql-stored-proc-configuring.html
RDS = ("SELECT name, value FROM mysql.rds_configuration", "CALL mysql.rds_show_configuration()")
RDS_KEPT = "binlog retention hours"
Names = list[tuple[str, str]]
# What managed services add to the version.
CLOUDS = {"-google": "cloud_sql", "-azure": "azure"}


@dataclass(frozen=True)
class Seen:
    """One wanted table: why it may not be read, or None; what is spelt like it; whose rights a view reads with."""

    schema: str
    table: str
    why: Trouble | None = None
    similar: tuple[str, ...] = ()
    definer: str = ""

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class Server:
    version: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def maria(self) -> bool:
        return "MariaDB" in self.version

    @property
    def flavor(self) -> str:
        """Whose dialect it speaks."""
        return "maria" if self.maria else "mysql5" if self.version.startswith("5.") else "mysql"

    @property
    def service(self) -> str:
        """Who runs it, where its version or its folder gives that away."""
        if "aurora_version" in self.variables:
            return "aurora"
        if self.variables.get("basedir", "").startswith("/rdsdbbin"):
            return "rds"
        return next((name for word, name in CLOUDS.items() if word in self.version), "")

    def number(self, name: str) -> float:
        try:
            return float(self.variables.get(name, "0"))
        except ValueError:
            return 0.0

    @property
    def limit(self) -> float:
        """Seconds after which the server ends a query of this account by itself; 0: never."""
        return self.number("max_statement_time") if self.maria else self.number("max_execution_time") / 1000


def variables(cursor: Any) -> dict[str, str]:
    cursor.execute("SHOW VARIABLES WHERE Variable_name IN %s", [VARIABLES])
    return {str(name): str(value) for name, value in cursor.fetchall()}


def rds_hours(cursor: Any) -> float | None:
    """For how many hours RDS keeps the log, 0 for as short as it can; None where the account may not know."""
    for question in RDS:
        try:
            cursor.execute(question)
            rows = {str(row[0]): row[1] for row in cursor.fetchall()}
            while cursor.nextset():
                continue
        except cursor.connection.Error:
            continue
        try:
            return float(rows.get(RDS_KEPT) or 0)
        except ValueError:
            return None
    return None


def tables(cursor: Any, wanted: Names, folded: bool, granted: list[str]) -> tuple[Seen, ...]:
    """What stands in the way of each table; `folded`: the server takes capitals for small letters."""
    cursor.execute(PARTLY)
    by_role = [found.groups() for line in granted if (found := PARTLY_GRANTED.match(line))]
    partly = {_fold(row, folded) for row in cursor.fetchall()}
    partly |= {_fold((s.replace("``", "`"), t.replace("``", "`")), folded) for s, t in by_role}
    sure = _whole(cursor, wanted, folded) - partly
    doubted = [pair for pair in wanted if _fold(pair, folded) not in sure]
    whys = {pair: _partly(_try(cursor, *pair), _fold(pair, folded) in partly) for pair in doubted}
    broken = [pair for pair, why in whys.items() if why is not None]
    similar, definers = _similar(cursor, broken), _definers(cursor, broken)
    return tuple(Seen(*pair, whys.get(pair), similar.get(pair, ()), definers.get(pair, "")) for pair in wanted)


def _fold(pair: tuple[Any, Any], folded: bool) -> tuple[str, str]:
    schema, table = (str(part) for part in pair)
    return (schema.lower(), table.lower()) if folded else (schema, table)


def _partly(why: Trouble | None, some: bool) -> Trouble | None:
    """MariaDB refuses the whole table where some of its columns are granted."""
    if why is None or not some or why.code != "privilege.table_select_missing":
        return why
    return Trouble(why.cause, "privilege.column_denied", why.evidence)


def _whole(cursor: Any, wanted: Names, folded: bool) -> set[tuple[str, str]]:
    """The plain tables of which every visible column may be read, as the catalogue says."""
    cursor.execute(COLUMNS, [tuple({s for s, _ in wanted}), tuple({t for _, t in wanted})])
    return {_fold(row[:2], folded) for row in cursor.fetchall() if row[2] == "BASE TABLE" and row[3]}


def _try(cursor: Any, schema: str, table: str) -> Trouble | None:
    """Asking for no rows reads nothing, and the server names what is missing."""
    try:
        cursor.execute(f"SELECT * FROM {quoted(schema)}.{quoted(table)} LIMIT 0")  # noqa: S608 - quoted names
    except cursor.connection.Error as error:
        found = words(error)
        if found.code == "auth.wrong_password":
            # Whoever may not administer is told no more of a view whose owner is gone. (1045 behind the login)
            return Trouble("missing_privilege", "schema.view_definer_missing", found.evidence)
        if found.code in ("network.reset", "unclassified") or found.code.startswith(("capacity.", "contention.")):
            raise
        return found
    return None


def _similar(cursor: Any, broken: Names) -> dict[tuple[str, str], tuple[str, ...]]:
    if not broken:
        return {}
    cursor.execute(SIMILAR, [tuple({table.lower() for _, table in broken})])
    rows = [(str(schema), str(table)) for schema, table in cursor.fetchall()]
    return {
        (schema, table): tuple(f"{s}.{t}" for s, t in sorted(rows, key=lambda row: row[0] != schema)
                               if t.lower() == table.lower() and (s, t) != (schema, table))
        for schema, table in broken
    }  # fmt: skip


def _definers(cursor: Any, broken: Names) -> dict[tuple[str, str], str]:
    if not broken:
        return {}
    cursor.execute(DEFINERS, [tuple({schema for schema, _ in broken})])
    return {(str(schema), str(table)): account(str(who)) for schema, table, who in cursor.fetchall()}


def grants(cursor: Any) -> list[str]:
    """What was granted to the account and to the roles that are active."""
    cursor.execute("SHOW GRANTS")
    return [str(row[0]) for row in cursor.fetchall()]


def sleeping_roles(cursor: Any, maria: bool) -> dict[str, list[str]]:
    """The roles that were given to the account and are not active, with their grants; none before roles existed."""
    try:
        cursor.execute(SLEEPING)
        found = {}
        for name in [str(row[0]) for row in cursor.fetchall()]:
            # MariaDB shows a role's grants only to whoever has it active, for this session that is.
            if maria:
                cursor.execute(f"SET ROLE {quoted(name)}")
            cursor.execute("SHOW GRANTS" if maria else f"SHOW GRANTS FOR CURRENT_USER() USING {quoted(name)}")
            found[name] = [str(row[0]) for row in cursor.fetchall()]
    except cursor.connection.Error:
        return {}
    return found


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def account(said: str) -> str:
    """`user@host` as GRANT wants it."""
    user, _, host = said.rpartition("@")
    return f"{literal(user)}@{literal(host)}"
