"""An OAuth 2.0 provider by Authlib's server side, with a consent page, and beside it a small API with HubSpot's forms.

Codes and refresh tokens work once: a second use of either takes back all that came from it, as RFC 9700 section 4.14
wants. PKCE is demanded by S256, `iss` is said, and every call is kept for the tests to read.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin, grants, list_to_scope, scope_to_list
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import Flask, jsonify, render_template_string, request
from werkzeug.serving import make_server

os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")  # on this machine's loopback only
ACCOUNTS = {"24601": "Acme", "99": "Somebody else's"}
NEEDS = {
    "contacts": "crm.objects.contacts.read",
    "companies": "crm.objects.companies.read",
    "deals": "crm.objects.deals.read",
}
PAGE = """<!doctype html><html lang=en><title>Allow Mend?</title><main><h1>Allow {{ client }}?</h1><form method=post>
<p><label for=account>Account</label> <select id=account name=account>{% for number, name in accounts.items() %}
<option value="{{ number }}">{{ name }}</option>{% endfor %}</select></p>
{% for one in scopes %}<p><label><input type=checkbox name=granted value="{{ one }}" checked> {{ one }}</label></p>
{% endfor %}<button name=answer value=allow>Allow</button> <button name=answer value=deny>Deny</button></form></main>"""


@dataclass
class App(ClientMixin):
    client_id: str
    client_secret: str
    redirect_uris: list[str] = field(default_factory=list)

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uris[0] if self.redirect_uris else ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris if self.redirect_uris else redirect_uri.endswith("/oauth/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self.client_secret, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_post", "client_secret_basic")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class Code:
    code: str
    redirect_uri: str
    scope: str
    account: str
    code_challenge: str
    code_challenge_method: str
    family: str = field(default_factory=lambda: uuid.uuid4().hex)
    used: bool = False

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Token:
    access_token: str
    refresh_token: str
    scope: str
    account: str
    family: str
    expires_at: float
    revoked: bool = False
    refreshed: bool = False

    def check_client(self, client: App) -> bool:
        return True

    def get_scope(self) -> str:
        return self.scope


class OAuthProvider:
    """Start it, register the app in mend.yml, and break it: `down`, `lives`, `scopes_said`, `revoke`."""

    def __init__(self) -> None:
        self.app = App("mend-app", "c4n4ry-cl1ent-secret")
        self.codes: dict[str, Code] = {}
        self.tokens: list[Token] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.lives, self.down, self.slow, self.gives_refresh = 1800, False, 0.0, True
        self.lock = threading.Lock()
        self.server = make_server("127.0.0.1", 0, self._flask(), threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> OAuthProvider:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def registration(self) -> dict[str, Any]:
        """What mend.yml says under `oauth:`."""
        addresses = {"authorize_url": f"{self.url}/oauth/authorize", "token_url": f"{self.url}/oauth/token"}
        return {"client_id": self.app.client_id, "client_secret": self.app.client_secret, **addresses}

    def secrets(self) -> list[str]:
        """Everything that nobody but Mend's vault may hold."""
        made = [one for token in self.tokens for one in (token.access_token, token.refresh_token) if one]
        return [self.app.client_secret, *self.codes, *made]

    def give(self, account: str, scope: str, *, lives: int = 1800) -> Token:
        """A grant that was made before."""
        names = ("access_token", "refresh_token", "family")
        made = {name: uuid.uuid4().hex + uuid.uuid4().hex for name in names}
        self.tokens.append(Token(**made, scope=scope, account=account, expires_at=time.time() + lives))
        return self.tokens[-1]

    def revoke(self, *, account: str = "") -> None:
        for token in self.tokens:
            token.revoked = token.revoked or account in ("", token.account)

    def refreshes(self) -> int:
        return sum(form.get("grant_type") == "refresh_token" for path, form in self.calls if path == "/oauth/token")

    # The provider itself -----------------------------------------------------------------------------------------

    def _flask(self) -> Flask:
        app = Flask("provider")
        lives = lambda client, grant_type: self.lives  # noqa: E731
        app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
        server = AuthorizationServer(app, self._client, self._save)
        server.register_token_generator("default", _bearer(server, app.config, lives))
        server.register_grant(_code_grant(self), [CodeChallenge(required=True)])
        server.register_grant(_refresh_grant(self))
        server.register_extension(_Issuer(self))
        app.before_request(self._before)
        app.add_url_rule("/oauth/authorize", view_func=lambda: self._authorize(server), methods=["GET", "POST"],
                         endpoint="authorize")  # fmt: skip
        app.add_url_rule("/oauth/token", view_func=server.create_token_response, methods=["POST"], endpoint="token")
        app.add_url_rule("/account-info/v3/details", view_func=self._details, endpoint="details")
        app.add_url_rule("/crm/v3/objects/<name>", view_func=self._objects, endpoint="objects")
        app.add_url_rule("/api/v2/status.json", view_func=lambda: jsonify(status={"indicator": "none"}), endpoint="st")
        return app

    def _before(self) -> Any:
        self.calls.append((request.path, {**request.args.to_dict(), **request.form.to_dict()}))
        if self.down and request.path in ("/oauth/token", *(["/oauth/authorize"] if self.down == "all" else [])):
            return ("<html><title>502 Bad Gateway</title></html>", 502)
        if request.path == "/oauth/token":
            time.sleep(self.slow)
        return None

    def _client(self, client_id: str) -> App | None:
        return self.app if client_id == self.app.client_id else None

    def _save(self, token: dict[str, Any], asked: Any) -> None:
        before = getattr(asked, "authorization_code", None) or asked.refresh_token
        if not self.gives_refresh:
            token.pop("refresh_token", None)
        made = Token(token["access_token"], token.get("refresh_token", ""), token["scope"], before.account,
                     before.family, time.time() + token["expires_in"])  # fmt: skip
        with self.lock:
            self.tokens.append(made)

    def end(self, family: str) -> None:
        for token in self.tokens:
            token.revoked = token.revoked or token.family == family

    def _authorize(self, server: AuthorizationServer) -> Any:
        user = request.form.get("account") if request.form.get("answer") == "allow" else None
        try:
            grant = server.get_consent_grant(end_user=user)
        except OAuth2Error as error:
            return (f"<h1>{error.error}</h1>{error.description}", 400)
        if request.method == "POST":
            return server.create_authorization_response(grant_user=user, grant=grant)
        asked = scope_to_list(grant.request.payload.scope) or []
        return render_template_string(PAGE, client=grant.client.client_id, scopes=asked, accounts=ACCOUNTS)

    # Its API -----------------------------------------------------------------------------------------------------

    def _bearer_of(self) -> tuple[Token | None, Any]:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        token = next((t for t in self.tokens if given and t.access_token == given), None)
        if token and not token.revoked and token.expires_at > time.time():
            return token, None
        late = bool(token) and not token.revoked  # type: ignore[union-attr]
        kind = "EXPIRED_AUTHENTICATION" if late else "INVALID_AUTHENTICATION"
        return None, _error(401, kind, "Authentication credentials not found.")

    def _details(self) -> Any:
        token, refused = self._bearer_of()
        return refused if token is None else jsonify(portalId=int(token.account), accountType="STANDARD")

    def _objects(self, name: str) -> Any:
        token, refused = self._bearer_of()
        if token is None:
            return refused
        if NEEDS.get(name, "") not in token.scope.split():
            needed = [{"message": "required", "context": {"requiredGranularScopes": [NEEDS.get(name, name)]}}]
            return _error(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes", errors=needed)
        return jsonify(results=[{"id": "1"}])


class _Issuer(IssuerParameter):
    def __init__(self, provider: OAuthProvider) -> None:
        self.provider = provider

    def get_issuer(self) -> str:
        return self.provider.url


def _bearer(server: AuthorizationServer, config: Any, lives: Any) -> Any:
    made = server.create_bearer_token_generator(config)
    made.expires_generator = lives
    return made


def _error(status: int, category: str, message: str, **more: Any) -> Any:
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category, **more}
    return jsonify(body), status


