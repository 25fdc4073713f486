"""What is said in a case's thread, and to whom. Alice leads the case, Bob is a colleague."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bot import engine, views
from bot.effects import Hands
from bot.platforms.witness import start_job
from bot.settings import Settings
from bot.slack.commands import wish
from bot.slack.wishes import Wishes
from bot.slack.words import Words
from bot.store import Store
from flows.core.case import Case
from flows.core.effects import Event
from flows.core.finding import Finding
from messages import render

HERE = Settings.model_validate({"connections": {"b": {"connector": "postgres"}, "c": {"connector": "postgres"}}})


def understood(text: str, state: str) -> dict[str, Any] | None:
    words = Words(cast(Store, None), lambda: HERE, cast(Wishes, None))
    return words._understood(text, {"state": state, "choices": []})


def looked(case: Case, step: str) -> Case:
    """The case after this look at its connection came back."""
    hands = Hands.__new__(Hands)
    hands.settings = lambda: HERE
    found = [one.to_dict() for one in hands._look(case, step)]
    raw = Event("checked", "k1", 2.0, data={"run": case.run, "step": step, "findings": found}).to_dict()
    return engine.advanced("c1", raw, HERE, case.to_dict(), reader=False)[0]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("<@U0BOB> ok", "escalating"),
        ("yes <@U0BOB|bob>", "regenerating_credentials"),
        ("<@U0BOB> why?", "checking_network"),
        ("<@U0BOB> skip", "checking_network"),
    ],
)
def test_a_yes_to_somebody_else_is_none_to_mend(text: str, state: str) -> None:
    assert understood(text, state) is None


def test_what_is_done_may_be_told_to_a_colleague_and_a_colleague_may_be_asked_to_authorize() -> None:
    assert understood("<@U0BOB> done", "checking_network") == {"answer": "mend_fixed"}
    asked = understood("reauthorize <@U0BOB>", "regenerating_credentials")
    assert asked == {"answer": "mend_hand_over", "to": "U0BOB"}


def test_a_list_that_is_shown_again_after_mend_yml_changed_is_numbered_as_it_is_shown() -> None:
    paused = Case("c1", "T1", "C1", "U0ALICE", 1.0, state="expired", choices=["a", "b"])
    raw = Event("answered", "k1", 2.0, "U0ALICE", data={"team": "T1", "answer": "mend_resume"}).to_dict()
    case, _ = engine.advanced("c1", raw, HERE, paused.to_dict(), reader=False)
    assert (case.state, case.choices) == ("choosing", ["b", "c"])


def test_a_connection_that_vanished_while_its_job_was_awaited_does_not_work_again() -> None:
    job = Finding("confirm_recovery", "data_flows_again", "unclear", facts={"job": "none"})
    waiting = Case(
        "c1", "T1", "C1", "U0ALICE", 1.0, state="confirming_recovery", connection="gone", connector="postgres",
        version=2, waiting=True, findings=[job], run=3, due="job", due_at=2.0, confirming_at=1.0,
    )  # fmt: skip
    case = looked(waiting, "await_job")
    assert (case.state, case.waiting) == ("checking_network", True)
    assert "mend.yml" in next(f.evidence for f in case.findings if f.verdict == "bad")
    assert [o.name for o in case.orders if o.name == "settle"], "the old question keeps its buttons"


def test_the_job_of_a_connection_that_is_gone_is_not_started_and_says_why() -> None:
    assert "mend.yml" in start_job(HERE, "gone")


def test_names_that_differ_in_capitals_only_are_kept_apart() -> None:
    both = Settings.model_validate({"connections": {"Shop": {"connector": "postgres"}, "shop": {"connector": "mysql"}}})
    assert [wish(name, both).connection for name in ("Shop", "shop")] == ["Shop", "shop"]
    words = Words(cast(Store, None), lambda: both, cast(Wishes, None))
    picked = [words._understood(name, {"state": "choosing", "choices": []}) for name in ("Shop", "shop")]
    assert [one and one["connector"] for one in picked] == ["postgres", "mysql"]


def test_a_password_or_key_in_an_address_does_not_get_into_the_ticket() -> None:
    address = "https://bot:hunter2@api.example.com/v1?api_key=abc123&page=1"
    crm = Settings.model_validate(
        {"connections": {"crm": {"connector": "http_api", "settings": {"base_url": address}}}}
    )
    case = Case("c1", "T1", "C1", "U0ALICE", 1.0, state="escalating", connection="crm", connector="http_api")
    body = render.ticket(views.case_view(case, crm, step="escalate"))["body"]
    assert "api.example.com/v1" in body
    assert "hunter2" not in body
    assert "abc123" not in body


def test_a_connection_that_vanished_during_an_outage_does_not_bring_its_provider_back() -> None:
    outage = Finding("check_status", "status_page_quiet", "bad", "third_party_down", "availability.provider_error")
    parked = Case(
        "c1", "T1", "C1", "U0ALICE", 1.0, state="waiting_for_provider", connection="gone", connector="postgres",
        version=2, waiting=True, findings=[outage], run=3, due="poll", due_at=2.0,
    )  # fmt: skip
    case = looked(parked, "check_status")
    assert case.state == "checking_network"
    assert "settle" in [o.name for o in case.orders]
    assert "provider_back" not in str(case.orders)
