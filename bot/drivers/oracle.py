"""Oracle by oracledb, without Oracle's client: one login, one read-only look at each table, within one hard limit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.drivers.network import Deadline, Trouble
from bot.drivers.oracle_log import Log, look
from bot.drivers.tls import Trust, shown

WRONG, LOCKED, CONFIG, DENIED = "invalid_credentials", "account_locked", "config_error", "missing_privilege"
DROPPED, FAR = "connection_dropped", "host_unreachable"
FULL, STOPPING = (DROPPED, "capacity.too_many_connections", ()), (DROPPED, "availability.shutting_down", ())
# https://docs.oracle.com/en/error-help/db/
CODES: dict[int, tuple[str, str, tuple[str, ...]]] = {
    18: FULL,
    20: FULL,
    942: (DENIED, "privilege.table_select_missing", ("config.table_missing",)),
    1005: (WRONG, "config.password_empty", ()),
    1017: (WRONG, "auth.wrong_password", ("auth.unknown_user",)),
    1031: (DENIED, "privilege.table_select_missing", ()),
    1033: STOPPING,
    1034: STOPPING,
    1035: STOPPING,
    1045: (DENIED, "privilege.connect_missing", ()),
    1089: STOPPING,
    1090: STOPPING,
    1109: STOPPING,
    2391: (DROPPED, "capacity.role_connection_limit", ()),
    12154: (CONFIG, "config.wrong_format", ()),
    12170: (FAR, "network.timeout_filtered", ()),
    12504: (CONFIG, "config.unknown_database", ()),
    12505: (CONFIG, "config.unknown_database", ()),
    12514: (CONFIG, "config.unknown_database", ("availability.shutting_down",)),
    12516: FULL,
    12518: FULL,
    12519: FULL,
    12520: FULL,
    # https://docs.oracle.com/en/database/oracle/oracle-database/23/netag/blocked-connection-requests.html
    12526: STOPPING,
    12527: STOPPING,
    12528: STOPPING,
    12535: (FAR, "network.timeout_filtered", ()),
    12541: (FAR, "network.refused", ()),
    28000: (LOCKED, "auth.account_locked", ()),
    28001: (WRONG, "auth.password_expired", ()),
    28040: (WRONG, "auth.password_hash_method_mismatch", ()),
    41900: (DENIED, "privilege.table_select_missing", ()),
}
# A listener that keeps an address out, one with TLS only, and another program hang up alike.
HUNG_UP = (
    FAR, "network.reset", ("access.ip_not_allowed", "tls.server_requires_tls", "config.wrong_port_other_service")
)  # fmt: skip
# What the driver says itself: https://python-oracledb.readthedocs.io/en/latest/user_guide/troubleshooting.html
OWN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "DPY-3010": ("server_misconfigured", "auth.plugin_unsupported_by_client", ()),
    "DPY-3015": (WRONG, "auth.password_hash_method_mismatch", ()),
    "DPY-4001": (WRONG, "config.password_empty", ()),
    "DPY-4011": HUNG_UP,
    "DPY-6001": CODES[12514],
    "DPY-6003": CODES[12505],
    "DPY-6005": HUNG_UP,
}


# Those that are not Oracle's own; the column is there since version 12.
READABLE = (
    "SELECT COUNT(*) FROM all_tables WHERE owner IN (SELECT username FROM all_users WHERE oracle_maintained = 'N')"
)


# Everybody sees the own row; the date is of the server's own zone, which SYSTIMESTAMP names:
# https://docs.oracle.com/en/database/oracle/oracle-database/19/refrn/USER_USERS.html
UNTIL = """SELECT (CAST(SYS_EXTRACT_UTC(FROM_TZ(CAST(expiry_date AS TIMESTAMP), TO_CHAR(SYSTIMESTAMP, 'TZR'))) AS DATE)
 - DATE '1970-01-01') * 86400 FROM user_users"""


@dataclass
class Reading:
    """What one login saw: tables that cannot be read, with none selected how many can, and the log where asked for.

    `password_until` is 0 for never or not known, `trouble` what cut short the look.
    """

    refused: list[tuple[str, Trouble]] = field(default_factory=list)
    readable: int | None = None
    log: Log | None = None
    password_until: float = 0.0
    trouble: Trouble | None = None


def examine(
    settings: Mapping[str, Any], password: str, tables: Sequence[str], timeout: float, follow: bool = False
) -> Reading:
    """Log in once and look, with `follow` also at the log; `tables` are quoted names. Raises Trouble."""
    deadline = Deadline(timeout)
    place = f"{settings.get('host') or 'localhost'}:{settings.get('port') or 1521}"
    seen: list[Reading] = []
    try:
        # The driver limits no login; its tasks can be ended, where a thread would wait as long as the server does.
        work = _examined(settings, password, tables, place, follow, seen)
        asyncio.run(asyncio.wait_for(work, deadline.left()))
        return seen[0]
    except Trouble as trouble:
        if seen:
            seen[0].trouble = trouble
            return seen[0]
        raise (_tls_only(place, settings, deadline) if trouble.code == "network.reset" else None) or trouble from None
    except TimeoutError:
        words = f"{place}: no complete answer within {timeout:g} s"
        if seen:
            seen[0].trouble = Trouble(DROPPED, "availability.too_slow", words)
            return seen[0]
        raise Trouble(FAR, "network.accepts_but_silent", words) from None


def _tls_only(place: str, settings: Mapping[str, Any], deadline: Deadline) -> Trouble | None:
    """A listener for TCPS hangs up on who begins without TLS."""
    host, _, port = place.rpartition(":")
    if _tls(settings) or not shown(host.strip("[]"), int(port), min(deadline.left(), 2.0)).not_after:
        return None
    words = f"{place} hung up, and shows a certificate: it speaks only TCPS"
    return Trouble("tls_mismatch", "tls.server_requires_tls", words)


async def _examined(
    settings: Mapping[str, Any], password: str, tables: Sequence[str], place: str, follow: bool, seen: list[Reading]
) -> None:
    """`seen` gets what is seen as soon as the login is through."""
    import oracledb

    named = {"sid": str(settings["sid"])} if settings.get("sid") else {"service_name": str(settings.get("database"))}
    host, _, port = place.rpartition(":")
    # What a peer sends after the end, the driver trips over; the end itself is told already.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    try:
        connection = await oracledb.connect_async(
            user=str(settings.get("user") or ""), password=password, host=host.strip("[]"), port=int(port),
            program="mend", retry_count=0, **named, **_tls(settings),
        )  # fmt: skip
        async with connection:
            reading = Reading()
            seen.append(reading)
            reading.password_until = await _until(connection)
            for name in tables:
                if trouble := await _try(connection, name, place):
                    reading.refused.append((name, trouble))
            reading.readable = None if tables else await _count(connection)
            reading.log = await look(connection) if follow else None
    except oracledb.Error as error:
        raise trouble_of(error, place) from None


def _tls(settings: Mapping[str, Any]) -> dict[str, Any]:
    """TCPS, which begins with TLS: https://python-oracledb.readthedocs.io/en/latest/user_guide/connection_handling.html"""
    mode = str(settings.get("sslmode") or "disable")
    if mode in ("disable", "allow", "prefer"):
        return {}
    chain = mode.startswith("verify") or bool(settings.get("ssl_root_cert"))
    files = [str(settings[name]) if settings.get(name) else None for name in ("ssl_root_cert", "ssl_cert", "ssl_key")]
    # Through a tunnel the name of the certificate is not the one that is called; `tls_agrees` compares it.
    context = Trust(chain, False, *files).context()
    return {"protocol": "tcps", "ssl_context": context, "ssl_server_dn_match": False}


