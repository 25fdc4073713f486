"""How a case hears of a rotation: the preview, a yes of somebody allowed, each step done, and how it ended."""

from __future__ import annotations

from flows.core.answers import Hear, ask, refuse, settled
from flows.core.case import Case
from flows.core.effects import Event, Order, say

AFTER = ("mend_fixed", "mend_check_again", "mend_back", "mend_escalate")


def busy(case: Case, event: Event) -> bool:
    """Nothing else is begun while one is under way; one whose old credential is still valid is ended first."""
    stage = case.rotation.get("stage")
    if stage in ("running", "revoking"):
        refuse(case, event, "rotation_running")
    elif stage == "carry" and case.rotation["old"]:
        ask_carry(case, event)
    return stage in ("running", "revoking") or bool(stage == "carry" and case.rotation["old"])


def plan(case: Case) -> None:
    """Have it looked at what a rotation would change, before anybody is asked."""
    case.waiting = False
    case.run += 1
    case.rotation = {"stage": "planning"}
    case.orders.append(Order("plan_rotation", {"run": case.run}))


def planned(case: Case, event: Event) -> bool:
    """The preview is there, or why Mend cannot do it itself."""
    if event.data["run"] != case.run or case.rotation.get("stage") != "planning":
        return False
    if case.waiting or case.state != "regenerating_credentials":  # something else was asked for meanwhile
        case.rotation = {}
        return False
    if problem := str(event.data.get("problem", "")):
        case.rotation = {}
        others = tuple(f"mend_{way}" for way in case.repairs if way != "rotate")
        ask(
            case,
            "rotation_impossible",
            (*others, *AFTER),
            by=event.user,
            problem=problem,
            **{k: event.data.get(k, "") for k in ("said", "needs")},
        )
    else:
        ask(case, "offer_rotate", ("mend_confirm_rotation", *AFTER[2:]), by=event.user, plan=event.data["plan"])
        case.rotation = {"stage": "asked", "question": str(case.version)}
    return True


def asked(case: Case) -> bool:
    """Whether it may be replaced is what is asked now: a yes to a later question says nothing of it."""
    own = case.rotation.get("stage") == "asked" and case.rotation.get("question") == str(case.version)
    return own and case.waiting and case.state == "regenerating_credentials"


def confirm(case: Case, event: Event) -> bool:
    """The yes. Whoever leads the case may not be whoever may change the source: mend.yml says who may."""
    if not asked(case):
        return refuse(case, event, "not_now", trigger="yes")
    if not event.data.get("may_rotate"):
        return refuse(case, event, "rotation_not_yours")
    case.waiting = False
    case.rotation = {"stage": "running", "by": event.user}
    case.tried.append(f"rotate:{case.state}")
    case.orders.extend([settled(event, case.version), say("rotation_began", by=event.user)])
    case.orders.append(Order("rotate", {"by": event.user}))
    return True


def rotating(case: Case, event: Event) -> bool:
    """One step is done; the head of the thread tells."""
    case.rotation = {**case.rotation, "stage": "running", "id": event.data["id"], "step": event.data["step"]}
    return True


def undone(case: Case, event: Event) -> bool:
    """It could not be done and what was there before is in force, or nobody can tell: either is told plainly."""
    case.rotation, told = {}, {part: event.data[part] for part in ("problem", "said", "kept")}
    if case.state != "regenerating_credentials":
        case.orders.append(say("rotation_failed", **told))
        return True
    others = tuple(f"mend_{way}" for way in case.repairs if way != "rotate")
    ask(case, "rotation_failed", (*others, *AFTER), by=event.user, **told)
    return True


def carry(case: Case, event: Event) -> bool:
    """The new one works and Mend uses it. The pipeline has its own copy, which a person renews before the old ends."""
    case.rotation = {**case.rotation, "stage": "carry", "id": event.data["id"], "old": event.data["old"]}
    case.rotation |= {part: event.data.get(part, "") for part in ("problem", "failing", "taken")}
    if case.state == "regenerating_credentials":
        ask_carry(case, event)
    else:
        buttons = ("mend_show_secret", *(("mend_revoke",) if event.data["old"] else ()))
        case.orders.append(say("rotation_carry", buttons=buttons, problem=case.rotation["problem"]))
    return True


def ask_carry(case: Case, event: Event) -> None:
    buttons = ("mend_show_secret", "mend_fixed", "mend_escalate")
    ask(case, "rotation_carry", buttons, by=event.user, problem=case.rotation.get("problem", ""))


def show(case: Case, event: Event) -> bool:
    """A page that shows the new one once, for somebody who may rotate."""
    if not case.rotation.get("id") or case.rotation.get("stage") == "running":
        return refuse(case, event, "not_now", trigger="show")
    if not event.data.get("may_rotate"):
        return refuse(case, event, "rotation_not_yours")
    case.orders.append(Order("send_link", {"user": event.user, "route": "carry"}))
    return True


def revoke(case: Case, event: Event) -> bool:
    """The pipeline has the new one: the old one may end, also when the case is closed already."""
    if case.rotation.get("stage") != "carry" or not case.rotation.get("old"):
        return refuse(case, event, "not_now", trigger="revoke")
    if not event.data.get("may_rotate"):
        return refuse(case, event, "rotation_not_yours")
    case.rotation = {**case.rotation, "stage": "revoking"}
    case.orders.append(Order("revoke", {"by": event.user, "id": case.rotation["id"]}))
    return True


def carried(case: Case, event: Event) -> None:
    """ "Done" after the new one was carried ends the old one too, when it is said by somebody who may."""
    if case.rotation.get("stage") == "carry" and case.rotation.get("old") and event.data.get("may_rotate"):
        revoke(case, event)


def reminded(case: Case, event: Event) -> bool:
    """The old one is still valid."""
    if case.rotation.get("stage") != "carry":
        return False
    case.orders.append(say("rotation_reminder", buttons=("mend_show_secret", "mend_revoke")))
    return True


def revoked(case: Case, event: Event) -> bool:
    """The old one has ended, or the source would not end it."""
    problem = str(event.data.get("problem", ""))
    case.rotation = {**case.rotation, "stage": "carry" if problem else "done"}
    case.orders.append(say("rotation_revoked", said=problem, buttons=("mend_revoke",) if problem else ()))
    return True


def shown(case: Case, event: Event) -> bool:
    """Somebody has seen the new one on the page; who, stands in the history."""
    case.tried.append(f"shown:{case.state}")
    return True


HEARS: dict[str, Hear] = {
    "planned": planned, "rotating": rotating, "unrotated": undone, "carry": carry, "revoke_due": reminded,
    "revoked": revoked, "shown": shown,
}  # fmt: skip
ANSWERS: dict[str, Hear] = {"mend_confirm_rotation": confirm, "mend_show_secret": show, "mend_revoke": revoke}
