"""Every state with every word, button, old button, timer and result, breadth first: what must hold wherever that leads.

Alice leads the case. Beside the case itself stands what people see (questions with buttons) and what the hands still do.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flows.core.case import CLOSED, Case
from flows.core.effects import Event
from flows.core.finding import Finding
from flows.core.flow import STEPS
from flows.reauthorize import FLOW, STATES
from tests.flows.test_reauthorize import NO_SELECT, OUTAGE, REFUSED, WRONG

MOST = 700
JOBS = [Finding("confirm_recovery", "data_flows_again", verdict) for verdict in ("good", "bad", "unclear")]  # type: ignore[arg-type]
ANSWERS = sorted(FLOW.advance.__self__.answers)  # type: ignore[attr-defined]
Way = tuple[str, dict[str, Any], int]


@dataclass
class Seen:
    """A case with its open questions (version -> buttons), buttons of answered ones, and orders under way."""

    case: Case
    asked: dict[int, tuple[str, ...]] = field(default_factory=dict)
    answered: list[tuple[int, str]] = field(default_factory=list)
    doing: list[tuple[str, str, int]] = field(default_factory=list)
    clock: float = 0.0

    def hear(self, kind: str, data: dict[str, Any]) -> bool:
        self.clock += 1
        self.case.orders.clear()
        event = Event(kind, f"k{self.clock}", self.clock, "ALICE", "owner", {"may_rotate": True, **data})
        changed = FLOW.advance(self.case, event)
        for order in self.case.orders:
            if order.name == "say" and order.args["question"]:
                self.asked[self.case.version] = tuple(order.args["buttons"])
            elif order.name == "settle":
                for version in [v for v in self.asked if v <= order.args["version"]]:
                    self.answered = [(version, button) for button in self.asked.pop(version)]
            elif order.name in ("run", "open_ticket", "plan_rotation", "rotate", "start_job", "revoke"):
                self.doing = [*self.doing, (order.name, str(order.args.get("step", "")), self.case.run)][-3:]
        return changed

    def mark(self) -> tuple[object, ...]:
        case = self.case
        findings = tuple((f.step, f.verdict) for f in case.findings if f.verdict != "good")
        doing = tuple(sorted((name, step, run == case.run) for name, step, run in self.doing))
        asked = tuple((case.version - version, buttons) for version, buttons in self.asked.items())
        return (
            case.state,
            case.waiting,
            case.due,
            case.rotation.get("stage"),
            findings,
            doing,
            asked,
            bool(case.ticket),
        )

    def ways(self) -> Iterator[Way]:
        chosen = {"connection": "warehouse", "connector": "postgres", "to": "BOB"}
        for answer in ANSWERS:
            yield "answered", {"answer": answer, **chosen}, -1
        for version, buttons in self.asked.items():
            for button in buttons:
                yield "answered", {"answer": button, "version": version, **chosen}, -1
        for version, button in self.answered:
            yield "answered", {"answer": button, "version": version, "past": True, **chosen}, -1
        if self.case.due:
            yield "due", {"due": self.case.due}, -1
        if self.case.state != "choosing":
            yield "saved", {}, -1
        for n, (name, step, run) in enumerate(self.doing):
            for kind, data in _results(name, step):
                yield kind, {"run": run, **data}, n


def _results(name: str, step: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if name == "run":
        steps = STEPS if step == "confirm_recovery" else () if step == "await_job" else (step,)
        good = [Finding(one, "some_check", "good") for one in steps]
        seen = [[*good, job] for job in JOBS] if step in ("await_job", "confirm_recovery") else [good]
        seen += [[bad if f.step == bad.step else f for f in good] for bad in (WRONG, NO_SELECT, OUTAGE, REFUSED)]
        for found in seen:
            yield "checked", {"findings": [f.to_dict() for f in found]}
    yield from {
        "open_ticket": [("ticket", {"url": "https://desk/1", "id": "1"}), ("ticket", {"problem": "down"})],
        "plan_rotation": [("planned", {"plan": {}}), ("planned", {"problem": "no_right"})],
        "rotate": [
            ("rotated", {"old": "", "sent": ""}),
            ("carry", {"id": "r1", "old": "AK1"}),
            ("unrotated", {"problem": "refused", "said": "", "kept": True}),
        ],
        "start_job": [("job_started", {}), ("job_started", {"problem": "down"})],
        "revoke": [("revoked", {}), ("revoked", {"problem": "down"})],
    }.get(name, [])


def _wrong(seen: Seen, before: Seen, way: Way, changed: bool) -> str:
    case, data = seen.case, way[1]
    over = case.state in CLOSED or case.state == "escalated"
    if len(seen.asked) > 1:
        return "two questions are open"
    if case.waiting and (case.version not in seen.asked or not case.due):
        return "it waits for an answer without buttons, or without an end"
    if not case.waiting and seen.asked:
        return "a question keeps its buttons and nobody waits for it"
    if not (case.waiting or over or case.due or any(n != "run" or r == case.run for n, _, r in seen.doing)):
        return "it stands still"
    if data.get("past") and data["answer"] != "mend_resume" and case.run + case.version != _count(before):
        return "an old button moved it"
    if (
        way[0] == "answered"
        and "version" in data
        and "past" not in data
        and not changed
        and data["answer"] != "mend_show_secret"
    ):
        return "a button that is offered is refused"
    return ""


def _count(seen: Seen) -> int:
    return seen.case.run + seen.case.version


def test_wherever_it_leads_one_question_is_open_and_no_old_button_moves_anything() -> None:
    begin = []
    for connection, desk in (("", True), ("warehouse", True), ("warehouse", False)):
        seen = Seen(Case("c1", "T1", "C1", "ALICE", 0.0, connection=connection, has_desk=desk, choices=["warehouse"]))
        seen.case.repairs = ["update_credentials", "rotate"]
        seen.hear("opened", {})
        begin.append((seen, []))
    queue: deque[tuple[Seen, list[Way]]] = deque(begin)
    known: set[tuple[object, ...]] = set()
    for _ in range(MOST):
        before, path = queue.popleft()
        for way in before.ways():
            after = copy.deepcopy(before)
            if way[2] >= 0:
                del after.doing[way[2]]
            changed = after.hear(way[0], way[1])
            walked = [*path, way]
            assert not (wrong := _wrong(after, before, way, changed)), (wrong, after.case.state, walked)
            if (mark := after.mark()) not in known:
                known.add(mark)
                queue.append((after, walked))
    assert {mark[0] for mark in known} == set(STATES)
