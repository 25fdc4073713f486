"""What PostgreSQL's catalogue says about the right to read a table."""

from __future__ import annotations

from dataclasses import dataclass

# pg_class is readable by everybody, so a table that exists is told apart from one that may not be read.
TABLES = """
SELECT want.schema, want.relation, n.oid IS NOT NULL, c.oid IS NOT NULL,
       COALESCE(has_schema_privilege(n.oid, 'USAGE'), false), COALESCE(has_table_privilege(c.oid, 'SELECT'), false),
       COALESCE(has_any_column_privilege(c.oid, 'SELECT'), false),
       CASE WHEN c.oid IS NULL OR NOT row_security_active(c.oid) THEN 'none'
            WHEN NOT EXISTS (SELECT FROM pg_policy p WHERE of(p) AND p.polpermissive AND mine(p)) THEN 'all'
            WHEN EXISTS (SELECT FROM pg_policy p WHERE of(p) AND NOT p.polpermissive AND mine(p)) THEN 'some'
            WHEN EXISTS (SELECT FROM pg_policy p WHERE of(p) AND p.polpermissive AND mine(p)
                         AND pg_get_expr(p.polqual, p.polrelid) = 'true') THEN 'none'
            ELSE 'some' END,
       ARRAY(SELECT sn.nspname || '.' || s.relname FROM pg_class s JOIN pg_namespace sn ON sn.oid = s.relnamespace
             WHERE lower(s.relname) = lower(want.relation) AND s.relkind IN ('r', 'p', 'v', 'm', 'f')
             ORDER BY lower(sn.nspname) <> lower(want.schema), 1 LIMIT 5)
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS want(schema, relation, place)
LEFT JOIN pg_namespace n ON n.nspname = want.schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = want.relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY want.place
""".replace(
    "of(p)", "p.polrelid = c.oid"
).replace(
    "mine(p)",
    "p.polcmd IN ('r', '*') AND EXISTS (SELECT FROM unnest(p.polroles) AS r WHERE r = 0 OR pg_has_role(r, 'USAGE'))",
)
READABLE = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
""".replace("%%", "%")


@dataclass(frozen=True)
class TableRights:
    """One wanted table. `hidden_rows`: none, some or all, as far as row-level security tells."""

    schema: str
    table: str
    schema_there: bool
    there: bool
    usage: bool
    readable: bool
    some_columns: bool
    hidden_rows: str
    similar: list[str]

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"
