"""BigQuery, played from its documentation: each refusal by its reason, and what people are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flows.core.finding import explaining
from tests.fakes.google import EMAIL, Google
from tests.fakes.serve import serving
from tests.faults.endless import ends
from tests.faults.frame import Case, Wire, named
from tests.servers import refusing_port

DENIED, WRONG, CONFIG = "missing_privilege", "invalid_credentials", "config_error"


def grant(error: str, words: str) -> Callable[..., Any]:
    return lambda google, wire: setattr(google, "grant", (error, words))


def refuses(part: str, status: int, reason: str, words: str) -> Callable[..., Any]:
    return lambda google, wire: google.refuses.update({part: (status, reason, words)})


def settings(**values: Any) -> Callable[..., Any]:
    return lambda google, wire: wire.settings.update(values)


def key(**other: str) -> Callable[..., Any]:
    return lambda google, wire: wire.secrets.update(service_account=google.file(**other))


CASES = [
    Case("the key was deleted or is another's", WRONG, "auth.key_deleted",
         lambda google, wire: wire.secrets.update(service_account=Google().file())),
    Case("the account is gone", WRONG, "auth.unknown_user", key(client_email="gone@acme.iam.gserviceaccount.com")),
    Case("the clock is wrong", CONFIG, "clock.skew",
         grant("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.")),
    Case("the scope is not allowed", DENIED, "auth.insufficient_scope", grant("access_denied", "Requested client not authorized.")),
    Case("no key at all", WRONG, "auth.credential_not_sent", lambda google, wire: wire.secrets.clear()),
    Case("the key is no JSON", CONFIG, "config.wrong_format", lambda google, wire: wire.secrets.update(service_account="/key.json")),
    Case("the private key is cut off", CONFIG, "config.wrong_format", key(private_key="-----BEGIN PRIVATE KEY-----\nMII")),
    Case("the API is switched off", "feature_not_enabled", "config.api_not_enabled",
         refuses("/datasets", 403, "accessNotConfigured", "BigQuery API has not been used in project acme before or it is disabled."),
         "gcloud services enable bigquery.googleapis.com --project=acme"),
    Case("billing is switched off", "account_billing", "account.billing_disabled",
         refuses("SELECT", 403, "billingNotEnabled", "Billing has not been enabled for this project.")),
    Case("queries may not be run", DENIED, "privilege.role_missing",
         refuses("SELECT 1", 403, "accessDenied", "Access Denied: Project acme: User does not have bigquery.jobs.create permission in project acme."),
         f"--member=serviceAccount:{EMAIL} --role=roles/bigquery.jobUser"),
    Case("a table may not be read", DENIED, "privilege.table_select_missing",
         refuses("customers", 403, "accessDenied", "Access Denied: Table acme:shop.customers: User does not have bigquery.tables.getData"),
         f'GRANT `roles/bigquery.dataViewer` ON SCHEMA `acme.shop` TO "serviceAccount:{EMAIL}";'),
    Case("the dataset may not be seen", DENIED, "privilege.table_select_missing",
         refuses("/datasets", 403, "accessDenied", "Access Denied: Dataset acme:shop: Permission bigquery.datasets.get denied"),
         "ON SCHEMA `acme.shop`"),
    Case("no such dataset", CONFIG, "config.unknown_database", settings(dataset="shopp"), "shopp"),
    Case("no such table", CONFIG, "config.table_missing", lambda google, wire: setattr(wire, "tables", ("order",)), "shop.order"),
    Case("no such project", CONFIG, "config.object_missing", refuses("/datasets", 404, "notFound", "Not found: Project acmee")),
    Case("another region", CONFIG, "config.wrong_region", settings(region="US"), "region: EU"),
    Case("today's quota is used up", "rate_limited", "limit.daily_quota",
         refuses("SELECT", 403, "quotaExceeded", "Quota exceeded: Your project exceeded quota for free query bytes scanned.")),
    Case("too many calls", "rate_limited", "limit.rate_limited",
         refuses("SELECT", 403, "rateLimitExceeded", "Exceeded rate limits: too many api requests per user per method")),
    Case("a perimeter keeps us out", "ip_not_allowlisted", "access.ip_not_allowed",
         refuses("/datasets", 403, "vpcServiceControls", "VPC Service Controls: Request is prohibited by organization's policy.")),
    Case("BigQuery is in trouble", "third_party_down", "availability.provider_error",
         refuses("SELECT", 503, "backendError", "Error encountered during execution. Retrying may solve the problem.")),
    Case("nothing listens", "host_unreachable", "network.refused", settings(base_url=f"http://127.0.0.1:{refusing_port()}")),
]  # fmt: skip


@pytest.fixture
def played() -> Iterator[tuple[Google, Wire]]:
    google = Google()
    with serving(google.answer) as url:
        place = {"base_url": url, "dataset": "shop", "project": "acme"}
        yield google, Wire("bigquery", place, {"service_account": google.file()}, ("orders", "shop.customers"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_named_and_what_mends_it_is_printed(case: Case, played: tuple[Google, Wire]) -> None:
    google, wire = played
    assert explaining(wire.look()) is None
    google.tokens = 0
    named(case, google, wire)
    assert google.tokens <= 1
    assert google.run == []


def test_neither_key_nor_token_is_in_what_is_found(played: tuple[Google, Wire]) -> None:
    said = str([f.to_dict() for f in played[1].look()])
    assert "PRIVATE KEY" not in said
    assert "ya29" not in said


@pytest.mark.parametrize("body", [{}, {"status": "ok"}, {"error": {"code": 403, "message": "no"}}])
def test_what_bigquery_never_answers_proves_no_right(played: tuple[Google, Wire], body: dict[str, Any]) -> None:
    google, wire = played
    with serving(lambda path, headers: google.answer(path, headers) if "token" in path else (200, {}, body)) as url:
        wire.settings["base_url"] = url
        top = explaining(wire.look())
    assert top is not None
    assert top.check == "permissions_sufficient"
    assert top.verdict != "good"


def test_a_page_of_somebody_else_is_not_googles_word(played: tuple[Google, Wire]) -> None:
    with serving(
        lambda path, headers: (403, {"Content-Type": "text/html"}, "<html>Access denied by policy</html>")
    ) as url:
        played[1].settings["base_url"] = url
        top = explaining(played[1].look())
    assert top is not None
    assert top.code == "config.wrong_port_other_service"
    assert "access.waf_blocked" in top.alternatives


@pytest.mark.parametrize("way", ["silent", "dripping", "flooding"])
def test_what_never_ends_is_ended(way: str, played: tuple[Google, Wire]) -> None:
    ends(way, played[1])