async def _count(connection: Any) -> int | None:
    import oracledb

    try:
        return int((await connection.fetchall(READABLE))[0][0])
    except (oracledb.DatabaseError, IndexError):
        return None


async def _until(connection: Any) -> float:
    """When the password ends. A server that does not tell it is no trouble."""
    import oracledb

    try:
        rows = await connection.fetchall(UNTIL)
        return float(round(rows[0][0])) if rows and rows[0][0] else 0.0
    except (oracledb.DatabaseError, TypeError, ValueError):
        return 0.0


async def _try(connection: Any, name: str, place: str) -> Trouble | None:
    import oracledb

    try:
        # The server judges the statement before it reads; no row fits.
        await connection.fetchall(f"SELECT * FROM {name} WHERE 1 = 0")  # noqa: S608 - quoted names
    except oracledb.DatabaseError as error:
        found = trouble_of(error, place)
        if found.cause != DENIED:
            raise
        return Trouble(found.cause, found.code, f"{name}: {found.evidence}", found.alternatives)
    return None


def trouble_of(error: Exception, place: str) -> Trouble:
    """Cause and code by Oracle's number, which the driver may have put inside an error of its own."""
    known = error.args[0] if error.args else error
    said = " ".join(str(error).partition("\nHelp:")[0].split())[:300]
    inner = re.search(r"(?:ORA-0*|error code |Similar to ORA-0*)(\d+)", said)
    number = int(getattr(known, "code", 0) or (inner[1] if inner else 0))
    own = OWN.get(str(getattr(known, "full_code", "")), ("unclassified", "availability.provider_error", ()))
    cause, code, alike = CODES.get(number, own)
    return Trouble(cause, code, said if said.startswith("ORA") else f"{place}: {said}", alike, shown=str(number))
