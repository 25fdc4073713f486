"""`/openid/callback`: who opened a page proves it by signing in to Slack, in place of a yes in Slack."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.drivers.network import Trouble
from bot.drivers.openid import OpenId, Unproven
from bot.environment import Environment
from bot.repairs import links
from bot.settings import is_local, public_url
from bot.store import Store
from bot.web import guard

if TYPE_CHECKING:
    from bot.web.pages import LinkPages

CALLBACK = "/openid/callback"
# Slack's codes live ten minutes: https://docs.slack.dev/authentication/installing-with-oauth
STATE_LIVES = 600
log = logging.getLogger("mend.web")


def slack_of(env: Environment) -> OpenId | None:
    """Slack as the one who says who somebody is; None when Mend's app is not known by id and secret."""
    if not (env.slack_client_id and env.slack_client_secret):
        return None
    return OpenId(
        env.slack_api_url.removesuffix("/").removesuffix("/api"), env.slack_client_id, env.slack_client_secret
    )


class SignIn:
    """The way to Slack and back, for every kind of page. The nonce is made of the browser's session, not kept."""

    def __init__(self, store: Store, slack: OpenId | None) -> None:
        self.store, self.slack = store, slack
        self.gets = guard.Limiter(240)

    @property
    def offered(self) -> bool:
        """Slack sends a browser back over https only, the local Slack to this machine."""
        ours = public_url(os.environ)
        if self.slack is None or not ours:
            return False
        if is_local(self.slack.issuer):
            return True
        return self.slack.issuer.startswith("https://") and ours.startswith("https://")

    async def leave(self, request: Request, link: Any) -> Response:
        """To Slack. The link stays as it is; an earlier departure of it can no longer come back."""
        if self.slack is None or not self.offered:
            raise guard.Refused(400)
        # Its hash is what is kept, so the time in it cannot be changed.
        state, session = f"{secrets.token_urlsafe(32)}.{int(time.time())}", guard.session_of(request)
        async with self.store.transaction() as connection:
            if not session or not await links.sign_in(connection, link.id, session, state):
                raise guard.Refused(410, "gone")
        url = self.slack.departure(_back(), link.team, state, _nonce(session, state))
        response = guard.answer("sign_in_leaving", {"url": url}, leave_for=url)
        guard.set_way_back(response, link.id, request.path_params["link"], CALLBACK)
        return response

    def routes(self, *pages: LinkPages) -> list[Route]:
        kinds = {page.kind: page for page in pages}

        async def back(request: Request) -> Response:
            return await self._back(request, kinds)

        return [Route(CALLBACK, guard.guarded(back))]

    async def _back(self, request: Request, kinds: Mapping[str, LinkPages]) -> Response:
        """What Slack sent the browser back with. It is used once, and only by the browser that left."""
        if not self.gets.take(guard.caller(request)):
            raise guard.Refused(429)
        given = guard.brought_back(request)
        state = given.get("state", "")
        async with self.store.transaction() as connection:
            link = await links.of_sign_in(connection, state)
            if link is None or link.kind not in kinds or not _fresh(state):
                raise guard.Refused(410, "gone")
            path = await kinds[link.kind].path_back(connection, request, link)
            await links.move(connection, link.id, ("issued",), "issued", state_hash="")
        if "error" in given:
            return guard.onward(f"{path}?sign_in={'denied' if given['error'] == 'access_denied' else 'down'}")
        return await self._prove(request, link, given, kinds[link.kind], path)

    async def _prove(
        self, request: Request, link: Any, given: Mapping[str, str], page: LinkPages, path: str
    ) -> Response:
        """The page opens to its own person. No transaction is open while Slack is asked."""
        session = guard.session_of(request)
        try:
            who = await asyncio.to_thread(self._who, given.get("code", ""), _nonce(session, given["state"]))
        except Trouble as trouble:
            log.warning("sign-in with Slack: %s (%s)", trouble.evidence, trouble.code)
            return guard.onward(f"{path}?sign_in=down")
        if who != (link.team, link.person):
            raise guard.Refused(410, "gone")
        async with self.store.transaction() as connection:
            if await links.signed_in(connection, link.id, session):
                await page.told(connection, link)
        return guard.onward(path)

    def _who(self, code: str, nonce: str) -> tuple[str, str]:
        """Raises Trouble; nobody when it is not proved."""
        if self.slack is None or not code:
            return "", ""
        try:
            return self.slack.who(code, _back(), nonce)
        except Unproven as error:
            log.warning("sign-in with Slack: not proved (%s)", error)
            return "", ""


def _back() -> str:
    return public_url(os.environ) + CALLBACK


def _nonce(session: str, state: str) -> str:
    return guard.csrf(session, f"nonce {state}")


def _fresh(state: str) -> bool:
    at = state.rpartition(".")[2]
    return at.isdigit() and int(at) + STATE_LIVES > time.time()
