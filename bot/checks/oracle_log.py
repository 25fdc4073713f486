"""Oracle: is the log kept and full enough for LogMiner, and may the user read it."""

from __future__ import annotations

from typing import Any

from bot.checks.base import Target, finding
from bot.checks.oracle import facts_of, name_of, on_rds, reading
from bot.checks.oracle import quoted_user as user_of
from bot.checks.reading import interrupted
from bot.checks.text import evidence
from bot.drivers.network import Trouble
from bot.drivers.oracle_log import VIEWS, Log
from flows.core.finding import Finding

READY = "replication_ready"
SERVER = "server_misconfigured"
# Of a container database the root decides for all: https://docs.oracle.com/cd/E57425_01/121/SUTIL/GUID-6564DEB6-DE46-4269-BFA0-4797612DE7C0.htm
# and https://cloud.google.com/datastream/docs/configure-pluggable-oracle
ROOT = "-- by SYSDBA, and in CDB$ROOT when it is a container database:"
ARCHIVE = [ROOT, "SHUTDOWN IMMEDIATE;", "STARTUP MOUNT;", "ALTER DATABASE ARCHIVELOG;", "ALTER DATABASE OPEN;",
           "-- then in RMAN: CONFIGURE RETENTION POLICY TO RECOVERY WINDOW OF 7 DAYS;"]  # fmt: skip
SUPPLEMENT = "ALTER DATABASE ADD SUPPLEMENTAL LOG DATA;"
# Nobody but the service itself alters the database there:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.Oracle.CommonDBATasks.Log.html
RDS_ARCHIVE = [
    "-- RDS console > Databases > the database > Modify > Backup retention period: 1 day or more",
    "EXEC rdsadmin.rdsadmin_util.set_configuration('archivelog retention hours', 168);",
]
RDS_SUPPLEMENT = "EXEC rdsadmin.rdsadmin_util.alter_supplemental_logging('ADD');"
Problem = tuple[str, str, str, list[str]]


def verify_replication(target: Target) -> Finding:
    read = reading(target)
    if isinstance(read, Trouble):
        return finding(READY, "unclear", read.code, read.cause, evidence=evidence(target, read.evidence))
    if read.trouble:
        return interrupted(READY, read.trouble, target, facts_of(target))
    facts: dict[str, Any] = {**facts_of(target), "statements": []}
    problems = _problems(target, read.log) if read.log else []
    if not problems:
        # For how long archived logs are kept only RMAN knows.
        words = "LogMiner may read the archived log, and it holds whole rows; not seen: how long RMAN keeps it"
        return finding(READY, "good", evidence=words, **facts)
    facts["statements"] = list(dict.fromkeys(line for *_, lines in problems for line in lines))
    unlogged = _unlogged(target, read.log) if read.log else []
    code, cause, _, _ = problems[0]
    words = evidence(target, "; ".join(said for _, _, said, _ in problems))
    return finding(READY, "bad", code, cause, evidence=words, missing=unlogged, **facts)


def _problems(target: Target, log: Log) -> list[Problem]:
    made: list[Problem] = []
    rds = on_rds(target)
    if log.role not in ("", "PRIMARY"):
        made.append(("config.read_only_standby", "config_error", f"v$database: this is a {log.role.lower()}", []))
    if log.seen and not log.archived:
        said = "v$database: log_mode is NOARCHIVELOG"
        made.append(("replication.archivelog_off", SERVER, said, RDS_ARCHIVE if rds else ARCHIVE))
    if log.seen and not log.supplemental:
        said = "v$database: supplemental_log_data_min is NO"
        lines = [RDS_SUPPLEMENT] if rds else [ROOT, SUPPLEMENT]
        made.append(("replication.supplemental_logging_off", SERVER, said, lines))
    unlogged = _unlogged(target, log)
    if unlogged:
        lines = [f"ALTER TABLE {name} ADD SUPPLEMENTAL LOG DATA (ALL) COLUMNS;" for name in unlogged]
        said = f"all_log_groups: not all columns are logged of {', '.join(unlogged)}"
        made.append(("replication.supplemental_logging_off", SERVER, said, lines))
    if log.lacking:
        said = f"the user lacks {', '.join(log.lacking)}"
        lines = [_grant(right, user_of(target), rds) for right in log.lacking]
        made.append(("privilege.replication_missing", "missing_privilege", said, lines))
    return made


def _unlogged(target: Target, log: Log) -> list[str]:
    """The selected tables of which the log does not hold every column."""
    if log.everything:
        return []
    known = {f'"{owner}"."{table}"' for owner, table in log.logged}
    return [name for name in (name_of(target, table) for table in target.tables) if name not in known]


def _grant(right: str, user: str, rds: bool) -> str:
    if right not in (*VIEWS, "v$database"):
        return f"GRANT {right} TO {user};"
    # What is granted is the view v_$... that the synonym v$... stands for.
    view = right.replace("v$", "v_$")
    if (
        rds
    ):  # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.Oracle.CommonDBATasks.TransferPrivileges.html
        grantee = user.strip('"').replace("'", "''")
        return f"EXEC rdsadmin.rdsadmin_util.grant_sys_object('{view.upper()}', '{grantee}', 'SELECT');"
    return f"GRANT SELECT ON sys.{view} TO {user};"
