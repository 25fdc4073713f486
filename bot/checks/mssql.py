"""SQL Server: the login, and the right to read exactly the selected tables."""

from __future__ import annotations

import re
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.reading import interrupted, once, password_ends, told
from bot.checks.remedies import managed
from bot.checks.text import evidence, parts, readable
from bot.drivers.mssql import Reading, examine, quoted
from bot.drivers.network import Trouble
from flows.core.expiry import until
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"
KEYLESS = "replication.no_replica_identity"
# https://learn.microsoft.com/en-us/sql/t-sql/statements/alter-login-transact-sql
NEW = "ALTER LOGIN {user} WITH PASSWORD = '<new password>' UNLOCK;"
DISABLED, FIREWALL = "(18470,", "(40615,"
REMEDIES: dict[str, dict[str, Any]] = {
    "auth.wrong_password": {"statements": [
        "SELECT name, is_disabled, LOGINPROPERTY(name, 'IsLocked') AS locked FROM sys.sql_logins WHERE name = {text};",
        "ALTER LOGIN {user} WITH PASSWORD = '<new password>';"]},
    "auth.unknown_user": {"statements": ["CREATE LOGIN {user} WITH PASSWORD = '<new password>';",
                                         "USE {database};", "CREATE USER {user} FOR LOGIN {user};"]},
    "auth.password_expired": {"statements": [NEW, "ALTER LOGIN {user} WITH CHECK_EXPIRATION = OFF;"]},
    "auth.account_locked": {"statements": ["-- the password may be the one that it has:", NEW]},
    "auth.account_locked" + DISABLED: {"statements": ["ALTER LOGIN {user} ENABLE;"]},
    "auth.method_not_allowed": {"statements": [
        "SELECT SERVERPROPERTY('IsIntegratedSecurityOnly');",
        "-- when that is 1: SSMS > the server > Properties > Security > SQL Server and Windows Authentication mode, "
        "then restart the server"]},
    # https://learn.microsoft.com/en-us/azure/azure-sql/database/firewall-configure
    "access.ip_not_allowed" + FIREWALL: {"statements": [
        "-- connected to database master:",
        "EXECUTE sp_set_firewall_rule N'pipeline', '{address}', '{address}';"]},
    "config.unknown_database": {"statements": ["SELECT name, state_desc FROM sys.databases;"]},
    "config.database_closed": {"statements": [
        "SELECT name, state_desc, user_access_desc FROM sys.databases WHERE name = {base};"]},
    "privilege.connect_missing": {"statements": ["USE {database};", "CREATE USER {user} FOR LOGIN {user};",
                                                 "GRANT CONNECT TO {user};"]},
    # https://learn.microsoft.com/en-us/sql/relational-databases/system-dynamic-management-views/sys-dm-exec-sessions-transact-sql
    "capacity.too_many_connections": {"statements": [
        "SELECT session_id, login_name, program_name, last_request_end_time FROM sys.dm_exec_sessions "
        "WHERE is_user_process = 1 AND status = 'sleeping' ORDER BY last_request_end_time;",
        "KILL <session_id>;"]},
    "tls.server_requires_tls": {"settings": ["sslmode: require"]},
    "tls.unknown_ca": {"settings": ["ssl_root_cert: <certificate of the authority>"]},
    "tls.self_signed": {"settings": ["ssl_root_cert: <certificate of the server>"]},
}  # fmt: skip
# Azure SQL Database knows neither USE nor UNLOCK nor CHECK_EXPIRATION; logins are made in master, users in their own.
# https://learn.microsoft.com/en-us/azure/azure-sql/database/transact-sql-tsql-differences-sql-server
# https://learn.microsoft.com/en-us/sql/t-sql/statements/alter-login-transact-sql?view=azuresqldb-current
MASTER, HOME = "-- connected to database master:", "-- connected to database {plain}:"
RENEW = "ALTER LOGIN {user} WITH PASSWORD = '<new password>';"
USER = "CREATE USER {user} FOR LOGIN {user};"
THERE: dict[str, dict[str, list[str]]] = {
    "azure_mssql": {
        "auth.wrong_password": [MASTER, "SELECT name, is_disabled FROM sys.sql_logins WHERE name = {text};", RENEW],
        "auth.unknown_user": [MASTER, "CREATE LOGIN {user} WITH PASSWORD = '<new password>';", HOME, USER],
        "auth.password_expired": [MASTER, RENEW],
        "auth.account_locked": [MASTER, "-- the password may be the one that it has:", RENEW],
        "auth.account_locked" + DISABLED: [MASTER, "ALTER LOGIN {user} ENABLE;"],
        "auth.method_not_allowed": [],
        "privilege.connect_missing": [HOME, USER, "GRANT CONNECT TO {user};"],
    },
    # Nobody there restarts the server, or sets its properties, by its own tools.
    "rds_mssql": {"auth.method_not_allowed": ["SELECT SERVERPROPERTY('IsIntegratedSecurityOnly');"]},
}


