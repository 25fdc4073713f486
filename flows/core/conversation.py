"""How any flow's case hears events: answers, findings, timers, tickets. The flow itself says where the arrows lead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transitions import Machine

from flows.core import desk, job, rotation
from flows.core.answers import ANSWERS, HEARD, Hear, ask, confirm_link, over, rate, refuse, settled, tell, unclear
from flows.core.case import CLOSED, Case
from flows.core.effects import Event, Order, run, say
from flows.core.finding import Finding
from flows.core.flow import STEP_OF, STEPS
from flows.core.timer import set_timer

# Looking again harms nobody; what goes outward, gives up or goes on without proof is for the owner or an admin.
HARMLESS = frozenset(
    {"mend_check_again", "mend_fixed", "mend_take_over", "mend_choose", "mend_helpful", "mend_not_helpful"}
    | {"mend_it_was_me", "mend_not_me", "why", "status", "help", "unclear"}
    # Who may rotate is asked there: mend.yml names them, whoever leads the case.
    | {"mend_confirm_rotation", "mend_show_secret", "mend_revoke"}
)
ALWAYS_FRESH = frozenset(
    {"mend_take_over", "mend_resume", "mend_helpful", "mend_not_helpful", "mend_it_was_me", "mend_not_me"}
    | {"mend_show_secret", "mend_revoke"}
)
# What leads away from the question that it stands under; once that is answered, its button leads nowhere any more.
LEADS_AWAY = frozenset(
    {"mend_skip", "mend_back", "mend_fixed", "mend_escalate", "mend_cancel"}
    | {"mend_update_credentials", "mend_reauthorize", "mend_rotate"}
)
AFTER_ESCALATION = frozenset(
    {"mend_resume", "mend_cancel", "mend_take_over", "status", "mend_show_secret", "mend_revoke"}
)


def look(case: Case, step: str) -> None:
    """Run the checks of a step; findings of it and of later steps no longer count."""
    case.waiting = False
    case.run += 1
    drop = (*(STEPS[STEPS.index(step) :] if step in STEPS else STEPS), job.STEP)
    case.findings = [f for f in case.findings if f.step not in drop]
    case.orders.extend([Order("progress", {"walk": case.version}), run(step)])


class Conversation:
    """Events in, orders out, for one flow's machine."""

    def __init__(
        self,
        machine: Machine,
        explain: Callable[[Case], None],
        guide: Callable[[Case, Event], None],
        checking: Sequence[str],
    ) -> None:
        self.machine, self.explain, self.guide, self.checking = machine, explain, guide, frozenset(checking)
        self.hear: dict[str, Hear] = {
            "opened": self.opened,
            "checked": self.checked,
            "due": self.due,
            "ticket": self.ticket,
            "saved": self.saved,
            "rotated": self.rotated,
            **rotation.HEARS,
            **job.HEARS,
            **HEARD,
            "answered": self.answered,
        }
        self.answers: dict[str, Hear] = {
            "mend_choose": self.choose,
            "mend_check_again": self.again,
            "mend_fixed": self.fixed,
            "mend_skip": self.move("skipped"),
            "mend_back": self.move("back"),
            "mend_update_credentials": self.show_guide,
            "mend_reauthorize": self.show_guide,
            "mend_rotate": self.show_guide,
            **ANSWERS,
            **rotation.ANSWERS,
            **job.ANSWERS,
            "mend_escalate": self.escalate,
            "mend_confirm_ticket": self.confirm,
            "yes": lambda case, event: refuse(case, event, "not_now", trigger="yes"),
            "no": self.no,
            "mend_cancel": self.move("cancel"),
            "mend_resume": self.move("resume"),
            "mend_it_was_me": confirm_link(True),
            "mend_not_me": confirm_link(False),
            "mend_helpful": rate(True),
            "mend_not_helpful": rate(False),
            "why": tell("why"),
            "status": tell("status"),
            "help": tell("help"),
            "unclear": unclear,
        }

    def advance(self, case: Case, event: Event) -> bool:
        """Move `case` by `event`; orders for the hands are left in `case.orders`. True when it changed anything."""
        changed = self.hear[event.kind](case, event)
        if changed:
            case.changed_at = event.at
            set_timer(case, event)
            case.orders.append(Order("root"))
        return changed

    def fire(self, case: Case, trigger: str, event: Event) -> bool:
        """Try an arrow. True when the case moved; a queued Machine itself answers True even when it refused."""
        if trigger not in self.machine.events:  # a flow need not know every answer
            return False
        given = len(case.orders)
        self.machine.events[trigger].trigger(case, event=event)
        return len(case.orders) > given

    def opened(self, case: Case, event: Event) -> bool:
        case.orders.append(Order("root"))
        if event.data.get("alert"):
            HEARD["alerted"](case, event)
        elif case.told:
            case.orders.append(say("told"))
        if case.connection:
            return self.fire(case, event.data.get("trigger", "chosen"), event)
        ask(case, "choose", ("mend_choose", "mend_cancel"))
        return True

    def checked(self, case: Case, event: Event) -> bool:
        """A run of checks came back. One of an older run says nothing any more."""
        if event.data["run"] != case.run or case.state in CLOSED:
            return False
        seen = [Finding.from_dict(raw) for raw in event.data["findings"]]
        steps = {f.step for f in seen}
        waited = job.awaited(case)
        alone = waited and steps == {job.STEP}
        parked = case.state == "waiting_for_provider"
        if parked and {f.verdict for f in seen} & {"bad", "unclear"} == {"unclear"}:
            return True  # a page that cannot be read does not say that the outage is over
        case.findings = [f for f in case.findings if f.step not in steps] + seen
        if not (parked or waited or self.looks(case)):  # somebody has gone on meanwhile: it stands in their ticket
            case.orders.append(Order("root"))
            return False
        if not (parked or alone):
            case.orders.append(Order("progress", {"walk": case.version}))
        if alone and job.awaited(case):  # still to come
            return True
        if waited:
            job.came(case)
        bad = case.finding
        if bad is None or bad.step not in steps:
            if parked:
                back = [over(case, "provider_back"), say("provider_back")]
                case.orders += back if STEP_OF[case.state] in steps else [over(case, "went_on")]
            return self.fire(case, "passed", event)
        if not parked and not self.fire(case, "failed", event):
            self.explain(case)
        return True

    def looks(self, case: Case) -> bool:
        """Checks are under way, and nobody is asked anything."""
        return not case.waiting and (case.state in self.checking or case.state == "confirming_recovery")

    def due(self, case: Case, event: Event) -> bool:
        if event.data["due"] != case.due or not case.due:
            return False
        if case.due == "desk":
            case.orders.append(Order("open_ticket"))
            return True
        if case.due == "poll":
            case.run += 1
            case.orders.append(run("check_status"))
        elif case.due == "job":
            job.look(case)
        elif case.due == "nudge":
            case.orders.append(say("nudge"))
        else:
            case.orders.append(over(case, "expired"))
            return self.fire(case, "expire", event)
        return True

    def ticket(self, case: Case, event: Event) -> bool:
        """The desk answered. A ticket that comes late, after the case was closed, is still told."""
        if event.data.get("url") is None:
            return case.state == "escalating" and desk.not_taken(case, event)
        told = case.state != "escalating" and bool(case.ticket.get("id"))
        case.ticket = {"url": str(event.data["url"]), "id": str(event.data.get("id", ""))}
        if told:
            return False
        if case.state == "escalating" and case.waiting:
            case.orders.append(over(case, "mend_confirm_ticket"))
        if not self.fire(case, "ticketed", event):
            case.orders.append(say("escalated"))
        return True

    def saved(self, case: Case, event: Event) -> bool:
        """New credentials were proven and are in use: the case goes on to its own proof."""
        if case.state in CLOSED:
            return False
        case.tried.append(f"saved:{case.state}")
        case.orders.extend([Order("settle", {"answer": "saved", "by": event.user, "version": case.version})])
        case.orders.append(say("saved", by=event.user, **event.told("sent", "problem", "looked", "said")))
        if case.state == "confirming_recovery":
            case.confirming_at = event.at
            look(case, "confirm_recovery")
        else:
            self.fire(case, "mended", event)
        return True

    def answered(self, case: Case, event: Event) -> bool:
        """Somebody pressed a button or said its word."""
        answer, version = event.data["answer"], event.data.get("version")
        if event.role == "reader":
            return refuse(case, event, "read_only")
        answered = version != case.version or (not case.waiting and answer in LEADS_AWAY)
        if version is not None and answered and answer not in ALWAYS_FRESH:
            return refuse(case, event, "stale")
        if event.role == "helper" and answer not in HARMLESS:
            return refuse(case, event, "not_yours", ("mend_take_over",))
        if answer not in self.answers or (case.state == "escalated" and answer not in AFTER_ESCALATION):
            return False
        return self.answers[answer](case, event)

    # Answers -----------------------------------------------------------------------------------------------------

    def move(self, trigger: str) -> Hear:
        def moved(case: Case, event: Event) -> bool:
            before, version, at = case.state, case.version, len(case.orders)
            if not self.fire(case, trigger, event):
                return refuse(case, event, "not_now", trigger=trigger)
            if trigger == "skipped" and STEP_OF[before] not in case.skipped:
                case.skipped.append(STEP_OF[before])
            case.tried.append(f"{trigger}:{before}")
            case.orders.insert(at, settled(event, version))
            return True

        return moved

    def escalate(self, case: Case, event: Event) -> bool:
        before = case.state
        if not self.move("escalate")(case, event):
            return False
        if not case.ticket.get("id"):
            case.ticket = {}
        case.came_from = before
        return True

    def again(self, case: Case, event: Event) -> bool:
        """Check again from the step that failed."""
        if case.state == "escalating" and case.ticket.get("problem"):
            return self.confirm(case, event)
        if not case.waiting:
            closed = case.state in CLOSED
            return refuse(case, event, "not_now" if closed else "still_checking", trigger="again")
        if case.state in ("waiting_for_provider", "regenerating_credentials"):
            return self.move("retried")(case, event)
        if case.state not in self.checking and case.state != "confirming_recovery":
            return refuse(case, event, "not_now", trigger="again")
        case.orders.append(settled(event, case.version))
        case.tried.append(f"retried:{case.state}")
        look(case, STEP_OF[case.state])
        return True

    def rotated(self, case: Case, event: Event) -> bool:
        """Replaced everywhere, the old one ended: the case goes on to its own proof."""
        case.rotation = {**case.rotation, "stage": "done"}
        if case.waiting:
            case.orders.append(over(case, "rotated"))
        case.orders.append(say("rotated", by=event.user, old=event.data["old"], sent=event.data["sent"]))
        self.fire(case, "mended", event)
        return True

    def fixed(self, case: Case, event: Event) -> bool:
        rotation.carried(case, event)
        return self.again(case, event) if case.state == "confirming_recovery" else self.move("mended")(case, event)

    def show_guide(self, case: Case, event: Event) -> bool:
        """Update, re-authorize or rotate: show how, for this connector."""
        if case.state != "regenerating_credentials":
            return self.move("regenerate")(case, event)
        case.orders.append(settled(event, case.version))
        self.guide(case, event)
        return True

    def choose(self, case: Case, event: Event) -> bool:
        if case.state != "choosing":
            return False
        case.orders.append(settled(event, case.version))
        case.connection, case.connector = event.data["connection"], event.data["connector"]
        case.regeneration = event.data.get("regeneration", case.regeneration)
        return self.fire(case, "chosen", event)

    def confirm(self, case: Case, event: Event) -> bool:
        if case.state != "escalating" or not case.has_desk or not case.waiting:
            return refuse(case, event, "not_now", trigger="yes")
        case.orders.append(settled(event, case.version))
        case.waiting = False
        case.orders.append(Order("open_ticket"))
        return True

    def no(self, case: Case, event: Event) -> bool:
        leaves = case.state == "escalating" or rotation.asked(case)
        return self.move("back")(case, event) if leaves else refuse(case, event, "not_now", trigger="no")
