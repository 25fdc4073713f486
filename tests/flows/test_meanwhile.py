"""What comes in while the case has gone on: results, clicks, credentials and rotations. Alice leads the case."""

from __future__ import annotations

import pytest

from flows.core.finding import Finding
from flows.core.words import understand
from tests.flows.test_reauthorize import NO_SELECT, OUTAGE, REFUSED, WRONG, Talk

UNREADABLE = Finding("check_status", "status_page_quiet", "unclear", evidence="cannot read this page: timed out")


def back(talk: Talk, *seen: Finding) -> list[str]:
    found = [one.to_dict() for one in seen]
    return talk.hear("checked", user="", role="system", run=talk.case.run, findings=found)


def renewing(*bad: Finding) -> Talk:
    talk = Talk()
    talk.case.repairs = ["update_credentials", "rotate"]
    return talk.until("regenerating_credentials", *(bad or (WRONG,)))


def asked_to_rotate() -> Talk:
    talk = renewing()
    talk.answer("mend_rotate")
    talk.hear("planned", user="", role="system", run=talk.case.run, plan={})
    return talk


@pytest.mark.parametrize("seen", [OUTAGE, Finding("check_status", "status_page_quiet", "good")])
def test_a_check_that_ends_after_somebody_asked_for_support_stands_in_the_ticket_and_asks_nothing(
    seen: Finding,
) -> None:
    talk = Talk()
    talk.answer("mend_escalate")
    version = talk.case.version
    back(talk, seen)
    assert (talk.case.state, talk.case.version, talk.case.findings) == ("escalating", version, [seen])


def test_a_check_that_ends_after_new_credentials_were_asked_for_asks_no_second_question() -> None:
    talk = Talk()
    talk.answer("mend_update_credentials")
    assert back(talk, OUTAGE) == ["root"]
    assert (talk.case.state, talk.case.version) == ("regenerating_credentials", 1)


@pytest.mark.parametrize(
    ("state", "bad", "answer"),
    [
        ("checking_network", REFUSED, "mend_skip"),
        ("checking_permissions", NO_SELECT, "mend_back"),
        ("checking_network", REFUSED, "mend_update_credentials"),
    ],
)
def test_a_button_whose_question_is_answered_moves_nothing(state: str, bad: Finding, answer: str) -> None:
    talk = Talk().until(state, bad)
    version = talk.case.version
    talk.answer("mend_check_again" if answer.startswith("mend_up") else answer, version=version)
    there = talk.case.state
    assert talk.answer(answer, version=version) == ["stale"]
    assert talk.case.state == there


def test_a_status_page_that_cannot_be_read_does_not_end_an_outage() -> None:
    talk = Talk().until("waiting_for_provider", OUTAGE)
    talk.hear("due", user="", role="system", due="poll")
    assert "provider_back" not in back(talk, UNREADABLE)
    assert (talk.case.state, talk.case.due, talk.case.finding) == ("waiting_for_provider", "poll", OUTAGE)


def test_new_credentials_that_come_while_a_ticket_is_prepared_are_looked_at() -> None:
    talk = renewing()
    talk.answer("mend_escalate")
    assert "confirm_recovery" in talk.hear("saved")
    talk.found()
    assert talk.case.state == "resolved"


# Rotation ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["yes", "ok"])
def test_a_yes_to_another_question_replaces_no_credential(word: str) -> None:
    talk = asked_to_rotate()
    talk.answer("mend_update_credentials")
    said = talk.answer(str(understand(word, talk.case.state)), may_rotate=True)
    assert "rotate" not in said
    assert not talk.changed


def test_a_no_to_a_rotation_leads_back() -> None:
    talk = asked_to_rotate()
    talk.answer("no")
    assert talk.case.state == "checking_network"


def test_a_preview_that_comes_while_a_ticket_is_prepared_asks_nothing() -> None:
    talk = renewing()
    talk.answer("mend_rotate")
    talk.answer("mend_escalate")
    assert talk.hear("planned", user="", role="system", run=talk.case.run, plan={}) == []


def running() -> Talk:
    talk = asked_to_rotate()
    talk.answer("mend_confirm_rotation", may_rotate=True)
    talk.answer("mend_back")
    return talk


def test_a_rotation_that_fails_while_checks_run_is_told_and_asks_nothing() -> None:
    talk = running()
    assert "rotation_failed" in talk.hear("unrotated", id="r1", problem="refused", said="", kept=True)
    assert not talk.case.waiting


def test_a_rotation_that_ends_takes_the_place_of_the_open_question() -> None:
    talk = running()
    talk.found(REFUSED)
    assert talk.hear("rotated", old="", sent="")[:2] == ["settle", "rotated"]
    assert talk.case.state == "confirming_recovery"
