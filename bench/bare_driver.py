"""The bare script beside a live check: log in and ask for the right to read each table.

`python -m bench.bare_driver SETTINGS_AS_JSON`
"""

import json
import sys
from collections.abc import Sequence

import psycopg


def look(conninfo: str, tables: Sequence[str]) -> list[str]:
    """The tables that this role may not read."""
    with psycopg.connect(conninfo, connect_timeout=5) as connection:
        rows = connection.execute(
            "SELECT name, has_table_privilege(name, 'SELECT') FROM unnest(%s::text[]) AS name", [list(tables)]
        ).fetchall()
    return [name for name, readable in rows if not readable]


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    sys.exit(1 if look(given["conninfo"], given["tables"]) else 0)
