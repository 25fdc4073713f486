"""What an administrator of Snowflake runs, ready to be copied: for exactly this user, role and table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.drivers.network import Trouble
from bot.drivers.snowflake_key import public_half
from bot.drivers.snowflake_look import Reading

# https://docs.snowflake.com/en/sql-reference/sql/alter-user and, for addresses,
# https://docs.snowflake.com/en/user-guide/network-policies
LOOK, NEW = "DESCRIBE USER {user};", "ALTER USER {user} SET PASSWORD = '<new password>' MUST_CHANGE_PASSWORD = FALSE;"
KEY = "ALTER USER {user} SET RSA_PUBLIC_KEY = '{public}';"
LINES: dict[str, list[str]] = {
    "auth.wrong_password": [LOOK, NEW],
    "auth.password_expired": [NEW],
    "auth.key_mismatch": [LOOK, KEY],
    "auth.mfa_required": [KEY],
    "auth.method_not_allowed": [KEY],
    "auth.account_locked": [
        LOOK, "ALTER USER {user} SET MINS_TO_UNLOCK = 0;", "ALTER USER {user} SET DISABLED = FALSE;"],
    "auth.account_locked@390101": [LOOK, "ALTER USER {user} SET DISABLED = FALSE;"],
    "auth.account_locked@390102": [LOOK, "ALTER USER {user} SET MINS_TO_UNLOCK = 0;"],
    "auth.invalid_token": [
        "SHOW USER PROGRAMMATIC ACCESS TOKENS FOR USER {user};",
        "ALTER USER {user} ROTATE PROGRAMMATIC ACCESS TOKEN <name of the token>;"],
    "auth.invalid_token@390303": [],
    "access.ip_not_allowed": [
        "SHOW PARAMETERS LIKE 'network_policy' IN USER {user};", "SHOW PARAMETERS LIKE 'network_policy' IN ACCOUNT;",
        "CREATE NETWORK RULE <database>.<schema>.pipeline MODE = INGRESS TYPE = IPV4 VALUE_LIST = ('{address}');",
        "ALTER NETWORK POLICY <policy> ADD ALLOWED_NETWORK_RULE_LIST = ('<database>.<schema>.pipeline');"],
    "privilege.role_missing": ["GRANT ROLE {role} TO USER {user};"],
    "privilege.warehouse_missing": ["GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role};"],
    "privilege.database_missing": ["GRANT USAGE ON DATABASE {database} TO ROLE {role};"],
    "availability.warehouse_suspended": ["ALTER WAREHOUSE {warehouse} SET AUTO_RESUME = TRUE;"],
    "limit.credit_quota": [
        "SHOW RESOURCE MONITORS;", "ALTER RESOURCE MONITOR {monitor} SET CREDIT_QUOTA = <number of credits>;"],
}  # fmt: skip
POLICY = ["ALTER USER {user} SET NETWORK_POLICY = <policy>;"]
FAILURE = "SELECT SYSTEM$GET_LOGIN_FAILURE_DETAILS('{id}');"


def quoted(name: str) -> str:
    """As Snowflake keeps it: in capitals, unless it was made in quotes."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", name):
        return f'"{name.upper()}"'
    inner = name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name
    return '"' + inner.replace('"', '""') + '"'


def login_lines(trouble: Trouble, facts: Mapping[str, Any], key: Sequence[str]) -> list[str]:
    """The statements for a refused login; `key` is our private key and its passphrase, or two empty strings."""
    lines = LINES.get(f"{trouble.code}@{trouble.shown}", LINES.get(trouble.code, []))
    if "policy is required" in trouble.evidence:
        lines = POLICY
    role = re.search(r"[Rr]ole '([^']+)'", trouble.evidence)
    address = re.search(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", trouble.evidence)
    failure = re.search(r"\[([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\]", trouble.evidence)
    fields = {
        "user": quoted(str(facts["user"])), "role": _or(role[1] if role else str(facts["role"]), "<role>"),
        "address": address[0] if address else "<address>", "public": _public(key),
        "warehouse": _or(str(facts["warehouse"]), "<warehouse>"), "database": _or(str(facts["database"]), "<database>"),
        "id": failure[1] if failure else "",
    }  # fmt: skip
    return [line.format(**fields) for line in [*([FAILURE] if failure else []), *lines]]


def _or(name: str, blank: str) -> str:
    return quoted(name) if name else blank


def _public(key: Sequence[str]) -> str:
    try:
        return public_half(key[0], key[1]) if key[0] else "<public key, without its first and last line>"
    except Trouble:
        return "<public key, without its first and last line>"


def grants(reading: Reading, facts: Mapping[str, Any]) -> list[str]:
    """What the role lacks, without what it has already. Entering comes before reading."""
    role = _or(reading.role, "<role>")
    lines: list[str] = []
    for name, why in reading.refused:
        if why.code in LINES:
            lines += _other(why, name, facts, reading)
            continue
        parts = name.split('"."')
        place = [part.strip('"').replace('""', '"') for part in parts]
        for kind, depth in (("DATABASE", 1), ("SCHEMA", 2)):
            if len(place) >= depth and not _held(reading, kind, place[:depth]):
                inside = ".".join(quoted(f'"{one}"') for one in place[:depth])
                lines.append(f"GRANT USAGE ON {kind} {inside} TO ROLE {role};")
        if len(place) > 2:
            lines.append(f"GRANT SELECT ON TABLE {name} TO ROLE {role};")
    return list(dict.fromkeys(lines))


def _other(why: Trouble, name: str, facts: Mapping[str, Any], reading: Reading) -> list[str]:
    database = quoted(name) if "." not in name else name.partition(".")[0]
    fields = {
        "role": _or(reading.role, "<role>"), "user": quoted(str(facts["user"])), "database": database,
        "warehouse": _or(str(facts["warehouse"]), "<warehouse>"), "monitor": _or(reading.monitor, "<monitor>"),
    }  # fmt: skip
    lines = [line.format(**fields) for line in LINES[why.code]]
    if why.code == "privilege.warehouse_missing" and not facts["warehouse"]:
        lines.append(f"ALTER USER {fields['user']} SET DEFAULT_WAREHOUSE = '<warehouse>';")
    return lines


def _held(reading: Reading, kind: str, place: Sequence[str]) -> bool:
    return any((right, kind, ".".join(place)) in reading.grants for right in ("USAGE", "OWNERSHIP"))
