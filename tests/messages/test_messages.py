"""Everything that is said has words, keeps Slack's limits, and says the same to a screen reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from flows.core.causes import CAUSES
from flows.reauthorize import STATES
from messages import blocks, render
from tests.messages.views import CHOICES, FINDING, WAREHOUSE, case, view

HOUSE = Path(render.__file__).parent
NAMES = sorted(
    p.stem for p in (HOUSE / "reauthorize").glob("*.j2") if p.stem not in ("root", "make") and p.stem[0] != "_"
)
OUTSIDE = sorted(p.stem for p in (HOUSE / "slack").glob("*.j2") if not p.stem.startswith("home_"))
CODES = (Path(__file__).parent / "codes.txt").read_text().split()
CONNECTORS = sorted(p.name for p in (HOUSE / "connectors").iterdir())
BUTTONS = tuple(b for b in blocks.labels() if b.startswith("mend_"))


def problems(payload: dict[str, Any], surface: str = "message") -> list[str]:
    from bot.playground.blocks import problems as judge

    return judge(payload, surface)  # type: ignore[arg-type]


def fits(payload: dict[str, Any], surface: str = "message") -> None:
    assert problems(payload, surface) == []
    assert "\\n-# " not in json.dumps(payload), "small print in the middle of a paragraph shows its mark"
    if surface == "message":
        assert 0 < len(payload["text"]) <= 3000
        ids = [b["block_id"] for b in payload["blocks"]]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", NAMES)
def test_every_message_reads_as_agreed(name: str, snapshot: SnapshotAssertion) -> None:
    with_support = name in ("escalated", "desk_news")
    seen = view(case=case(state="escalated")) if with_support else view()
    message = render.message(name, seen, ("mend_check_again", "mend_cancel"), key="c1.m")
    fits(message)
    assert message == snapshot


@pytest.mark.parametrize("name", OUTSIDE)
def test_every_answer_outside_a_case_reads_as_agreed(name: str, snapshot: SnapshotAssertion) -> None:
    cases = [{"connection": "crm", "state": "choosing", "permalink": "https://x.slack.com/p1"}]
    given = {"connection": "crm", "asked": "crn", "near": ["crm"], "names": ["crm", "warehouse"], "cases": cases}
    fits({**render.ephemeral(name, given), "blocks": []})
    fits({**render.ephemeral(name, {}), "blocks": []})
    assert render.ephemeral(name, given)["text"] == snapshot


def test_the_living_parts_read_as_agreed(snapshot: SnapshotAssertion) -> None:
    root, progress = render.root(view(), key="c1.root"), render.progress(view(), key="c1.run1")
    plain = render.fallback(progress)
    for payload in (root, progress, plain):
        fits(payload)
    tasks = progress["blocks"][0]["tasks"]
    assert all("type" not in task and task["output"]["type"] == "rich_text" for task in tasks)
    assert "plan" not in {b["type"] for b in plain["blocks"]}
    assert [root, progress, plain, render.ticket(view())] == snapshot


@pytest.mark.parametrize("cause", [*CAUSES, None])
@pytest.mark.parametrize("state", STATES)
def test_every_state_has_words_for_every_cause(state: str, cause: str | None) -> None:
    finding = {**FINDING, "cause": cause, "code": None, "facts": {}, "alternatives": []}
    for found in (finding, None):
        seen = view(case=case(state=state, findings=[found] if found else []), finding=found)
        fits(render.root(seen, key="k"))
        for name in (state if state in NAMES else "failed", "why", "status", "failed"):
            fits(render.message(name, seen, ("mend_check_again",), key="k"))


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_what_is_wrong_what_to_do_and_who_does_it(code: str) -> None:
    for driver in ("postgres", "mysql", "http"):
        for cause in ("config_error", "unclassified"):
            finding = {"cause": cause, "code": code, "verdict": "bad", "alternatives": [code]}
            place = {**WAREHOUSE, "driver": driver}
            for said in (render.summary(finding, place), render.next_step(finding, place), render.explain(finding, {})):
                assert said.strip()
                assert "{" not in said
                assert "None" not in said
            own = render.summary(finding, place)
            assert own != render.summary({**finding, "code": None}, place), "the code has no sentence of its own"


def test_the_contracts_example_is_said_word_for_word() -> None:
    assert render.summary(FINDING, WAREHOUSE) == "The server refused the password for user stitch."
    assert "ALTER ROLE \"stitch\" PASSWORD '<new password>';" in render.next_step(FINDING, WAREHOUSE)
    assert "does not know user stitch" in render.explain(FINDING, WAREHOUSE)
    assert "What decides it: Does user stitch exist?" in render.explain(FINDING, WAREHOUSE)


def test_missing_grants_come_as_statements_to_copy() -> None:
    statements = [f"GRANT SELECT ON public.t{n} TO stitch;" for n in range(200)]
    finding = {**FINDING, "cause": "missing_privilege", "code": "privilege.table_select_missing",
               "facts": {"missing": ["public.t0"], "statements": statements, "user": "stitch"}}  # fmt: skip
    said = render.next_step(finding, WAREHOUSE)
    assert (
        "The owner of the database runs this on db.example.com:5432:\n\n```\nGRANT SELECT ON public.t0 TO stitch;\n"
        in said
    )
    assert "and 175 more" in said
    fits(render.message("failed", view(finding=finding), ("mend_fixed",), key="k"))


def test_a_statement_can_be_copied_from_the_ticket_that_nobody_takes() -> None:
    grant = "GRANT SELECT ON `back office`.`Staff list` TO 'x'@'%';"
    finding = {**FINDING, "cause": "missing_privilege", "facts": {"statements": [grant]}}
    seen = view(case=case(findings=[finding], has_desk=False), finding=finding)
    message = render.message("escalating", seen, ("mend_back",), key="k")
    fits(message)
    shown = "".join(block["text"]["text"] for block in message["blocks"] if block["type"] == "section")
    assert grant in shown
    assert shown.count("```") == 2


@pytest.mark.parametrize("connector", [*CONNECTORS, "elsewhere"])
@pytest.mark.parametrize("route", ["update_credentials", "reauthorize", "rotate"])
def test_every_guide_says_where_to_put_it_and_never_here(
    connector: str, route: str, snapshot: SnapshotAssertion
) -> None:
    seen = view(case=case(connector=connector), connection={**WAREHOUSE, "connector": connector})
    message = render.message(f"regenerate_{route}", seen, ("mend_fixed", "mend_back"), key="k")
    fits(message)
    assert "WAREHOUSE_PASSWORD" in message["text"]
    assert "Never paste" in message["text"]
    if route == "update_credentials":
        assert message["text"] == snapshot


def test_the_picker_numbers_as_the_words_do_and_says_how_many_more() -> None:
    many = [{"name": f"c{n:03}", "title": "HTTP API", "broken": n == 0} for n in range(130)]
    seen = view(case=case(choices=[c["name"] for c in many]), params={"choices": many[::-1]})
    message = render.message("choose", seen, ("mend_choose", "mend_cancel"), key="k")
    fits(message)
    select = next(e for b in message["blocks"] if b["type"] == "actions" for e in b["elements"] if "options" in e)
    assert len(select["options"]) == 100
    assert select["options"][0]["text"]["text"] == "1. c000 (broken)"
    assert select["options"][0]["value"] == "c1:verify_credentials:3:c000"
    assert "1. c000 (HTTP API): broken when last looked at" in message["text"]
    assert "90 more" in message["text"]


@pytest.mark.parametrize("button", BUTTONS)
def test_every_button_is_also_a_word(button: str) -> None:
    message = render.message("failed", view(), (button,), key="k")
    fits(message)
    assert blocks.labels()[button]["word"].replace("*", "") in message["text"]


def test_an_answered_question_loses_its_buttons_and_says_who() -> None:
    asked = render.message("failed", view(), ("mend_check_again", "mend_cancel"), key="k")
    done = render.settled(asked["blocks"], "mend_check_again", "U0BOB")
    fits({**asked, **done})
    assert "actions" not in {b["type"] for b in done["blocks"]}
    assert done["blocks"][-1]["elements"][0]["text"] == "✓ <@U0BOB> answered: Check again"
    assert "Or answer in this thread" not in str(done)


def test_every_icon_is_one_that_the_local_slack_draws() -> None:
    static = HOUSE.parent / "bot/playground/static"
    known, drawn = ((static / name).read_text(encoding="utf-8") for name in ("text.js", "icons.js"))
    used = {icon.strip(":") for icon in blocks.icons().pattern.split("|")} | {"warning", "calendar", "rotating_light"}
    assert [icon for icon in used if f"{icon}: " not in known or f"{icon}: [" not in drawn] == []


def test_home_shows_own_cases_and_health(snapshot: SnapshotAssertion) -> None:
    place = {"id": "c1", "step": "escalate", "version": 3, "permalink": "https://x.slack.com/p1", "changed_at": 1.79e9}
    cases = [{**place, "connection": "crm", "state": "escalated"}]
    paused = [{**place, "connection": "warehouse", "state": "expired", "step": "close"}]
    many = [{**CHOICES[0], "name": f"c{n}", "verdict": "bad", "cause": "x", "at": 1.79e9} for n in range(150)]
    for shown in (
        {"cases": [], "connections": []},
        {"cases": cases, "paused": paused, "connections": CHOICES},
        {"cases": cases * 40, "paused": paused * 40, "connections": many},
    ):
        fits(render.home(shown), "home")
    home = render.home({"cases": cases, "paused": paused, "connections": CHOICES})
    assert home == snapshot
    resume = next(b["accessory"] for b in home["blocks"] if "accessory" in b)
    assert (resume["action_id"], resume["value"]) == ("mend_resume", "c1:close:3")


def test_a_reminder_says_what_runs_out_when_and_what_to_do(snapshot: SnapshotAssertion) -> None:
    now, made = 1.79e9, []
    things = (("certificate", "db.example.com", 28), ("client_certificate", "/etc/mend/client.crt", 1.5), ("token", "access_token", 0.4),
              ("ssh_certificate", "bastion.example.com", 3), ("password", "stitch at <!channel>", -2), ("person", "U0DANA", 0))  # fmt: skip
    for kind, what, days in things:
        row = {"kind": kind, "what": what, "at": now + days * 86_400, "names": ["warehouse", "<!here>"], "now": now}
        for mention in ("", "U0ALICE", "S0TEAM"):
            reminder = render.reminder({**row, "mention": mention}, key="r1")
            fits(reminder)
            assert "<!channel>" not in str(reminder)
            assert "<!here>" not in reminder["text"]
        made.append(reminder["text"])
        shown = {**CHOICES[0], "ending": [{**row, "soon": days < 7}]}
        fits(render.home({"connections": [shown], "now": now}), "home")
        made.append(render.ephemeral("status_list", {"ending": [{**row, "connection": "crm"}], "now": now})["text"])
    assert made == snapshot


def test_a_case_that_closes_says_what_runs_out_soon() -> None:
    row = {"kind": "password", "what": "stitch at db.example.com", "at": 6.5 * 86_400}
    said = render.message("resolved", {**view(state="resolved"), "ending": [row], "now": 0.0}, key="c1.m")["text"]
    assert "The password of stitch at db.example.com runs out in 6 days" in said
    assert "Let the database owner set a new one" in said


def test_the_head_of_a_case_that_waits_for_a_person_does_not_say_that_it_is_checking() -> None:
    seen = view()
    heads = [
        render.root({**seen, "case": {**seen["case"], "state": "checking_permissions", "waiting": waiting}}, key="k")
        for waiting in (False, True)
    ]
    assert ["Checking the permissions" in head["text"] for head in heads] == [True, False]
    assert "Stuck at the permissions" in heads[1]["text"]


def test_a_pasted_error_is_explained_before_anything_is_asked() -> None:
    finding = {**FINDING, "evidence": "", "alternatives": []}
    told = {"cause": finding["cause"], "code": finding["code"], "confidence": "certain"}
    seen = view(case=case(state="choosing", told=told, connection=""), told=(finding, WAREHOUSE), finding=None)
    said = render.message("told", seen, key="k")["text"]
    assert "What that message says: The server refused the password for user stitch." in said
    assert [
        part
        for part in ("Who: The owner of the database.", "Next: ", "auth.wrong_password, certain")
        if part not in said
    ] == []
    assert "The server refused the password" in render.message("why", seen, key="k")["text"]


def test_the_last_step_of_a_guide_stands_before_the_warning() -> None:
    place = {**WAREHOUSE, "regeneration": {**WAREHOUSE["regeneration"], "old_stays_valid": True}}
    said = render.message("regenerate_rotate", view(connection=place), key="k")["text"]
    assert "Say done" in (said.split("5. Only when it works")[0])
    assert "Never paste a password" in said.split("5. Only when it works")[1]


def test_who_says_again_in_a_stopped_case_is_told_what_goes_on() -> None:
    for state, way in (("cancelled", "Say resume to go on"), ("resolved", "starts a new case")):
        seen = view(case=case(state=state), params={"trigger": "again"})
        assert way in render.message("not_now", seen, key="k")["text"]


def test_a_text_that_tells_of_no_error_is_said_to_be_none() -> None:
    seen = view(case=case(state="choosing", told={"confidence": "unclear"}, connection=""), finding=None)
    assert "finds no error that it knows" in render.message("told", seen, key="k")["text"]


def test_small_print_after_a_list_is_small_print() -> None:
    made = blocks.sections("*List*\n\n• one\n• two\n-# small", "k")
    assert [block["type"] for block in made] == ["section", "context"]
    assert "-#" not in str(made)


@pytest.mark.parametrize(
    ("state", "desk", "words"),
    [
        ("choosing", True, "Type the number or the name of the connection, or cancel."),
        ("escalating", True, "Say yes, back or cancel."),
        ("escalating", False, "Say back or cancel."),
        ("confirming_recovery", True, "Say again, escalate or cancel."),
        ("checking_network", True, "Say again, skip, escalate or cancel."),
    ],
)
def test_a_nudge_names_only_words_that_are_heard_there(state: str, desk: bool, words: str) -> None:
    assert words in render.message("nudge", view(case=case(state=state, has_desk=desk, waiting=True)), key="k")["text"]


def test_what_does_not_fit_is_told_as_it_is_and_with_a_command_that_can_be_copied() -> None:
    def told(state: str) -> str:
        seen = view(case=case(state=state, waiting=True), params={"trigger": "again"})
        return str(render.message("not_now", seen, key="k")["blocks"][0]["text"]["text"])

    assert "closed" not in told("choosing") + told("escalating")
    assert "`/mend` starts a new case" in told("resolved")


def test_a_ticket_of_a_case_that_goes_on_or_is_over_does_not_say_to_resume() -> None:
    news = {"status": "solved", "by": "", "comment": ""}
    for state in ("checking_network", "resolved"):
        for name in ("escalated", "desk_news"):
            said = render.message(name, view(case=case(state=state), params=news), key="k")["text"]
            assert "resume" not in said
            assert "keeps quiet" not in said


@pytest.mark.parametrize("code", CODES)
def test_nobody_stutters_where_the_user_is_not_known(code: str) -> None:
    finding = {"cause": "config_error", "code": code, "verdict": "bad", "alternatives": [code]}
    place = {"name": "warehouse"}
    for said in (render.summary(finding, place), render.next_step(finding, place), render.explain(finding, place)):
        assert "of of" not in said


def test_the_ticket_of_a_case_that_an_alert_opened_says_so() -> None:
    assert "Asked by: nobody, the pipeline's alert began it" in render.ticket(view(case=case(owner="")))["body"]


def test_a_case_that_has_its_ticket_is_not_told_that_mend_would_open_one() -> None:
    hurt = case(state="escalating", ticket={"id": "7", "url": "https://desk.example/7"}, tried=["resume:escalated"])
    said = render.message("escalating", view(case=hurt), ("mend_confirm_ticket",), key="k")["text"]
    assert "would open" not in said
    assert "https://desk.example/7" in said
    left = render.message("escalated", view(case={**hurt, "state": "escalated"}), key="k")["text"]
    assert "of when it was opened" in left
