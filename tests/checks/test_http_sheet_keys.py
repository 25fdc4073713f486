"""What a sheet may say of its calls: app credentials, a second secret, POST, forms of keys, and the mark of success."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.checks.base import Target
from bot.checks.http import base_url, verify_credentials, verify_permissions
from bot.checks.run import run_all
from flows.core.finding import Finding
from flows.core.sheet import Field, Match, Probe, Sheet, sheet
from tests.fakes.recorded import KEY
from tests.fakes.serve import Reply, serving


def saying(*, fields: tuple[str, ...] = (), **http: object) -> Sheet:
    known = sheet("http_api")
    assert known.http
    more = [Field(name="app_key", label="x", help="x", secret=True)]
    more += [Field(name=name, label="x", help="x") for name in fields]
    changes = {"http": known.http.model_copy(update=http), "fields": (*known.fields, *more)}
    return known.model_copy(update=changes)


def target(url: str, known: Sheet, key: str = KEY, **more: Any) -> Target:
    secrets = {"token": key, "app_key": "second-secret"}
    return Target(
        "crm", "http_api", known, {"base_url": url, "user": "app-1", "probe": "/me"}, secrets, timeout=3, **more
    )


def bank(path: str, headers: Mapping[str, str]) -> Reply:
    """RFC 6749: the token endpoint and what stands behind its tokens."""
    if path == "/token":
        return 200, {}, {"access_token": "short-lived", "token_type": "bearer"}
    good = headers.get("authorization") == "Bearer short-lived"
    return (200, {}, {"id": 1, "echo": headers.get("authorization")}) if good else (401, {}, {"error": "who"})


def test_an_apps_own_credentials_are_exchanged_once_for_a_token() -> None:
    asked: list[str] = []
    with serving(lambda path, headers: (asked.append(path), bank(path, headers))[1]) as url:
        one = target(url, saying(token_url=url + "/token"), tables=("/orders", "/users"))
        login, rights = verify_credentials(one), verify_permissions(one)
    assert (login.verdict, rights.verdict) == ("good", "good")
    assert asked.count("/token") == 1
    assert "short-lived" not in repr((login, rights))


def test_a_scope_that_the_token_needs_is_asked_for() -> None:
    posted: list[str] = []

    def strict(path: str, headers: Mapping[str, str]) -> Reply:
        posted.append(headers.get(":posted", ""))
        return bank(path, headers)

    with serving(strict) as url:
        spec = saying(token_url=url + "/token", token_scope="https://graph.microsoft.com/.default")
        assert verify_credentials(target(url, spec)).verdict == "good"
    assert "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default" in posted[0]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ((401, {}, {"error": "invalid_client"}), "auth.invalid_client"),
        ((400, {}, {"error": "invalid_client", "error_description": "unknown app"}), "auth.invalid_client"),
        ((503, {}, {"error": "temporarily_unavailable"}), "availability.provider_error"),
        ((200, {}, {"ok": 1}), "availability.malformed_response"),
    ],
)
def test_a_refused_exchange_is_the_verdict(reply: Reply, code: str) -> None:
    with serving(lambda path, headers: reply) as url:
        found = verify_credentials(target(url, saying(token_url=url + "/token")))
    assert (found.verdict, found.code) == ("bad", code), found


def test_a_second_secret_goes_along_but_not_into_the_control_probe() -> None:
    def both(path: str, headers: Mapping[str, str]) -> Reply:
        good = headers.get("authorization") == f"Bearer {KEY}" and headers.get("x-app") == "second-secret"
        return (200, {}, {"id": 1}) if good else (401, {}, {"seen": headers.get("x-app", "none")})

    with serving(both) as url:
        known = saying(headers={"X-App": "{app_key}"})
        assert verify_credentials(target(url, known)).verdict == "good"
        refused = verify_credentials(target(url, known, key="other"))
    assert refused.verdict == "bad"
    assert "second-secret" not in repr(refused)


def test_a_provider_that_reads_by_post_is_asked_by_post() -> None:
    def graph(path: str, headers: Mapping[str, str]) -> Reply:
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, {}, {"errors": [{"message": "no"}]}
        return 200, {}, {"data": {"got": headers["content-length"], "kind": headers["content-type"]}}

    with serving(graph) as url:
        known = saying(post='{"query":"{me}"}', resources={"boards": Probe(path="/q", post='{"query":"{boards}"}')})
        one = target(url, known)
        assert verify_credentials(one).verdict == verify_permissions(one).verdict == "good"
        assert verify_credentials(target(url, known, key="other")).code == "auth.invalid_token"


def test_a_field_is_one_segment_of_a_path_and_keeps_its_slash_elsewhere() -> None:
    asked: list[str] = []
    known = saying(
        fields=("group", "site"),
        base_url="https://{site}",
        identity="/groups/{group}?in={group}",
        other=Probe(path="/in/{group}/{resource}?limit=1"),
    )
    with serving(lambda path, headers: (asked.append(path), bank(path, {"authorization": ""}))[1]) as url:
        there = {"base_url": url, "group": "acme/data team", "site": "example.com/tenant/api"}
        one = Target("crm", "http_api", known, there, {"token": KEY}, ("issuing/cards",), timeout=3)
        verify_credentials(one), verify_permissions(one)
        assert base_url(replace(one, settings={**there, "base_url": ""})) == "https://example.com/tenant/api"
    group = "/groups/acme%2Fdata%20team?in=acme/data%20team"
    assert asked == [group, group, "/in/acme%2Fdata%20team/issuing/cards?limit=1"]


@pytest.mark.parametrize("group", ["acme", "acme/data", "42"])
def test_a_subgroup_of_gitlab_is_reached_by_its_path_and_by_its_number(group: str) -> None:
    def gitlab(path: str, headers: Mapping[str, str]) -> Reply:
        if path == "/api/v4/personal_access_tokens/self":
            return 200, {}, {"user_id": 2, "scopes": ["read_api"]}
        known = {"/api/v4/groups/acme/issues", "/api/v4/groups/acme%2Fdata/issues", "/api/v4/groups/42/issues"}
        return (200, {}, []) if path.split("?")[0] in known else (404, {}, {"message": "404 Group Not Found"})

    with serving(gitlab) as url:
        there = {"base_url": url, "group": group}
        found = verify_permissions(Target("git", "gitlab", sheet("gitlab"), there, {"access_token": KEY}, ("issues",)))
    assert found.verdict == "good", found


def reached(key: str, settings: Mapping[str, str], tables: tuple[str, ...], secret: str) -> list[str]:
    """The addresses that a sheet's calls ask for."""
    asked: list[str] = []
    with serving(lambda path, headers: (asked.append(path), (200, {}, {}))[1]) as url:
        there = {"base_url": url, **settings}
        verify_permissions(Target("one", key, sheet(key), there, {secret: KEY}, tables, timeout=3))
    return [path.split("?")[0] for path in asked if path != "/meta/whoami"]


