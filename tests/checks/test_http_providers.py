"""Each provider's own answers, over real HTTP, lead to the true cause. Run with -s to see the table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.checks.base import Target
from bot.checks.http import verify_credentials, verify_permissions
from flows.core.causes import CAUSES
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.fakes.providers import FAKES, KEY, SETTINGS, TABLES
from tests.fakes.serve import serving

# connector: (code of a bad credential, what is missing, its code, scopes, code when limited, code when down)
EXPECTED = {
    "hubspot": ("auth.token_revoked", ["deals"], "auth.insufficient_scope", ["crm.objects.deals.read"],
                "limit.rate_limited", "availability.provider_error"),
    "github": ("auth.invalid_token", ["teams"], "auth.insufficient_scope", ["read:org"],
               "limit.rate_limited", "availability.bad_gateway"),
    "stripe": ("auth.invalid_token", ["invoices"], "auth.insufficient_scope", ["rak_invoice_read"],
               "limit.rate_limited", "availability.provider_error"),
    "salesforce": ("auth.session_token_expired", ["Lead"], "privilege.resource_hidden", ["Read on Lead"],
                   "limit.daily_quota", "availability.provider_error"),
    "zendesk": ("auth.invalid_token", ["users"], "privilege.role_missing", ["users:read"],
                "limit.rate_limited", "availability.provider_error"),
    "shopify": ("auth.invalid_token", ["customers"], "auth.insufficient_scope", ["read_customers"],
                "limit.rate_limited", "availability.provider_error"),
    "http_api": ("auth.invalid_token", ["/orders"], "auth.insufficient_scope", [],
                 "limit.rate_limited", "availability.gateway_timeout"),
}  # fmt: skip
ROWS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    print("\n" + "\n".join(ROWS))


def run(connector: str, outcome: str) -> tuple[Finding, Finding]:
    with serving(lambda path, headers: FAKES[connector](outcome, path, headers)) as url:
        settings = {**SETTINGS.get(connector, {}), "base_url": url}
        known = sheet(connector)
        secret = known.http.secret if known.http else ""
        target = Target("crm", connector, known, settings, {secret: KEY}, TABLES.get(connector, ()), timeout=3.0)
        login, rights = verify_credentials(target), verify_permissions(target)
    for one in (login, rights):
        assert KEY not in repr(one)
        assert "\n" not in one.evidence
        assert len(one.evidence) <= 500
        assert one.cause is None or one.cause in CAUSES
    ROWS.append(
        f"{connector:11}{outcome:11}{login.verdict:8}{login.code or '-':29}{rights.verdict:8}{rights.code or '-'}"
    )
    return login, rights


@pytest.mark.parametrize("connector", FAKES)
def test_a_good_connection_is_good(connector: str) -> None:
    login, rights = run(connector, "good")
    assert (login.verdict, rights.verdict) == ("good", "good"), (login, rights)


@pytest.mark.parametrize("connector", FAKES)
def test_a_bad_credential_is_named_in_the_providers_words(connector: str) -> None:
    login, _ = run(connector, "credential")
    assert (login.verdict, login.code) == ("bad", EXPECTED[connector][0]), login
    assert login.cause in ("invalid_credentials", "token_expired")


@pytest.mark.parametrize("connector", FAKES)
def test_a_missing_scope_names_resource_and_scope(connector: str) -> None:
    login, rights = run(connector, "scope")
    _, missing, code, scopes, _, _ = EXPECTED[connector]
    assert login.verdict == "good"
    assert (rights.verdict, rights.cause, rights.code) == ("bad", "missing_privilege", code), rights
    assert rights.facts["missing"] == missing
    assert rights.facts["scopes_needed"] == scopes


@pytest.mark.parametrize("connector", FAKES)
def test_a_rate_limit_is_no_bad_credential(connector: str) -> None:
    login, rights = run(connector, "limit")
    for one in (login, rights):
        assert (one.verdict, one.cause, one.code) == ("bad", "rate_limited", EXPECTED[connector][4])
    if connector != "salesforce":  # its quota is daily, and it does not say when it ends
        assert login.facts["retry_after"] == "7"


@pytest.mark.parametrize("connector", FAKES)
def test_a_provider_that_is_down_is_no_bad_credential(connector: str) -> None:
    login, rights = run(connector, "down")
    for one in (login, rights):
        assert (one.verdict, one.cause, one.code) == ("bad", "third_party_down", EXPECTED[connector][5])
