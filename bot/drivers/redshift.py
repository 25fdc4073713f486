"""Amazon Redshift speaks PostgreSQL's protocol, with the catalogue of version 8.0: what is not there is not asked.

https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-functions.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.drivers.postgres_catalogue import Server, TableRights

# What it calls itself since 2012, in the first words of the protocol.
VERSION = "8.0."
# The documented form of these functions takes names, and a name in a schema that may not be used is an error: so
# the schema comes first, by CASE.
WHO = "SELECT current_user, version()"
TABLES = """
SELECT n.nspname, c.relname, c.relkind, has_schema_privilege(n.nspname, 'usage'),
       CASE WHEN has_schema_privilege(n.nspname, 'usage')
            THEN has_table_privilege(quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'select') ELSE false END,
       u.usename
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_user u ON u.usesysid = c.relowner
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND lower(c.relname) IN ({names})
"""
SCHEMAS = "SELECT nspname FROM pg_namespace"
READABLE = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema', 'pg_internal')
  AND CASE WHEN has_schema_privilege(n.nspname, 'usage')
           THEN has_table_privilege(quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'select') ELSE false END
"""
# Tables of Spectrum stand in no catalogue of PostgreSQL; who may use their schema may read them.
# https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_EXTERNAL_TABLES.html
EXTERNAL = """
SELECT schemaname, tablename, has_schema_privilege(schemaname, 'usage') FROM svv_external_tables
WHERE tablename IN ({names})
"""
Pairs = Sequence[tuple[str, str]]


def is_one(connection: Any) -> bool:
    return (connection.pgconn.parameter_status(b"server_version") or b"").decode().startswith(VERSION)


def literal(text: str) -> str:
    """As version 8.0 reads it, for which a backslash still begins something."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def server(connection: Any) -> Server:
    user, _ = connection.execute(WHO).fetchone()
    return Server(str(user), 80002, service="redshift")


def readable(connection: Any) -> int:
    return int(connection.execute(READABLE).fetchone()[0])


def rights(connection: Any, wanted: Pairs) -> tuple[TableRights, ...]:
    """One answer for each wanted table, in their order. Nothing is sent as a parameter: arrays are unknown there."""
    names = ", ".join(literal(table.lower()) for _, table in wanted)
    rows = [_text(row) for row in connection.execute(TABLES.format(names=names)).fetchall()]
    schemas = {str(row[0]) for row in connection.execute(SCHEMAS).fetchall()}
    there = {(row[0], row[1]): row for row in rows}
    gone = [pair for pair in wanted if pair not in there]
    outside = _external(connection, gone) if gone else {}
    return tuple(_one(pair, there, rows, schemas, outside) for pair in wanted)


def _text(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(value if isinstance(value, bool) else str(value or "") for value in row)


def _external(connection: Any, wanted: Pairs) -> dict[tuple[str, str], bool]:
    """Asked last: an error ends the transaction, and there are no savepoints."""
    import psycopg

    names = ", ".join(literal(table) for _, table in wanted)
    try:
        rows = connection.execute(EXTERNAL.format(names=names)).fetchall()
    except psycopg.errors.UndefinedTable:
        return {}
    return {(str(schema), str(table)): bool(usage) for schema, table, usage in rows}


def _one(
    pair: tuple[str, str], there: dict[tuple[str, str], Any], rows: list[Any], schemas: set[str],
    outside: dict[tuple[str, str], bool],
) -> TableRights:  # fmt: skip
    schema, table = pair
    if pair in outside:
        usage = outside[pair]
        return _rights(pair, True, True, usage, True)
    if pair in there:
        _, _, kind, usage, selectable, owner = there[pair]
        return _rights(pair, True, True, usage, selectable, owner=owner, kind=kind)
    near = sorted(
        (row for row in rows if row[1].lower() == table.lower()), key=lambda row: row[0].lower() != schema.lower()
    )
    return _rights(pair, schema in schemas, False, False, False, similar=[f"{row[0]}.{row[1]}" for row in near[:5]])


def _rights(
    pair: tuple[str, str], schema_there: bool, there: bool, usage: bool, selectable: bool, *,
    similar: list[str] | None = None, owner: str = "", kind: str = "r",
) -> TableRights:  # fmt: skip
    return TableRights(
        *pair, schema_there, there, usage, selectable, some_columns=selectable, hidden_rows="none",
        similar=similar or [], denied=[], owner=owner, inactive_role="", newer=False, unfilled=False, kind=kind,
    )  # fmt: skip
