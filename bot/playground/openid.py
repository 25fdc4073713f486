"""Sign in with Slack: who somebody is, as a signed token.

https://docs.slack.dev/authentication/sign-in-with-slack, https://docs.slack.dev/reference/methods/openid.connect.token
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from bot.playground.state import Json, Refused

if TYPE_CHECKING:
    from bot.playground.hub import Hub

CODE_LIVES, TOKEN_LIVES = 600, 300


@dataclass
class SignedIn:
    """Who said yes, until the code is redeemed, once."""

    user: str
    nonce: str
    redirect_uri: str
    ends: float = field(default_factory=lambda: time.time() + CODE_LIVES)


@dataclass
class OpenIdSide:
    """Codes given out, and `says`: claims that a test wants to be otherwise."""

    codes: dict[str, SignedIn] = field(default_factory=dict)
    says: Json = field(default_factory=dict)

    @cached_property
    def key(self) -> RSAKey:
        return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    @cached_property
    def signer(self) -> RSAKey:
        """The published key; a test may put another in its place."""
        return self.key


def _registered(hub: Hub, back: str) -> bool:
    """As it stands in the app's settings; on this machine with any port, as programs here take the one that is free.

    https://www.rfc-editor.org/rfc/rfc8252#section-7.3
    """
    parts = urlsplit(back)
    portless = f"{parts.scheme}://{parts.hostname}{parts.path}"
    here = parts.hostname in ("127.0.0.1", "localhost")
    return back in hub.oauth.redirect_urls or (here and portless in hub.oauth.redirect_urls)


async def authorize(hub: Hub, request: Request) -> Response:
    """The page of consent: everybody of the workspace as a link, and a way out. `user` chooses at once."""
    asked = request.query_params
    back, state = asked.get("redirect_uri", ""), asked.get("state", "")
    if asked.get("client_id") != hub.oauth.client_id or not _registered(hub, back):
        return HTMLResponse("<h1>invalid_client_id or bad_redirect_uri</h1>", 400)
    if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
        return RedirectResponse(f"{back}?{urlencode({'error': 'invalid_scope', 'state': state})}")
    if asked.get("deny"):
        return RedirectResponse(f"{back}?{urlencode({'error': 'access_denied', 'state': state})}")
    if (user := asked.get("user", "")) in hub.space.users:
        code = secrets.token_hex(32)
        hub.openid.codes[code] = SignedIn(user, asked.get("nonce", ""), back)
        return RedirectResponse(f"{back}?{urlencode({'code': code, 'state': state})}")
    people = [u for u in hub.space.users.values() if not u.is_bot and asked.get("team", u.team_id) == u.team_id]
    ways = {f"Sign in as {u.real_name}": {"user": u.id} for u in people} | {"Cancel": {"deny": "1"}}
    links = [
        f'<p><a href="?{escape(urlencode({**asked, **way}))}">{escape(words)}</a></p>' for words, way in ways.items()
    ]
    return HTMLResponse(
        '<!doctype html><html lang="en"><title>Sign in with Slack</title>'
        f"<main><h1>Mend wants to know who you are</h1>{''.join(links)}</main></html>"
    )


def token(hub: Hub, args: Json) -> Json:
    """openid.connect.token: a code is good once."""
    if (args.get("client_id"), args.get("client_secret")) != (hub.oauth.client_id, hub.oauth.client_secret):
        raise Refused("bad_client_secret")
    known = hub.openid.codes.pop(str(args.get("code")), None)
    if known is None or known.ends < time.time():
        raise Refused("invalid_code")
    if known.redirect_uri != args.get("redirect_uri"):
        raise Refused("bad_redirect_uri")
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": hub.url, "sub": known.user, "aud": hub.oauth.client_id, "exp": now + TOKEN_LIVES, "iat": now,
        "auth_time": now, "nonce": known.nonce, "https://slack.com/user_id": known.user,
        "https://slack.com/team_id": hub.space.users[known.user].team_id, **hub.openid.says,
    }  # fmt: skip
    signed = jwt.encode({"alg": "RS256", "kid": hub.openid.key.kid}, claims, hub.openid.signer)
    return {
        "ok": True,
        "access_token": f"xoxp-local-{secrets.token_hex(12)}",
        "token_type": "Bearer",
        "id_token": signed,
    }


async def keys(hub: Hub, _: Request) -> Response:
    return JSONResponse({"keys": [hub.openid.key.as_dict(private=False)]})


async def discovery(hub: Hub, _: Request) -> Response:
    """https://slack.com/.well-known/openid-configuration, in what of it is played here."""
    return JSONResponse({
        "issuer": hub.url, "authorization_endpoint": f"{hub.url}/openid/connect/authorize",
        "token_endpoint": f"{hub.url}/api/openid.connect.token", "jwks_uri": f"{hub.url}/openid/connect/keys",
        "scopes_supported": ["openid"], "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })  # fmt: skip
