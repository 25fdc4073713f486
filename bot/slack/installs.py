"""Workspaces that installed Mend: their bots, encrypted, and the states of installs under way."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from sqlalchemy.dialects.postgresql import insert

from bot.cipher import Cipher
from bot.store import Store
from bot.tables import META

installations = sa.Table(
    "installations",
    META,
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("bot", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
states = sa.Table(
    "oauth_states", META, sa.Column("state", sa.Text, primary_key=True), sa.Column("at", sa.Float, nullable=False)
)
# Time to read Slack's page and to press Allow.
STATE_SECONDS = 600
KEPT = ("app_id", "enterprise_id", "team_id", "team_name", "bot_token", "bot_id", "bot_user_id", "bot_scopes",
        "installed_at")  # fmt: skip


class Installs(AsyncInstallationStore):
    """One bot per workspace. Mend asks for no user token, so there is nothing to keep of the person who installed it.

    `own` is the bot of SLACK_BOT_TOKEN, for a workspace that did not come through the install page. `lets_in` says
    which others may use this Mend: who installed it before mend.yml named them is not let in by that.
    """

    def __init__(self, store: Store, own: Bot | None = None, lets_in: Callable[[str], bool] | None = None) -> None:
        self.store, self.own, self.lets_in, self.cipher = store, own, lets_in, Cipher()

    async def async_save(self, installation: Installation) -> None:
        bot = installation.to_bot()
        row = {"bot": self.cipher.encrypt(json.dumps({k: getattr(bot, k) for k in KEPT})), "at": time.time()}
        async with self.store.transaction() as connection:
            await connection.execute(
                insert(installations)
                .values(team=bot.team_id, **row)
                .on_conflict_do_update(index_elements=["team"], set_=row)
            )

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        async with self.store.transaction() as connection:
            query = sa.select(installations.c.bot).where(installations.c.team == team_id)
            kept = (await connection.execute(query)).scalar()
        if kept and (self.lets_in is None or self.lets_in(team_id or "")):
            return Bot(**json.loads(self.cipher.decrypt(kept)))
        return self.own if self.own and self.own.team_id == team_id else None

    async def token_of(self, team: str, otherwise: str = "") -> str:
        bot = await self.async_find_bot(enterprise_id=None, team_id=team)
        return bot.bot_token if bot else otherwise


class States(AsyncOAuthStateStore):
    """Each state is good once and for a while, with whichever replica it comes back to."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def async_issue(self, *args: Any, **kwargs: Any) -> str:
        state, now = secrets.token_urlsafe(32), time.time()
        async with self.store.transaction() as connection:
            await connection.execute(states.delete().where(states.c.at < now - STATE_SECONDS))
            await connection.execute(states.insert().values(state=state, at=now))
        return state

    async def async_consume(self, state: str) -> bool:
        fresh = sa.and_(states.c.state == state, states.c.at > time.time() - STATE_SECONDS)
        async with self.store.transaction() as connection:
            return (
                await connection.execute(states.delete().where(fresh).returning(states.c.state))
            ).first() is not None
