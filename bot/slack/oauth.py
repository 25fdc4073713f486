"""Installing by `/slack/install`: Slack's OAuth by Bolt. Its outcome is an id; the page's words are not made here."""

from __future__ import annotations

from collections.abc import Callable

from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from bot.environment import Environment
from bot.manifest import scopes
from bot.slack.installs import STATE_SECONDS, Installs, States

REDIRECT = "/slack/oauth_redirect"


class Flow(AsyncOAuthFlow):
    """`problem_of` says why an installation is not kept, '' for one that is."""

    problem_of: Callable[[Installation], str]

    async def store_installation(self, request: AsyncBoltRequest, installation: Installation) -> None:
        if not self.problem_of(installation):
            await super().store_installation(request, installation)


async def _failed(args: AsyncFailureArgs) -> BoltResponse:
    return BoltResponse(status=args.suggested_status_code, body=args.reason)


def oauth_flow(
    installs: Installs, env: Environment, client: AsyncWebClient, lets_in: Callable[[str], bool]
) -> AsyncOAuthFlow:
    """`lets_in` says whether a workspace may use this Mend."""

    def problem_of(installation: Installation) -> str:
        """For a whole organization Slack gives one token without a workspace; Mend keeps cases by workspace."""
        if installation.is_enterprise_install or not installation.team_id:
            return "organization"
        return "" if lets_in(installation.team_id) else "workspace"

    async def installed(args: AsyncSuccessArgs) -> BoltResponse:
        if problem := problem_of(args.installation):
            return BoltResponse(status=400 if problem == "organization" else 403, body=problem)
        return BoltResponse(status=200, body=args.installation.team_name or "")

    settings = AsyncOAuthSettings(
        client_id=env.slack_client_id,
        client_secret=env.slack_client_secret,
        scopes=scopes(),
        user_scopes=[],
        redirect_uri=env.public_url.rstrip("/") + REDIRECT if env.public_url else None,
        redirect_uri_path=REDIRECT,
        install_page_rendering_enabled=False,
        # Slack's page of consent is beside its Web API.
        authorization_url=env.slack_api_url.removesuffix("api/") + "oauth/v2/authorize",
        installation_store=installs,
        installation_store_bot_only=True,
        state_store=States(installs.store),
        state_expiration_seconds=STATE_SECONDS,
        callback_options=AsyncCallbackOptions(installed, _failed),
    )
    # The installation is read at every request, so that a removed one counts at once; without this Bolt also asks
    # Slack every time whose token it is, which costs four times as much as all the rest.
    settings.authorize.cache_enabled = True  # type: ignore[attr-defined]
    flow = Flow(client=client, settings=settings)
    flow.problem_of = problem_of
    return flow
