"""App Home: the viewer's open cases and the health of the connections."""

from __future__ import annotations

from bot import views
from bot.settings import Settings
from bot.slack.sender import Sender, SlackRefused
from bot.store import Store
from messages import render

OPEN = (
    "choosing",
    "checking_status",
    "waiting_for_provider",
    "checking_network",
    "verifying_credentials",
    "checking_permissions",
    "regenerating_credentials",
    "confirming_recovery",
    "escalating",
    "escalated",
)


async def publish(store: Store, sender: Sender, settings: Settings, team: str, user: str) -> None:
    async with store.transaction() as connection:
        rows = await store.cases_of(connection, team, user, OPEN)
        health = await store.health(connection)
    guest = await sender.is_guest(team, user)
    known = [] if guest else views.choices(settings, health)
    for choice in known:
        row = health.get(choice["name"])
        choice.update(
            verdict=row.verdict if row else "", cause=(row.cause if row else None) or "", at=row.at if row else 0.0
        )
    mine = [
        {"connection": r.connection, "state": r.state, "permalink": r.permalink, "changed_at": r.changed_at}
        for r in rows
    ]
    try:
        await sender.call("views.publish", user_id=user, view=render.home({"cases": mine, "connections": known}))
    except SlackRefused:
        return
