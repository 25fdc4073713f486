"""MySQL and MariaDB: is the binary log written as a pipeline needs it, and may the account follow it."""

from __future__ import annotations

import re
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.remedies import place
from bot.checks.sql_mysql import interrupted, reading, to_copy
from bot.checks.text import evidence
from bot.drivers.mysql import Reading
from bot.drivers.mysql_catalogue import Server
from flows.core.finding import Finding

READY = "replication_ready"
SERVER, RIGHT, CONFIG = "server_misconfigured", "missing_privilege", "config_error"
DAY = 86_400
# The pipeline's own guide: at least three days, better seven.
KEEP = 3 * DAY
PACKET = 1 << 20
# MariaDB calls the second by another name since 10.5.2. https://mariadb.com/docs/server/reference/sql-statements/account-management-sql-statements/grant
RIGHTS = (("REPLICATION SLAVE",), ("REPLICATION CLIENT", "BINLOG MONITOR"))
SOURCES = ("mysql.rds_configuration", "mysql.rds_show_configuration")
Problem = tuple[str, str, str]


def verify_replication(target: Target) -> Finding:
    read = reading(target)
    trouble = read.refused or read.trouble
    if trouble is not None:
        return interrupted(target, READY, read, trouble)
    problems = [*_log(read), *_rights(read)]
    facts: dict[str, Any] = {**place(target), "statements": [], "lines": []}
    if not problems and read.rds and read.rds_hours is None:
        return _not_known(target, read)
    if not problems:
        return finding(READY, "good", evidence="the binary log holds whole rows, and may be read", **facts)
    for code, _, said in problems:
        made = to_copy(target, read, code, said)
        facts["statements"] += made.pop("statements", [])
        facts["lines"] += [line for line in made.pop("lines", []) if line not in facts["lines"]]
        facts |= {part: value for part, value in made.items() if value}
    code, cause, _ = problems[0]
    said = evidence(target, "; ".join(said for _, _, said in problems))
    return finding(READY, "bad", code, cause, evidence=said, **facts)


def _not_known(target: Target, read: Reading) -> Finding:
    """All that MySQL says is well, and says nothing of what RDS does with the log."""
    code, said = "replication.retention_unknown", f"{read.account} may not read {' or '.join(SOURCES)}"
    made = {**place(target), **to_copy(target, read, "replication.binlog_retention", said)}
    made["statements"] = ["CALL mysql.rds_show_configuration;", *made["statements"]]
    return finding(READY, "unclear", code, SERVER, evidence=evidence(target, said), **made)


def _kept(read: Reading) -> tuple[float, str]:
    """Seconds for which the log is kept, 0 for ever, and who says so. On RDS none set means: no longer than it must."""
    server = read.server
    # https://dev.mysql.com/doc/refman/8.4/en/replication-options-binary-log.html#sysvar_binlog_expire_logs_auto_purge
    if not read.rds and not _on(server, "binlog_expire_logs_auto_purge", "ON"):
        return 0, ""
    if not read.rds:
        return server.number("binlog_expire_logs_seconds") or server.number("expire_logs_days") * DAY, ""
    hours = read.rds_hours
    said = f" ('binlog retention hours' is {f'{hours:g}' if hours else 'not set'})"
    return (KEEP if hours is None else hours * 3600 or 1), said


def _log(read: Reading) -> list[Problem]:
    server = read.server
    if _on(server, "innodb_read_only"):
        return [("config.read_only_standby", CONFIG, "innodb_read_only is on: a copy that only reads")]
    if not _on(server, "log_bin"):
        return [("replication.binlog_off", SERVER, "log_bin is off")]
    known = server.variables
    made: list[Problem] = []
    if known.get("binlog_format", "ROW") != "ROW":
        made.append(("replication.binlog_format", SERVER, f"binlog_format is {known['binlog_format']}, not ROW"))
    if known.get("binlog_row_image", "FULL") != "FULL":
        said = f"binlog_row_image is {known['binlog_row_image']}, not FULL"
        made.append(("replication.binlog_row_image", SERVER, said))
    if known.get("server_id") == "0":
        made.append(("replication.server_id_missing", SERVER, "server_id is 0"))
    kept, why = _kept(read)
    if 0 < kept < KEEP:
        made.append(("replication.binlog_retention", SERVER, f"the log is kept for {kept / DAY:.1f} days only{why}"))
    # A copy that takes no writes of its own and logs none of the original's has nothing to follow.
    if _on(server, "read_only") and not (_on(server, "log_slave_updates") or _on(server, "log_replica_updates")):
        made.append(("replication.log_slave_updates", SERVER, "read_only is on and log_slave_updates is off"))
    if 0 < server.number("max_allowed_packet") < PACKET:
        said = f"max_allowed_packet is {server.number('max_allowed_packet'):.0f} bytes"
        made.append(("capacity.packet_too_large", "connection_dropped", said))
    return made


def _on(server: Server, name: str, unknown: str = "OFF") -> bool:
    return server.variables.get(name, unknown).upper() in ("ON", "1", "YES")


def _rights(read: Reading) -> list[Problem]:
    """Of the account and its active roles, on everything: these rights belong to no single database."""
    wide = [line.partition(" ON ")[0] for line in read.grants if re.search(r" ON \*\.\* TO ", line)]
    held = {right.strip() for line in wide for right in line.removeprefix("GRANT ").split(",")}
    lacking = [names[0] for names in RIGHTS if not held & {*names, "ALL PRIVILEGES"}]
    if not lacking:
        return []
    return [("privilege.replication_missing", RIGHT, f"{read.account} lacks {' and '.join(lacking)}")]
