"""What frameworks and platforms say by themselves, when nobody wrote words for it: to a plain API's caller.

Of a pair the first is for who shows a credential, the second for everybody else.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.fakes.nasty import Nasty, page, says
from tests.fakes.odd import DATA, NOBODY, goes, good, raw, shows_a_key

SAID: dict[str, Nasty] = {}
NUMBERS = count(0x4BF92F3577B34DA6)


def pair(one: Nasty, other: Nasty) -> Nasty:
    def talk(peer: socket.socket, request: bytes) -> None:
        (one if shows_a_key(request) else other)(peer, request)

    return talk


def anew(make: Callable[[str], Any], status: str, *lines: str, kind: str = "application/json") -> Nasty:
    """An answer with another number in it each time."""

    def talk(peer: socket.socket, request: bytes) -> None:
        says(status, make(f"{next(NUMBERS):x}"), *lines, kind=kind)(peer, request)

    return talk


def text(status: str, body: str, *lines: str) -> Nasty:
    return says(status, body, *lines, kind="text/plain")


TOKEN = "WWW-Authenticate: Token"
NOT_GIVEN = says("401 Unauthorized", {"detail": "Authentication credentials were not provided."}, TOKEN)
PROBLEM = "application/problem+json"
RFC = "https://tools.ietf.org/html/rfc9110#section-15.5.2"
CAPTCHA_LOGIN = (
    '<html><head><title>Sign in - Acme</title><script src="https://www.google.com/recaptcha/api.js"></script></head>'
    '<form><input name=email><input type="password" name=password><div class="g-recaptcha"></div></form></html>'
)
NAVIGATION = "<html><title>Acme</title><ul><li>Okta<li>Zscaler<li>Netskope<li>Forcepoint</ul><p>Welcome</p></html>"
LOST = "Location: https://{}.invalid{}"
SAID.update({
    "django_bad_token": pair(says("401 Unauthorized", {"detail": "Invalid token."}, TOKEN), NOT_GIVEN),
    "django_other_scheme": NOT_GIVEN,
    "fastapi_403": says("403 Forbidden", {"detail": "Not authenticated"}),
    "laravel": says("401 Unauthorized", {"message": "Unauthenticated."}),
    "spring_401": anew(lambda n: {"timestamp": f"2026-12-01T01:00:00.{int(n, 16) % 1000:03}+00:00", "status": 401, "error": "Unauthorized", "path": "/"},
        "401 Unauthorized", "WWW-Authenticate: Bearer"),
    "spring_403": anew(lambda n: {"timestamp": int(n, 16), "status": 403, "error": "Forbidden", "path": "/"}, "403 Forbidden"),
    "spring_403_with_an_id": anew(lambda n: {"status": 403, "error": "Forbidden", "requestId": f"a{n}"}, "403 Forbidden"),
    "asp_net_problem": anew(lambda n: {"type": RFC, "title": "Unauthorized", "status": 401, "traceId": f"00-{n}0e0e4736-{n}-00"},
        "401 Unauthorized", "WWW-Authenticate: Bearer", kind=PROBLEM),
    "rails_token": text("401 Unauthorized", "HTTP Token: Access denied.\n", 'WWW-Authenticate: Token realm="Application"'),
    "wordpress": says("401 Unauthorized", {"code": "rest_not_logged_in", "message": "You are not currently logged in.", "data": {"status": 401}}),
    "hasura": says("200 OK", {"errors": [{"extensions": {"path": "$", "code": "access-denied"}, "message": "x-hasura-admin-secret required, but not found"}]}),
    "odata_ended": says("401 Unauthorized", {"error": {"code": "InvalidAuthenticationToken", "message": {"lang": "en", "value": "Access token has expired."}}}),
    "wso2": says("401 Unauthorized", {"fault": {"code": 900901, "message": "Invalid Credentials", "description": "Invalid Credentials. Make sure you have provided the correct security credentials"}}),
    "heroku_without_an_app": page("404 Not Found", "<html><title>No such app</title></html>"),
    "traefik_without_a_route": text("404 Not Found", "404 page not found\n"),
    "fastly_unknown_domain": page("500 Domain Not Found", "<html><title>Fastly error: unknown domain api.acme.test</title>Please check that this domain has been added to a service.</html>"),
    "zscaler_wants_a_login": says("307 Temporary Redirect", "", LOST.format("gateway.zscaler.net", ":443/auD?origurl=http%3A%2F%2Fapi")),
    "cloudflare_access": says("302 Found", "", LOST.format("acme.cloudflareaccess.com", "/cdn-cgi/access/login/api?kid=1")),
    "healthy_for_all": text("200 OK", "OK"),
    "json_null": pair(says("200 OK", "null"), NOBODY),
    "json_false": pair(says("200 OK", "false"), NOBODY),
    "json_text": pair(says("200 OK", '"acme"'), NOBODY),
    "json_nothing_yet": pair(says("200 OK", "[]"), NOBODY),
    "json_behind_lines": pair(says("200 OK", b"\n" * 3000 + DATA), NOBODY),
    "only_lines": says("200 OK", "\n" * 30),
    "json_with_a_comma": says("200 OK", '{"id": 7, "name": "Acme",}'),
    "json_of_no_kind": pair(raw(good(kind="X-No: kind")), NOBODY),
    "json_of_php": pair(says("200 OK", DATA, kind="text/html; charset=UTF-8"), says("401 Unauthorized", {"error": "no key"}, kind="text/html")),
    "json_refusal_of_php": says("401 Unauthorized", {"error": "Invalid API key"}, kind="text/html; charset=UTF-8"),
    "please_log_in": text("200 OK", "<div>Please log in</div>"),
    "code_of_underscores": says("200 OK", {"success": False, "error": {"code": "invalid_api_key", "message": "Denied"}}),
    "limited_with_200": says("200 OK", {"ok": False, "error": "rate_limited"}),
    "suspended_with_200": says("200 OK", {"success": False, "message": "Your account has been suspended"}),
    "ended_with_200": says("200 OK", {"error": "The access token has expired"}),
    "trace_with_a_word": says("500 Internal Server Error", {"error": "NoMethodError", "trace": ["app/jobs/maintenance_task.rb:12:in 'run'"]}),
    "page_with_a_link": page("500 Internal Server Error", "<html><title>Something went wrong</title>See our <a href=/status>status page</a> for planned maintenance.</html>"),
    "login_with_a_captcha": page("200 OK", CAPTCHA_LOGIN),
    "page_that_names_filters": page("200 OK", NAVIGATION),
    "leads_on_by_303": goes("Location: /there", status="303 See Other"),
})  # fmt: skip


def aws(status: str, message: str, kind: str) -> Nasty:
    return says(status, {"message": message}, f"x-amzn-ErrorType: {kind}")


ELASTIC = {"type": "security_exception", "reason": "missing authentication credentials for REST request [/me]"}
SAID.update({
    "sucuri": page("403 Forbidden", "<html><title>Sucuri WebSite Firewall - Access Denied</title></html>", "X-Sucuri-ID: 11005"),
    "wordfence": page("503 Service Unavailable", "<html><title>Your access to this site has been limited by the site owner</title>Generated by Wordfence</html>"),
    "cloudfront_country": page("403 Forbidden", "<HTML><TITLE>ERROR: The request could not be satisfied</TITLE>The Amazon CloudFront distribution is configured to block access from your country.</HTML>", "X-Cache: Error from cloudfront"),
    "aws_integration": aws("502 Bad Gateway", "Internal server error", "InternalServerErrorException"),
    "aws_throttles": aws("429 Too Many Requests", "Too Many Requests", "TooManyRequestsException"),
    "aws_quota": aws("429 Too Many Requests", "Limit Exceeded", "LimitExceededException"),
    "aws_token_ended": pair(aws("401 Unauthorized", "The incoming token has expired", "UnauthorizedException"), aws("401 Unauthorized", "Unauthorized", "UnauthorizedException")),
    "esp_misses_a_token": says("401 Unauthorized", {"code": 401, "message": "Jwt is missing"}, 'WWW-Authenticate: Bearer realm="https://x/"'),
    "google_key": says("400 Bad Request", {"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}),
    "google_not_enabled": pair(says("403 Forbidden", {"error": {"code": 403, "message": "Acme API has not been used in project 123 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api then retry.", "status": "PERMISSION_DENIED"}}), NOBODY),
    "google_scopes": pair(says("403 Forbidden", {"error": {"code": 403, "message": "Request had insufficient authentication scopes.", "status": "PERMISSION_DENIED"}}), NOBODY),
    "entra_compact": says("401 Unauthorized", {"error": {"code": "InvalidAuthenticationToken", "message": "CompactToken validation failed with reason code: 80049228."}}),
    "entra_second_factor": says("400 Bad Request", {"error": "invalid_grant", "error_description": "AADSTS50076: Due to a configuration change made by your administrator, you must use multi-factor authentication to access"}),
    "okta": says("401 Unauthorized", {"errorCode": "E0000011", "errorSummary": "Invalid token provided", "errorLink": "E0000011", "errorId": "oaeHfmOAx1iRLa0H10DeMz5fQ", "errorCauses": []}),
    "elastic": says("401 Unauthorized", {"error": {"root_cause": [ELASTIC], **ELASTIC}, "status": 401}, 'WWW-Authenticate: Basic realm="security", charset="UTF-8"', "WWW-Authenticate: ApiKey"),
    "couchdb": says("401 Unauthorized", {"error": "unauthorized", "reason": "Name or password is incorrect."}),
    "jenkins": page("403 Forbidden", "<html><head><meta http-equiv='refresh' content='1;url=/login?from=%2F'/></head>Authentication required</html>", "X-Jenkins: 2.4"),
    "graphql_limited": says("200 OK", {"data": None, "errors": [{"message": "Rate limit exceeded", "extensions": {"code": "RATE_LIMITED"}}]}),
    "app_of_one_page": page("200 OK", "<!doctype html><html><title>Acme</title><noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div></html>"),
    "swagger": page("200 OK", "<!DOCTYPE html><html><title>Swagger UI</title><div id=swagger-ui></div></html>"),
    "xml_refusal": says("401 Unauthorized", "<?xml version='1.0'?><error><code>401</code><message>Invalid token</message></error>", "WWW-Authenticate: Bearer", kind="application/xml"),
    "ngrok_offline": page("404 Not Found", "<!DOCTYPE html><html><title>ngrok</title>The endpoint abc.ngrok-free.app is offline. ERR_NGROK_3200</html>", "Ngrok-Error-Code: ERR_NGROK_3200"),
    "kong_limits": says("429 Too Many Requests", {"message": "API rate limit exceeded"}, "RateLimit-Reset: 30"),
    "apisix_misses_a_key": says("401 Unauthorized", {"message": "Missing API key in request"}),
    "nothing_for_all": says("200 OK", {}),
    "good_with_none_left": pair(raw(good("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 30")), NOBODY),
    "external_authorizer": text("403 Forbidden", "", "Server: envoy"),
    "user_of_a_zscaler_page": page("404 Not Found", "<html><title>404 Not Found</title>nginx</html>", "Via: 1.1 zscaler"),
})  # fmt: skip
