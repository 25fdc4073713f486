"""Six providers and a plain API, as their public documentation describes their answers.

Every fake knows five outcomes: good, credential, scope, limit, down.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from tests.fakes.serve import Reply

KEY = "key-that-must-never-be-seen"
Fake = Callable[[str, str, Mapping[str, str]], Reply]
BUSY = {"Retry-After": "7"}


def _bearer(headers: Mapping[str, str]) -> bool:
    return headers.get("authorization") == f"Bearer {KEY}"


def hubspot(outcome: str, path: str, headers: Mapping[str, str]) -> Reply:
    def error(status: int, message: str, **more: object) -> Reply:
        body = {"status": "error", "message": message, "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf", **more}
        return status, {}, body

    if outcome == "down":
        return error(500, "internal error")
    if outcome == "limit":
        message = "You have reached your ten_secondly_rolling limit."
        return 429, BUSY, {**error(429, message)[2], "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
    if outcome == "credential" or not _bearer(headers):
        return error(401, "Authentication credentials not found.", category="INVALID_AUTHENTICATION")
    if outcome == "scope" and "deals" in path:
        needed = [{"message": "One or more of the following scopes are required.",
                   "context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}]  # fmt: skip
        return error(403, "This app hasn't been granted all required scopes", category="MISSING_SCOPES", errors=needed)
    return 200, {}, {"portalId": 1} if "account-info" in path else {"results": []}


def github(outcome: str, path: str, headers: Mapping[str, str]) -> Reply:
    scopes = {"X-OAuth-Scopes": "repo" if outcome == "scope" else "repo, admin:org"}

    def error(status: int, message: str, more: dict[str, str]) -> Reply:
        body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
        return status, more, body

    if outcome == "down":
        return 502, {"Content-Type": "text/html"}, "<html><title>Unicorn! · GitHub</title></html>"
    if outcome == "limit":
        over = {"X-RateLimit-Remaining": "0", "Retry-After": "7"}
        return error(403, "API rate limit exceeded for user ID 1.", over)
    if not headers.get("authorization"):
        return error(401, "Requires authentication", {})
    if outcome == "credential" or not _bearer(headers):
        return error(401, "Bad credentials", {})
    if outcome == "scope" and "/teams" in path:
        return error(404, "Not Found", scopes)
    return 200, scopes, {"login": "acme-bot", "id": 1} if path == "/user" else []


def stripe(outcome: str, path: str, headers: Mapping[str, str]) -> Reply:
    def error(status: int, message: str, more: dict[str, str] | None = None) -> Reply:
        return status, more or {}, {"error": {"message": message, "type": "invalid_request_error"}}

    if outcome == "down":
        return error(503, "Sorry, the API is temporarily unavailable.")
    if outcome == "limit":
        return error(429, "Request rate limit exceeded.", BUSY)
    if not headers.get("authorization"):
        return error(401, "You did not provide an API key.")
    if outcome == "credential" or not _bearer(headers):
        return error(401, "Invalid API Key provided: key-*****")
    if outcome == "scope" and "invoices" in path:
        needs = "does not have the required permissions for this endpoint on account 'acct_1'. Having the"
        words = f"The provided key 'rk_live_*****' {needs} 'rak_invoice_read' permission would allow this request."
        return error(403, words)
    return 200, {}, {"id": "acct_1"} if path == "/v1/account" else {"object": "list", "data": []}


def salesforce(outcome: str, path: str, headers: Mapping[str, str]) -> Reply:
    def error(status: int, code: str, message: str) -> Reply:
        return status, {}, [{"message": message, "errorCode": code}]

    if outcome == "down":
        return error(503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable")
    if outcome == "limit":
        return error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    if outcome == "credential" or not _bearer(headers):
        return error(401, "INVALID_SESSION_ID", "Session expired or invalid")
    if outcome == "scope" and "Lead" in path:
        return error(400, "INVALID_TYPE", "sObject type 'Lead' is not supported.")
    return 200, {}, {"records": []} if "query" in path else {"sobjects": "/services/data/v62.0/sobjects"}


def zendesk(outcome: str, path: str, headers: Mapping[str, str]) -> Reply:
    wanted = "Basic " + base64.b64encode(f"bot@acme.com/token:{KEY}".encode()).decode()
    if outcome == "down":
        return 503, {"Content-Type": "text/html"}, "<html><title>503 Service Unavailable</title></html>"
    if outcome == "limit":
        return 429, BUSY, {"error": "APIRateLimitExceeded", "description": "Number of allowed requests exceeded"}
    if not headers.get("authorization") and "me.json" in path:
        return 200, {}, {"user": {"id": None, "name": "Anonymous user", "email": "invalid@example.com"}}
    if outcome == "credential" or headers.get("authorization") != wanted:
        return 401, {}, {"error": "Couldn't authenticate you"}
    if outcome == "scope" and "users.json" in path:
        message = (
            "You do not have access to this page. Please contact the account owner of this help desk for further help."
        )
        return 403, {}, {"error": {"title": "Forbidden", "message": message}}
    return 200, {}, {"user": {"id": 7, "name": "Bot"}} if "me.json" in path else {"rows": []}


def shopify(outcome: str, path: str, headers: Mapping[str, str]) -> Reply:
    granted = ["read_orders"] if outcome == "scope" else ["read_orders", "read_customers"]
    if outcome == "down":
        return 503, {}, {"errors": "Service Unavailable"}
    if outcome == "limit":
        return 429, BUSY, {"errors": "Exceeded 2 calls per second for api client. Reduce request rates to resume."}
    if outcome == "credential" or headers.get("x-shopify-access-token") != KEY:
        return 401, {}, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
    if "access_scopes" in path:
        return 200, {}, {"access_scopes": [{"handle": one} for one in granted]}
    if outcome == "scope" and "customers" in path:
        return 403, {}, {"errors": "[API] This action requires merchant approval for read_customers scope."}
    return 200, {}, {"shop": {"id": 1}} if "shop.json" in path else {"rows": []}


def http_api(outcome: str, path: str, headers: Mapping[str, str]) -> Reply:
    if outcome == "down":
        return 504, {}, "upstream request timeout"
    if outcome == "limit":
        return 429, BUSY, {"message": "slow down"}
    if not headers.get("authorization"):
        return 401, {"WWW-Authenticate": "Bearer"}, ""
    if outcome == "credential" or not _bearer(headers):
        return 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}, {"message": "unauthorized"}
    if outcome == "scope" and path == "/orders":
        return 403, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}, {"message": "forbidden"}
    return 200, {}, {"me": "bot"} if path == "/me" else []


SETTINGS: dict[str, dict[str, object]] = {
    "github": {"organization": "acme"},
    "zendesk": {"subdomain": "acme", "email": "bot@acme.com"},
    "shopify": {"shop": "acme"},
    "salesforce": {"instance_url": "https://acme.my.salesforce.com"},
    "http_api": {"probe": "/me", "resources": ["/orders", "/items"]},
}
TABLES: dict[str, tuple[str, ...]] = {
    "hubspot": ("contacts", "companies", "deals"),
    "github": ("repositories", "teams"),
    "stripe": ("charges", "customers", "invoices"),
    "salesforce": ("Account", "Lead"),
    "zendesk": ("tickets", "users"),
    "shopify": ("orders", "customers"),
}
FAKES: dict[str, Fake] = {
    "hubspot": hubspot, "github": github, "stripe": stripe, "salesforce": salesforce, "zendesk": zendesk,
    "shopify": shopify, "http_api": http_api,
}  # fmt: skip
