"""HubSpot as its public documentation describes it: account, CRM objects, a private app's token."""

from __future__ import annotations

import json
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .provider_state import ProviderState

PORTAL = 24601
SCOPES_PAGE = "https://developers.hubspot.com/scopes"
NO_CREDENTIALS = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details "
    "at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
OBJECTS: dict[str, list[dict[str, str]]] = {
    "contacts": [{"email": "ada@example.com", "firstname": "Ada"}, {"email": "alan@example.com", "firstname": "Alan"}],
    "companies": [{"name": "Acme", "domain": "acme.example"}],
    "deals": [{"dealname": "Renewal", "amount": "1200", "dealstage": "closedwon"}],
}
OTHER_OBJECTS = frozenset({"tickets", "products", "line_items", "quotes"})


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    correlation = str(body.get("correlationId") or uuid.uuid4())
    headers = {
        "X-HubSpot-Correlation-Id": correlation,
        "X-HubSpot-RateLimit-Daily": "250000",
        "X-HubSpot-RateLimit-Daily-Remaining": "249900",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        "X-HubSpot-RateLimit-Max": "100",
        "X-HubSpot-RateLimit-Remaining": "99",
    }
    return JSONResponse(body, status, headers)


def _error(status: int, message: str, category: str, **more: Any) -> Response:
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), **more, "category": category}
    return _answer(body, status)


def _missing(scope: str) -> Response:
    needed = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": [scope]},
    }
    message = (
        "This app hasn't been granted all required scopes to make this call. "
        f"Read more about required scopes here: {SCOPES_PAGE}."
    )
    return _error(403, message, "MISSING_SCOPES", errors=[needed], links={"scopes": SCOPES_PAGE})


def _record(number: int, properties: dict[str, str]) -> dict[str, Any]:
    moment = "2026-01-05T09:00:00.000Z"
    full = {**properties, "hs_object_id": str(number), "createdate": moment, "hs_lastmodifieddate": moment}
    return {"id": str(number), "properties": full, "createdAt": moment, "updatedAt": moment, "archived": False}


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2].strip()


class HubSpot:
    """The routes of one HubSpot account."""

    def __init__(self, state: ProviderState) -> None:
        self.state = state

    def _refused(self, request: Request) -> Response | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.state.hubspot_accepts(token.strip()):
            return None
        return _error(401, NO_CREDENTIALS, "INVALID_AUTHENTICATION")

    async def details(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        return _answer(
            {
                "portalId": PORTAL,
                "accountType": "STANDARD",
                "timeZone": "US/Eastern",
                "companyCurrency": "USD",
                "additionalCurrencies": [],
                "utcOffset": "-05:00",
                "utcOffsetMilliseconds": -18000000,
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "na1",
            }
        )

    async def objects(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        kind = request.path_params["kind"]
        if kind not in OBJECTS and kind not in OTHER_OBJECTS:
            return _error(400, f"Unable to infer object type from: {kind}", "VALIDATION_ERROR")
        scope = "tickets" if kind == "tickets" else f"crm.objects.{kind}.read"
        if scope not in self.state.hubspot_scopes_of(_token(request)):
            return _missing(scope)
        return self._page(request, [_record(n, p) for n, p in enumerate(OBJECTS.get(kind, []), 1)])

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        try:
            limit, after = int(request.query_params.get("limit", "10")), int(request.query_params.get("after", "0"))
        except ValueError:
            return _error(400, "Invalid input: limit and after must be numbers", "VALIDATION_ERROR")
        body: dict[str, Any] = {"results": rows[after : after + limit]}
        if after + limit < len(rows):
            link = str(request.url.include_query_params(limit=limit, after=after + limit))
            body["paging"] = {"next": {"after": str(after + limit), "link": link}}
        return _answer(body)

    async def token_info(self, request: Request) -> Response:
        """Scopes of a private app's token; the token itself is the credential."""
        try:
            sent = json.loads(await request.body())
        except ValueError:
            sent = None
        token = sent.get("tokenKey") if isinstance(sent, dict) else None
        if not isinstance(token, str):
            return _error(400, "Invalid input JSON: tokenKey is required", "VALIDATION_ERROR")
        if not self.state.hubspot_accepts(token):
            return _error(401, NO_CREDENTIALS, "INVALID_AUTHENTICATION")
        scopes = sorted(self.state.hubspot_scopes)
        return _answer({"userId": 1234567, "hubId": PORTAL, "appId": 2011410, "scopes": scopes})

    async def unknown(self, request: Request) -> Response:
        return _answer({"status": "error", "message": "resource not found", "correlationId": str(uuid.uuid4())}, 404)

    def routes(self) -> list[Route]:
        return [
            Route("/account-info/v3/details", self.details),
            Route("/crm/v3/objects/{kind}", self.objects),
            Route("/oauth/v2/private-apps/get/access-token-info", self.token_info, methods=["POST"]),
            Route("/{path:path}", self.unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
