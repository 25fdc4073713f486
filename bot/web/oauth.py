"""`/oauth/start/{link}` sends a person to the provider, `/oauth/callback` takes the answer; the worker redeems it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.cipher import Cipher
from bot.drivers.network import Trouble
from bot.repairs import links
from bot.repairs.form import Form, form_of
from bot.repairs.oauth import Provider, failure, holds_grant, provider_of
from bot.settings import Settings, SettingsError
from bot.store import Store
from bot.web import guard
from bot.web.guard import guarded
from bot.web.pages import LinkPages, View
from bot.web.sign_in import SignIn

CALLBACK = "/oauth/callback"


class OAuthPages(LinkPages):
    """A step to the provider and back. The way back is in a cookie: the state says nothing about the page."""

    kind, path, first = "reauthorize", "/oauth/start/{link}", "oauth_begin"
    # Who was asked without need would be given the same answer without being asked again.
    after_no = {"force": True}

    def __init__(self, store: Store, settings: Callable[[], Settings], sign_in: SignIn | None = None) -> None:
        super().__init__(store, settings, sign_in)
        self.deeds["go"] = self._go

    def routes(self) -> list[Route]:
        return [*super().routes(), Route(CALLBACK, guarded(self.back))]

    async def middle(self, request: Request, link: Any, form: Form, view: View) -> Response:
        provider = _provider(form)
        outcome = link.outcome or {}
        async with self.store.transaction() as connection:
            health = await self.store.health(connection)
        known = health[link.connection].account if link.connection in health else ""
        shown = {**view, "origin": provider.origin, "scopes": provider.scopes(), "account": known or ""}
        shown |= {"problem": outcome.get("problem", ""), "missing": outcome.get("missing", [])}
        left = links.ATTEMPTS - link.attempts
        return guard.answer("oauth_go", {**shown, "away": link.state == "away", "left": left})

    def differs(self, view: View, outcome: View) -> Response:
        shown = {"difference": outcome["difference"], "missing": outcome.get("missing", [])}
        return guard.answer("oauth_differs", {**view, **shown})

    async def _go(self, request: Request, link: Any, form: Form, typed: dict[str, str]) -> Response | None:
        """To the provider. An earlier departure of the same link can no longer come back."""
        state = secrets.token_urlsafe(32)
        provider = _provider(form)
        try:
            force = bool((link.outcome or {}).get("force")) or not await asyncio.to_thread(holds_grant, form, link.team)
            url, kept = await asyncio.to_thread(lambda: provider.departure(state, force=force))
        except (Trouble, SettingsError) as error:
            await self._note(link, failure(error))
            return None
        sealed = await asyncio.to_thread(Cipher().encrypt, kept)
        async with self.store.transaction() as connection:
            gone = {"state_hash": links.hashed(state), "sealed": sealed}
            if not await links.spend(connection, link.id, ("confirmed", "failed", "away"), "away", **gone):
                return None
            await self.told(connection, link)
        response = guard.answer("oauth_leaving", {**self._view(form), "url": url}, leave_for=url)
        guard.set_way_back(response, link.id, request.path_params["link"], CALLBACK)
        return response

    def _view(self, form: Form) -> View:
        return {**super()._view(form), "authorized": True}

    async def _note(self, link: Any, outcome: Mapping[str, Any]) -> None:
        async with self.store.transaction() as connection:
            before = ("confirmed", "failed", "away")
            await links.move(connection, link.id, before, "failed", outcome=dict(outcome), state_hash="", sealed="")

    async def back(self, request: Request) -> Response:
        """What the provider sent the browser back with. It is used once, and only by the browser that left."""
        if not self.gets.take(guard.caller(request)):
            raise guard.Refused(429)
        given = guard.brought_back(request)
        async with self.store.transaction() as connection:
            link = await links.of_state(connection, given.get("state", ""))
            if link is None:
                raise guard.Refused(410, "gone")
            path = await self.path_back(connection, request, link)
            form = form_of(self.settings(), link.connection)
            if not form:
                raise guard.Refused(410, "gone")
            if problem := await asyncio.to_thread(_provider(form).returned, given):
                outcome = {"state": "failed", "problem": problem, "finding": None, "force": problem == "scope"}
                await links.move(connection, link.id, ("away",), "failed", outcome=outcome, state_hash="", sealed="")
                await self.told(connection, link)
            else:
                cipher = Cipher()
                sealed = cipher.encrypt(json.dumps({**json.loads(cipher.decrypt(link.sealed)), "code": given["code"]}))
                await links.move(connection, link.id, ("away",), "trying", state_hash="", sealed=sealed, outcome=None)
                await self.store.defer(connection, "redeem_code", f"page:{link.id[:16]}", link=link.id)
        return guard.onward(path)


def _provider(form: Form) -> Provider:
    provider = provider_of(form)
    if provider is None:
        raise guard.Refused(410, "gone")
    return provider