def test_a_table_of_airtable_keeps_the_slash_of_its_name_encoded_and_a_resource_of_stripe_its_path() -> None:
    base = {"base_id": "appAbCdEfGhIjKlMn"}
    assert reached("airtable", base, ("In/Out", "Orders"), "access_token") == [
        "/appAbCdEfGhIjKlMn/In%2FOut",
        "/appAbCdEfGhIjKlMn/Orders",
    ]
    assert reached("stripe", {}, ("issuing/cards",), "secret_key") == ["/v1/issuing/cards"]


@pytest.mark.parametrize(
    ("site", "sent"),
    [
        ("sc-domain:example.com", "sc-domain:example.com"),
        ("https://www.example.com/", "https:%2F%2Fwww.example.com%2F"),
        ("http://example.com:8080/shop/", "http:%2F%2Fexample.com:8080%2Fshop%2F"),
    ],
)
def test_a_property_of_search_console_is_a_domain_or_an_address(site: str, sent: str) -> None:
    field = next(one for one in sheet("google_search_console").fields if one.name == "site")
    assert re.fullmatch(field.pattern, site)
    assert not any(re.fullmatch(field.pattern, one) for one in ("example.com", "https://www.example.com", "sc-domain:"))
    assert reached("google_search_console", {"site": site}, ("sitemaps",), "access_token") == [
        f"/sites/{sent}/sitemaps"
    ]


@pytest.mark.parametrize("tenant", ["42", 'a"},"all":{"x":"', "back\\slash", "{resource}", '{"id":1}', "Zoë\n"])
def test_a_field_in_a_posted_text_stays_within_its_string(tenant: str) -> None:
    posted: list[Any] = []
    told = '{"tenant":"{tenant}","kind":"{resource}","again":["{tenant}"],"query":"{me} {tenant} \\"{tenant}\\" {app_key}"}'

    def graph(path: str, headers: Mapping[str, str]) -> Reply:
        posted.append(json.loads(headers[":posted"]))
        return 200, {}, {"data": {}}

    with serving(graph) as url:
        known = saying(fields=("tenant",), post=told, resources={"boards": Probe(path="/q", post=told)})
        one = target(url, known, tables=("boards",))
        one = replace(one, settings={**one.settings, "tenant": tenant})
        verify_permissions(one)
        verify_credentials(one)
    # What stands within a longer text, as a query is, is nobody's to fill: there a quote would end more than a string.
    query = '{me} {tenant} "{tenant}" {app_key}'
    wanted = {"tenant": tenant, "kind": "boards", "again": [tenant], "query": query}
    assert posted == [wanted, {**wanted, "kind": ""}, {**wanted, "kind": ""}]


