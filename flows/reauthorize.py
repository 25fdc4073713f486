"""The flow `reauthorize`: from "my data is stale" to a proof that it flows again, or to a ticket.

States are what the case is doing, arrows how the conversation may go on. Entering a state asks for what it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transitions import EventData, Machine

from flows.core.case import CLOSED, Case
from flows.core.causes import REGENERABLE
from flows.core.effects import Event, Order, run, say, whisper
from flows.core.finding import Finding
from flows.core.flow import STEP_OF, STEPS, Flow

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
    ["mended", [*CHECKING, "waiting_for_provider", "regenerating_credentials"], "confirming_recovery"],
    ["skipped", ["checking_status", "waiting_for_provider"], "checking_network"],
    ["skipped", "checking_network", "verifying_credentials"],
    ["skipped", ["verifying_credentials", "regenerating_credentials"], "checking_permissions"],
    ["skipped", "checking_permissions", "confirming_recovery"],
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

ANSWERS = ("mend_check_again", "mend_fixed", "mend_skip", "mend_back", "mend_update_credentials", "mend_reauthorize",
           "mend_rotate", "mend_escalate", "mend_confirm_ticket", "mend_cancel", "mend_take_over", "mend_resume",
           "mend_choose", "mend_helpful", "mend_not_helpful", "why", "status", "help", "no")  # fmt: skip
# Looking again harms nobody; what goes outward, gives up or goes on without proof is for the owner or an admin.
HARMLESS = frozenset({"mend_check_again", "mend_fixed", "mend_take_over", "mend_choose", "why", "status", "help",
                      "mend_helpful", "mend_not_helpful", "unclear"})  # fmt: skip
ALWAYS_FRESH = frozenset({"mend_take_over", "mend_resume", "mend_helpful", "mend_not_helpful"})
HELP = {"check_network": ("mend_check_again", "mend_skip", "mend_escalate"),
        "check_status": ("mend_check_again", "mend_skip", "mend_escalate"),
        "check_permissions": ("mend_fixed", "mend_check_again", "mend_skip", "mend_escalate"),
        "verify_credentials": ("mend_fixed", "mend_check_again", "mend_skip", "mend_escalate"),
        "confirm_recovery": ("mend_check_again", "mend_escalate", "mend_cancel")}  # fmt: skip


def _case(data: EventData) -> Case:
    case: Case = data.model
    return case


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
    "was_chosen": lambda d: bool(_case(d).connection),
    **{f"came_from_{s}": _came_from(s) for s in (*WORKING, "waiting_for_provider")},
}  # fmt: skip


def _ask(case: Case, template: str, buttons: tuple[str, ...], **params: Any) -> None:
    """Put one question. Its version makes every older button stale."""
    case.version += 1
    case.waiting = True
    case.orders.append(say(template, buttons=buttons, question=True, **params))


def _look(case: Case, step: str) -> None:
    case.waiting = False
    case.run += 1
    drop = STEPS[STEPS.index(step) :] if step in STEPS else STEPS
    case.findings = [f for f in case.findings if f.step not in drop]
    case.orders.extend([Order("progress"), run(step)])


def _enter(data: EventData) -> None:
    """What entering a state asks for."""
    case, event = _case(data), data.kwargs["event"]
    name = data.event.name
    if case.state in CLOSED or case.state == "escalated":
        case.waiting = False
        buttons = {"resolved": ("mend_helpful", "mend_not_helpful"), "escalated": ()}.get(case.state, ("mend_resume",))
        case.orders.append(say(case.state, buttons=buttons, by=event.user))
    elif case.state == "choosing":
        _ask(case, "choose", ("mend_choose", "mend_cancel"))
    elif case.state == "escalating":
        buttons = ("mend_confirm_ticket", "mend_back", "mend_cancel") if case.has_desk else ("mend_back", "mend_cancel")
        _ask(case, "escalating", buttons)
    elif name == "failed" or (name == "back" and data.transition.source == "escalating"):
        _explain(case)
    elif case.state == "regenerating_credentials":
        _regenerate(case, event.data.get("answer", ""))
    else:
        _look(case, STEP_OF[case.state])


def _explain(case: Case) -> None:
    """A failed check says what is wrong, offers what helps, and waits."""
    step = STEP_OF[case.state]
    if step == "regenerate_credentials":
        route = f"mend_{case.regeneration}"
        _ask(case, "failed", (route, "mend_fixed", "mend_check_again", "mend_skip", "mend_escalate"))
    elif case.state == "waiting_for_provider":
        _ask(case, "waiting_for_provider", HELP["check_status"])
    else:
        _ask(case, "failed", HELP[step])


def _regenerate(case: Case, answer: str) -> None:
    route = answer.removeprefix("mend_") or case.regeneration
    _ask(case, f"regenerate_{route}", ("mend_fixed", "mend_check_again", "mend_back", "mend_escalate"))


def _machine() -> Machine:
    machine = Machine(model=None, states=STATES, initial="choosing", auto_transitions=False, send_event=True,
                      queued=True, after_state_change=_enter, ignore_invalid_triggers=True)  # fmt: skip
    for trigger, source, dest, *condition in ARROWS:
        machine.add_transition(trigger, source, dest, conditions=[CONDITIONS[c] for c in condition])
    return machine


MACHINE = _machine()


def _fire(case: Case, trigger: str, event: Event) -> bool:
    return bool(MACHINE.events[trigger].trigger(case, event=event))


def advance(case: Case, event: Event) -> bool:
    """Move `case` by `event`; orders for the hands are left in `case.orders`. True when anything was heard."""
    heard = HANDLERS[event.kind](case, event)
    if heard:
        case.changed_at = event.at
        _set_timer(case, event)
        case.orders.append(Order("root"))
    return heard


def _set_timer(case: Case, event: Event) -> None:
    if case.state == "waiting_for_provider":
        case.due, case.due_at = "poll", event.at + float(event.data.get("poll", 60))
    elif case.waiting and event.kind != "due":
        case.due, case.due_at = "nudge", event.at + float(event.data.get("nudge", 1800))
    elif case.waiting:
        case.due, case.due_at = "expire", event.at + float(event.data.get("expire", 86400))
    else:
        case.due, case.due_at = "", None


def _opened(case: Case, event: Event) -> bool:
    case.orders.append(Order("root"))
    if case.connection:
        return _fire(case, "chosen", event)
    _ask(case, "choose", ("mend_choose", "mend_cancel"))
    return True


def _checked(case: Case, event: Event) -> bool:
    """A run of checks came back. One of an older run says nothing any more."""
    if event.data["run"] != case.run or case.state in CLOSED:
        return False
    seen = [Finding.from_dict(raw) for raw in event.data["findings"]]
    steps = {f.step for f in seen}
    case.findings = [f for f in case.findings if f.step not in steps] + seen
    case.orders.append(Order("progress"))
    polled = case.state == "waiting_for_provider"
    bad = case.finding
    if bad is None or bad.step not in steps:
        if polled:
            case.orders.append(say("provider_back"))
        return _fire(case, "passed", event)
    if polled:
        return True
    if not _fire(case, "failed", event):
        _explain(case)
    return True


def _due(case: Case, event: Event) -> bool:
    if event.data["due"] != case.due or case.due_at is None:
        return False
    if case.due == "poll":
        case.run += 1
        case.orders.append(run("check_status"))
    elif case.due == "nudge":
        case.orders.append(say("nudge"))
    else:
        case.closed_from = case.state
        return _fire(case, "expire", event)
    return True


def _ticket(case: Case, event: Event) -> bool:
    if event.data.get("url") is not None:
        case.ticket = {"url": str(event.data["url"]), "id": str(event.data.get("id", ""))}
        return _fire(case, "ticketed", event)
    if case.ticket.get("problem") == event.data["problem"]:
        return False
    case.ticket = {"problem": str(event.data["problem"])}
    case.orders.append(say("desk_down", problem=event.data["problem"]))
    return True


def _answered(case: Case, event: Event) -> bool:
    """Somebody pressed a button or said its word."""
    answer, version = event.data["answer"], event.data.get("version")
    if event.role == "reader":
        case.orders.append(whisper(event.user, "read_only"))
        return False
    if version is not None and version != case.version and answer not in ALWAYS_FRESH:
        case.orders.append(whisper(event.user, "stale"))
        return False
    if event.role == "helper" and answer not in HARMLESS:
        case.orders.append(whisper(event.user, "not_yours", buttons=("mend_take_over",)))
        return False
    if case.state == "escalated" and answer not in ("mend_resume", "mend_cancel", "mend_take_over", "status"):
        return False
    return ANSWERED[answer](case, event) if answer in ANSWERED else False


def _settle(case: Case, event: Event) -> None:
    case.orders.append(Order("settle", {"answer": event.data["answer"], "by": event.user}))


def _move(trigger: str) -> Callable[[Case, Event], bool]:
    def move(case: Case, event: Event) -> bool:
        before, version, run_before = case.state, case.version, case.run
        at = len(case.orders)
        if not _fire(case, trigger, event):
            case.orders.append(whisper(event.user, "not_now", trigger=trigger))
            return False
        if trigger == "escalate":
            case.came_from = before
        if trigger in ("cancel", "expire"):
            case.closed_from = before
        if trigger == "skipped" and STEP_OF[before] not in case.skipped:
            case.skipped.append(STEP_OF[before])
        case.tried.append(f"{trigger}:{before}")
        if (version, run_before) != (case.version, case.run) or case.state in CLOSED:
            case.orders.insert(at, Order("settle", {"answer": event.data["answer"], "by": event.user, "version": version}))
        return True

    return move


def _again(case: Case, event: Event) -> bool:
    """Check again from the step that failed."""
    if not case.waiting:
        case.orders.append(whisper(event.user, "still_checking"))
        return False
    if case.state in ("waiting_for_provider", "regenerating_credentials"):
        return _move("retried")(case, event)
    if case.state not in (*CHECKING, "confirming_recovery"):
        case.orders.append(whisper(event.user, "not_now", trigger="again"))
        return False
    _settle(case, event)
    case.tried.append(f"retried:{case.state}")
    _look(case, STEP_OF[case.state])
    return True


def _fixed(case: Case, event: Event) -> bool:
    return _again(case, event) if case.state == "confirming_recovery" else _move("mended")(case, event)


def _guide(case: Case, event: Event) -> bool:
    """Update, re-authorize or rotate: show how, for this connector."""
    if case.state != "regenerating_credentials":
        return _move("regenerate")(case, event)
    _settle(case, event)
    _regenerate(case, event.data["answer"])
    return True


def _choose(case: Case, event: Event) -> bool:
    if case.state != "choosing":
        return False
    _settle(case, event)
    case.connection, case.connector = event.data["connection"], event.data["connector"]
    case.regeneration = event.data.get("regeneration", case.regeneration)
    return _fire(case, "chosen", event)


def _confirm(case: Case, event: Event) -> bool:
    if case.state != "escalating" or not case.has_desk:
        case.orders.append(whisper(event.user, "not_now", trigger="yes"))
        return False
    _settle(case, event)
    case.waiting = False
    case.orders.append(Order("open_ticket"))
    return True


def _no(case: Case, event: Event) -> bool:
    return _move("back")(case, event) if case.state == "escalating" else _tell("not_now", trigger="no")(case, event)


def _tell(template: str, **params: Any) -> Callable[[Case, Event], bool]:
    def tell(case: Case, event: Event) -> bool:
        case.orders.append(say(template, **params))
        return False

    return tell


def _unclear(case: Case, event: Event) -> bool:
    case.orders.append(whisper(event.user, "cannot_read"))
    return False


def _take_over(case: Case, event: Event) -> bool:
    if case.owner == event.user:
        return False
    case.owner = event.user
    case.orders.append(say("took_over", by=event.user))
    return True


def _rate(helpful: bool) -> Callable[[Case, Event], bool]:
    def rate(case: Case, event: Event) -> bool:
        if case.helpful is None and case.state == "resolved":
            case.orders.append(whisper(event.user, "thanks"))
        case.helpful = helpful
        return True

    return rate


ANSWERED: dict[str, Callable[[Case, Event], bool]] = {
    "mend_choose": _choose, "mend_check_again": _again, "mend_fixed": _fixed, "mend_skip": _move("skipped"),
    "mend_back": _move("back"), "mend_update_credentials": _guide, "mend_reauthorize": _guide, "mend_rotate": _guide,
    "mend_escalate": _move("escalate"), "mend_confirm_ticket": _confirm, "mend_cancel": _move("cancel"),
    "mend_take_over": _take_over, "mend_resume": _move("resume"), "mend_helpful": _rate(True),
    "mend_not_helpful": _rate(False), "no": _no, "why": _tell("why"), "status": _tell("status"), "help": _tell("help"),
    "unclear": _unclear,
}  # fmt: skip
HANDLERS: dict[str, Callable[[Case, Event], bool]] = {
    "opened": _opened, "checked": _checked, "due": _due, "ticket": _ticket, "answered": _answered,
}  # fmt: skip
FLOW = Flow("reauthorize", MACHINE, advance)
