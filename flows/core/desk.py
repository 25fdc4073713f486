"""What a case does when the support desk takes no ticket."""

from __future__ import annotations

from flows.core.answers import ask
from flows.core.case import Case
from flows.core.effects import Event


def not_taken(case: Case, event: Event) -> bool:
    """The desk took no ticket. It is tried again, ever more seldom and without end, and a person may try at once."""
    tries = int(case.ticket.get("tries", 0)) + 1
    wait = float(event.data.get("after") or 0.0) or min(30.0 * 2.0 ** min(tries - 1, 7), 3600.0)
    problem, said = str(event.data["problem"]), str(event.data.get("said", ""))
    case.ticket = {"problem": problem, "said": said, "tries": str(tries), "after": str(wait)}
    if not case.waiting:
        ask(case, "desk_down", ("mend_confirm_ticket", "mend_back", "mend_cancel"), problem=problem, said=said)
    return True