def test_a_setting_that_a_posted_text_needs_is_named_when_it_is_missing() -> None:
    known = saying(fields=("tenant",), post='{"tenant":"{tenant}"}')
    found = verify_credentials(target("http://127.0.0.1:1", known))
    assert (found.cause, "the setting tenant is missing" in found.evidence) == ("config_error", True)


def test_a_provider_that_says_200_to_everybody_is_believed_only_by_its_mark() -> None:
    with serving(
        lambda path, headers: (200, {}, {"ok": "authorization" in headers and KEY in headers["authorization"]})
    ) as url:
        known = saying(good='"ok": true')
        assert verify_credentials(target(url, known)).verdict == "good"
        found = verify_credentials(target(url, known, key="other"))
    assert (found.verdict, found.code) == ("unclear", "auth.invalid_token")


def test_a_key_of_another_kind_is_not_sent() -> None:
    from flows.core.sheet import KeyForm

    known = saying(keys=(KeyForm(pattern="^pk_", code="auth.wrong_location"),))
    found = verify_credentials(target("http://127.0.0.1:1", known, key="pk_live_1"))
    assert (found.verdict, found.code) == ("bad", "auth.wrong_location")
    assert "pk_live_1" not in repr(found)


@pytest.mark.parametrize(
    ("connector", "name", "live", "test"),
    [
        ("stripe", "api_key", "rk_live_0a1b", "sk_test_0a1b"),
        ("shippo", "api_token", "shippo_live_0a1b", "shippo_test_0a1b"),
    ],
)
def test_a_key_of_the_other_environment_is_named_and_not_sent(connector: str, name: str, live: str, test: str) -> None:
    sent: list[str] = []

    def anybody(path: str, headers: Mapping[str, str]) -> Reply:
        sent.append(headers.get("authorization", ""))
        return (200, {}, {"id": "1"}) if sent[-1] else (401, {}, {"error": {"message": "who?"}, "detail": "who?"})

    def look(key: str, **settings: str) -> Finding:
        with serving(anybody) as url:
            there = {"base_url": url, **settings}
            return verify_credentials(Target("pay", connector, sheet(connector), there, {name: key}, timeout=5))

    for found in (look(test, environment="production"), look(live, environment="test")):
        assert (found.verdict, found.cause, found.code) == ("bad", "config_error", "config.wrong_environment")
        assert "environment is" in found.evidence
        assert "0a1b" not in repr(found)
    assert not sent
    # Behind an address of somebody's own nobody knows the environment unless it is said.
    assert [look(live).verdict, look(test, environment="test").verdict, look(test).verdict] == ["good"] * 3


def test_at_the_providers_own_address_production_is_meant_unless_it_is_said() -> None:
    for settings in ({}, {"base_url": "https://api.stripe.com/"}):
        key = {"api_key": "sk_test_0a1b"}
        found = verify_credentials(Target("pay", "stripe", sheet("stripe"), settings, key, timeout=5))
        assert (found.verdict, found.code) == ("bad", "config.wrong_environment")


def test_a_site_that_tells_its_mode_is_compared_with_the_environment_that_is_meant() -> None:
    def recurly(path: str, headers: Mapping[str, str]) -> Reply:
        if "authorization" not in headers:
            return 401, {}, {"error": {"type": "unauthorized", "message": "The API key is not valid."}}
        return 200, {}, {"object": "list", "data": [{"object": "site", "mode": "sandbox"}]}

    with serving(recurly) as url:
        found = [
            verify_credentials(Target("pay", "recurly", sheet("recurly"), {"base_url": url, **more}, {"api_key": KEY}))
            for more in ({"environment": "production"}, {"environment": "test"})
        ]
    assert [(one.verdict, one.code) for one in found] == [("bad", "config.wrong_environment"), ("good", None)]


