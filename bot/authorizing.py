"""The hands for authorizations: a code becomes tokens once, and the tokens are kept when they are proven."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from bot.checks.run import Seen
from bot.cipher import Cipher
from bot.drivers.network import Trouble
from bot.mending import Mending
from bot.repairs import links
from bot.repairs.form import form_of
from bot.repairs.oauth import Provider, exchange, failure, provider_of, try_grant
from bot.settings import SettingsError
from bot.vault import opened


class Authorizing:
    """Performs the job that the way back from a provider leaves."""

    def __init__(self, mending: Mending) -> None:
        self.mending, self.store = mending, mending.store

    async def redeem_code(self, link_id: str) -> None:
        """The code is taken away before it is used: a second use makes providers revoke what the first one gave."""
        async with self.store.transaction() as connection:
            link = await links.find(connection, link_id, lock=True)
            if link is None or link.state != "trying":
                return
            sealed = link.sealed
            if sealed:
                batch = secrets.token_hex(16)
                await links.move(connection, link_id, ("trying",), "trying", sealed="", batch=batch)
                link = await links.find(connection, link_id)
            health = await self.store.health(connection)
        provider = provider_of(form_of(self.mending.settings(), link.connection))
        if provider is None:
            return
        known = health[link.connection].account if link.connection in health else ""
        seen = self.mending.watching(provider.form, link)
        outcome = await self.mending.pool.run(_redeemed, provider, link, sealed, known or "", seen)
        await self.mending.settle(provider.form, link, outcome)


def _redeemed(provider: Provider, link: Any, sealed: str, known: str, seen: Seen) -> Mapping[str, Any]:
    """Tokens are stored before they are tried; a job that died after that finds them there."""
    try:
        if sealed:
            stored = exchange(provider, json.loads(Cipher().decrypt(sealed)), link.team)
            opened().add(link.batch, stored, link.person, team=link.team, connection=link.connection)
        return try_grant(provider, link, known, seen)
    except (Trouble, SettingsError) as error:
        return failure(error)
