"""The flow `reauthorize`: from "my data is stale" to a proof that it flows again, or to a ticket.

States are what the case is doing, arrows how the conversation may go on. Entering a state asks for what it needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

from transitions import EventData, Machine

from flows.core import job, rotation
from flows.core.answers import ask, keeps
from flows.core.case import CLOSED, Case
from flows.core.causes import REGENERABLE
from flows.core.conversation import Conversation, look
from flows.core.effects import Event, Order, say
from flows.core.flow import STEP_OF, Flow

CHECKING = ["checking_status", "checking_network", "verifying_credentials", "checking_permissions"]
WORKING = [*CHECKING, "regenerating_credentials", "confirming_recovery"]
OPEN = ["choosing", *WORKING, "waiting_for_provider", "escalating"]
STATES = [*OPEN, "escalated", "resolved", "cancelled", "expired"]

ARROWS: list[list[Any]] = [
    ["chosen", "choosing", "checking_status"],
    ["passed", "checking_status", "checking_network"],
    ["passed", "waiting_for_provider", "checking_network"],
    ["passed", "checking_network", "verifying_credentials"],
    ["passed", "verifying_credentials", "checking_permissions"],
    ["passed", "checking_permissions", "confirming_recovery"],
    ["passed", "confirming_recovery", "resolved"],
    ["failed", "checking_status", "waiting_for_provider", "provider_is_down"],
    ["failed", ["verifying_credentials", "confirming_recovery"], "regenerating_credentials", "can_regenerate"],
    ["failed", "confirming_recovery", "waiting_for_provider", "provider_is_down"],
    ["failed", "confirming_recovery", "checking_network", "network_failed"],
    ["failed", "confirming_recovery", "verifying_credentials", "credentials_failed"],
    ["failed", "confirming_recovery", "checking_permissions", "permissions_failed"],
    ["retried", "waiting_for_provider", "checking_status"],
    ["retried", "regenerating_credentials", "verifying_credentials"],
    ["mended", [*CHECKING, "waiting_for_provider", "regenerating_credentials", "escalating"], "confirming_recovery"],
    ["skipped", ["checking_status", "waiting_for_provider"], "checking_network"],
    ["skipped", "checking_network", "verifying_credentials"],
    ["skipped", ["verifying_credentials", "regenerating_credentials"], "checking_permissions"],
    ["skipped", "checking_permissions", "confirming_recovery"],
    ["skipped", "confirming_recovery", "resolved", "job_is_awaited"],
    ["regenerate", "choosing", "regenerating_credentials", "was_chosen"],
    ["regenerate", [*CHECKING, "confirming_recovery", "waiting_for_provider"], "regenerating_credentials"],
    ["back", "checking_network", "checking_status"],
    ["back", "verifying_credentials", "checking_network"],
    ["back", "regenerating_credentials", "checking_network"],
    ["back", "checking_permissions", "verifying_credentials"],
    ["back", "confirming_recovery", "checking_permissions"],
    *[["back", "escalating", state, f"came_from_{state}"] for state in (*WORKING, "waiting_for_provider")],
    ["escalate", [*WORKING, "waiting_for_provider"], "escalating"],
    ["ticketed", "escalating", "escalated"],
    ["cancel", [*OPEN, "escalated"], "cancelled"],
    ["expire", OPEN, "expired"],
    ["resume", ["expired", "cancelled", "escalated"], "checking_status", "was_chosen"],
    ["resume", ["expired", "cancelled"], "choosing"],
]

# States that are drawn together, inner ones first.
BOXES = {"working": [*WORKING, "waiting_for_provider"], "open": ["choosing", "working", "escalating"]}

HELP = {"check_network": ("mend_check_again", "mend_skip", "mend_escalate"),
        "check_status": ("mend_check_again", "mend_skip", "mend_escalate"),
        "check_permissions": ("mend_fixed", "mend_check_again", "mend_skip", "mend_escalate"),
        "verify_credentials": ("mend_fixed", "mend_check_again", "mend_skip", "mend_escalate"),
        "confirm_recovery": ("mend_check_again", "mend_escalate", "mend_cancel")}  # fmt: skip


def _case(data: EventData) -> Case:
    return cast(Case, data.model)


def _failed_step(case: Case) -> str:
    return case.finding.step if case.finding else ""


def _came_from(state: str) -> Callable[[EventData], bool]:
    return lambda data: _case(data).came_from == state


CONDITIONS: dict[str, Callable[[EventData], bool]] = {
    "provider_is_down": lambda d: _failed_step(_case(d)) == "check_status",
    "can_regenerate": lambda d: (_failed_step(_case(d)) == "verify_credentials"
                                 and (f := _case(d).finding) is not None and f.cause in REGENERABLE),
    "network_failed": lambda d: _failed_step(_case(d)) == "check_network",
    "credentials_failed": lambda d: _failed_step(_case(d)) == "verify_credentials",
    "permissions_failed": lambda d: _failed_step(_case(d)) == "check_permissions",
    "job_is_awaited": lambda d: job.awaited(_case(d)),
    "was_chosen": lambda d: bool(_case(d).connection),
    **{f"came_from_{s}": _came_from(s) for s in (*WORKING, "waiting_for_provider")},
}  # fmt: skip


def _enter(data: EventData) -> None:
    """What entering a state asks for."""
    case, event = _case(data), data.kwargs["event"]
    name = data.event.name
    if case.state in CLOSED or case.state == "escalated":
        case.waiting = False
        buttons = {"resolved": ("mend_helpful", "mend_not_helpful"), "escalated": ()}.get(case.state, ("mend_resume",))
        case.orders.append(say(case.state, buttons=buttons, by=event.user))
    elif case.state == "choosing":
        ask(case, "choose", ("mend_choose", "mend_cancel"))
    elif case.state == "escalating":
        buttons = ("mend_confirm_ticket", "mend_back", "mend_cancel") if case.has_desk else ("mend_back", "mend_cancel")
        ask(case, "escalating", buttons)
    elif name == "failed" or (name == "back" and case.came_from == case.state):
        explain(case)
    elif case.state == "regenerating_credentials":
        regenerate(case, event)
    else:
        if case.state == "confirming_recovery":
            case.confirming_at = event.at
        look(case, STEP_OF[case.state])


def explain(case: Case) -> None:
    """A failed check says what is wrong, offers what helps, and waits."""
    step = STEP_OF[case.state]
    if step == "regenerate_credentials":
        ways = (*_routes(case), "mend_fixed", "mend_check_again", "mend_skip", "mend_escalate")
        ask(case, "failed", _without_circles(case, ways))
    elif case.state == "waiting_for_provider":
        ask(case, "waiting_for_provider", HELP["check_status"])
    elif job.found(case):
        job.explain(case)
    else:
        ask(case, "failed", _without_circles(case, HELP[step]))


def _without_circles(case: Case, buttons: tuple[str, ...]) -> tuple[str, ...]:
    """Who skipped a step and is back has seen that what comes after waits for it: skipping again leads here again."""
    return tuple(b for b in buttons if b != "mend_skip" or STEP_OF[case.state] not in case.skipped)


def _routes(case: Case) -> list[str]:
    """The connector's own way first, then what else Mend can do itself."""
    kept = ["mend_forget"] if keeps(case) else []
    return [*(f"mend_{route}" for route in dict.fromkeys([case.regeneration, *case.repairs])), *kept]


