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
# relreplident: d is the primary key, i an index, f the whole row, n nothing.
IDENTITY = """
SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
       CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false
            WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
            ELSE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) END
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
    tables: tuple[Followed, ...] = ()


def read(connection: Any, tables: list[tuple[str, str]], publication: str) -> Replication:
    """One look at everything; nothing is created and no slot is touched."""
    settings = dict(connection.execute(SETTINGS, [["wal_level", *NUMBERS]]).fetchall())
    complete: bool | None = None
    published: frozenset[tuple[str, str]] = frozenset()
    if publication:
        found = connection.execute(PUBLICATION, [publication]).fetchone()
        complete = bool(found[0]) if found else None
        published = frozenset(connection.execute(PUBLISHED, [publication]).fetchall())
    names = [[s for s, _ in tables], [t for _, t in tables]]
    return Replication(
        settings["wal_level"],
        {name: int(settings[name]) for name in NUMBERS},
        [row[0] for row in connection.execute(SLOTS).fetchall()],
        connection.execute(SENDERS).fetchone()[0],
        bool(connection.execute(ROLE).fetchone()[0]),
        complete,
        published,
        tuple(Followed(*row) for row in connection.execute(IDENTITY, names).fetchall()),
    )
