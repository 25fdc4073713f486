"""Answers that ask for a word or two and lead along no arrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flows.core.case import CLOSED, Case
from flows.core.effects import Event, Order, say, whisper

Hear = Callable[[Case, Event], bool]


def ask(case: Case, template: str, buttons: tuple[str, ...], **params: Any) -> None:
    """Put one question. Its version makes every older button stale."""
    case.version += 1
    case.waiting = True
    case.orders.append(say(template, buttons=buttons, question=True, **params))


def settled(event: Event, version: int) -> Order:
    return Order("settle", {"answer": event.data["answer"], "by": event.user, "version": version})


def over(case: Case, why: str) -> Order:
    """The open question needs no answer any more."""
    return Order("settle", {"answer": why, "by": "", "version": case.version})


def refuse(case: Case, event: Event, template: str, buttons: tuple[str, ...] = (), **params: Any) -> bool:
    """Tell this person alone why nothing happens."""
    case.orders.append(whisper(event.user, template, buttons=buttons, **params))
    return False


def tell(template: str) -> Hear:
    def told(case: Case, event: Event) -> bool:
        case.orders.append(say(template))
        return False

    return told


def tried(case: Case, event: Event) -> bool:
    """New credentials were tried and are not good; the person reads why where they typed them."""
    case.tried.append(f"tried:{case.state}")
    return case.state not in CLOSED


def leaked(case: Case, event: Event) -> bool:
    """Somebody typed a secret here. They alone are told, and offered to replace it at once."""
    buttons = tuple(f"mend_{way}" for way in case.repairs) if case.waiting else ()
    return refuse(case, event, "leaked", buttons, kind=event.data["form"])


def alerted(case: Case, event: Event) -> bool:
    """The pipeline says that a sync failed: told, and looked into by the checks, which say more."""
    case.orders.append(say("alerted", **event.data["alert"]))
    return False


def desk_news(case: Case, event: Event) -> bool:
    """The desk answered the ticket or solved it."""
    case.orders.append(say("desk_news", **event.data["news"]))
    return False


HEARD: dict[str, Hear] = {"tried": tried, "leaked": leaked, "alerted": alerted, "desk_news": desk_news}


def confirm_link(yes: bool) -> Hear:
    """Who opened the page's link says so here, where Slack knows who they are."""

    def confirmed(case: Case, event: Event) -> bool:
        case.orders.append(Order("confirm_link", {"user": event.user, "yes": yes}))
        return False

    return confirmed


def hand_over(case: Case, event: Event) -> bool:
    """One step goes to somebody else, the source's admin say: they get the link, the case stays with its owner."""
    person = str(event.data.get("to") or "")
    if "reauthorize" not in case.repairs or case.state in CLOSED or not case.connection:
        return refuse(case, event, "not_now", trigger="hand_over")
    if not person:
        return refuse(case, event, "hand_over_how")
    case.tried.append(f"handed_over:{case.state}")
    case.orders.append(Order("send_link", {"user": person, "route": "reauthorize", "asked_by": event.user}))
    return True


def forget(case: Case, event: Event) -> bool:
    """What was given to Mend is refused, and mend.yml names another one: that counts again, and is tried."""
    if case.state in CLOSED or not case.waiting or not keeps(case):
        return refuse(case, event, "not_now", trigger="forget")
    case.tried.append(f"forgot:{case.state}")
    case.orders.extend([say("forgotten", by=event.user), Order("forget_kept", {"by": event.user})])
    return True


def keeps(case: Case) -> bool:
    """Whether what was refused is what the vault holds, in place of what mend.yml names."""
    return bool(case.finding and case.finding.facts.get("kept"))


def take_over(case: Case, event: Event) -> bool:
    if case.owner == event.user:
        return False
    case.owner = event.user
    case.orders.append(say("took_over", by=event.user))
    return True


ANSWERS: dict[str, Hear] = {"mend_hand_over": hand_over, "mend_forget": forget, "mend_take_over": take_over}


def unclear(case: Case, event: Event) -> bool:
    return refuse(case, event, "cannot_read", said=event.data.get("named", ""))


def rate(helpful: bool) -> Hear:
    def rated(case: Case, event: Event) -> bool:
        if case.state != "resolved":
            return False
        if case.helpful is None:
            case.orders.extend([settled(event, case.version), whisper(event.user, "thanks")])
        case.helpful = helpful
        return True

    return rated