def regenerate(case: Case, event: Event) -> None:
    """Mend goes the way itself where it can; else it says how people go it."""
    route = event.data.get("answer", "").removeprefix("mend_") or case.regeneration
    after = ("mend_fixed", "mend_check_again", "mend_back", "mend_escalate")
    if rotation.busy(case, event):
        return
    if route == "rotate" and route in case.repairs:
        rotation.plan(case)
    elif route in case.repairs:
        shared = ("mend_hand_over",) if route == "reauthorize" else ()
        ask(case, f"offer_{route}", (f"mend_{route}", *shared, *after), by=event.user)
        case.orders.append(Order("send_link", {"user": event.user or case.owner, "route": route}))
    else:
        others = [f"mend_{one}" for one in case.repairs if one != route]
        ask(case, f"regenerate_{route}", (*others, *after))


def _machine() -> Machine:
    logging.getLogger("transitions.core").setLevel(logging.ERROR)  # it warns of every answer that does not fit
    machine = Machine(
        model=None,
        states=STATES,
        initial="choosing",
        auto_transitions=False,
        send_event=True,
        queued=True,
        after_state_change=_enter,
        ignore_invalid_triggers=True,
    )
    for trigger, source, dest, *condition in ARROWS:
        machine.add_transition(trigger, source, dest, conditions=[CONDITIONS[c] for c in condition])
    return machine


MACHINE = _machine()
FLOW = Flow("reauthorize", MACHINE, Conversation(MACHINE, explain, regenerate, CHECKING).advance, BOXES)
