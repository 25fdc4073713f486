"""A flow of one's own, as small as can be: is the connection to be reached? The example of CONTRIBUTING.md."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from transitions import EventData, Machine

from flows.core.answers import ask
from flows.core.case import Case
from flows.core.conversation import Conversation, look
from flows.core.effects import Event, say
from flows.core.finding import Finding
from flows.core.flow import Flow, mermaid
from messages import render, templates
from tests.messages import views

STATES = ["choosing", "checking_network", "resolved", "cancelled", "expired"]
ARROWS = [
    ["chosen", "choosing", "checking_network"],
    ["passed", "checking_network", "resolved"],
    ["cancel", ["choosing", "checking_network"], "cancelled"],
    ["expire", ["choosing", "checking_network"], "expired"],
    ["resume", ["cancelled", "expired"], "checking_network"],
]
BUTTONS = ("mend_check_again", "mend_cancel")


def enter(data: EventData) -> None:
    case: Case = data.model
    if case.state == "checking_network":
        look(case, "check_network")
    else:
        case.waiting = False
        case.orders.append(say(case.state))


def explain(case: Case) -> None:
    ask(case, "failed", BUTTONS)


def flow() -> Flow:
    machine = Machine(model=None, states=STATES, initial="choosing", auto_transitions=False, send_event=True, queued=True,
                      after_state_change=enter, ignore_invalid_triggers=True)  # fmt: skip
    for trigger, source, dest in ARROWS:
        machine.add_transition(trigger, source, dest)
    talk = Conversation(machine, explain, lambda case, event: None, ["checking_network"])
    return Flow("reach", machine, talk.advance)


def case_of(one: Flow) -> Case:
    return Case(id="c1", team="T1", channel="C1", owner="U0ALICE", opened_at=0.0, thread="1.0", connection="warehouse",
                connector="postgres", regeneration="update_credentials", flow=one.name)  # fmt: skip


def tell(one: Flow, case: Case, kind: str, **data: Any) -> list[str]:
    case.orders.clear()
    timings = {"nudge": 1800.0, "expire": 86400.0, "poll": 60.0}
    event = Event(
        kind, f"{kind}:{time.monotonic()}", 1.0, user="U0ALICE", role="owner", data={"timings": timings, **data}
    )
    one.advance(case, event)
    return [str(order.args.get("template", order.name)) for order in case.orders]


def found(case: Case, verdict: str) -> dict[str, Any]:
    cause = ("host_unreachable", "network.refused") if verdict == "bad" else (None, None)
    return {"run": case.run, "findings": [Finding("check_network", "port_answers", verdict, *cause).to_dict()]}  # type: ignore[arg-type]


def test_it_walks_from_a_closed_port_to_resolved() -> None:
    one = flow()
    case = case_of(one)
    tell(one, case, "opened")
    assert case.state == "checking_network"
    tell(one, case, "checked", **found(case, "bad"))
    assert case.waiting
    tell(one, case, "answered", answer="mend_check_again")
    tell(one, case, "checked", **found(case, "good"))
    assert case.state == "resolved"


@pytest.mark.parametrize("answer", ["mend_skip", "mend_escalate", "mend_fixed", "mend_reauthorize", "mend_back"])
def test_an_answer_that_it_does_not_know_is_refused_in_words(answer: str) -> None:
    one = flow()
    case = case_of(one)
    tell(one, case, "opened")
    tell(one, case, "checked", **found(case, "bad"))
    tell(one, case, "answered", answer=answer)
    assert case.state == "checking_network"
    assert case.waiting


def test_its_own_words_come_before_the_common_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_also", [])
    (tmp_path / "reach").mkdir()
    (tmp_path / "reach" / "cancelled.j2").write_text("Nobody looks at {{ name(connection.name) }} any more.")
    render.also(tmp_path)
    view = views.view(case=views.case(state="cancelled", flow="reach"))
    assert "Nobody looks at warehouse any more." in render.message("cancelled", view, key="k")["text"]
    assert "Nobody looks" not in render.message("cancelled", views.view(), key="k")["text"]
    monkeypatch.undo()
    templates.forget()


def test_it_is_drawn() -> None:
    assert "checking_network --> resolved: passed" in mermaid(flow())
