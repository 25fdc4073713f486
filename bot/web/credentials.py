"""The secure page: `/credentials/{link}`. What is typed goes encrypted into the vault; the worker tries it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bot.repairs import links
from bot.repairs.form import Form
from bot.settings import Settings
from bot.store import Store
from bot.vault import opened
from bot.web import guard
from bot.web.pages import LinkPages, View
from bot.web.sign_in import SignIn


class CredentialPages(LinkPages):
    """A form for the connection's secrets."""

    kind, path, first = "update_credentials", "/credentials/{link}", "begin"

    def __init__(self, store: Store, settings: Callable[[], Settings], sign_in: SignIn | None = None) -> None:
        super().__init__(store, settings, sign_in)
        self.deeds["try"] = self._try

    async def middle(self, request: Request, link: Any, form: Form, view: View) -> Response:
        return guard.answer("form", {**view, "shown": form.shown(), "left": links.ATTEMPTS - link.attempts})

    async def _try(self, request: Request, link: Any, form: Form, typed: dict[str, str]) -> Response | None:
        values, problems = form.read(typed)
        if problems:
            kept = {f.name: typed.get(f.name, "") for f in form.fields if not f.secret}
            csrf = guard.csrf(guard.session_of(request), link.id)
            return guard.answer("form", {**self._view(form), "shown": kept, "problems": problems, "csrf": csrf}, 422)
        batch = secrets.token_hex(16)
        named = {form.stored_as(field): value for field, value in values.items()}
        await asyncio.to_thread(
            lambda: opened().add(batch, named, link.person, team=link.team, connection=link.connection)
        )
        async with self.store.transaction() as connection:
            fresh = {"batch": batch, "outcome": None}
            if await links.spend(connection, link.id, ("confirmed", "failed"), "trying", **fresh):
                await self.store.defer(connection, "try_credentials", f"page:{link.id[:16]}", link=link.id)
                return None
        await asyncio.to_thread(lambda: opened().forget(batch=batch))
        return None
