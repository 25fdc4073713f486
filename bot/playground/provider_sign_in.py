"""HubSpot's sign-in, played on this machine: consent, codes, tokens and renewals, as its documentation has them.

https://developers.hubspot.com/docs/api-reference/auth-oauth-v3/guide
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .provider_state import Grant, ProviderState

LIVES, CODE_LIVES = 1800, 60.0
PAGE = Path(__file__).parent / "static" / "sign_in.html"
BOX = '<label><input type="checkbox" name="granted" value="{0}" checked> {0}</label>'


@dataclass
class Code:
    """What a person said yes to, until it is redeemed, once."""

    redirect_uri: str
    challenge: str
    scopes: list[str]
    ends: float = field(default_factory=lambda: time.time() + CODE_LIVES)


class SignIn:
    """The routes of the sign-in. Its one app is Mend, which runs on this machine too."""

    def __init__(self, state: ProviderState) -> None:
        self.state = state
        self.codes: dict[str, Code] = {}

    async def authorize(self, request: Request) -> Response:
        asked = request.query_params
        back = asked.get("redirect_uri", "")
        here = urlsplit(back).hostname in ("127.0.0.1", "localhost") and urlsplit(back).path == "/oauth/callback"
        # Whoever is not known is not sent anywhere: https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1
        if asked.get("client_id") != self.state.client_id or not here or asked.get("response_type", "code") != "code":
            return HTMLResponse("<h1>This app or its redirect URI is not known here.</h1>", 400)
        scopes = asked.get("scope", "").split()
        if request.method == "GET":
            boxes = "".join(BOX.format(html.escape(one)) for one in scopes)
            return HTMLResponse(PAGE.read_text(encoding="utf-8").replace("[boxes]", boxes))
        said = parse_qs((await request.body()).decode())
        if said.get("answer") != ["allow"]:
            return self._onward(back, error="access_denied", state=asked.get("state", ""))
        code = secrets.token_urlsafe(24)
        granted = [one for one in scopes if one in said.get("granted", [])]
        self.codes[code] = Code(back, asked.get("code_challenge", ""), granted)
        return self._onward(back, code=code, state=asked.get("state", ""))

    def _onward(self, back: str, **answer: str) -> Response:
        return RedirectResponse(f"{back}?{urlencode(answer)}", 302, {"Referrer-Policy": "no-referrer"})

    async def token(self, request: Request) -> Response:
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        known = hmac.compare_digest(form.get("client_secret", "").encode(), self.state.client_secret.encode())
        if form.get("client_id") != self.state.client_id or not known:
            return _refused("invalid_client", "BAD_CLIENT_SECRET")
        if form.get("grant_type") == "authorization_code":
            return self._by_code(form)
        if form.get("grant_type") == "refresh_token":
            grant = self.state.grants.get(form.get("refresh_token", ""))
            return self._tokens(grant) if grant else _refused("invalid_grant", "BAD_REFRESH_TOKEN")
        return _refused("unsupported_grant_type", "BAD_GRANT_TYPE")

    def _by_code(self, form: dict[str, str]) -> Response:
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.ends < time.time() or code.redirect_uri != form.get("redirect_uri"):
            return _refused("invalid_grant", "BAD_AUTH_CODE")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if code.challenge and base64.urlsafe_b64encode(digest).decode().rstrip("=") != code.challenge:
            return _refused("invalid_grant", "BAD_AUTH_CODE")
        return self._tokens(Grant(secrets.token_urlsafe(32), set(code.scopes)))

    def _tokens(self, grant: Grant) -> Response:
        grant.access_tokens[access := secrets.token_urlsafe(48)] = time.time() + LIVES
        self.state.grants[grant.refresh_token] = grant
        body: dict[str, Any] = {"token_type": "bearer", "access_token": access, "expires_in": LIVES, "hub_id": 24601}
        return JSONResponse({**body, "refresh_token": grant.refresh_token, "scopes": sorted(grant.scopes)})

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/authorize", self.authorize, methods=["GET", "POST"]),
            Route("/oauth/v3/token", self.token, methods=["POST"]),
        ]


def _refused(error: str, status: str) -> Response:
    words = {"error": error, "error_description": "not accepted", "status": status, "message": "not accepted"}
    return JSONResponse(words, 400)
