"""Steps and how states stand to them; the registry of flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flows.core.case import Case
from flows.core.effects import Event

if TYPE_CHECKING:  # a check from the command line needs the names of the steps, no machine
    from transitions import Machine

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
    """A flow's name, its one shared Machine, the function that moves a case by an event, and states drawn together."""

    name: str
    machine: Machine
    advance: Callable[[Case, Event], bool]
    boxes: Mapping[str, Sequence[str]] = field(default_factory=dict)


Arrows = dict[tuple[str, str], list[str]]


def arrows_of(machine: Machine) -> Arrows:
    """The triggers that lead from one state to another."""
    arrows: Arrows = {}
    for trigger, event in machine.events.items():
        for source, transitions in event.transitions.items():
            for dest in dict.fromkeys(t.dest for t in transitions if t.dest and t.dest != source):
                arrows.setdefault((source, dest), []).append(trigger)
    return arrows


def mermaid(flow: Flow) -> str:
    """The flow as a mermaid state diagram. What every state of a box shares is one arrow of the box."""
    arrows = arrows_of(flow.machine)
    drawn: dict[str, list[str]] = {}
    for box, inside in flow.boxes.items():
        notes = _share(arrows, box, inside)
        within = {pair: names for pair, names in arrows.items() if set(pair) <= set(inside)}
        inner = [line for state in inside for line in drawn.pop(state, [state])]
        drawn[box] = [f"state {box} {{", *(f"    {line}" for line in [*inner, *_lines(within), *notes]), "}"]
        arrows = {pair: names for pair, names in arrows.items() if pair not in within}
    lines = [f"[*] --> {flow.machine.initial}", *(line for box in drawn.values() for line in box), *_lines(arrows)]
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in lines)])


def _share(arrows: Arrows, box: str, inside: Sequence[str]) -> list[str]:
    """Moves what all states of a box share to the box; what leads to one of its own states becomes a note there."""
    notes: dict[str, list[str]] = {}
    for trigger in dict.fromkeys(name for names in arrows.values() for name in names):
        for state in dict.fromkeys(state for pair in arrows for state in pair):
            for outward in (True, False):
                pairs = [(one, state) if outward else (state, one) for one in inside if one != state]
                if not all(trigger in arrows.get(pair, ()) for pair in pairs):
                    continue
                for pair in pairs:
                    arrows[pair].remove(trigger)
                if state in inside:  # mermaid draws no arrow from a box into itself
                    notes.setdefault(state, []).append(trigger)
                else:
                    arrows.setdefault((box, state) if outward else (state, box), []).append(trigger)
    return [
        f"note right of {state} : also from all others here by {', '.join(names)}" for state, names in notes.items()
    ]


def _lines(arrows: Arrows) -> list[str]:
    return [f"{source} --> {dest}: {', '.join(names)}" for (source, dest), names in arrows.items() if names]
