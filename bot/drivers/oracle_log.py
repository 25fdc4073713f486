"""What Oracle's own views say about following its log by LogMiner; every question only reads.

https://docs.oracle.com/en/database/oracle/oracle-database/19/sutil/oracle-logminer-utility.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# https://docs.oracle.com/en/database/oracle/oracle-database/19/refrn/V-DATABASE.html
DATABASE = "SELECT log_mode, supplemental_log_data_min, supplemental_log_data_all, database_role FROM v$database"
# https://docs.oracle.com/en/database/oracle/oracle-database/19/refrn/ALL_LOG_GROUPS.html
GROUPS = "SELECT owner, table_name FROM all_log_groups WHERE log_group_type = 'ALL COLUMN LOGGING'"
HELD = (
    "SELECT privilege FROM session_privs WHERE privilege IN ('LOGMINING', 'SELECT ANY TRANSACTION') "
    "UNION ALL SELECT role FROM session_roles WHERE role = 'EXECUTE_CATALOG_ROLE'"
)
RIGHTS = ("LOGMINING", "SELECT ANY TRANSACTION", "EXECUTE_CATALOG_ROLE")
# A view that may not be read is not there; one that may be read and has no session of LogMiner answers otherwise.
VIEWS = ("v$archived_log", "v$logmnr_contents")
HIDDEN = (942, 1031, 41900)
LOGMINING_SINCE = 12


@dataclass
class Log:
    """`seen`: v$database may be read. `logged` are tables whose every column is logged, `lacking` rights and views."""

    seen: bool = True
    archived: bool = False
    supplemental: bool = False
    everything: bool = False
    role: str = ""
    logged: set[tuple[str, str]] = field(default_factory=set)
    lacking: list[str] = field(default_factory=list)


async def look(connection: Any) -> Log:
    """Raises oracledb's errors for what is no missing right."""
    rows, log = await _rows(connection, DATABASE), Log()
    if rows:
        mode, least, everything, role = (str(value) for value in rows[0])
        log.archived, log.supplemental, log.role = mode == "ARCHIVELOG", least != "NO", role
        log.everything = everything == "YES"
    else:
        log.seen = False
        log.lacking.append("v$database")
    log.logged = {(str(owner), str(table)) for owner, table in await _rows(connection, GROUPS) or []}
    held = {str(row[0]) for row in await _rows(connection, HELD) or []}
    new = int(str(connection.version).partition(".")[0]) >= LOGMINING_SINCE
    log.lacking += [right for right in RIGHTS if right not in held and (new or right != "LOGMINING")]
    log.lacking += [view for view in VIEWS if await _rows(connection, f"SELECT 1 FROM {view} WHERE 1 = 0") is None]  # noqa: S608
    return log


async def _rows(connection: Any, question: str) -> list[Any] | None:
    """None for what may not be asked."""
    import oracledb

    try:
        rows: list[Any] = await connection.fetchall(question)
    except oracledb.DatabaseError as error:
        number = int(getattr(error.args[0], "code", 0) or 0)
        if number in HIDDEN:
            return None
        # ORA-01306: LogMiner was not started in this session, so that the view may be read.
        if number == 1306:
            return []
        raise
    return rows
