"""The demo provider's answers, in the shapes the providers document."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bot.playground.provider import DemoProvider
from flows.core.sheet import sheet


@pytest.fixture
def provider() -> Iterator[DemoProvider]:
    one = DemoProvider()
    one.start()
    yield one
    one.stop()


def call(provider: DemoProvider, path: str, token: str = "", **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(more.pop("method", "GET"), provider.url + path, headers=headers, timeout=10, **more)


def test_a_stopped_provider_answers_no_more_and_can_start_again(provider: DemoProvider) -> None:
    provider.stop()
    with pytest.raises(requests.ConnectionError):
        call(provider, "/github/user")
    provider.start()
    assert call(provider, "/github/user").status_code == 401


@pytest.mark.parametrize("token", ["", "pat-na1-wrong"])
def test_hubspot_without_a_valid_token(provider: DemoProvider, token: str) -> None:
    answer = call(provider, "/hubspot/account-info/v3/details", token)
    body = answer.json()
    assert answer.status_code == 401
    assert set(body) == {"status", "message", "correlationId", "category"}
    assert (body["status"], body["category"]) == ("error", "INVALID_AUTHENTICATION")
    assert body["message"].startswith("Authentication credentials not found")
    assert answer.headers["X-HubSpot-Correlation-Id"] == body["correlationId"]


def test_hubspot_names_the_missing_scopes(provider: DemoProvider) -> None:
    provider.restore_hubspot_token()
    provider.state.hubspot_scopes.discard("crm.objects.deals.read")
    answer = call(provider, "/hubspot/crm/v3/objects/deals?limit=1", provider.state.hubspot_token)
    assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
    assert answer.json()["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.deals.read"]}


def test_hubspot_pages_and_refuses_what_it_does_not_know(provider: DemoProvider) -> None:
    provider.restore_hubspot_token()
    token = provider.state.hubspot_token
    first = call(provider, "/hubspot/crm/v3/objects/contacts?limit=1", token)
    assert int(first.headers["X-HubSpot-RateLimit-Remaining"]) > 0
    link = first.json()["paging"]["next"]["link"]
    second = requests.get(link, headers={"Authorization": f"Bearer {token}"}, timeout=10).json()
    assert second["results"][0]["id"] == "2"
    assert "paging" not in second
    assert call(provider, "/hubspot/crm/v3/objects/unicorns", token).status_code == 400
    assert call(provider, "/hubspot/crm/v3/objects/contacts?limit=x", token).status_code == 400
    assert call(provider, "/hubspot/nowhere", token).status_code == 404


def test_hubspot_tells_the_scopes_of_a_private_app(provider: DemoProvider) -> None:
    path, body = "/hubspot/oauth/v2/private-apps/get/access-token-info", {"tokenKey": provider.state.hubspot_token}
    assert call(provider, path, method="POST", json=body).status_code == 401
    provider.restore_hubspot_token()
    told = call(provider, path, method="POST", json=body).json()
    assert set(told) == {"userId", "hubId", "appId", "scopes"}
    assert "crm.objects.contacts.read" in told["scopes"]
    assert call(provider, path, method="POST", data="nonsense").status_code == 400


def test_github_refuses_a_wrong_token(provider: DemoProvider) -> None:
    answer = call(provider, "/github/user", "ghp_wrong")
    assert answer.status_code == 401
    body = answer.json()
    assert (body["message"], body["status"]) == ("Bad credentials", "401")
    assert body["documentation_url"] == "https://docs.github.com/rest"
    assert "X-OAuth-Scopes" not in answer.headers
    assert call(provider, "/github/user").json()["message"] == "Requires authentication"


def test_github_tells_scopes_limits_and_a_request_id(provider: DemoProvider) -> None:
    answer = call(provider, "/github/user", provider.state.github_token)
    assert answer.json()["login"]
    assert answer.headers["X-OAuth-Scopes"] == "read:user, repo"
    assert answer.headers["X-RateLimit-Limit"] == "5000"
    assert answer.headers["X-GitHub-Request-Id"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/user/repos", 200),
        ("/user/orgs", 403),
        ("/orgs/acme", 200),
        ("/orgs/elsewhere", 404),
        ("/orgs/acme/repos", 200),
        ("/orgs/acme/teams", 403),
        ("/orgs/acme/teams/data/members", 404),
        ("/repos/acme/shop", 200),
        ("/repos/acme/shop/commits", 200),
        ("/repos/acme/secret", 404),
        ("/repos/acme/shop/unicorns", 404),
        ("/nowhere", 404),
    ],
)
def test_github_without_read_org(provider: DemoProvider, path: str, code: int) -> None:
    answer = call(provider, f"/github{path}", provider.state.github_token)
    assert answer.status_code == code
    if code != 200:
        assert set(answer.json()) == {"message", "documentation_url", "status"}


def test_stripe_refuses_a_wrong_key_without_repeating_it(provider: DemoProvider) -> None:
    provider.end_stripe_outage()
    key = "sk_test_" + "a1b2c3d4e5"
    answer = call(provider, "/stripe/v1/charges?limit=1", key)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (401, "invalid_request_error")
    assert error["message"].startswith("Invalid API Key provided: sk_test_****")
    assert key not in error["message"]
    assert answer.headers["Request-Id"].startswith("req_")
    assert "You did not provide an API key" in call(provider, "/stripe/v1/account").json()["error"]["message"]


def test_stripe_takes_the_key_in_either_scheme(provider: DemoProvider) -> None:
    provider.end_stripe_outage()
    url, key = provider.url + "/stripe/v1/customers", provider.state.stripe_key
    assert requests.get(url, auth=(key, ""), timeout=10).status_code == 200
    assert call(provider, "/stripe/v1/customers", key).json()["url"] == "/v1/customers"


def test_stripe_names_what_a_restricted_key_lacks(provider: DemoProvider) -> None:
    provider.end_stripe_outage()
    provider.state.stripe_denied.add("invoices")
    answer = call(provider, "/stripe/v1/invoices", provider.state.stripe_key)
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert "Enabling Invoices Read ('invoice_read') permissions on this key" in error["message"]
    assert error["code"] == "more_permissions_required"
    spec = sheet("stripe").http
    assert spec
    found = re.search(spec.scopes_said, error["message"])
    assert found
    assert found[1] == "invoice_read"
    assert call(provider, "/stripe/v1/unicorns", provider.state.stripe_key).status_code == 404


@pytest.mark.parametrize("service", ["hubspot", "github", "stripe"])
def test_status_pages_have_statuspages_shape(provider: DemoProvider, service: str) -> None:
    base = f"/status/{service}/api/v2"
    summary = call(provider, f"{base}/summary.json").json()
    assert set(summary) == {"page", "status", "components", "incidents", "scheduled_maintenances"}
    assert set(summary["page"]) == {"id", "name", "url", "time_zone", "updated_at"}
    assert set(call(provider, f"{base}/status.json").json()) == {"page", "status"}
    assert set(call(provider, f"{base}/components.json").json()) == {"page", "components"}
    assert set(call(provider, f"{base}/incidents/unresolved.json").json()) == {"page", "incidents"}
    assert call(provider, f"{base}/unicorns.json").status_code == 404
    assert call(provider, f"/status/{service}").text.count("<h1>") == 1
    calm = {"indicator": "none", "description": "All Systems Operational"}
    assert (summary["status"] == calm) is (service != "stripe")


def test_the_incident_of_stripe_is_on_its_api(provider: DemoProvider) -> None:
    summary = call(provider, "/status/stripe/api/v2/summary.json").json()
    (incident,) = summary["incidents"]
    assert (incident["impact"], incident["resolved_at"]) == ("major", None)
    assert [one["status"] for one in incident["incident_updates"]] == ["identified", "investigating"]
    assert incident["incident_updates"][0]["affected_components"][0]["name"] == "API"
    assert {one["name"]: one["status"] for one in summary["components"]}["API"] == "major_outage"


def test_a_grant_is_given_once_and_keeps_to_what_was_allowed(provider: DemoProvider) -> None:
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    back = "http://127.0.0.1:1/oauth/callback"
    asked = {"client_id": provider.state.client_id, "redirect_uri": back, "state": "s", "code_challenge": challenge,
             "scope": "oauth crm.objects.contacts.read crm.objects.deals.read", "response_type": "code"}  # fmt: skip
    at = f"{provider.url}/hubspot/oauth"
    assert "crm.objects.deals.read" in requests.get(f"{at}/authorize", params=asked, timeout=10).text
    said = {"answer": "allow", "granted": ["oauth", "crm.objects.contacts.read"]}
    onward = requests.post(f"{at}/authorize", params=asked, data=said, timeout=10, allow_redirects=False)
    code = parse_qs(urlsplit(onward.headers["Location"]).query)["code"][0]
    client = {"client_id": provider.state.client_id, "client_secret": provider.state.client_secret}
    form = {**client, "grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
    first, again = (requests.post(f"{at}/v3/token", data=form, timeout=10) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()["error"]) == (200, 400, "invalid_grant")
    seen = {"Authorization": f"Bearer {first.json()['access_token']}"}
    objects = f"{provider.url}/hubspot/crm/v3/objects"
    assert requests.get(f"{objects}/contacts", headers=seen, timeout=10).status_code == 200
    assert requests.get(f"{objects}/deals", headers=seen, timeout=10).status_code == 403
    renewal = {**client, "grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]}
    assert requests.post(f"{at}/v3/token", data=renewal, timeout=10).json()["access_token"]
    provider.revoke_hubspot_token()
    assert requests.post(f"{at}/v3/token", data=renewal, timeout=10).status_code == 400


def test_nobody_unknown_is_sent_anywhere(provider: DemoProvider) -> None:
    for wrong in ({"client_id": "other"}, {"redirect_uri": "https://evil.example/oauth/callback"}):
        asked = {"client_id": provider.state.client_id, "redirect_uri": "http://127.0.0.1:1/oauth/callback", **wrong}
        answer = requests.get(
            f"{provider.url}/hubspot/oauth/authorize", params=asked, timeout=10, allow_redirects=False
        )
        assert answer.status_code == 400