def _reading(target: Target) -> Reading | Trouble:
    password, log = target.sheet.secret(target.secrets, "password"), target.replication == "log"
    tables = [*map(_name, target.tables)]
    return once(target, "mssql", lambda: examine(target.settings, password, tables, log, target.timeout))


def _name(table: str) -> str:
    """`dbo.orders` in the brackets of T-SQL; without a schema it is dbo's."""
    *schema, name = parts(table, "[]")
    return f"{quoted('.'.join(schema) or 'dbo')}.{quoted(name)}"


def _facts(target: Target) -> dict[str, Any]:
    return {name: str(target.settings.get(name, "")) for name in ("user", "host", "port", "database")}


def _told(name: str, trouble: Trouble, target: Target, **more: Any) -> Finding:
    return told(name, trouble, target, {**_facts(target), **more})


def _remedy(target: Target, trouble: Trouble) -> dict[str, Any]:
    # A user of Azure may be written with the server behind it, which is no part of the login's name.
    user = str(target.settings.get("user") or "").partition("@")[0]
    database = str(target.settings.get("database") or "")
    fields = {"user": quoted(user), "text": _text(user), "database": quoted(database), "base": _text(database),
              "plain": database or "<database>"}  # fmt: skip
    found = re.search(r"\d{1,3}(?:\.\d{1,3}){3}", trouble.evidence)
    fields["address"] = found[0] if found else "<address>"
    number = next((one for one in (DISABLED, FIREWALL) if one in trouble.evidence), "")
    made = {**REMEDIES.get(trouble.code + number, REMEDIES.get(trouble.code, {}))}
    own = THERE.get(managed(target), {})
    lines = own.get(trouble.code + number, own.get(trouble.code))
    made |= {"statements": lines} if lines is not None else {}
    return {"statements": [], **{part: [line.format(**fields) for line in lines] for part, lines in made.items()}}


def _text(name: str) -> str:
    return "N'" + name.replace("'", "''") + "'"


def verify_credentials(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Reading):
        ending = password_ends(target, read.password_until)
        words = f"logged in as {target.settings.get('user', '')}{until(ending)}"
        return finding(LOGIN, "good", evidence=words, **_facts(target), **ending)
    return _told(LOGIN, read, target, **_remedy(target, read))


def verify_permissions(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Trouble):
        return finding(RIGHTS, "unclear", read.code, read.cause, evidence=evidence(target, read.evidence))
    if read.refused:
        return _bad(target, read)
    if read.trouble:
        return interrupted(RIGHTS, read.trouble, target, _facts(target))
    if not target.tables and not read.readable:
        trouble = Trouble("missing_privilege", "privilege.table_select_missing", "0 tables are readable")
        grant = f"GRANT SELECT ON DATABASE::{quoted(str(target.settings.get('database') or ''))} TO {_user(target)};"
        return _told(RIGHTS, trouble, target, missing=["any table"], statements=[grant])
    said = readable(len(target.tables) or read.readable, selected=bool(target.tables))
    return finding(RIGHTS, "good", evidence=said, **_facts(target))


def _user(target: Target) -> str:
    return quoted(str(target.settings.get("user") or "").partition("@")[0])


def _bad(target: Target, read: Reading) -> Finding:
    """A table that is not there comes first; every problem is in the facts, so that one round mends all."""
    top = min((why for _, why in read.refused), key=lambda why: why.code != "config.table_missing")
    # Only a table with a primary key takes the statements after that.
    order = sorted(read.refused, key=lambda one: one[1].code != KEYLESS)
    statements = [line for name, why in order for line in _mends(target, name, why)]
    words = "; ".join(why.evidence for _, why in read.refused)
    missing = list(dict.fromkeys(name for name, _ in read.refused))
    facts = {"missing": missing, "statements": list(dict.fromkeys(statements))}
    return _told(RIGHTS, Trouble(top.cause, top.code, words, top.alternatives), target, **facts)


def _mends(target: Target, name: str, why: Trouble) -> list[str]:
    # https://learn.microsoft.com/en-us/sql/relational-databases/track-changes/enable-and-disable-change-tracking-sql-server
    database = quoted(str(target.settings.get("database") or ""))
    if why.code == KEYLESS:
        return [f"ALTER TABLE {name} ADD PRIMARY KEY (<column that identifies a row>);"]
    if why.code == "replication.tracking_retention":
        return [f"ALTER DATABASE {database} SET CHANGE_TRACKING (CHANGE_RETENTION = 7 DAYS);"]
    if why.code == "replication.change_tracking_off":
        on = f"ALTER TABLE {name} ENABLE CHANGE_TRACKING;"
        whole = f"ALTER DATABASE {database} SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS, AUTO_CLEANUP = ON);"
        return [whole, on] if why.evidence.endswith("database") else [on]
    if why.code == "privilege.replication_missing":
        return [f"GRANT VIEW CHANGE TRACKING ON {name} TO {_user(target)};"]
    if why.cause == "missing_privilege":
        return [f"GRANT SELECT ON {name} TO {_user(target)};"]
    return []