def _code_grant(provider: OAuthProvider) -> type[grants.AuthorizationCodeGrant]:
    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post", "client_secret_basic"]

        def save_authorization_code(self, code: str, asked: Any) -> None:
            data = asked.payload.data
            scope = list_to_scope(request.form.getlist("granted"))
            provider.codes[code] = Code(code, asked.payload.redirect_uri, scope, asked.user,
                                        data.get("code_challenge"), data.get("code_challenge_method"))  # fmt: skip

        def query_authorization_code(self, code: str, client: App) -> Code | None:
            found = provider.codes.get(code)
            if found and found.used:
                provider.end(found.family)
                return None
            return found

        def delete_authorization_code(self, authorization_code: Code) -> None:
            authorization_code.used = True

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.account

    return CodeGrant


def _refresh_grant(provider: OAuthProvider) -> type[grants.RefreshTokenGrant]:
    class RefreshGrant(grants.RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post", "client_secret_basic"]
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
            with provider.lock:
                found = next((t for t in provider.tokens if t.refresh_token == refresh_token), None)
                if found and found.refreshed:
                    provider.end(found.family)
                if found is None or found.revoked or found.refreshed:
                    return None
                found.refreshed = True
                return found

        def authenticate_user(self, credential: Token) -> str:
            return credential.account

        def revoke_old_credential(self, credential: Token) -> None:
            credential.revoked = True

    return RefreshGrant
