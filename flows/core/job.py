"""How a case waits for the pipeline's own next job: all looks good from here, and only that proves that data flows."""

from __future__ import annotations

from flows.core.answers import Hear, ask, over, refuse, settled
from flows.core.case import Case
from flows.core.effects import Event, Order, run
from flows.core.finding import Finding

STEP, CHECK = "confirm_recovery", "data_flows_again"
WAITING = ("mend_check_again", "mend_skip", "mend_escalate")
STARTABLE = ("mend_start_job", *WAITING)
FAILED = ("mend_start_job", "mend_check_again", "mend_escalate", "mend_cancel")


def found(case: Case) -> Finding | None:
    """What the platform's job is to the case, where nothing else is wrong."""
    top = case.finding
    return top if case.state == "confirming_recovery" and top is not None and top.check == CHECK else None


def awaited(case: Case) -> bool:
    """The job is still to come."""
    top = found(case)
    return top is not None and top.verdict == "unclear"


def runs(case: Case) -> bool:
    """It is under way, as far as anybody knows."""
    top = found(case)
    return top is not None and top.facts.get("job") == "running"


def explain(case: Case) -> None:
    if awaited(case):
        ask(case, "waiting_for_job", WAITING if runs(case) else STARTABLE)
    else:
        ask(case, "job_failed", FAILED)


def look(case: Case) -> None:
    """Ask the platform alone: the checks of ours were good."""
    case.run += 1
    case.orders.append(run("await_job"))


def came(case: Case) -> None:
    """What was waited for is there, and nobody needs to answer any more."""
    case.orders.append(over(case, "job_came"))


def start(case: Case, event: Event) -> bool:
    """Have the platform run the source now: what ran before counts no more. It costs rows, so a person says it."""
    if not found(case) or not case.waiting:
        return refuse(case, event, "not_now", trigger="start")
    case.waiting, case.confirming_at = False, event.at
    case.tried.append(f"start_job:{case.state}")
    case.orders.extend([settled(event, case.version), Order("start_job", {"by": event.user})])
    return True


def started(case: Case, event: Event) -> bool:
    """The platform runs it, or says why not."""
    top, problem = found(case), str(event.data.get("problem", ""))
    if top is None:
        return False
    if not problem:
        facts = {**top.facts, "job": "running"}
        case.findings = [f for f in case.findings if f.check != CHECK] + [Finding(STEP, CHECK, "unclear", facts=facts)]
    if case.waiting:  # something was asked while the platform was
        case.orders.append(Order("settle", {"answer": "mend_start_job", "by": event.user, "version": case.version}))
    buttons = WAITING if not problem else STARTABLE if awaited(case) else FAILED
    ask(case, "job_started", buttons, by=event.user, problem=problem)
    return True


HEARS: dict[str, Hear] = {"job_started": started}
ANSWERS: dict[str, Hear] = {"mend_start_job": start}