def test_a_region_stands_for_its_host_and_an_unknown_one_is_named_with_those_there_are() -> None:
    known = sheet("intercom")
    assert base_url(Target("crm", "intercom", known, {})) == "https://api.intercom.io"
    assert base_url(Target("crm", "intercom", known, {"region": "eu"})) == "https://api.eu.intercom.io"
    settings = {"region": "mars", "status_url": "http://127.0.0.1:9"}
    wrong = Target("crm", "intercom", known, settings, {"access_token": KEY})
    found = verify_credentials(wrong)
    assert (found.verdict, found.cause, found.code) == ("bad", "config_error", "config.wrong_region")
    assert "us, eu, au" in found.evidence
    steps = {one.check: one for one in run_all(wrong)}
    assert (steps["name_resolves"].code, steps["port_answers"].verdict) == ("config.wrong_region", "skipped")


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("zendesk", {"subdomain": "acme.zendesk.com"}),
        ("gorgias", {"domain": "https://acme.gorgias.com"}),
        ("activecampaign", {"host": "https://acme.api-us1.com"}),
    ],
)
def test_a_whole_address_where_a_word_is_wanted_is_named_and_not_looked_up(key: str, settings: dict[str, str]) -> None:
    known = sheet(key)
    wrong = Target("crm", key, known, {**settings, "status_url": "http://127.0.0.1:9"}, {})
    steps = {one.check: one for one in run_all(wrong)}
    assert (steps["name_resolves"].code, steps["port_answers"].verdict) == ("config.malformed_url", "skipped")
    (given,), (name,) = settings.values(), settings
    example = next(field.example for field in known.fields if field.name == name)
    assert steps["name_resolves"].evidence == f"{name} is {given}, not of the form of {example}"


def test_a_name_in_other_letters_is_the_same_name() -> None:
    upper = Target("crm", "netsuite", sheet("netsuite"), {"account": "1234567-SB1"})
    assert base_url(upper) == "https://1234567-SB1.suitetalk.api.netsuite.com"


def test_a_key_that_is_the_user_of_basic_authentication_is_never_shown() -> None:
    seen: list[str] = []

    def basic(path: str, headers: Mapping[str, str]) -> Reply:
        seen.append(headers.get("authorization", ""))
        return 401, {}, {"code": "invalid_credentials", "message": f"not {seen[-1]}"}

    with serving(basic) as url:
        there = {"domain": "acme", "base_url": url}
        found = verify_credentials(Target("desk", "freshdesk", sheet("freshdesk"), there, {"api_key": KEY}))
    assert seen[0] == "Basic " + base64.b64encode(f"{KEY}:X".encode()).decode()
    assert (found.verdict, found.code) == ("bad", "auth.invalid_token")
    assert KEY not in repr(found)
    assert seen[0].removeprefix("Basic ") not in repr(found)


def test_a_refusal_in_plain_words_is_the_providers_own_when_the_sheet_says_so() -> None:
    with serving(lambda path, headers: (401, {}, "invalid token")) as url:
        assert verify_credentials(target(url, saying(own_text="^invalid"))).verdict == "bad"
        assert verify_credentials(target(url, saying(own_text="^expired"))).verdict == "unclear"


def test_one_answer_may_mean_a_bad_key_for_the_identity_and_a_missing_right_elsewhere() -> None:
    bad_key = Match(status=403, identity=True, cause="invalid_credentials", code="auth.invalid_token")
    known = saying(answers=(bad_key,), own_error="error", identity="/me")
    no = {"error": "no"}
    with serving(lambda path, headers: (403, {}, no)) as url:
        assert verify_credentials(target(url, known)).code == "auth.invalid_token"
        assert verify_permissions(target(url, known, tables=("/orders",))).cause == "missing_privilege"


def test_a_part_of_a_signature_that_is_missing_is_named() -> None:
    settings = {"account": "1234567", "account_id": "1234567", "base_url": "http://127.0.0.1:9"}
    given = {"consumer_key": "ck", "token_id": "ti", "token_secret": KEY}
    found = verify_credentials(Target("erp", "netsuite", sheet("netsuite"), settings, given))
    assert (found.verdict, found.code) == ("bad", "auth.credential_not_sent")
    assert "consumer_secret is empty" in found.evidence


def test_stripes_publishable_key_is_told_from_a_secret_one() -> None:
    one = Target("pay", "stripe", sheet("stripe"), {"base_url": "http://127.0.0.1:1"}, {"api_key": "pk_live_canary"})
    found = verify_credentials(one)
    assert (found.verdict, found.code) == ("bad", "config.public_key_instead_of_private")
    assert "canary" not in repr(found)
