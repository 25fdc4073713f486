"""Installing an app: Slack's page of consent, and the code that becomes a bot token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.playground.state import APP_ID, BOT_USER, Channel, Json, Refused, User

if TYPE_CHECKING:
    from bot.playground.hub import Hub


@dataclass
class OAuthApp:
    """What app developers find under Basic Information, and the codes given out: (team, scopes, redirect_uri)."""

    client_id: str = "1111.2222"
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    redirect_urls: list[str] = field(default_factory=list)
    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict)


def add_workspace(hub: Hub, team: str, name: str) -> tuple[User, Channel]:
    """Another workspace, with one person and one channel that the app is invited to."""
    with hub.space.lock:
        hub.space.teams[team] = name
        user = hub.space.add_user(User(f"U{team[1:]}", name.lower(), name, team_id=team))
        room = Channel(f"C{team[1:]}", name.lower(), members={user.id, BOT_USER}, team=team)
        return user, hub.space.add_channel(room)


def uninstall(hub: Hub, team: str) -> None:
    """The tokens are dead at once; the app is told by two events."""
    with hub.space.lock:
        dead = {token for token, owner in hub.tokens.items() if owner == team}
        hub.revoked |= dead
        hub.tokens = {token: owner for token, owner in hub.tokens.items() if token not in dead}
    for event in ({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT_USER]}}, {"type": "app_uninstalled"}):
        hub.subscriptions.add(str(event["type"]))
        hub.event(event, None, str(event["type"]), team)


async def authorize(hub: Hub, request: Request) -> Response:
    """The page of consent: every workspace as a link, and a way out. `team` chooses at once."""
    asked = request.query_params
    back = asked.get("redirect_uri") or (hub.oauth.redirect_urls or [""])[0]
    if asked.get("client_id") != hub.oauth.client_id or not asked.get("scope"):
        return HTMLResponse("<h1>invalid_client_id or no scope</h1>", 400)
    if back not in hub.oauth.redirect_urls:
        return HTMLResponse("<h1>bad_redirect_uri</h1>", 400)
    if asked.get("deny"):
        return RedirectResponse(f"{back}?{urlencode({'error': 'access_denied', 'state': asked.get('state', '')})}")
    if (team := asked.get("team", "")) in hub.space.teams:
        code = secrets.token_hex(16)
        hub.oauth.codes[code] = (team, asked["scope"], asked.get("redirect_uri", ""))
        return RedirectResponse(f"{back}?{urlencode({'code': code, 'state': asked.get('state', '')})}")
    ways = {f"Allow in {name}": {"team": team} for team, name in hub.space.teams.items()} | {"Cancel": {"deny": "1"}}
    links = [
        f'<p><a href="?{escape(urlencode({**asked, **way}))}">{escape(words)}</a></p>' for words, way in ways.items()
    ]
    return HTMLResponse(
        f"<!doctype html><title>Install</title><h1>Mend asks for: {escape(asked['scope'])}</h1>{''.join(links)}"
    )


def access(hub: Hub, args: Json) -> Json:
    """oauth.v2.access: a code is good once."""
    if (args.get("client_id"), args.get("client_secret")) != (hub.oauth.client_id, hub.oauth.client_secret):
        raise Refused("bad_client_secret")
    team, scope, redirect = hub.oauth.codes.pop(str(args.get("code")), ("", "", ""))
    if not team:
        raise Refused("invalid_code")
    if redirect != str(args.get("redirect_uri") or ""):
        raise Refused("bad_redirect_uri")
    token = f"xoxb-local-{secrets.token_hex(12)}"
    hub.tokens[token] = team
    return {"ok": True, "app_id": APP_ID, "authed_user": {"id": f"U{team[1:]}"}, "scope": scope, "token_type": "bot",
            "access_token": token, "bot_user_id": BOT_USER, "team": {"id": team, "name": hub.space.teams[team]},
            "enterprise": None, "is_enterprise_install": False}  # fmt: skip
