"""Each selected table by itself, under mixtures of answers. What is expected was written down before the first run.

From RFC 9110, 6749, 6750 and the providers' documentation. A limit or an outage is never a missing right, what was found
before it is not forgotten, and the order of the tables changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from bot.checks.base import Target
from bot.checks.http import verify_permissions
from bot.views import sheet_view
from flows.core.finding import Finding
from flows.core.sheet import Probe, Sheet, sheet
from messages import render
from tests.fakes.recorded import KEY
from tests.fakes.serve import Reply, serving

KNOWN = sheet("http_api")
assert KNOWN.http
NAMES = ("orders", "notes", "items", "carts", "taxes", "gifts")
PROBES = {
    **{name: Probe(path=f"/{name}", scopes=(f"{name}.read",)) for name in NAMES},
    "payouts": Probe(path="/payouts", role="Finance manager", grant="Settings > Team > the user > Finance manager"),
    "people": Probe(path="/people", scopes=("people.read",), partial=True),
    **{f"t{n}": Probe(path=f"/t{n}", scopes=(f"t{n}.read",)) for n in range(100)},
}
PART = {"resources": PROBES, "own_error": "error", "grant": "Settings > API > the key > Scopes",
        "scopes_header": "X-Scopes", "implies": {"people.admin": ("people.read",)}}  # fmt: skip
ACME = KNOWN.model_copy(update={"title": "Acme", "http": KNOWN.http.model_copy(update=PART)})
LISTED = ACME.model_copy(update={"http": KNOWN.http.model_copy(update={**PART, "scopes_path": "/scopes", "scopes_body": "scopes"})})  # fmt: skip
HTML = {"Content-Type": "text/html"}
LOGIN = "<!doctype html><title>Sign in</title><form><input type=password></form>"
WALL = "<!doctype html><title>Access denied</title><h1>Access denied</h1>"
ROWS = [{"id": 1}]
SAYS: dict[str, Reply] = {
    "ok": (200, {}, ROWS),
    "empty": (200, {}, []),
    "202": (202, {}, {}),
    "204": (204, {}, ""),
    "long": (200, {}, [{"id": n, "name": "x" * 50} for n in range(5000)]),
    "401": (401, {}, {"error": "unauthorized"}),
    "revoked": (401, {}, {"error": "this token was revoked"}),
    "expired": (401, {}, {"error": "the access token expired"}),
    "scope": (403, {}, {"error": "x7"}),
    "said": (403, {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="a.read b.read"'}, {"error": "no"}),
    "plan": (403, {}, {"error": "This feature is not available on your plan. Please upgrade."}),
    "wall": (403, HTML, WALL),
    "ip": (403, {}, {"error": "Your IP address is not allowed to access this account"}),
    "402": (402, {}, {"error": "payment required"}),
    "404": (404, {}, {"error": "not found"}),
    "no path": (404, HTML, "<html><title>404 Not Found</title></html>"),
    "405": (405, {"Allow": "POST"}, {"error": "method not allowed"}),
    "410": (410, {}, {"error": "gone"}),
    "429": (429, {"Retry-After": "30"}, {"error": "slow down"}),
    "limit 200": (200, {}, {"error": "rate limit exceeded"}),
    "500": (500, {}, {"error": "internal"}),
    "503": (503, {"Retry-After": "60"}, {"error": "unavailable"}),
    "login": (302, {"Location": "/sign-in"}, ""),
    "login 200": (200, HTML, LOGIN),
    "page": (200, HTML, "<html><title>Acme</title>Welcome</html>"),
    "no 200": (200, {}, {"error": "insufficient permissions to read this"}),
    "false": (200, {}, {"ok": False}),
}
NOBODY: Reply = (401, {}, {"error": "who are you"})
# Django's framework says 403 to strangers too: https://www.django-rest-framework.org/api-guide/authentication/
STRANGER: Reply = (403, {}, {"error": "Authentication credentials were not provided."})


@dataclass(frozen=True)
class Row:
    """`tables` as `name=answer`; `verdict` may name two, `codes` several of which one must be said; `scopes` None: any.

    `granted` is the header; `calls` how many there may be at most; `keeps` must stand in the evidence.
    """

    tables: str
    verdict: str
    codes: str = ""
    missing: str = ""
    unproven: str = ""
    scopes: str | None = None
    roles: str = ""
    granted: str = ""
    calls: int = 110
    waits: bool = False
    alike: str = ""
    keeps: str = ""
    of: Sheet = ACME
    listing: str = ""


KEY_CODES = "auth.invalid_token auth.token_revoked auth.access_token_expired auth.token_expired"
RIGHT = "auth.insufficient_scope"
HUNDRED = tuple(f"t{n}" for n in range(100))


def many(first: str, then: str, at: int = 1) -> str:
    return " ".join(f"{name}={first if n < at else then}" for n, name in enumerate(HUNDRED)).replace(
        "limit 200", "limit+200"
    )


R = Row
ROWS_OF: dict[str, Row] = {
    # All well, or nearly.
    "all_answer": R("orders=ok notes=ok payouts=ok", "good", calls=3),
    "hundred_answer": R(many("ok", "ok"), "good", calls=100),
    "empty_list": R("orders=empty notes=ok", "good"),
    "no_content": R("orders=ok notes=204", "good"),  # RFC 9110, 15.3.5; how Zoho says that there are no records
    "accepted": R("orders=ok notes=202", "good"),
    "ignores_the_limit": R("orders=ok notes=long", "good"),
    "twice_named": R("orders=ok orders=ok", "good", calls=1),
    # The key during the run.
    "revoked_midway": R("orders=ok then=revoked notes=revoked items=revoked", "bad", KEY_CODES, calls=4),
    "expired_midway": R("orders=ok then=expired notes=expired items=expired", "bad", KEY_CODES, calls=4),
    "revoked_midway_of_hundred": R(many("ok", "revoked", 3).replace("t3=", "then=revoked t3="), "bad", KEY_CODES, calls=6),
    "revoked_from_the_start": R("orders=401 notes=401 items=401 carts=401", "bad", KEY_CODES, calls=3),
    "one_says_401": R("orders=ok notes=401 items=ok", "bad", RIGHT, "notes", scopes="notes.read"),
    "last_says_401": R("orders=ok items=ok notes=401", "bad", RIGHT, "notes", scopes="notes.read"),
    "first_says_401": R("notes=401 orders=ok items=ok", "bad", RIGHT, "notes", scopes="notes.read"),
    "401_beside_403": R("orders=ok notes=401 items=scope", "bad", RIGHT, "notes items"),
    "lacks_one_then_revoked": R("orders=ok items=scope then=revoked notes=revoked carts=revoked", "bad", KEY_CODES, "items", calls=5),
    # Missing rights.
    "one_scope": R("orders=ok notes=scope", "bad", RIGHT, "notes", scopes="notes.read"),
    "two_scopes": R("orders=scope notes=ok items=scope", "bad", RIGHT, "orders items", scopes="orders.read items.read"),
    "asked_wrongly_twice": R("orders=ok notes=405 items=410 carts=scope", "bad", RIGHT, "carts", "notes items", scopes="carts.read"),
    "all_lack": R("orders=scope notes=scope", "bad", RIGHT, "orders notes", scopes="orders.read notes.read"),
    "hundred_lack": R(many("scope", "scope"), "bad", RIGHT, " ".join(HUNDRED), calls=102),
    "role": R("orders=ok payouts=scope", "bad", RIGHT, "payouts", scopes="", roles="Finance manager"),
    "scope_and_role": R("orders=scope payouts=scope", "bad", RIGHT, "orders payouts", scopes="orders.read", roles="Finance manager"),
    "refusal_names_scopes": R("orders=ok notes=said", "bad", RIGHT, "notes", scopes="a.read b.read"),
    "no_in_a_200": R("orders=ok notes=no+200", "unclear", RIGHT, unproven="notes"),
    "plan": R("orders=ok notes=plan", "bad", "account.plan_limit config.api_not_enabled", "notes", scopes=""),
    "plan_and_scope": R("orders=ok notes=plan items=scope", "bad", "", "notes items", scopes="items.read"),
    "scope_and_plan": R("orders=ok items=scope notes=plan", "bad", "", "items notes", scopes="items.read"),
    "hidden": R("orders=ok notes=404", "bad", "privilege.resource_hidden config.object_missing", "notes", alike="config.object_missing"),
    "hidden_all": R("orders=404 notes=404", "bad", "privilege.resource_hidden config.object_missing", "orders notes"),
    "hidden_and_surely_lacking": R("orders=ok notes=404", "bad", RIGHT, "notes", scopes="notes.read", granted="orders.read"),
    "no_such_path": R("orders=ok notes=no+path", "bad", "config.path_missing config.object_missing", "notes", scopes="", alike="privilege.resource_hidden"),
    # What stands between.
    "wall_before_one": R("orders=ok notes=wall", "unclear", "access.waf_blocked", unproven="notes"),
    "wall_before_all": R("orders=wall notes=wall", "unclear", "access.waf_blocked", unproven="orders notes"),
    "wall_and_scope": R("orders=wall notes=scope items=ok", "bad", RIGHT, "notes", "orders", scopes="notes.read"),
    "equal_for_everybody": R("orders=ok notes=scope*", "unclear", "access.waf_blocked", unproven="notes"),
    "403_to_strangers_in_other_words": R("orders=ok notes=scope~", "bad", RIGHT, "notes", scopes="notes.read"),
    "open_to_everybody": R("orders=ok* notes=ok", "good"),
    "address_kept_out": R("orders=ip notes=ip", "bad", "access.ip_not_allowed", calls=2),
    "address_kept_out_after_a_scope": R("orders=scope notes=ip items=ip", "bad", "access.ip_not_allowed", "orders"),
    # Limits.
    "limit_midway": R("orders=ok notes=429 items=ok", "bad", "limit.rate_limited", "", "notes items", waits=True, calls=2),
    "limit_midway_of_hundred": R(many("ok", "429", 5), "bad", "limit.rate_limited", waits=True, calls=6, unproven=" ".join(HUNDRED[5:])),
    "limit_at_once": R("orders=429 notes=ok", "bad", "limit.rate_limited", waits=True, calls=1),
    "limit_after_a_scope": R("orders=scope notes=429 items=ok", "bad", RIGHT, "orders", "notes items", scopes="orders.read"),
    "limit_in_a_200": R("orders=ok notes=limit+200", "bad", "limit.rate_limited"),
    # Outages.
    "one_500": R("orders=ok notes=500 items=ok", "bad|unclear", "availability.provider_error", "", "notes"),
    "first_500": R("notes=500 orders=ok items=ok", "bad|unclear", "availability.provider_error", "", "notes"),
    "500_and_scope": R("orders=ok notes=500 items=scope", "bad", RIGHT, "items", "notes", scopes="items.read"),
    "scope_and_500": R("items=scope notes=500 orders=ok", "bad", RIGHT, "items", "notes", scopes="items.read"),
    "503_midway": R("orders=ok notes=503 items=503 carts=503", "bad", "availability.provider_error availability.maintenance", waits=True),
    "503_midway_of_hundred": R(many("ok", "503", 2), "bad", "availability.provider_error", calls=6),
    "503_of_hundred": R(many("503", "503"), "bad", "availability.provider_error", calls=4),
    "500_of_all": R("orders=500 notes=500 items=500", "bad", "availability.provider_error"),
    "slow_first": R("notes=slow orders=ok items=ok", "unclear", "network.accepts_but_silent availability.too_slow", "", "notes"),
    "slow_and_scope": R("orders=ok notes=slow items=scope", "bad", RIGHT, "items", "notes", scopes="items.read"),
    "hangs_up_on_one": R("orders=ok notes=cut items=scope", "bad", RIGHT, "items", "notes", scopes="items.read"),
    # One that is asked for wrongly hides nobody.
    "405_of_one": R("orders=ok notes=405 items=scope", "bad", "", "items", scopes="items.read", keeps="notes"),
    "410_of_one": R("orders=ok notes=410 items=scope", "bad", "", "items", scopes="items.read", keeps="notes"),
    "402_of_one": R("orders=ok notes=402 items=scope", "bad", "", "items", scopes="items.read", keeps="notes"),
    "410_alone": R("orders=ok notes=410", "bad", "config.api_version_retired", keeps="notes"),
    "login_of_one": R("orders=ok notes=login items=scope", "bad", "", "items", scopes="items.read", keeps="notes"),
    "login_page_of_one": R("orders=ok notes=login+200 items=scope", "bad", "", "items", scopes="items.read", keeps="notes"),
    "login_of_all": R("orders=login notes=login", "bad", "auth.redirect_to_login", calls=6),
    "page_of_one": R("orders=ok notes=page", "unclear", "config.wrong_base_path", unproven="notes"),
    "ok_false": R("orders=ok notes=false", "unclear", "", unproven="notes"),
    # Names that the sheet does not have.
    "unknown": R("orders=ok invoices=ok", "unclear", "config.object_missing", unproven="invoices"),
    "other_case": R("orders=ok Notes=ok", "unclear", "config.object_missing config.identifier_case", unproven="Notes", keeps="notes"),
    "singular": R("orders=ok note=ok", "unclear", "config.object_missing", unproven="note", keeps="notes"),
    "misspelt": R("odrers=ok", "unclear", "config.object_missing", unproven="odrers", keeps="orders", calls=0),
    "with_schema": R("public.orders=ok", "unclear", "config.object_missing", unproven="public.orders", keeps="orders", calls=0),
    "star": R("*=ok", "unclear", "config.object_missing", unproven="*", calls=0),
    "umlaut": R("aufträge=ok orders=ok", "unclear", "config.object_missing", unproven="aufträge"),
    "unknown_and_scope": R("invoices=ok notes=scope", "bad", RIGHT, "notes", "invoices", scopes="notes.read"),
    "unknown_and_limit": R("invoices=ok notes=429", "bad", "limit.rate_limited", "", "invoices notes", waits=True),
    # What is said to be granted.
    "said_and_refused": R("orders=ok notes=scope", "bad", "", "notes", scopes="", granted="notes.read, orders.read"),
    "not_said_and_answered": R("orders=ok notes=ok", "good", granted="orders.read"),
    "part_hidden": R("orders=ok people=ok", "unclear", "privilege.rows_hidden", "people", scopes="people.read", granted="orders.read"),
    "part_granted": R("people=ok", "good", granted="people.read"),
    "part_granted_in_another_order": R("people=ok", "good", granted="zoo,people.read,orders.read"),
    "part_granted_with_spaces": R("people=ok", "good", granted="orders.read people.read"),  # RFC 6749, 3.3
    "part_granted_by_the_parent": R("people=ok", "good", granted="people.admin"),
    "part_of_nobody_says": R("people=ok", "good", granted=""),
    "part_and_scope": R("people=ok notes=scope", "bad", RIGHT, "notes people", granted="orders.read", scopes="notes.read people.read"),
    "list_is_silent": R("orders=ok", "good", of=LISTED, listing="slow"),
    "list_hangs_up": R("orders=ok notes=scope", "bad", RIGHT, "notes", of=LISTED, listing="cut"),
    "list_is_refused": R("orders=ok", "good", of=LISTED, listing="scope"),
    "list_fails": R("orders=ok people=ok", "good", of=LISTED, listing="500"),
    "list_is_limited": R("orders=429", "bad", "limit.rate_limited", of=LISTED, listing="429"),
}  # fmt: skip
ORDER = ["orders=ok", "notes=scope", "items=500", "carts=plan", "taxes=404", "gifts=wall"]
for n in range(len(ORDER)):
    ROWS_OF[f"turned_{n}"] = R(" ".join(ORDER[n:] + ORDER[:n]), "bad", "", "carts notes taxes", "gifts items")


def run(row: Row) -> tuple[Finding, int]:
    """The finding, and how many calls were made."""
    asked, told, ended = [], {}, False
    for one in row.tables.split(" "):
        name, _, what = one.partition("=")
        if name == "then":
            ended = True
        else:
            told[name] = what.replace("+", " ")
    names = tuple(one.partition("=")[0] for one in row.tables.split(" ") if not one.startswith("then="))
    refused = [what for what in told.values() if what in ("revoked", "expired")]

    def answers(path: str, headers: Mapping[str, str]) -> Reply:
        asked.append(path)
        name = path.strip("/").partition("?")[0]
        if name == "sign-in":
            return 200, HTML, LOGIN
        what = row.listing if name == "scopes" else told[name]
        if not headers.get("authorization") and not what.endswith("*"):
            return STRANGER if what.endswith("~") else NOBODY
        # From then on nothing answers to this key.
        if ended and (len(asked) > sum(told[one] not in ("revoked", "expired") for one in names)):
            what = refused[0]
        if what == "slow":
            time.sleep(1.2)
            what = "ok"
        if what == "cut":
            raise ConnectionAbortedError
        status, more, body = SAYS[what.rstrip("*~")]
        return status, {**more, **({"X-Scopes": row.granted} if row.granted else {})}, body

    with serving(answers) as url:
        target = Target("crm", "http_api", row.of, {"base_url": url}, {"token": KEY}, names, timeout=0.6)
        return verify_permissions(target), len(asked)


def wrong(row: Row, found: Finding, calls: int) -> list[str]:
    facts: dict[str, Any] = dict(found.facts)
    wanted = {
        "verdict": found.verdict in row.verdict.split("|"),
        "code": not row.codes or found.code in row.codes.split(),
        "missing": set(facts.get("missing", ())) == set(row.missing.split()),
        "unproven": not row.unproven or set(facts.get("unproven", ())) == set(row.unproven.split()),
        "scopes": row.scopes is None or set(facts.get("scopes_needed", ())) == set(row.scopes.split()),
        "roles": not row.roles or facts.get("roles_needed") == [row.roles],
        "calls": calls <= row.calls,
        "waits": not row.waits or bool(facts.get("retry_after")),
        "alike": not row.alike or row.alike in (found.code, *found.alternatives),
        "keeps": row.keeps in found.evidence,
        "secret": KEY not in str(found),
    }
    return [name for name, right in wanted.items() if not right]


@pytest.mark.parametrize("name", ROWS_OF)
def test_what_is_lacking_is_named_and_nothing_else(name: str) -> None:
    found, calls = run(ROWS_OF[name])
    assert not wrong(ROWS_OF[name], found, calls), (calls, found)


def test_what_each_table_lacks_is_said_of_it_by_name() -> None:
    found, _ = run(R("orders=scope payouts=scope notes=410 people=ok items=ok", "bad", granted="items.read"))
    said = render.next_step(found.to_dict(), {**sheet_view(ACME), "name": "crm"})
    assert "Needed for orders: orders.read; payouts: Finance manager; people: people.read." in said
    assert "For payouts: Settings > Team > the user > Finance manager." in said
    assert "not proven: notes (HTTP 410 gone); answering: items" in found.evidence


def test_a_hundred_slow_tables_end_in_time_and_are_said_to_be_unproven() -> None:
    asked = []

    def answers(path: str, headers: Mapping[str, str]) -> Reply:
        asked.append(path)
        time.sleep(0.1)
        return SAYS["ok"]

    with serving(answers) as url:
        found = verify_permissions(
            Target("crm", "http_api", ACME, {"base_url": url}, {"token": KEY}, HUNDRED, timeout=0.5)
        )
    assert (found.verdict, found.code, found.facts["missing"]) == ("unclear", "availability.too_slow", [])
    assert len(asked) < 40
    assert len(asked) + len(found.facts["unproven"]) in (100, 101)  # one may have been left in the middle


SOON = "in ten minutes"
# As the providers' documentation has it: the sheet, its tables with what they answer, and what is to be said.
MISSING = {"status": "error", "message": "This app hasn't been granted all required scopes to make this call.",
           "correlationId": "a", "category": "MISSING_SCOPES",
           "errors": [{"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}]}  # fmt: skip
INFER = {
    "status": "error",
    "message": "Unable to infer object type from: p_cars",
    "correlationId": "a",
    "category": "VALIDATION_ERROR",
}
DAILY = {
    "status": "error",
    "message": "You have reached your daily limit.",
    "errorType": "RATE_LIMIT",
    "correlationId": "a",
    "policyName": "DAILY",
}
DOCS = "https://docs.github.com/rest"
HUB = {"results": [{"id": "1"}]}
REAL: list[tuple[str, dict[str, Reply], Row]] = [
    ("hubspot", {"/crm/v3/objects/contacts": (200, {}, HUB), "/crm/v3/objects/deals": (403, {}, MISSING)},
     R("contacts deals", "bad", RIGHT, "deals", scopes="crm.objects.deals.read")),
    ("hubspot", {"/crm/v3/objects/contacts": (200, {}, HUB), "/crm/v3/objects/p_cars": (400, {}, INFER)},
     R("contacts p_cars", "bad|unclear", "config.object_missing", scopes="")),
    ("hubspot", {"/crm/v3/objects/deals": (403, {}, MISSING), "/crm/v3/objects/contacts": (429, {}, DAILY)},
     R("deals contacts owners", "bad", RIGHT, "deals", "contacts owners", scopes="crm.objects.deals.read")),
    ("github", {"/orgs/acme/members": (200, {"X-OAuth-Scopes": "repo, admin:org"}, ROWS), "/user/repos": (200, {"X-OAuth-Scopes": "repo, admin:org"}, ROWS)},
     R("members repositories", "good")),
    ("github", {"/user/repos": (200, {"X-OAuth-Scopes": "public_repo"}, ROWS)},
     R("repositories", "unclear", "privilege.rows_hidden", "repositories", scopes="repo")),
    ("github", {"/orgs/acme/members": (200, {"X-OAuth-Scopes": ""}, ROWS), "/orgs/acme/teams": (403, {}, {"message": "Resource not accessible by personal access token", "documentation_url": DOCS})},
     R("members teams", "bad", RIGHT, "teams", scopes="read:org")),
    ("github", {"/user/repos": (200, {}, ROWS), "/issues": (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": SOON}, {"message": "API rate limit exceeded for user ID 1.", "documentation_url": DOCS})},
     R("repositories issues", "bad", "limit.rate_limited", waits=True)),
    ("stripe", {"/v1/charges": (200, {}, {"object": "list", "data": []}), "/v1/customers": (403, {}, {"error": {"type": "invalid_request_error", "message": "The provided key 'rk_live_***' does not have the required permissions for this endpoint on account 'acct_1'. Having the 'rak_customer_read' permission would allow this request to continue."}})},
     R("charges customers", "bad", RIGHT, "customers", scopes="rak_customer_read")),
    ("slack", {"/users.list": (200, {}, {"ok": True, "members": []}), "/conversations.list": (200, {"X-OAuth-Scopes": "users:read"}, {"ok": False, "error": "missing_scope", "needed": "channels:read,groups:read", "provided": "users:read"})},
     R("users channels", "bad", RIGHT, "channels", scopes="channels:read groups:read")),
]  # fmt: skip
MORE: dict[str, dict[str, str]] = {"github": {"organization": "acme"}}


@pytest.mark.parametrize("number", range(len(REAL)))
def test_the_words_of_providers_are_weighed_by_table(number: int) -> None:
    key, told, row = REAL[number]
    known = sheet(key)

    def answers(path: str, headers: Mapping[str, str]) -> Reply:
        bare = path.partition("?")[0]
        nothing = (500, {}, f"no answer for {path}")
        status, more, body = next((reply for at, reply in told.items() if bare.endswith(at)), nothing)
        # Reckoned when it is asked: this file is read many minutes before its last row is tried.
        at = {name: str(int(time.time()) + 600) for name, value in more.items() if value == SOON}
        return status, {**more, **at}, body

    with serving(answers) as url:
        assert known.http
        secrets = {field.name: KEY for field in known.fields if field.secret}
        target = Target(
            "one", key, known, {"base_url": url, **MORE.get(key, {})}, secrets, tuple(row.tables.split()), timeout=2.0
        )
        found = verify_permissions(target)
    assert not wrong(row, found, 0), found
