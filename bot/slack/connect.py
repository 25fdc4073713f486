"""The Bolt app, by Socket Mode or HTTP."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response

from bot.environment import Environment
from bot.settings import Settings
from bot.slack.listeners import Listeners
from bot.slack.sender import Sender
from bot.store import Store
from bot.web.signed import by_slack
from messages import render

log = logging.getLogger("mend.slack")


# https://docs.slack.dev/reference/methods/apps.connections.open#errors
NO_SOCKET = frozenset(
    {
        "invalid_auth", "not_authed", "not_allowed_token_type", "missing_scope", "no_permission", "access_denied",
        "account_inactive", "token_expired", "token_revoked", "forbidden_team",
    }
)  # fmt: skip


ASKED_FOR_TLS = re.compile(rb"(?:^|&)ssl_check=1(?:&|$)")


class SlackError(Exception):
    """Slack cannot be used as set up; one line that says what to do."""


@dataclass
class SlackSide:
    """The ack side of the bot. `start` signs in and, with an app token, opens the socket."""

    store: Store
    settings: Callable[[], Settings]
    env: Environment
    who: dict[str, Any] = field(default_factory=dict)
    handler: AsyncSocketModeHandler | None = None
    session: aiohttp.ClientSession | None = None
    http: AsyncSlackRequestHandler | None = None
    sender: Sender | None = None

    async def start(self) -> None:
        # Bolt takes these two for itself: a default OAuth mode that keeps tokens in files.
        for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"):
            os.environ.pop(name, None)
        self.session = aiohttp.ClientSession()
        client = AsyncWebClient(base_url=self.env.slack_api_url, session=self.session)
        if self.env.slack_bot_token:
            await self._sign_in(client)
        quiet = logging.getLogger("mend.bolt")
        quiet.setLevel(logging.ERROR)
        app = AsyncApp(
            client=client,
            signing_secret=self.env.slack_signing_secret or "none",
            process_before_response=True,
            request_verification_enabled=False,  # nothing unsigned comes so far, see `events`
            # Bolt warns at every start that `authorize` replaces the token, which is what we want.
            logger=quiet,
            user_facing_authorize_error_message=render.ephemeral("not_installed", {})["text"],
            **self._authorization(client),
        )
        self.sender = Sender(self._token_of, self.env.slack_api_url)
        Listeners(self.store, self.settings, self.sender).attach(app)
        if self.env.slack_app_token:
            token, base = self.env.slack_app_token, self.env.slack_api_url
            await self._may_listen(client)
            self.handler = AsyncSocketModeHandler(app, token, web_client=AsyncWebClient(token=token, base_url=base))
            await self.handler.connect_async()  # type: ignore[no-untyped-call]
        else:
            self.http = AsyncSlackRequestHandler(app)

    async def _token_of(self, team: str) -> str:
        own = self.env.slack_bot_token
        if not self.env.many_workspaces:
            return own
        from bot.slack.installs import Installs

        return await Installs(self.store).token_of(team, own)

    def _authorization(self, client: AsyncWebClient) -> dict[str, Any]:
        """Whose token a request is answered with."""
        if self.env.many_workspaces:
            from bot.slack.installs import Installs
            from bot.slack.oauth import oauth_flow

            installs = Installs(self.store, self._own_bot(), self._lets_in)
            return {"oauth_flow": oauth_flow(installs, self.env, client, self._lets_in)}

        async def authorize(context: AsyncBoltContext) -> AuthorizeResult:  # Bolt cannot call a bound method here
            return self._authorized()

        return {"authorize": authorize}

    def _lets_in(self, team: str) -> bool:
        return self.settings().access.lets_in(team)

    def _own_bot(self) -> Bot | None:
        if not self.who:
            return None
        ids = {"bot_id": self.who.get("bot_id"), "bot_user_id": self.who.get("user_id")}
        own = {"team_id": self.who.get("team_id"), "installed_at": 0.0, **ids}
        return Bot(bot_token=self.env.slack_bot_token, **own)  # type: ignore[arg-type]

    async def _sign_in(self, client: AsyncWebClient) -> None:
        try:
            answer = (await client.auth_test(token=self.env.slack_bot_token)).data
            self.who = dict(answer) if isinstance(answer, dict) else {}
        except SlackApiError as error:
            name = error.response.get("error", "unknown") if isinstance(error.response.data, dict) else "unknown"
            raise SlackError(
                f"Slack does not accept SLACK_BOT_TOKEN ({name}): copy the Bot User OAuth Token of the installed app"
            ) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SlackError(
                f"Slack is not reachable at {self.env.slack_api_url} ({type(error).__name__}): check SLACK_API_URL"
            ) from None

    async def _may_listen(self, client: AsyncWebClient) -> None:
        """slack_sdk asks for a socket without end and says nothing: a token that is none is told first."""
        try:
            await client.apps_connections_open(app_token=self.env.slack_app_token)
        except SlackApiError as error:
            name = error.response.get("error", "unknown") if isinstance(error.response.data, dict) else "unknown"
            if name in NO_SOCKET:
                raise SlackError(
                    f"Slack does not accept SLACK_APP_TOKEN ({name}): it is an app-level token (xapp-...) with "
                    "connections:write, of an app whose Socket Mode is on"
                ) from None
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass  # what passes by itself is tried again by who opens the socket

    def _authorized(self) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=self.who.get("enterprise_id"),
            team_id=self.who.get("team_id"),
            bot_token=self.env.slack_bot_token,
            bot_id=self.who.get("bot_id"),
            bot_user_id=self.who.get("user_id"),
        )

    async def events(self, request: Request) -> Response:
        """What Slack has signed goes on to Bolt, which reads a body before it looks who sent it, and breaks at what is
        no JSON and at a signature that is no ASCII.
        """
        if self.http is None:
            return Response(status_code=404)
        body = await request.body()
        if not by_slack(request, body, self.env.slack_signing_secret):
            # Slack looks at the certificate without signing: https://docs.slack.dev/interactivity/implementing-slash-commands/
            return Response(status_code=200 if ASKED_FOR_TLS.search(body) else 401)
        return await self.http.handle(request)

    async def installing(self, request: Request) -> Response:
        """A person's browser at the pages of an installation."""
        return await self.http.handle(request) if self.http else Response(status_code=404)

    async def connected(self) -> bool:
        if self.handler is not None:
            return bool(await self.handler.client.is_connected())
        return bool(self.who) or self.env.many_workspaces

    async def stop(self) -> None:
        if self.handler is not None:
            try:
                await self.handler.close_async()  # type: ignore[no-untyped-call]
            except AttributeError as error:  # the client may be swapping its session: slack_sdk then closes None
                log.info("closing the socket: %s", error)
        if self.sender is not None:
            await self.sender.close()
        if self.session is not None:
            await self.session.close()
