"""The flow as the people in it see it. Alice asks, Bob administers, Charlie must see nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flows.core.case import CLOSED, Case
from flows.core.effects import Event
from flows.core.finding import Finding
from flows.core.flow import STEP_OF, STEPS, arrows_of, mermaid
from flows.core.words import WORDS, understand
from flows.reauthorize import FLOW, STATES

ROOT = Path(__file__).parents[2]
WRONG = Finding("verify_credentials", "credentials_accepted", "bad", "invalid_credentials", "auth.wrong_password")
NO_SELECT = Finding(
    "check_permissions", "permissions_sufficient", "bad", "missing_privilege", "privilege.table_select_missing"
)
OUTAGE = Finding("check_status", "status_page_quiet", "bad", "third_party_down", "availability.provider_error")
REFUSED = Finding("check_network", "port_answers", "bad", "host_unreachable", "network.refused")


class Talk:
    """Walks one case and remembers what it asked the hands to do."""

    def __init__(self, connection: str = "warehouse", desk: bool = True) -> None:
        self.case = Case("c1", "T1", "C1", "ALICE", 0.0, connection=connection, has_desk=desk, choices=["warehouse"])
        self.clock = 0.0
        self.hear("opened")

    def hear(self, kind: str, user: str = "ALICE", role: str = "owner", **data: object) -> list[str]:
        self.clock += 1
        self.case.orders.clear()
        self.changed = FLOW.advance(self.case, Event(kind, f"k{self.clock}", self.clock, user, role, data))
        return [str(o.args.get("template") or o.args.get("step") or o.name) for o in self.case.orders]

    def answer(self, answer: str, **more: object) -> list[str]:
        return self.hear("answered", **{"answer": answer, **more})

    def found(self, *bad: Finding) -> list[str]:
        """The checks under way come back, good but for `bad`."""
        step = STEP_OF[self.case.state]
        steps = STEPS if step == "confirm_recovery" else (step,)
        seen = [next((b for b in bad if b.step == s), Finding(s, "some_check", "good")) for s in steps]
        return self.hear("checked", user="", role="system", run=self.case.run, findings=[f.to_dict() for f in seen])

    def until(self, state: str, *bad: Finding) -> Talk:
        for _ in range(8):
            if self.case.state == state and (self.case.waiting or state in CLOSED):
                return self
            self.found(*bad)
        assert self.case.state == state
        return self


def test_a_changed_password_leads_to_the_guide_and_closes_on_proof() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    assert "failed" in [o.args.get("template") for o in talk.case.orders]
    talk.answer("mend_fixed")
    assert talk.case.state == "confirming_recovery"
    talk.found()
    assert talk.case.state == "resolved"


def test_a_repair_that_did_not_help_is_not_called_resolved() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    talk.answer("mend_fixed")
    talk.found(WRONG)
    assert (talk.case.state, talk.case.waiting) == ("regenerating_credentials", True)


@pytest.mark.parametrize(
    ("bad", "state"),
    [(REFUSED, "checking_network"), (WRONG, "regenerating_credentials"), (NO_SELECT, "checking_permissions"),
     (OUTAGE, "waiting_for_provider")],
)  # fmt: skip
def test_check_again_runs_from_the_step_that_failed_and_goes_on(bad: Finding, state: str) -> None:
    talk = Talk().until(state, bad)
    orders = talk.answer("mend_check_again", version=talk.case.version)
    assert bad.step in orders
    assert talk.until("resolved").case.state == "resolved"


def test_an_outage_parks_the_case_and_the_end_of_it_wakes_it() -> None:
    talk = Talk().until("waiting_for_provider", OUTAGE)
    assert talk.case.due == "poll"
    talk.hear("due", user="", role="system", due="poll")
    assert talk.found(OUTAGE) == ["root"]
    talk.hear("due", user="", role="system", due="poll")
    found = talk.found()
    assert ("settle" in found, "provider_back" in found) == (True, True)
    assert talk.until("resolved").case.state == "resolved"


def test_what_was_skipped_is_remembered() -> None:
    talk = Talk().until("checking_network", REFUSED)
    talk.answer("mend_skip")
    assert talk.case.skipped == ["check_network"]
    assert talk.case.state == "verifying_credentials"


@pytest.mark.parametrize(("bad", "state"), [(WRONG, "regenerating_credentials"), (NO_SELECT, "checking_permissions")])
def test_a_step_that_skipping_leads_back_to_is_not_offered_to_be_skipped_again(bad: Finding, state: str) -> None:
    talk = Talk().until(state, bad)
    assert "mend_skip" in talk.case.orders[-2].args["buttons"]
    talk.answer("mend_skip")
    talk.until(state, bad)
    asked = next(o for o in talk.case.orders if o.args.get("template") == "failed")
    assert "mend_skip" not in asked.args["buttons"]
    assert {"mend_fixed", "mend_escalate"} <= set(asked.args["buttons"])


def test_proof_cannot_be_skipped() -> None:
    talk = Talk().until("checking_permissions", NO_SELECT)
    talk.answer("mend_skip")
    talk.found(NO_SELECT)
    assert talk.case.state == "checking_permissions"


def test_a_button_of_an_older_question_does_nothing_but_say_so() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    assert talk.answer("mend_check_again", version=talk.case.version - 1) == ["stale"]
    assert not talk.changed


def test_three_clicks_at_once_run_the_checks_once() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    version = talk.case.version
    runs = [talk.answer("mend_check_again", version=version) for _ in range(3)]
    assert ["verify_credentials" in r for r in runs] == [True, False, False]


def test_a_late_result_of_an_older_run_changes_nothing() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    talk.answer("mend_check_again")
    late = talk.case.run - 1
    talk.hear("checked", user="", role="system", run=late, findings=[WRONG.to_dict()])
    assert talk.case.state == "verifying_credentials"
    assert not talk.changed


def test_a_helper_may_look_again_but_not_escalate_until_they_take_over() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    assert talk.hear("answered", "CHARLIE", "helper", answer="mend_escalate") == ["not_yours"]
    talk.hear("answered", "CHARLIE", "helper", answer="mend_take_over")
    assert talk.case.owner == "CHARLIE"
    talk.hear("answered", "CHARLIE", "owner", answer="mend_escalate")
    assert talk.case.state == "escalating"


def test_guests_and_people_of_other_companies_only_read() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    assert talk.hear("answered", "GUEST", "reader", answer="mend_check_again") == ["read_only"]


def test_a_ticket_needs_a_yes_and_no_leads_back() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    talk.answer("mend_escalate")
    talk.answer("no")
    assert talk.case.state == "regenerating_credentials"
    talk.answer("mend_escalate")
    assert talk.answer("mend_confirm_ticket").count("open_ticket") == 1
    assert "open_ticket" not in talk.answer("mend_confirm_ticket")
    talk.hear("ticket", user="", role="system", url="https://desk/1", id="1")
    assert talk.case.state == "escalated"


def test_after_the_hand_over_mend_is_silent() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    talk.answer("mend_escalate")
    talk.answer("mend_confirm_ticket")
    talk.hear("ticket", user="", role="system", url="https://desk/1", id="1")
    assert talk.answer("mend_check_again") == []
    assert talk.answer("why") == []


def test_silence_is_nudged_once_then_expires_and_can_be_resumed() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    assert talk.case.due == "nudge"
    assert "nudge" in talk.hear("due", user="", role="system", due="nudge")
    assert talk.case.due == "expire"
    asked = talk.case.version
    orders = talk.hear("due", user="", role="system", due="expire")
    assert talk.case.state == "expired"
    assert orders.index("settle") < orders.index("expired")
    assert next(o.args["version"] for o in talk.case.orders if o.name == "settle") == asked
    talk.answer("mend_resume")
    assert talk.case.state == "checking_status"


def escalating() -> Talk:
    talk = Talk().until("regenerating_credentials", WRONG)
    talk.answer("mend_escalate")
    talk.answer("mend_confirm_ticket")
    return talk


@pytest.mark.parametrize("problem", ["down", "rate", "auth", "config"])
def test_a_desk_that_takes_nothing_is_told_once_and_tried_without_end(problem: str) -> None:
    talk = escalating()
    assert "desk_down" in talk.hear("ticket", user="", role="system", problem=problem, said="no", after=0.0)
    waits = []
    for _ in range(400):
        assert talk.case.due == "desk"
        waits.append((talk.case.due_at or 0.0) - talk.clock)
        assert "open_ticket" in talk.hear("due", user="", role="system", due="desk")
        said = talk.hear("ticket", user="", role="system", problem=problem, said="no", after=0.0)
        assert "desk_down" not in said
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (30.0, 3600.0)
    talk.hear("ticket", user="", role="system", url="https://desk/1", id="1")
    assert talk.case.state == "escalated"


@pytest.mark.parametrize("answer", ["mend_confirm_ticket", "mend_check_again"])
def test_a_person_may_try_the_desk_at_once(answer: str) -> None:
    talk = escalating()
    talk.hear("ticket", user="", role="system", problem="auth", said="no")
    assert "open_ticket" in talk.answer(answer)
    assert "desk_down" in talk.hear("ticket", user="", role="system", problem="auth", said="no")


def test_the_wait_that_the_desk_asks_for_is_kept() -> None:
    talk = escalating()
    talk.hear("ticket", user="", role="system", problem="rate", said="busy", after=7.0)
    assert talk.case.due_at == talk.clock + 7


def test_a_ticket_that_may_have_arrived_is_sent_again_by_a_person_only() -> None:
    talk = escalating()
    talk.hear("ticket", user="", role="system", problem="unsure", said="broke")
    assert talk.case.due == "nudge"
    assert "open_ticket" in talk.answer("mend_confirm_ticket")


def test_what_the_desk_refused_is_not_sent_behind_a_persons_back_later() -> None:
    talk = escalating()
    talk.hear("ticket", user="", role="system", problem="down", said="no")
    talk.answer("mend_back")
    assert talk.case.due != "desk"
    talk.answer("mend_escalate")
    assert (talk.case.state, talk.case.due) == ("escalating", "nudge")


def test_a_ticket_told_twice_is_said_once() -> None:
    talk = escalating()
    talk.hear("ticket", user="", role="system", url="https://desk/1", id="1")
    assert talk.hear("ticket", user="", role="system", url="https://desk/1", id="1") == []


def test_a_case_taken_up_again_goes_back_to_its_ticket() -> None:
    talk = escalating()
    talk.hear("ticket", user="", role="system", url="https://desk/1", id="1")
    talk.answer("mend_resume")
    talk.until("regenerating_credentials", WRONG)
    talk.answer("mend_escalate")
    talk.answer("mend_confirm_ticket")
    talk.hear("ticket", user="", role="system", url="https://desk/1", id="1")
    assert talk.case.state == "escalated"


def test_yes_confirms_a_ticket_or_a_rotation_and_nothing_else() -> None:
    assert understand("Yes please!", "escalating") == "mend_confirm_ticket"
    assert understand("yes", "regenerating_credentials") == "mend_confirm_rotation"
    assert understand("ok", "checking_network") is None
    talk = Talk().until("checking_permissions", NO_SELECT)
    assert talk.answer(str(understand("yes", "checking_permissions"))) == ["not_now"]
    assert talk.case.state == "checking_permissions"


@pytest.mark.parametrize("word", sorted({w for words in WORDS.values() for w in words}))
def test_every_word_is_understood_in_the_ticket_question(word: str) -> None:
    assert understand(f"  {word.upper()}.", "escalating")


def test_every_state_is_reached_and_can_be_left_except_the_end() -> None:
    arrows = arrows_of(FLOW.machine)
    assert {dest for _, dest in arrows} == set(STATES)
    assert {source for source, _ in arrows} == set(STATES) - {"resolved"}


def test_every_arrow_of_the_flow_is_drawn_and_the_readme_shows_the_same() -> None:
    diagram = mermaid(FLOW)
    for source, dest in arrows_of(FLOW.machine):
        for state in (source, dest):
            assert state in diagram
    assert f"```mermaid\n{diagram}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")


class AnyEventInAnyOrder(RuleBasedStateMachine):
    """Whatever is said in whatever order: a question, a check under way, or an end. Never stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.talk = Talk()

    @rule(
        answer=st.sampled_from(sorted(FLOW.advance.__self__.answers)),
        role=st.sampled_from(["owner", "helper", "admin", "reader"]),
    )
    def somebody_answers(self, answer: str, role: str) -> None:
        self.talk.answer(answer, role=role, connection="warehouse", connector="postgres")

    @rule(bad=st.lists(st.sampled_from([WRONG, NO_SELECT, OUTAGE, REFUSED]), max_size=2))
    def checks_come_back(self, bad: list[Finding]) -> None:
        if self.talk.case.state != "choosing" and STEP_OF[self.talk.case.state] in (*STEPS, "confirm_recovery"):
            self.talk.found(*bad)

    @rule(due=st.sampled_from(["nudge", "expire", "poll"]))
    def time_passes(self, due: str) -> None:
        self.talk.hear("due", user="", role="system", due=due)

    @rule(url=st.sampled_from(["https://desk/1", None]))
    def the_desk_answers(self, url: str | None) -> None:
        self.talk.hear("ticket", user="", role="system", url=url, problem="down")

    @invariant()
    def somebody_knows_what_is_next(self) -> None:
        case = self.talk.case
        closed = case.state in CLOSED or case.state == "escalated"
        assert case.waiting or closed or case.run > 0
        assert closed or case.waiting or case.due in ("", "desk") or case.state == "waiting_for_provider"


AnyEventInAnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyEventInAnyOrder = AnyEventInAnyOrder.TestCase


def test_mend_offers_its_own_page_where_it_has_one_and_words_where_not() -> None:
    talk = Talk()
    talk.case.repairs = ["update_credentials"]
    talk.until("regenerating_credentials", WRONG)
    assert talk.answer("mend_update_credentials")[1:3] == ["offer_update_credentials", "send_link"]
    talk.case.repairs = []
    assert "regenerate_update_credentials" in talk.answer("mend_update_credentials")
    assert "send_link" not in talk.answer("mend_update_credentials")


def test_saved_credentials_are_believed_only_on_proof() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    assert "saved" in talk.hear("saved")
    assert talk.case.state == "confirming_recovery"
    talk.found()
    assert talk.case.state == "resolved"
    assert talk.hear("saved") == []


def test_a_leaked_secret_is_told_even_to_who_may_only_read_and_moves_nothing() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    before = talk.case.to_dict()
    assert talk.hear("leaked", user="CHARLIE", role="reader", form="password") == ["leaked"]
    assert talk.case.to_dict() == before
