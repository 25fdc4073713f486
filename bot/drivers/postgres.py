"""PostgreSQL by psycopg: one login, read-only, within a hard limit."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.drivers.network import Trouble

# Class and code of errors: https://www.postgresql.org/docs/current/errcodes-appendix.html
CODES: dict[str, tuple[str, str]] = {
    "28P01": ("invalid_credentials", "auth.wrong_password"),
    "28000": ("ip_not_allowlisted", "access.pg_hba_no_entry"),
    "3D000": ("config_error", "config.unknown_database"),
    "42501": ("missing_privilege", "privilege.connect_missing"),
    "53300": ("connection_dropped", "capacity.too_many_connections"),
    "53200": ("connection_dropped", "capacity.out_of_memory"),
    "57P01": ("connection_dropped", "availability.terminated_by_administrator"),
    "57P03": ("third_party_down", "availability.shutting_down"),
    "57014": ("connection_dropped", "capacity.statement_timeout"),
    "55000": ("config_error", "config.database_closed"),
}
# The message tells apart what shares a code; used only where the code is not enough, and only in English.
TOLD_APART = (
    ("28000", r"role .* is not permitted to log in", "account_locked", "auth.account_locked"),
    ("28000", r"role .* does not exist", "invalid_credentials", "auth.unknown_user"),
    ("28000", r"pg_hba.conf rejects", "ip_not_allowlisted", "access.pg_hba_reject"),
    ("28000", r"no pg_hba.conf entry.*(no encryption|SSL off)", "tls_mismatch", "tls.server_requires_tls"),
    ("53300", r"for role", "connection_dropped", "capacity.role_connection_limit"),
    ("53300", r"for database", "connection_dropped", "capacity.database_connection_limit"),
)
# libpq's own errors carry no code.
WITHOUT_CODE = (
    (r"no password supplied", "invalid_credentials", "config.password_empty"),
    (r"password authentication failed|SASL authentication failed", "invalid_credentials", "auth.wrong_password"),
    (r"does not support SSL", "tls_mismatch", "tls.server_without_tls"),
    (r"certificate verify failed", "tls_mismatch", "tls.unknown_ca"),
    (r"server certificate for .* does not match", "tls_mismatch", "tls.hostname_mismatch"),
    (r"timeout expired|timed out|expired", "host_unreachable", "network.accepts_but_silent"),
    (r"refused", "host_unreachable", "network.refused"),
    (r"closed the connection unexpectedly|reset by peer", "host_unreachable", "network.reset"),
)
TABLES = """
SELECT want.name, to_regclass(want.name) IS NOT NULL AS there, c.oid IS NOT NULL AS visible,
       n.oid IS NOT NULL AS schema_there, COALESCE(has_schema_privilege(n.oid, 'USAGE'), false) AS usage,
       COALESCE(has_table_privilege(c.oid, 'SELECT'), false) AS readable,
       COALESCE(c.relrowsecurity AND NOT row_security_active(c.oid) IS FALSE, false) AS row_security
FROM unnest(%s::text[], %s::text[], %s::text[]) AS want(name, schema, relation)
LEFT JOIN pg_namespace n ON n.nspname = want.schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = want.relation
"""


@dataclass(frozen=True)
class TableRights:
    """One wanted table as the server's catalogue sees it."""

    name: str
    there: bool
    usage: bool
    readable: bool
    row_security: bool


class Session:
    """One login. `close` it; a watchdog ends it when the server goes silent."""

    def __init__(self, settings: Mapping[str, Any], password: str, timeout: float) -> None:
        import psycopg

        self._limit = timeout
        try:
            self.connection = self._connect(psycopg, settings, password, timeout)
        except psycopg.Error as error:
            raise trouble(error) from None

    def _connect(self, psycopg: Any, settings: Mapping[str, Any], password: str, timeout: float) -> Any:
        wanted = {
            "host": settings.get("host") or "localhost", "port": settings.get("port") or 5432,
            "dbname": settings.get("database"), "user": settings.get("user"), "password": password or None,
            "sslmode": settings.get("sslmode") or "prefer", "sslrootcert": settings.get("ssl_root_cert"),
            "sslcert": settings.get("ssl_cert"), "sslkey": settings.get("ssl_key"),
            "connect_timeout": max(2, int(timeout)), "application_name": "mend",
            "options": f"-c default_transaction_read_only=on -c statement_timeout={int(timeout * 1000)}",
        }  # fmt: skip
        # libpq asks again without TLS when TLS fails under "prefer"; a rejected password is not sent twice.
        return psycopg.connect(**{k: v for k, v in wanted.items() if v is not None}, autocommit=True)

    def tables(self, names: list[tuple[str, str]]) -> list[TableRights]:
        rows = self._ask(TABLES, [[f'"{s}"."{t}"' for s, t in names], [s for s, _ in names], [t for _, t in names]])
        return [
            TableRights(f"{s}.{t}", row[2], row[4], row[5], row[6]) for (s, t), row in zip(names, rows, strict=True)
        ]

    def readable_count(self) -> int:
        sql = ("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m') "
               "AND n.nspname NOT IN ('pg_catalog','information_schema') AND has_schema_privilege(n.oid,'USAGE') "
               "AND has_table_privilege(c.oid,'SELECT')")  # fmt: skip
        return int(self._ask(sql, [])[0][0])

    def _ask(self, sql: str, args: list[Any]) -> list[Any]:
        import psycopg

        watchdog = threading.Timer(self._limit, self.connection.close)
        watchdog.start()
        try:
            return list(self.connection.execute(sql, args or None).fetchall())
        except psycopg.Error as error:
            raise trouble(error) from None
        finally:
            watchdog.cancel()

    def close(self) -> None:
        self.connection.close()


def trouble(error: Any) -> Trouble:
    """Cause and code of a psycopg error; the evidence keeps the server's first line."""
    text = str(error).strip()
    line = next(
        (part for part in text.splitlines() if "FATAL" in part or "ERROR" in part), text.splitlines()[0] if text else ""
    )
    line = line[line.index("FATAL") :] if "FATAL" in line else line
    state = error.sqlstate or _state_in(text)
    evidence = f"{line[:450]} ({state})" if state else line[:480]
    for code, pattern, cause, what in TOLD_APART:
        if code == state and re.search(pattern, text):
            return Trouble(cause, what, evidence)
    if state in CODES:
        return Trouble(*CODES[state], evidence)
    for pattern, cause, what in WITHOUT_CODE:
        if re.search(pattern, text):
            return Trouble(cause, what, evidence)
    return Trouble("unclassified", "availability.provider_error", evidence)


def _state_in(text: str) -> str | None:
    """psycopg drops the SQLSTATE of a failed connect; these are the server's English texts."""
    known = (("password authentication failed", "28P01"), ("no pg_hba.conf entry", "28000"), ("pg_hba.conf rejects", "28000"),
             ("is not permitted to log in", "28000"), ("too many connections", "53300"), ("too many clients", "53300"),
             ("remaining connection slots", "53300"), ("starting up", "57P03"), ("shutting down", "57P03"),
             ("permission denied for database", "42501"))  # fmt: skip
    found = next((state for words, state in known if words in text), None)
    if found is None and re.search(r'database ".*" does not exist', text):
        return "3D000"
    if found is None and re.search(r'role ".*" does not exist', text):
        return "28000"
    return found
