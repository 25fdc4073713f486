"""App Home: the viewer's open cases and the health of the connections."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bot import views
from bot.settings import Settings
from bot.slack.sender import Sender, SlackRefused
from bot.store import Store
from flows import reauthorize
from flows.core.expiry import DAY
from flows.core.flow import STEP_OF
from messages import render

# With support counts as open for the person who asked, though the flow itself waits for nobody then.
OPEN = (*reauthorize.OPEN, "escalated")
# So many days ahead the Home tab looks.
SHOWN = 90
PAUSED = ("expired", "cancelled", "escalated")


async def publish(store: Store, sender: Sender, settings: Settings, team: str, user: str) -> None:
    guest = await sender.is_guest(team, user)
    led = [user] if guest else [user, *await sender.groups_of(team, user, settings.groups)]
    async with store.hot.transaction() as connection:
        mine = await store.cases_of(connection, team, led, OPEN)
        paused = await store.cases_of(connection, team, led, ("expired", "cancelled"))
        health = await store.health(connection)
        rows = await store.ending(connection, settings.connections, time.time() + SHOWN * DAY)
    known = [] if guest else views.choices(settings, health)
    for choice in known:
        row = health.get(choice["name"])
        choice.update(
            verdict=row.verdict if row else "", cause=(row.cause if row else None) or "", at=row.at if row else 0.0
        )
        choice["ending"] = views.ending([r for r in rows if r.connection == choice["name"]], settings)
    view = render.home({"cases": _shown(mine), "paused": _shown(paused), "connections": known, "now": time.time()})
    try:
        await sender.call("views.publish", team, user_id=user, view=view)
    except SlackRefused:
        return


def _shown(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Cases as the templates and their buttons need them."""
    return [
        {
            **{name: getattr(r, name) for name in ("id", "connection", "state", "permalink", "changed_at")},
            "step": STEP_OF[r.state],
            "version": r.body["version"],
        }
        for r in rows
    ]
