"""SQL Server by python-tds: one login, one read-only look at each table, within one hard limit."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.drivers.network import Deadline, Trouble, bounded, connect
from flows.core.expiry import DAY

WRONG, LOCKED, CONFIG, DENIED = "invalid_credentials", "account_locked", "config_error", "missing_privilege"
DROPPED = "connection_dropped"
STOPPING, FULL = (DROPPED, "availability.shutting_down", ()), (DROPPED, "capacity.too_many_connections", ())
NO_DATABASE = (CONFIG, "config.unknown_database", ("privilege.connect_missing", "config.database_closed"))
# https://learn.microsoft.com/en-us/sql/relational-databases/errors-events/database-engine-events-and-errors
# https://learn.microsoft.com/en-us/azure/azure-sql/database/troubleshoot-common-errors-issues (from 10928 and 40197 on)
CODES: dict[int, tuple[str, str, tuple[str, ...]]] = {
    208: (CONFIG, "config.table_missing", ("privilege.table_select_missing",)),
    229: (DENIED, "privilege.table_select_missing", ()),
    230: (DENIED, "privilege.column_denied", ()),
    911: (CONFIG, "config.unknown_database", ()),
    916: (DENIED, "privilege.connect_missing", ()),
    922: STOPPING,
    924: (CONFIG, "config.database_closed", ()),
    927: (CONFIG, "config.database_closed", ()),
    942: (CONFIG, "config.database_closed", ()),
    945: STOPPING,
    976: (CONFIG, "config.read_only_standby", ()),
    978: (CONFIG, "config.read_only_standby", ()),
    983: (CONFIG, "config.read_only_standby", ()),
    1205: (DROPPED, "contention.deadlock", ()),
    1222: (DROPPED, "contention.lock_timeout", ()),
    4060: NO_DATABASE,
    4064: NO_DATABASE,
    6005: STOPPING,
    10928: FULL,
    10929: FULL,
    17142: STOPPING,
    17809: FULL,
    18401: STOPPING,
    18450: (WRONG, "auth.method_not_allowed", ()),
    18451: STOPPING,
    18452: (WRONG, "auth.method_not_allowed", ()),
    18456: (WRONG, "auth.wrong_password", ("auth.unknown_user", "auth.method_not_allowed")),
    18461: STOPPING,
    18470: (LOCKED, "auth.account_locked", ()),
    18486: (LOCKED, "auth.account_locked", ()),
    18487: (WRONG, "auth.password_expired", ()),
    18488: (WRONG, "auth.password_expired", ()),
    40197: STOPPING,
    40501: (DROPPED, "availability.too_slow", ()),
    40532: (CONFIG, "config.wrong_tenant", ()),
    40613: STOPPING,
    40615: ("ip_not_allowlisted", "access.ip_not_allowed", ()),
    40914: ("ip_not_allowlisted", "access.ip_not_allowed", ()),
    # No public way in: https://learn.microsoft.com/en-us/azure/azure-sql/database/connectivity-settings
    47073: ("ip_not_allowlisted", "access.ip_not_allowed", ()),
}
# Clients see state 1; a server that says more helps:
# https://learn.microsoft.com/en-us/sql/relational-databases/errors-events/mssqlserver-18456-database-engine-error
STATES: dict[int, tuple[str, str, tuple[str, ...]]] = {
    2: (WRONG, "auth.unknown_user", ()),
    5: (WRONG, "auth.unknown_user", ()),
    6: (WRONG, "auth.method_not_allowed", ()),
    7: (LOCKED, "auth.account_locked", ("auth.wrong_password",)),
    8: (WRONG, "auth.wrong_password", ()),
    9: (WRONG, "auth.wrong_password", ()),
    11: (DENIED, "privilege.connect_missing", ()),
    12: (DENIED, "privilege.connect_missing", ()),
    18: (WRONG, "auth.password_expired", ()),
    38: NO_DATABASE,
    40: NO_DATABASE,
    46: NO_DATABASE,
    58: (WRONG, "auth.method_not_allowed", ()),
}
# What the pipeline reads changes by: https://learn.microsoft.com/en-us/sql/relational-databases/track-changes/
# A sum of LACKS, as far as they are so. The pipeline's own guide: three days at the least, 4320 minutes.
TRACKING = """SELECT 0
 + CASE WHEN EXISTS (SELECT 1 FROM sys.change_tracking_databases WHERE database_id = DB_ID()) THEN 0 ELSE 1 END
 + CASE WHEN EXISTS (SELECT 1 FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID({name})) THEN 0 ELSE 2 END
 + CASE WHEN HAS_PERMS_BY_NAME({name}, N'OBJECT', N'VIEW CHANGE TRACKING') = 1 THEN 0 ELSE 4 END
 + CASE WHEN OBJECTPROPERTY(OBJECT_ID({name}), 'IsUserTable') = 1 THEN 0 ELSE 8 END
 + CASE WHEN OBJECTPROPERTY(OBJECT_ID({name}), 'TableHasPrimaryKey') = 1 THEN 0 ELSE 16 END
 + CASE WHEN EXISTS (SELECT 1 FROM sys.change_tracking_databases WHERE database_id = DB_ID() AND is_auto_cleanup_on = 1
        AND retention_period * CASE retention_period_units WHEN 1 THEN 1 WHEN 2 THEN 60 ELSE 1440 END < 4320)
        THEN 32 ELSE 0 END"""
# Whole days, 0 on the last one, nothing where it never ends; a login may ask it of itself:
# https://learn.microsoft.com/en-us/sql/t-sql/functions/loginproperty-transact-sql
LAST_DAY = """SELECT CASE WHEN days >= 0 THEN days + DATEDIFF(day, '19700101', SYSUTCDATETIME()) END
 FROM (SELECT CAST(LOGINPROPERTY(SUSER_SNAME(), 'DaysUntilExpiration') AS int) AS days) AS asked"""
SERVER = "server_misconfigured"
LACKS = {
    8: ("unsupported_object", "replication.not_a_table", "no table, so no change of it is tracked"),
    1: (SERVER, "replication.change_tracking_off", "change tracking is off for the database"),
    2: (SERVER, "replication.change_tracking_off", "change tracking is off for the table"),
    16: (SERVER, "replication.no_replica_identity", "the table has no primary key, without which nothing is tracked"),
    32: (SERVER, "replication.tracking_retention", "the database keeps changes for less than three days"),
    4: (DENIED, "privilege.replication_missing", "VIEW CHANGE TRACKING is not granted"),
}


@dataclass
class Reading:
    """What one login saw: why some of the wanted tables cannot be read, or their changes, and what cut short the look;
    `password_until` is 0 for never or not known."""

    refused: list[tuple[str, Trouble]] = field(default_factory=list)
    readable: int = 0
    password_until: float = 0.0
    trouble: Trouble | None = None


def examine(settings: Mapping[str, Any], password: str, tables: Sequence[str], log: bool, timeout: float) -> Reading:
    """Log in once and look; `tables` are quoted names. Raises Trouble when the login fails."""
    deadline = Deadline(timeout)
    place = f"{settings.get('host') or 'localhost'}:{settings.get('port') or 1433}"
    return bounded(deadline, lambda: _examined(settings, password, tables, log, place, deadline), place)


def _examined(
    settings: Mapping[str, Any], password: str, tables: Sequence[str], log: bool, place: str, deadline: Deadline
) -> Reading:
    from pytds import Error

    from bot.drivers.mssql_line import Line

    host, _, port = place.rpartition(":")
    with connect(host, int(port), deadline.left()) as peer:
        line = Line(peer, place, deadline)
        line.agree(*_tls(settings, host))
        reading = Reading()
        try:
            connection = _login(settings, password, host, int(port), line)
        except (Error, EOFError, OSError) as error:
            raise _why(error, line, settings) from None
        try:
            _look(connection, reading, tables, log)
        except (Error, EOFError, OSError) as error:
            reading.trouble = _why(error, line, settings)
        return reading


def _why(error: Exception, line: Any, settings: Mapping[str, Any]) -> Trouble:
    from pytds import Error

    origin = error.__cause__ if isinstance(error.__cause__, Error | OSError) else error
    if isinstance(error, OSError) and not isinstance(origin, Error):
        trouble: Trouble = line.trouble(origin)
        return trouble
    return _trouble(origin if isinstance(error, OSError) else error, line.place, settings)


def _tls(settings: Mapping[str, Any], host: str) -> tuple[str, Any, str]:
    from bot.drivers.tls import Trust

    mode = str(settings.get("sslmode") or "prefer")
    ca = settings.get("ssl_root_cert") if mode in ("require", "verify-ca", "verify-full") else None
    chain = mode.startswith("verify") or bool(ca)
    name = str(settings.get("tls_name") or host).strip("[]")
    return mode, Trust(chain, mode == "verify-full", ca, settings.get("ssl_cert"), settings.get("ssl_key")), name


def _login(settings: Mapping[str, Any], password: str, host: str, port: int, line: Any) -> Any:
    import pytds

    # It warns of every try that takes longer than its limit, which here is none.
    logging.getLogger("pytds").setLevel(logging.ERROR)
    # The driver tries again until its own limit is over; with none it tries once, and `line` keeps ours.
    return pytds.connect(
        dsn=host.strip("[]"), port=port, database=str(settings.get("database") or ""),
        user=str(settings.get("user") or ""), password=password, login_timeout=0, appname="mend", autocommit=True,
        sock=line, disable_connect_retry=True,
    )  # fmt: skip


def _look(connection: Any, reading: Reading, tables: Sequence[str], log: bool) -> None:
    cursor = connection.cursor()
    for name in tables:
        trouble = _try(cursor, name)
        found = [trouble] if trouble else _tracked(cursor, name) if log else []
        reading.refused += [(name, one) for one in found]
    if not tables:
        # The catalogue shows only what may be seen.
        cursor.execute("SELECT CAST(COUNT(*) AS int) FROM INFORMATION_SCHEMA.TABLES")
        reading.readable = int(cursor.fetchall()[0][0])
    reading.password_until = _until(cursor)


def _until(cursor: Any) -> float:
    """The end of the password's last day. A server that does not tell it is no trouble."""
    from pytds import DatabaseError

    try:
        cursor.execute(LAST_DAY)
        day = cursor.fetchall()[0][0]
    except DatabaseError:
        return 0.0
    return (int(day) + 1) * DAY if day is not None else 0.0


