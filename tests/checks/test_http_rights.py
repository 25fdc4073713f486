"""Each selected table by itself: which answer, which do not, which are hidden, what each lacks, and where it is given."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from bot.checks.base import Target
from bot.checks.http import verify_credentials, verify_permissions
from bot.views import sheet_view
from flows.core.finding import Finding
from flows.core.sheet import Probe, sheet
from messages import render
from tests.fakes.recorded import KEY
from tests.fakes.serve import Answers, Reply, serving

PROBES = {
    "orders": Probe(path="/orders", scopes=("orders.read",)),
    "payouts": Probe(path="/payouts", role="Finance manager", grant="Settings > Team > the user > Finance manager"),
    "notes": Probe(path="/notes", scopes=("notes.read",)),
    "people": Probe(path="/people", scopes=("people.read",), partial=True),
}
KNOWN = sheet("http_api")
assert KNOWN.http
SHEET = KNOWN.model_copy(update={"title": "Acme", "http": KNOWN.http.model_copy(update={
    "resources": PROBES, "own_error": "error", "grant": "Settings > API > the key > Scopes"})})  # fmt: skip


def seen(answers: Answers, *tables: str, timeout: float = 3.0) -> Finding:
    def asked(path: str, headers: Mapping[str, str]) -> Reply:
        return answers(path, headers) if headers.get("authorization") else (401, {}, {"error": "who?"})

    with serving(asked) as url:
        target = Target("crm", "http_api", SHEET, {"base_url": url}, {"token": KEY}, tables, timeout=timeout)
        return verify_permissions(target)


def mixed(path: str, headers: Mapping[str, str]) -> Reply:
    if path == "/orders":
        return 200, {}, [{"id": 1}]
    if path == "/payouts":
        return 403, {}, {"error": "finance managers only"}
    return (404, {}, {"error": "not found"}) if path == "/notes" else (200, {}, [])


def test_one_finding_tells_of_every_table() -> None:
    found = seen(mixed, *PROBES)
    assert (found.verdict, found.cause) == ("bad", "missing_privilege")
    assert found.facts["missing"] == ["payouts", "notes", "people"]
    assert found.facts["roles_needed"] == ["Finance manager"]
    assert "payouts: HTTP 403 finance managers only" in found.evidence
    assert "also without access: notes (notes.read); perhaps hidden in part: people (people.read)" in found.evidence
    assert "answering: orders" in found.evidence


def test_the_next_step_names_scope_role_and_menu_path() -> None:
    found = seen(mixed, "orders", "payouts", "notes")
    said = render.next_step(found.to_dict(), {**sheet_view(SHEET), "name": "crm"})
    for part in ("notes.read", "Finance manager", "Settings > Team > the user", "Settings > API > the key > Scopes"):
        assert part in said


def test_what_is_hidden_and_what_does_not_exist_look_the_same_and_both_are_named() -> None:
    found = seen(mixed, "notes")
    assert (found.code, found.alternatives) == ("privilege.resource_hidden", ("config.object_missing",))


def test_an_empty_answer_of_what_may_be_hidden_proves_nothing() -> None:
    found = seen(mixed, "orders", "people")
    assert (found.verdict, found.code) == ("unclear", "privilege.rows_hidden")
    assert "people answer, but a part may stay hidden without people.read" in found.evidence


def test_one_slow_table_does_not_hide_the_others() -> None:
    def slow(path: str, headers: Mapping[str, str]) -> Reply:
        if path == "/notes":
            time.sleep(4)
        return mixed(path, headers)

    found = seen(slow, "orders", "notes", "payouts", timeout=1.0)
    assert found.facts["missing"] == ["payouts"]
    assert found.facts["unproven"] == ["notes"]
    alone = seen(slow, "orders", "notes", timeout=1.0)
    assert (alone.verdict, alone.code) == ("unclear", "network.accepts_but_silent")


def test_a_table_that_the_sheet_does_not_know_is_said_to_be_unproven() -> None:
    found = seen(mixed, "orders", "invoices")
    assert found.verdict == "unclear"
    assert "no call is known for invoices; answering: orders" in found.evidence


def test_a_probe_that_the_key_may_not_call_is_what_is_missing_where_nothing_was_selected() -> None:
    """RFC 6750: the key is known, and the answer names the scope that it lacks."""
    told = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="orders:read"'}

    def answers(path: str, headers: Mapping[str, str]) -> Reply:
        return (
            (403, told, {"error": "insufficient_scope"})
            if headers.get("authorization")
            else (401, {}, {"error": "who?"})
        )

    with serving(answers) as url:
        target = Target("crm", "http_api", KNOWN, {"base_url": url, "probe": "/me"}, {"token": KEY})
        known, found = verify_credentials(target), verify_permissions(target)
    assert known.verdict == "good"
    assert (found.verdict, found.cause, found.code) == ("bad", "missing_privilege", "auth.insufficient_scope")
    assert (found.facts["missing"], found.facts["scopes_needed"]) == (["/me"], ["orders:read"])


def test_a_refused_probe_in_words_that_nobody_listed_does_not_say_that_the_key_is_good() -> None:
    """An account that is switched off is refused so too, and the login would have been called good."""

    def answers(path: str, headers: Mapping[str, str]) -> Reply:
        return (403, {}, {"error": "x7"}) if headers.get("authorization") else (401, {}, {"error": "who?"})

    with serving(answers) as url:
        target = Target("crm", "http_api", KNOWN, {"base_url": url, "probe": "/me"}, {"token": KEY})
        known = verify_credentials(target)
    assert (known.verdict, known.code) == ("unclear", "auth.insufficient_scope")
    assert known.alternatives == ("account.plan_limit", "access.ip_not_allowed")


@pytest.mark.parametrize("resources", ["payouts", "/payouts", ["payouts"], ["/orders", "/payouts"]])
def test_paths_are_joined_to_the_address_however_they_are_written(resources: object) -> None:
    named = "/payouts" if "/payouts" in str(resources) else "payouts"
    with serving(mixed) as url:
        given = {"base_url": url + "/", "probe": "orders", "auth": "none", "resources": resources}
        target = Target("crm", "http_api", KNOWN, given, {})
        known, found = verify_credentials(target), verify_permissions(target)
    assert (known.verdict, found.verdict, found.facts["missing"]) == ("good", "bad", [named]), found.evidence


def test_where_no_resource_is_named_none_is_said_to_answer() -> None:
    with serving(mixed) as url:
        found = verify_permissions(Target("crm", "http_api", KNOWN, {"base_url": url, "auth": "none"}, {}))
    assert (found.verdict, found.evidence) == ("good", "no resource is named, so none was asked")
