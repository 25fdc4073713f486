"""A real PostgreSQL to be checked: the demo's, mended, with as many tables as wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg

from bench.place import Place
from bot.playground.demo_database import DATABASE, TABLES, WAREHOUSE, DemoDatabase


@contextlib.contextmanager
def source(place: Place, tables: int = 3) -> Iterator[dict[str, Any]]:
    """A connection of mend.yml that is good, selecting `tables` tables."""
    demo = DemoDatabase(place.server, place.folder / "pg/pg_hba.conf")
    demo.start()
    try:
        demo.restore_password()
        more = [f"public.t{n}" for n in range(tables - len(TABLES))]
        with psycopg.connect(place.url(DATABASE), autocommit=True) as admin:
            for name in more:
                admin.execute(f"CREATE TABLE {name} (id integer)")
            admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {WAREHOUSE}")
        yield {
            "connector": "postgres", "settings": demo.settings(WAREHOUSE),
            "secrets": {"password": demo.warehouse_password}, "tables": [*TABLES, *more][:tables],
        }  # fmt: skip
    finally:
        demo.stop()
