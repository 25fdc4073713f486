"""Where a pipeline platform is there to ask, a case closes when its own next job has brought data."""

from __future__ import annotations

from flows.core.finding import Finding
from flows.core.job import CHECK, STEP
from tests.flows.test_reauthorize import WRONG, Talk

GOOD = Finding("check_permissions", "permissions_sufficient", "good")


def job(verdict: str, **facts: str) -> Finding:
    return Finding(STEP, CHECK, verdict, "job_limit" if verdict == "bad" else None, facts=facts)  # type: ignore[arg-type]


def confirming(seen: Finding) -> Talk:
    """A password was wrong, somebody says done, all is well, and the platform's job is as `seen`."""
    talk = Talk().until("regenerating_credentials", WRONG)
    talk.answer("mend_fixed")
    return back(talk, GOOD, seen)


def back(talk: Talk, *seen: Finding) -> Talk:
    talk.said = talk.hear("checked", user="", role="system", run=talk.case.run, findings=[f.to_dict() for f in seen])
    return talk


def looked(talk: Talk, seen: Finding) -> Talk:
    """The timer rings, and the platform is asked again."""
    assert talk.hear("due", user="", role="system", due=talk.case.due) == ["await_job", "root"]
    return back(talk, seen)


def test_a_job_that_ran_after_the_repair_closes_the_case() -> None:
    assert confirming(job("good")).case.state == "resolved"


def test_a_job_that_is_still_to_come_is_waited_for_without_anybody() -> None:
    talk = confirming(job("unclear", job="bad"))
    assert (talk.case.state, talk.case.due, "waiting_for_job" in talk.said) == ("confirming_recovery", "job", True)
    for _ in range(3):
        assert looked(talk, job("unclear", job="running")).said == ["root"]
    assert "resolved" in looked(talk, job("good")).said
    assert talk.case.state == "resolved"


def test_it_is_not_waited_for_longer_than_two_days() -> None:
    talk = confirming(job("unclear", job="none"))
    talk.clock += 3 * 86400
    assert looked(talk, job("unclear", job="none")).case.due == "nudge"
    for due in ("nudge", "expire"):
        talk.hear("due", user="", role="system", due=due)
    assert talk.case.state == "expired"


def test_a_job_that_fails_is_told_and_another_may_be_started() -> None:
    talk = looked(confirming(job("unclear", job="running")), job("bad"))
    assert ("job_failed" in talk.said, talk.case.state) == (True, "confirming_recovery")
    assert "start_job" in talk.answer("mend_start_job", version=talk.case.version)
    assert "job_started" in talk.hear("job_started", problem="")
    assert looked(talk, job("good")).case.state == "resolved"


def test_a_job_that_cannot_be_started_is_told_and_still_waited_for() -> None:
    talk = confirming(job("unclear", job="none"))
    talk.answer("mend_start_job", version=talk.case.version)
    talk.hear("job_started", problem="Stitch has trouble")
    offered = talk.case.orders[0].args["buttons"]
    assert ("mend_start_job" in offered, talk.case.due) == (True, "job")


def test_only_who_leads_the_case_has_a_job_started() -> None:
    talk = confirming(job("unclear", job="none"))
    assert talk.hear("answered", user="BOB", role="helper", answer="mend_start_job") == ["not_yours"]
    assert talk.hear("answered", answer="mend_start_job") != ["not_yours"]
    assert talk.hear("answered", answer="mend_start_job") == ["not_now"]


def test_looking_again_begins_with_our_own_checks() -> None:
    talk = confirming(job("unclear", job="none"))
    assert "confirm_recovery" in talk.answer("mend_check_again", version=talk.case.version)
    back(talk, WRONG)
    assert talk.case.state == "regenerating_credentials"


def test_the_wait_may_be_skipped_and_says_so_at_the_end() -> None:
    talk = confirming(job("unclear", job="none"))
    talk.answer("mend_skip", version=talk.case.version)
    assert (talk.case.state, talk.case.skipped) == ("resolved", ["confirm_recovery"])


def test_our_own_proof_cannot_be_skipped_where_a_job_is_awaited_neither() -> None:
    talk = Talk().until("regenerating_credentials", WRONG)
    talk.answer("mend_fixed")
    back(talk, WRONG, job("unclear", job="none"))
    talk.answer("mend_skip")
    assert talk.case.state != "resolved"


def test_where_the_platform_cannot_tell_nobody_waits() -> None:
    assert confirming(job("skipped")).case.state == "resolved"


def test_a_failed_job_that_cannot_be_started_again_offers_no_skip_which_would_be_refused() -> None:
    talk = looked(confirming(job("unclear", job="none")), job("bad", job="bad"))
    talk.answer("mend_start_job")
    talk.hear("job_started", problem="the platform does not answer")
    offered = next(o.args["buttons"] for o in talk.case.orders if o.args.get("template") == "job_started")
    assert "mend_skip" not in offered
    assert "mend_start_job" in offered


def test_a_job_that_starts_late_takes_the_place_of_what_was_asked_meanwhile() -> None:
    talk = confirming(job("unclear", job="none"))
    for answer in ("mend_start_job", "mend_escalate", "mend_back"):
        talk.answer(answer)
    assert talk.case.waiting
    assert talk.hear("job_started", problem="")[:2] == ["settle", "job_started"]
