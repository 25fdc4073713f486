"""Stripe's API as its public documentation describes it, with an outage and a restricted key."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .provider_state import ProviderState

ACCOUNT = "acct_1DemoAcmeShop"
HELP = "or we can help at https://support.stripe.com/."
NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, "
    f"{HELP}"
)
LISTS: dict[str, list[dict[str, Any]]] = {
    "charges": [{"id": "ch_1", "object": "charge", "amount": 1999, "currency": "usd", "status": "succeeded"}],
    "customers": [{"id": "cus_1", "object": "customer", "email": "ada@example.com"}],
    "invoices": [{"id": "in_1", "object": "invoice", "total": 1999, "currency": "usd", "status": "paid"}],
    "balance_transactions": [],
    "coupons": [],
    "disputes": [],
    "events": [],
    "invoiceitems": [],
    "payment_intents": [],
    "payouts": [],
    "plans": [],
    "prices": [],
    "products": [],
    "refunds": [],
    "subscriptions": [],
    "transfers": [],
}


def masked(key: str) -> str:
    """A key as Stripe repeats it: its kind, stars, the last four."""
    kind = "_".join(key.split("_")[:2]) + "_" if key.count("_") >= 2 else key[:3]
    tail = key[-4:] if len(key) > len(kind) + 4 else ""
    return f"{kind}{'*' * max(4, len(key) - len(kind) - len(tail))}{tail}"


def _answer(body: dict[str, Any], status: int = 200, more: dict[str, str] | None = None) -> Response:
    headers = {"Request-Id": f"req_{secrets.token_hex(7)}", "Stripe-Version": "2025-03-31.basil", **(more or {})}
    return JSONResponse(body, status, headers)


def _error(status: int, message: str, kind: str = "invalid_request_error", **more: str) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="Stripe"'} if status == 401 else None
    return _answer({"error": {"message": message, "type": kind, **more}}, status, headers)


def _key(request: Request) -> str:
    """The key of a Bearer header, or the user name of a Basic one."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


class Stripe:
    """The routes of api.stripe.com that a connection needs."""

    def __init__(self, state: ProviderState) -> None:
        self.state = state

    async def any(self, request: Request) -> Response:
        if self.state.stripe_down:
            return _error(503, "Sorry, the API is temporarily unavailable. Please retry later.", "api_error")
        key = _key(request)
        if not key:
            return _error(401, NO_KEY)
        if key != self.state.stripe_key:
            return _error(401, f"Invalid API Key provided: {masked(key)}")
        resource = request.path_params["path"].strip("/")
        if resource in self.state.stripe_denied:
            return self._denied(key, resource)
        return self._known(request, resource)

    def _denied(self, key: str, resource: str) -> Response:
        right = f"{resource.replace('_', ' ').title()} Read ('{resource.removesuffix('s')}_read')"
        return _error(
            403,
            f"Permission denied. The provided key '{masked(key)}' does not have the required permissions for this "
            f"endpoint on account '{ACCOUNT}'. Enabling {right} permissions on this key would allow this request to "
            "continue.",
            code="more_permissions_required",
        )

    def _known(self, request: Request, resource: str) -> Response:
        if resource == "account":
            return _answer(self._account())
        if resource == "balance":
            funds = [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}]
            return _answer({"object": "balance", "available": funds, "livemode": False, "pending": funds})
        if request.method != "GET" or resource not in LISTS:
            url = f"{request.method}: /v1/{resource}"
            return _error(404, f"Unrecognized request URL ({url}). Please see https://stripe.com/docs {HELP}")
        return self._list(request, resource)

    def _account(self) -> dict[str, Any]:
        return {
            "id": ACCOUNT,
            "object": "account",
            "business_profile": {"name": "Acme Shop", "url": "https://acme.example"},
            "charges_enabled": True,
            "country": "US",
            "default_currency": "usd",
            "details_submitted": True,
            "email": "billing@acme.example",
            "payouts_enabled": True,
            "settings": {"dashboard": {"display_name": "Acme Shop", "timezone": "Etc/UTC"}},
            "type": "standard",
        }

    def _list(self, request: Request, resource: str) -> Response:
        asked = request.query_params.get("limit", "10")
        if not asked.isdigit():
            return _error(400, f"Invalid integer: {asked}")
        rows, limit = LISTS[resource], int(asked)
        body = {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit, "url": f"/v1/{resource}"}
        return _answer(body)

    def routes(self) -> list[Route]:
        return [Route("/v1/{path:path}", self.any, methods=["GET", "POST", "DELETE"])]
