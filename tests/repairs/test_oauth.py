"""Where each connector's authorization leads, and what a provider's answer is worth, without a provider."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bot.checks.oauth import Grant
from bot.repairs.form import form_of
from bot.repairs.oauth import Provider, callback, exchange, provider_of
from bot.settings import Settings, SettingsError
from flows.core.sheet import known_keys, sheet
from flows.core.sheet_oauth import missing, scopes_of
from tests.fakes.serve import Reply, serving

WITH = [key for key in known_keys() if sheet(key).oauth]


def provider(key: str, **more: object) -> Provider:
    fields = {f.name: f.example for f in sheet(key).fields if not f.secret and f.example and f.name != "base_url"}
    raw = {
        "connections": {"it": {"connector": key, "settings": fields, **more}},
        "oauth": {key: {"client_id": "abc", "client_secret": "hush"}},
    }
    found = provider_of(form_of(Settings.model_validate(raw), "it"))
    assert found
    return found


@pytest.fixture(autouse=True)
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEND_PUBLIC_URL", "https://mend.example.com")


def test_the_providers_that_document_it_are_there() -> None:
    wanted = "hubspot google_ads google_sheets salesforce zendesk shopify github gitlab xero quickbooks slack intercom "
    wanted += "mailchimp pipedrive asana zoom linkedin_ads facebook_ads microsoft_advertising"
    assert set(wanted.split()) <= set(WITH)


@pytest.mark.parametrize("key", WITH)
def test_a_departure_leads_to_the_provider_and_names_the_way_back(key: str) -> None:
    one = provider(key)
    url, _ = one.departure("s" * 43, force=True)
    asked = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
    assert urlsplit(url).scheme == "https"
    assert (asked["redirect_uri"], asked["state"], asked["client_id"]) == (callback(), "s" * 43, "abc")
    assert ("code_challenge" in asked) == sheet(key).oauth.pkce  # type: ignore[union-attr]
    assert all(asked[name] == value for name, value in sheet(key).oauth.force.items())  # type: ignore[union-attr]
    assert set(one.fields.values()) <= {f.name for f in sheet(key).fields if f.secret}


def test_scopes_are_those_of_the_selected_tables() -> None:
    known = sheet("xero")
    assert known.oauth
    some = scopes_of(known.oauth, known.http, ["contacts"])
    assert "accounting.contacts.read" in some
    assert "accounting.journals.read" not in some
    assert scopes_of(known.oauth, known.http, [], ["extra"])[-1] == "extra"
    google = sheet("google_ads")
    assert google.oauth
    assert scopes_of(google.oauth, google.http, ["campaign"]) == ["https://www.googleapis.com/auth/adwords"]


def test_a_wider_scope_includes_a_smaller_one() -> None:
    assert missing(["read:org", "repo"], ["admin:org"], sheet("github").http) == ["repo"]
    assert missing(["offline_access"], [], None) == []


def test_an_answer_of_another_issuer_or_account_is_refused() -> None:
    google, books = provider("google_sheets"), provider("quickbooks")
    assert google.returned({"code": "x", "iss": "https://accounts.google.com"}) == ""
    assert google.returned({"code": "x", "iss": "https://evil.example"}) == "issuer"
    assert google.returned({"error": "access_denied", "iss": "https://evil.example"}) == "issuer"
    assert books.returned({"code": "x", "realmId": "1234567890123456"}) == ""
    assert books.returned({"code": "x", "realmId": "9"}) == "account"
    assert google.returned({}) == "refused"
    assert google.returned({"error": "temporarily_unavailable"}) == "down"


# Shopify's own example, made with the secret "hush": the one in its documentation of the callback.
SIGNED = {
    "code": "0907a61c0c8d55e99db179b68161bc00", "shop": "some-shop.myshopify.com", "state": "0.6784241404160823",
    "timestamp": "1337178173", "hmac": "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf",
}  # fmt: skip


def test_shopifys_answer_is_believed_only_as_it_was_signed() -> None:
    shop = provider("shopify", settings={"shop": "some-shop"})
    assert shop.returned(SIGNED) == ""
    assert shop.returned(dict(reversed(SIGNED.items()))) == ""
    assert provider("shopify").returned(SIGNED) == "account"
    for changed in (
        {"code": "other"},
        {"shop": "evil.myshopify.com"},
        {"host": "more"},
        {"hmac": "0" * 64},
        {"hmac": "ü"},
    ):
        assert shop.returned({**SIGNED, **changed}) == "issuer"
    assert shop.returned({name: value for name, value in SIGNED.items() if name != "hmac"}) == "issuer"
    assert shop.returned({"error": "access_denied"}) == "issuer"


def test_without_its_secret_nobody_is_sent_to_shopify_and_no_answer_is_believed() -> None:
    """Under an empty key anybody could sign."""
    shop = provider("shopify", settings={"shop": "some-shop"})
    bare = replace(shop, app=shop.app.model_copy(update={"client_secret": ""}))
    with pytest.raises(SettingsError, match="client_secret is missing"):
        bare.departure("s" * 43, force=False)
    others = {name: value for name, value in SIGNED.items() if name != "hmac"}
    empty = hmac.new(b"", urlencode(sorted(others.items())).encode(), hashlib.sha256).hexdigest()
    assert bare.returned({**others, "hmac": empty}) == "issuer"


def test_a_member_who_did_not_sign_in_at_linkedin_said_no() -> None:
    assert provider("linkedin_ads").returned({"error": "user_cancelled_login"}) == "denied"


@contextmanager
def redeemed(key: str, **answers: dict[str, object]) -> Iterator[tuple[dict[str, str], list[dict[str, list[str]]]]]:
    """What is kept after a code was redeemed at a server that has one answer per kind of grant, and what it was sent."""
    posted: list[dict[str, list[str]]] = []

    def answer(path: str, headers: Mapping[str, str]) -> Reply:
        posted.append(parse_qs(headers[":posted"]))
        return 200, {}, answers[posted[-1]["grant_type"][0]]

    with serving(answer) as url:
        one = provider(key)
        one = replace(one, app=one.app.model_copy(update={"token_url": url}))
        yield (
            exchange(one, {"code": "c", "verifier": "", "redirect_uri": callback(), "scopes": one.scopes()}, "T1"),
            posted,
        )


def test_microsoft_is_told_the_scopes_with_the_code_too() -> None:
    with redeemed("microsoft_advertising", authorization_code={"access_token": "a", "expires_in": 3600}) as (_, posted):
        assert posted[0]["scope"] == ["https://ads.microsoft.com/msads.manage offline_access"]


@pytest.mark.parametrize(("said", "lives"), [({"expires_in": 5183944}, True), ({}, False)])
def test_the_life_of_facebooks_longer_token_is_its_own(said: dict[str, object], lives: bool) -> None:
    short, long = {"access_token": "short", "expires_in": 3600}, {"access_token": "long", **said}
    with redeemed("facebook_ads", authorization_code=short, fb_exchange_token=long) as (kept, posted):
        assert posted[1]["fb_exchange_token"] == ["short"]
    assert kept["it.access_token"] == "long"
    until = Grant.read(kept["it.oauth"]).expires_at
    assert until > time.time() + 5_000_000 if lives else until == 0


def test_who_is_not_registered_is_not_sent_anywhere() -> None:
    raw = {"connections": {"it": {"connector": "hubspot"}, "db": {"connector": "postgres"}}}
    settings = Settings.model_validate(raw)
    assert [provider_of(form_of(settings, name)) for name in ("it", "db", "none")] == [None, None, None]
