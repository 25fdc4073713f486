"""What PostgreSQL's catalogue says about following its log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NUMBERS = ("max_replication_slots", "max_wal_senders")
SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
# As JSON, because each version has more columns than the one before.
SLOTS = "SELECT to_jsonb(s) FROM pg_replication_slots s"
SENDERS = "SELECT count(*) FROM pg_stat_replication"
ROLE = """
SELECT r.rolreplication OR r.rolsuper OR EXISTS (
  SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(m.oid, 'MEMBER'))
FROM pg_roles r WHERE r.rolname = current_user
"""
PUBLICATION = "SELECT pubinsert AND pubupdate AND pubdelete FROM pg_publication WHERE pubname = %s"
PUBLISHED = "SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = %s"
# Changes of a partitioned table are told as those of its partitions, unless the publication says otherwise:
# https://www.postgresql.org/docs/current/sql-createpublication.html
IN_PARTS = """
WITH RECURSIVE told AS (
  SELECT c.oid FROM pg_publication_tables t JOIN pg_namespace n ON n.nspname = t.schemaname
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename WHERE t.pubname = %s),
parts(root, part) AS (
  SELECT c.oid, c.oid FROM unnest(%s::text[], %s::text[]) AS want(schema, relation)
  JOIN pg_namespace n ON n.nspname = want.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = want.relation AND c.relkind = 'p'
  UNION SELECT p.root, i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.part)
SELECT n.nspname::text, c.relname::text FROM parts p JOIN pg_class l ON l.oid = p.part AND l.relkind <> 'p'
JOIN pg_class c ON c.oid = p.root JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid NOT IN (SELECT oid FROM told)
GROUP BY 1, 2 HAVING bool_and(l.oid IN (SELECT oid FROM told))
"""
# relreplident: d is the primary key, if it is checked at once, i an index, f the whole row, n nothing.
IDENTITY = """
SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
       CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false
            WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
            ELSE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate) END
FROM unnest(%s::text[], %s::text[]) AS want(schema, relation)
JOIN pg_namespace n ON n.nspname = want.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = want.relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""


@dataclass(frozen=True)
class Followed:
    """One wanted table as the log sees it."""

    schema: str
    table: str
    kind: str
    persistence: str
    identified: bool


@dataclass(frozen=True)
class Replication:
    wal_level: str = ""
    numbers: dict[str, int] = field(default_factory=dict)
    slots: list[dict[str, Any]] = field(default_factory=list)
    senders: int = 0
    allowed: bool = False
    publication: bool | None = None
    published: frozenset[tuple[str, str]] = frozenset()
    in_parts: frozenset[tuple[str, str]] = frozenset()
    tables: tuple[Followed, ...] = ()


def read(connection: Any, tables: list[tuple[str, str]], publication: str) -> Replication:
    """One look at everything; nothing is created and no slot is touched."""
    settings = dict(connection.execute(SETTINGS, [["wal_level", *NUMBERS]]).fetchall())
    complete: bool | None = None
    published: frozenset[tuple[str, str]] = frozenset()
    in_parts: frozenset[tuple[str, str]] = frozenset()
    names = [[s for s, _ in tables], [t for _, t in tables]]
    if publication:
        found = connection.execute(PUBLICATION, [publication]).fetchone()
        complete = bool(found[0]) if found else None
        published = frozenset(connection.execute(PUBLISHED, [publication]).fetchall())
        in_parts = frozenset(connection.execute(IN_PARTS, [publication, *names]).fetchall())
    return Replication(
        settings["wal_level"],
        {name: int(settings[name]) for name in NUMBERS},
        [row[0] for row in connection.execute(SLOTS).fetchall()],
        connection.execute(SENDERS).fetchone()[0],
        bool(connection.execute(ROLE).fetchone()[0]),
        complete,
        published,
        in_parts,
        tuple(Followed(*row) for row in connection.execute(IDENTITY, names).fetchall()),
    )