def _try(cursor: Any, name: str) -> Trouble | None:
    """The server judges the statement before it reads: no row is asked for."""
    from pytds import DatabaseError

    try:
        cursor.execute(f"SELECT TOP (0) * FROM {name}")  # noqa: S608 - quoted names
    except DatabaseError as error:
        found = _trouble(error, name, {})
        if found.cause not in (CONFIG, DENIED):
            raise
        return found
    return None


def _tracked(cursor: Any, name: str) -> list[Trouble]:
    """What keeps the changes of a table from being read. Where it is off for all, it is off for each."""
    cursor.execute(TRACKING.format(name="N'" + name.replace("'", "''") + "'"))
    found = int(cursor.fetchall()[0][0])
    bits = [bit for bit in LACKS if found & bit and (bit, found & 1) != (2, 1)]
    bits = bits[:1] if found & 8 else bits
    return [Trouble(LACKS[bit][0], LACKS[bit][1], f"{name}: {LACKS[bit][2]}") for bit in bits]


def quoted(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


def _trouble(error: Any, place: str, settings: Mapping[str, Any]) -> Trouble:
    """Cause and code by the error's number and state, which no language of the server changes."""
    number, state = int(getattr(error, "number", 0) or 0), int(getattr(error, "state", 0) or 0)
    said = " ".join(str(error.args[0] if error.args else error).split())
    if not number:
        words = f"{place} hung up in the middle: {said}"
        return Trouble("host_unreachable", "network.reset", words, ("capacity.too_many_connections",))
    # A login that fails for its database comes with two errors, of which the driver keeps the number of the last.
    if number == 18456 and f'"{settings.get("database")}"' in said:
        number = 4060
    cause, code, alike = CODES.get(number, ("unclassified", "availability.provider_error", ()))
    if number == 18456:
        cause, code, alike = STATES.get(state, (cause, code, alike))
    return Trouble(cause, code, f"{said} ({number}, state {state})", alike, shown=str(number))
