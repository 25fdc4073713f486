"""Oracle: the login, and the right to read exactly the selected tables."""

from __future__ import annotations

import re
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.reading import interrupted, once, password_ends, told
from bot.checks.remedies import managed
from bot.checks.text import evidence, readable
from bot.drivers.network import Trouble
from bot.drivers.oracle import Reading, examine
from flows.core.expiry import until
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"
# https://docs.oracle.com/en/database/oracle/oracle-database/19/sqlrf/ALTER-USER.html
NEW = 'ALTER USER {user} IDENTIFIED BY "<new password>" ACCOUNT UNLOCK;'
LOOK = "SELECT username, account_status, expiry_date, profile FROM dba_users WHERE username = {text};"
REMEDIES = {
    "auth.wrong_password": [LOOK, NEW],
    "auth.account_locked": [LOOK, "ALTER USER {user} ACCOUNT UNLOCK;"],
    "auth.password_expired": [LOOK, NEW],
    "auth.password_hash_method_mismatch": [
        "SELECT username, password_versions FROM dba_users WHERE username = {text};", NEW],
    "privilege.connect_missing": ["GRANT CREATE SESSION TO {user};"],
    "config.unknown_database": [
        "SELECT name, network_name FROM v$active_services;",
        "-- when it stands there, but its listener does not know it yet:", "ALTER SYSTEM REGISTER;"],
    "availability.shutting_down": ["SELECT instance_name, status, logins FROM v$instance;"],
    # https://docs.oracle.com/en/database/oracle/oracle-database/19/sqlrf/ALTER-SYSTEM.html
    "capacity.too_many_connections": [
        "SELECT resource_name, current_utilization, limit_value FROM v$resource_limit "
        "WHERE resource_name IN ('processes', 'sessions');",
        "SELECT sid, serial#, username, program, last_call_et FROM v$session "
        "WHERE status = 'INACTIVE' AND type = 'USER' ORDER BY last_call_et DESC;",
        "ALTER SYSTEM KILL SESSION '<sid>,<serial#>';"],
    # https://docs.oracle.com/en/database/oracle/oracle-database/19/sqlrf/ALTER-PROFILE.html
    "capacity.role_connection_limit": [
        "SELECT username, program, COUNT(*) FROM v$session GROUP BY username, program;",
        "SELECT profile FROM dba_users WHERE username = {text};",
        "-- for every user of that profile:", "ALTER PROFILE <profile> LIMIT SESSIONS_PER_USER <number>;"],
}  # fmt: skip
# The service's own procedures: nobody there may ALTER SYSTEM, ALTER DATABASE or GRANT ANY PRIVILEGE.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Oracle.Concepts.Privileges.html
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.Oracle.CommonDBATasks.KillingSession.html
ON_RDS = {
    "ALTER SYSTEM KILL SESSION '<sid>,<serial#>';":
        "EXEC rdsadmin.rdsadmin_util.kill(sid => <sid>, serial => <serial#>, method => 'IMMEDIATE');",
    # RDS keeps its own listener.
    "-- when it stands there, but its listener does not know it yet:": "",
    "ALTER SYSTEM REGISTER;": "",
}  # fmt: skip


def on_rds(target: Target) -> bool:
    return managed(target) == "rds_oracle"


def reading(target: Target) -> Reading | Trouble:
    password = target.sheet.secret(target.secrets, "password")
    tables, follow = [name_of(target, one) for one in target.tables], target.replication == "log"
    return once(target, "oracle", lambda: examine(target.settings, password, tables, target.timeout, follow))


def _quoted(name: str) -> str:
    """As Oracle keeps it: in capitals, unless it was made in quotes."""
    plain = name.strip('"')
    return f'"{plain.upper() if re.fullmatch(r"[A-Za-z][A-Za-z0-9_$#]*", name) else plain}"'


def name_of(target: Target, table: str) -> str:
    schema, _, name = table.rpartition(".")
    return f"{_quoted(schema) if schema else quoted_user(target)}.{_quoted(name)}"


def _told(name: str, trouble: Trouble, target: Target, **more: Any) -> Finding:
    return told(name, trouble, target, {**facts_of(target), **more})


def quoted_user(target: Target) -> str:
    """Whose session it is: the driver takes proxy[user], and then it is that of the user in brackets.

    https://github.com/oracle/python-oracledb/blob/main/doc/src/user_guide/authentication_methods.rst
    """
    user = str(target.settings.get("user") or "")
    found = re.fullmatch(r"[^\[\]]*\[([^\[\]]+)\]", user)
    return _quoted(found[1] if found else user)


def facts_of(target: Target) -> dict[str, Any]:
    facts = {name: str(target.settings.get(name, "")) for name in ("user", "host", "port", "database")}
    return {**facts, "database": str(target.settings.get("sid") or facts["database"])}


def verify_credentials(target: Target) -> Finding:
    found = reading(target)
    if not isinstance(found, Trouble):
        ending = password_ends(target, found.password_until)
        words = f"logged in as {target.settings.get('user', '')}{until(ending)}"
        return finding(LOGIN, "good", evidence=words, **facts_of(target), **ending)
    # The password is that of who stands before the brackets.
    user = _quoted(str(target.settings.get("user") or "").partition("[")[0])
    text = "'" + user.strip('"').replace("'", "''") + "'"
    known = REMEDIES.get(found.code, [])
    if on_rds(target):
        known = [line for line in (ON_RDS.get(one, one) for one in known) if line]
    lines = [line.replace("{user}", user).replace("{text}", text) for line in known]
    own = {"settings": ["sslmode: require"]} if found.code == "tls.server_requires_tls" else {}
    return _told(LOGIN, found, target, statements=lines, **own)


def verify_permissions(target: Target) -> Finding:
    found = reading(target)
    if isinstance(found, Trouble):
        return finding(RIGHTS, "unclear", found.code, found.cause, evidence=evidence(target, found.evidence))
    if found.refused:
        user, top = quoted_user(target), found.refused[0][1]
        words = "; ".join(why.evidence for _, why in found.refused)
        statements = [f"GRANT SELECT ON {name} TO {user};" for name, _ in found.refused]
        trouble = Trouble(top.cause, top.code, words, top.alternatives)
        return _told(RIGHTS, trouble, target, missing=[name for name, _ in found.refused], statements=statements)
    if found.trouble:
        return interrupted(RIGHTS, found.trouble, target, facts_of(target))
    if target.tables:
        words = readable(len(target.tables), selected=True)
        return finding(RIGHTS, "good", evidence=words, **facts_of(target))
    return _unselected(target, found)


def _unselected(target: Target, found: Reading) -> Finding:
    """Nothing is selected: whether there is anything to select."""
    if found.readable == 0:
        words = "0 tables are readable"
        trouble = Trouble("missing_privilege", "privilege.table_select_missing", words)
        grant = f"GRANT SELECT ON <owner>.<table> TO {quoted_user(target)};"
        return _told(RIGHTS, trouble, target, missing=["any table"], statements=[grant])
    words = "no tables are selected" + (f"; {found.readable} are readable" if found.readable else "")
    return finding(RIGHTS, "good", evidence=words, **facts_of(target))
