"""Mend's own figures for Prometheus, as the database that all replicas share has them.

Numbers only: where the pages are open to the world, this one is too, and names of connections are nobody's business.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import psycopg

from bot.store import SILENT, Store
from flows.core.flow import STEP_OF

# A scrape every second must not count the cases every second.
KEPT = 5.0
ASKED = """
SELECT 'cases' AS of, state AS label, count(*) AS n FROM cases GROUP BY state
UNION ALL SELECT 'jobs', status::text, count(*) FROM procrastinate_jobs GROUP BY status
UNION ALL SELECT 'connections', verdict, count(*) FROM health GROUP BY verdict
UNION ALL SELECT 'edits', '', count(*) FROM messages WHERE due_at IS NOT NULL
UNION ALL SELECT 'workers', '', count(*) FROM procrastinate_workers
    WHERE last_heartbeat > now() - make_interval(secs => %(silent)s::float)
"""
# Per figure: its label, what it may be (so that a 0 is told too), and what it counts.
FIGURES: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "cases": ("state", tuple(STEP_OF), "Cases by state"),
    "jobs": ("status", ("todo", "doing", "failed"), "Jobs in the queue; a failed one was given up"),
    "connections": ("verdict", ("good", "bad", "unclear"), "Connections by the last look at them"),
    "edits": ("", ("",), "Edits of messages that wait because Slack allows so many"),
    "workers": ("", ("",), "Workers that give signs of life"),
}


class Figures:
    def __init__(self, store: Store) -> None:
        self.store = store
        self._made, self._at = "", 0.0

    async def __call__(self, parts: Mapping[str, bool]) -> str:
        """Lines of the text format (https://prometheus.io/docs/instrumenting/exposition_formats/). What the database
        does not tell is left out: an old figure would look like a new one.
        """
        if time.monotonic() - self._at > KEPT:
            self._made, self._at = await self._counted(), time.monotonic()
        ready = {("part", part): int(good) for part, good in parts.items()}
        return self._made + _lines("ready", "Whether this part can do its work", ready.items())

    async def _counted(self) -> str:
        try:
            async with self.store.hot.transaction() as connection:
                await connection.execute("SET LOCAL statement_timeout = '2s'")
                rows = await self.store.hot.all(ASKED, {"silent": SILENT}, connection)
        except psycopg.Error:
            return ""
        seen = {(row.of, row.label): row.n for row in rows}
        return "".join(
            _lines(name, help_, [((label, one), seen.get((name, one), 0)) for one in known])
            for name, (label, known, help_) in FIGURES.items()
        )


def _lines(name: str, help_: str, values: Iterable[tuple[tuple[str, str], int]]) -> str:
    rows = [f'mend_{name}{{{label}="{one}"}} {n}' if label else f"mend_{name} {n}" for (label, one), n in values]
    return "\n".join([f"# HELP mend_{name} {help_}.", f"# TYPE mend_{name} gauge", *rows, ""])
