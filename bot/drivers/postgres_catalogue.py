"""What PostgreSQL's catalogue says about the server and the right to read a table."""

from __future__ import annotations

from dataclasses import dataclass

# One round trip opens the look. A role's own search path could put other functions before the catalogue's. A managed
# service is known by the role that it gives its customers; reading all settings for it took four fifths of the time.
OPENING = """
BEGIN READ ONLY; SET LOCAL search_path = pg_catalog;
SELECT current_user::text, current_setting('server_version_num')::int, pg_is_in_recovery(), pg_backend_pid(),
       (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::int,
       CASE WHEN to_regrole('rds_superuser') IS NOT NULL
            THEN CASE WHEN EXISTS (SELECT FROM pg_proc WHERE proname = 'aurora_version') THEN 'aurora' ELSE 'rds' END
            WHEN to_regrole('azure_pg_admin') IS NOT NULL THEN 'azure'
            WHEN to_regrole('cloudsqlsuperuser') IS NOT NULL THEN 'cloud_sql' END,
       (SELECT extract(epoch FROM rolvaliduntil)::float8 FROM pg_roles
        WHERE rolname = session_user AND isfinite(rolvaliduntil))
"""
# What is nearly always so is asked first, as half of the time of TABLES goes into what explains a refusal: how many are
# good, and whether one is a view. Who may read one of several tables with the same owner and grants may read all; one
# without grants is asked alone. Without OFFSET 0 the planner guesses that few names fit and looks up each by itself.
GOOD = """
SELECT COALESCE(sum(alike.tables), 0)::int, COALESCE(bool_or(alike.views), false)
FROM (SELECT want.oid AS schema, min(c.oid) AS one, count(*) AS tables, bool_or(c.relkind = 'v') AS views
      FROM (SELECT n.oid, name.relation FROM unnest(%s::text[], %s::text[]) AS name(schema, relation)
            LEFT JOIN pg_namespace n ON n.nspname = name.schema OFFSET 0) AS want
      JOIN pg_class c ON c.relnamespace = want.oid AND c.relname = want.relation
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      WHERE (c.relkind <> 'm' OR c.relispopulated) AND NOT (c.relrowsecurity AND row_security_active(c.oid))
      GROUP BY want.oid, c.relowner, c.relacl, CASE WHEN c.relacl IS NULL THEN c.oid END) AS alike
WHERE has_schema_privilege(alike.schema, 'USAGE') AND has_table_privilege(alike.one, 'SELECT')
"""
# pg_class is readable by everybody, so a table that exists is told apart from one that may not be read.
TABLES = """
SELECT want.schema, want.relation, n.oid IS NOT NULL, c.oid IS NOT NULL,
       COALESCE(has_schema_privilege(n.oid, 'USAGE'), false), COALESCE(has_table_privilege(c.oid, 'SELECT'), false),
       COALESCE(has_any_column_privilege(c.oid, 'SELECT'), false),
       CASE WHEN c.oid IS NULL OR NOT row_security_active(c.oid) THEN 'none'
            WHEN NOT EXISTS (SELECT FROM pg_policy p WHERE of(p) AND p.polpermissive AND mine(p)) THEN 'all'
            WHEN EXISTS (SELECT FROM pg_policy p WHERE of(p) AND NOT p.polpermissive AND mine(p)) THEN 'held'
            WHEN EXISTS (SELECT FROM pg_policy p WHERE of(p) AND p.polpermissive AND mine(p)
                         AND pg_get_expr(p.polqual, p.polrelid) = 'true') THEN 'none'
            ELSE 'some' END,
       CASE WHEN c.oid IS NOT NULL THEN '{}' ELSE ARRAY(
             SELECT sn.nspname || '.' || s.relname FROM pg_class s JOIN pg_namespace sn ON sn.oid = s.relnamespace
             WHERE lower(s.relname) = lower(want.relation) AND s.relkind IN ('r', 'p', 'v', 'm', 'f')
             ORDER BY lower(sn.nspname) <> lower(want.schema), s.relname <> want.relation, 1 LIMIT 5) END,
       CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN '{}' ELSE ARRAY(
             SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
             AND NOT a.attisdropped AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY a.attnum) END,
       COALESCE(pg_get_userbyid(c.relowner)::text, ''),
       CASE WHEN has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') THEN '' ELSE COALESCE(
            (SELECT r.rolname::text FROM pg_roles r WHERE pg_has_role(r.oid, 'MEMBER')
             AND NOT pg_has_role(r.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid, 'SELECT')
             AND has_schema_privilege(r.oid, n.oid, 'USAGE') LIMIT 1), '') END,
       CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN false ELSE
       EXISTS (SELECT FROM pg_class o WHERE o.relnamespace = n.oid AND o.relowner = c.relowner AND o.relkind = c.relkind
               AND o.oid < c.oid AND has_table_privilege(o.oid, 'SELECT'))
       AND NOT EXISTS (SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) AS a
                       WHERE d.defaclrole = c.relowner AND d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, n.oid)
                       AND a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))) END,
       COALESCE(c.relkind = 'm' AND NOT c.relispopulated, false), COALESCE(c.relkind::text, '')
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS want(schema, relation, place)
LEFT JOIN pg_namespace n ON n.nspname = want.schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = want.relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY want.place
""".replace("of(p)", "p.polrelid = c.oid").replace(
    "mine(p)",
    "p.polcmd IN ('r', '*') AND EXISTS (SELECT FROM unnest(p.polroles) AS r WHERE r = 0 OR pg_has_role(r, 'USAGE'))",
)
# A view reads with its owner's rights, one made with security_invoker with the caller's; and so on below it.
# https://www.postgresql.org/docs/current/rules-privileges.html
VIEWS = """
WITH RECURSIVE below(top, relation, reader, part) AS (
  SELECT c.oid, c.oid, (SELECT oid FROM pg_roles WHERE rolname = current_user), 0
  FROM unnest(%s::text[], %s::text[]) AS want(schema, relation)
  JOIN pg_namespace n ON n.nspname = want.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = want.relation AND c.relkind = 'v'
  UNION
  SELECT b.top, d.refobjid,
         CASE WHEN c.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1}' THEN b.reader
              ELSE c.relowner END, d.refobjsubid
  FROM below b JOIN pg_class c ON c.oid = b.relation AND c.relkind = 'v'
  JOIN pg_rewrite w ON w.ev_class = c.oid
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
       AND d.refobjid <> c.oid
)
SELECT * FROM (
  SELECT DISTINCT tn.nspname::text, t.relname::text, n.nspname::text, c.relname::text,
         pg_get_userbyid(b.reader)::text,
         CASE WHEN NOT CASE WHEN b.part > 0 THEN has_column_privilege(b.reader, c.oid, b.part::int2, 'SELECT')
                            ELSE has_any_column_privilege(b.reader, c.oid, 'SELECT') END THEN ''
              WHEN NOT c.relrowsecurity OR o.rolsuper OR o.rolbypassrls
                   OR (NOT c.relforcerowsecurity AND pg_has_role(b.reader, c.relowner, 'USAGE')) THEN 'none'
              WHEN NOT EXISTS (SELECT FROM pg_policy p WHERE of(p) AND p.polpermissive AND mine(p)) THEN 'all'
              WHEN EXISTS (SELECT FROM pg_policy p WHERE of(p) AND NOT p.polpermissive AND mine(p)) THEN 'held'
              WHEN EXISTS (SELECT FROM pg_policy p WHERE of(p) AND p.polpermissive AND mine(p)
                           AND pg_get_expr(p.polqual, p.polrelid) = 'true') THEN 'none'
              ELSE 'some' END AS hidden
  FROM below b JOIN pg_class c ON c.oid = b.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class t ON t.oid = b.top JOIN pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_roles o ON o.oid = b.reader
  WHERE b.relation <> b.top AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) AS found
WHERE hidden <> 'none' ORDER BY 1, 2, 3, 4
""".replace("of(p)", "p.polrelid = c.oid").replace(
    "mine(p)",
    "p.polcmd IN ('r', '*') "
    "AND EXISTS (SELECT FROM unnest(p.polroles) AS r WHERE r = 0 OR pg_has_role(b.reader, r, 'USAGE'))",
)
READABLE = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
""".replace("%%", "%")


@dataclass(frozen=True)
class Server:
    """`timeout` is the role's own statement_timeout in milliseconds; `pooled`: not the server's own session answers.

    `valid_until` is when the role's password ends, in seconds since 1970; 0: never.
    """

    user: str = ""
    version: int = 0
    standby: bool = False
    timeout: int = 0
    service: str = ""
    pooled: bool = False
    valid_until: float = 0.0


@dataclass(frozen=True)
class TableRights:
    """One wanted table. `hidden_rows`: none, some or all, as far as row-level security tells; held: a policy restricts.

    `newer`: others of this owner are readable, but were made before it, and nothing grants new ones by itself.
    """

    schema: str
    table: str
    schema_there: bool
    there: bool
    usage: bool
    selectable: bool
    some_columns: bool
    hidden_rows: str
    similar: list[str]
    denied: list[str]
    owner: str
    inactive_role: str
    newer: bool
    unfilled: bool
    kind: str

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def readable(self) -> bool:
        """The whole table, or each of its columns by name."""
        return self.selectable or (self.some_columns and not self.denied)


@dataclass(frozen=True)
class Below:
    """What a view reads and its `reader` may not; or of what `hidden` rows (some, all, held by a policy)."""

    view_schema: str
    view: str
    schema: str
    table: str
    reader: str
    hidden: str = ""
