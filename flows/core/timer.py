"""How long a case waits for what it waits for."""

from __future__ import annotations

from flows.core.case import Case
from flows.core.effects import Event
from flows.core.job import awaited, runs


def set_timer(case: Case, event: Event) -> None:
    """A waiting question is nudged once and then expires. What comes without an answer is looked for by itself: the
    provider's recovery, the pipeline's next job, a desk that takes the ticket.
    """
    after = {"nudge": 1800.0, "expire": 86400.0, "poll": 60.0, **event.data.get("timings", {})}
    # The platform counts how often it is asked; a job that has not come after two days comes no more by itself.
    after["job"] = after["poll"] if runs(case) else 2 * after["poll"]
    if case.state == "waiting_for_provider":
        case.due = "poll"
    elif awaited(case) and event.at - case.confirming_at < 2 * after["expire"]:
        case.due = "job"
    elif case.state == "escalating" and case.ticket.get("problem", "unsure") != "unsure":
        case.due = "desk"
        after["desk"] = float(case.ticket["after"])
    elif case.waiting:
        case.due = "expire" if event.kind == "due" else "nudge"
    else:
        case.due = ""
    case.due_at = event.at + after[case.due] if case.due else None
