"""Steps and how states stand to them; the registry of flows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transitions import Machine

from flows.core.case import Case
from flows.core.effects import Event

STEPS = ("check_status", "check_network", "verify_credentials", "check_permissions")
STEP_OF = {
    "choosing": "choose",
    "checking_status": "check_status",
    "waiting_for_provider": "check_status",
    "checking_network": "check_network",
    "verifying_credentials": "verify_credentials",
    "checking_permissions": "check_permissions",
    "regenerating_credentials": "regenerate_credentials",
    "confirming_recovery": "confirm_recovery",
    "escalating": "escalate",
    "escalated": "escalate",
    "resolved": "close",
    "cancelled": "close",
    "expired": "close",
}


@dataclass(frozen=True)
class Flow:
    """A flow's name, its one shared Machine, and the function that moves a case by an event."""

    name: str
    machine: Machine
    advance: Callable[[Case, Event], bool]


def mermaid(machine: Machine) -> str:
    """The flow as a mermaid state diagram."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for trigger, event in machine.events.items():
        for source, transitions in event.transitions.items():
            for transition in transitions:
                if transition.dest and transition.dest != source:
                    names = arrows.setdefault((source, transition.dest), [])
                    names.extend([trigger] if trigger not in names else [])
    lines = [f"    {source} --> {dest}: {', '.join(names)}" for (source, dest), names in arrows.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {machine.initial}", *lines])
