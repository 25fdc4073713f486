"""Bad weather: Slack limits and loses answers, a desk is down or wrongly set up, events come as they like."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.promises import order_of
from tests.fakes.zendesk_desk import Zendesk, zendesk
from tests.talk import ALICE, Talk, World, case_of, rows, wait


@pytest.fixture(scope="module")
def desk() -> Iterator[Zendesk]:
    with zendesk() as state:
        yield state


@pytest.fixture(scope="module")
def world(database: str, desk: Zendesk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = {"kind": "zendesk", "base_url": desk.url, "email": "bot@acme.test", "token": "t0ken"}
    with World(database, Path(tmp_path_factory.mktemp("weather")), desk=settings) as world:
        yield world


@pytest.fixture
def talk(world: World) -> Iterator[Talk]:
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    yield talk
    world.slack.faults.clear()


def once_and_in_order(world: World, talk: Talk) -> None:
    queued = "SELECT 1 FROM procrastinate_jobs WHERE split_part(lock, ':', 2) = :id"
    wait(lambda: not rows(world, queued, id=case_of(talk)), 60)
    history = rows(world, "SELECT what FROM history WHERE case_id = :id ORDER BY id", id=case_of(talk))
    places, marks = order_of(talk.thread, history)
    assert places == sorted(places)
    assert [mark for mark, times in Counter(marks).items() if times > 1] == []


# Slack ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
def test_the_wait_that_slack_asks_for_is_kept_by_every_order(world: World, talk: Talk, method: str) -> None:
    before = len(world.slack.calls_of(method))
    world.slack.faults.rate_limit(method, retry_after=3)
    for word in ("why", "status", "escalate"):
        talk.say(word)
    talk.until("escalating")
    calls = wait(lambda: len(c := world.slack.calls_of(method)[before:]) > 1 and c[-1].status == 200 and c)
    limited = next(n for n, call in enumerate(calls) if call.status == 429)
    assert calls[limited + 1].at - calls[limited].at >= 3
    once_and_in_order(world, talk)


@pytest.mark.parametrize("done_first", [True, False])
def test_an_answer_of_slack_that_is_lost_makes_no_second_message(world: World, talk: Talk, done_first: bool) -> None:
    world.slack.faults.drop("chat.postMessage", times=2, done_first=done_first)
    for word in ("why", "status", "escalate"):
        talk.say(word)
    talk.until("escalating", 60)
    once_and_in_order(world, talk)


def test_a_root_whose_answer_is_lost_is_found_again(world: World) -> None:
    world.slack.faults.drop("chat.postMessage", done_first=True)
    before = {m["ts"] for m in world.slack.messages()}
    talk = world.start("warehouse")
    talk.until("regenerating_credentials", 60)
    new = [m for m in world.slack.messages() if m["ts"] not in before and m.get("metadata")]
    assert [m["ts"] for m in new if m.get("thread_ts", m["ts"]) == m["ts"]] == [talk.ts]


def test_while_slack_cannot_tell_whether_a_post_got_through_nothing_is_posted_twice(world: World, talk: Talk) -> None:
    world.slack.faults.drop("chat.postMessage", done_first=True)
    world.slack.faults.fail("conversations.replies", times=2, status=503)
    talk.say("escalate")
    talk.until("escalating", 60)
    once_and_in_order(world, talk)


def test_a_reply_to_a_root_that_is_not_written_down_yet_is_heard(world: World, talk: Talk) -> None:
    case = case_of(talk)
    # As after a crash between Slack's answer and our commit.
    forget = """UPDATE cases SET thread = '', body = body || '{"thread": ""}' WHERE id = :id"""
    rows(world, forget, id=case)
    talk.say("why")
    heard = "SELECT 1 FROM history WHERE case_id = :id AND what->>'answer' = 'why'"
    wait(lambda: rows(world, heard, id=case))
    found = """UPDATE cases SET thread = :ts, body = body || jsonb_build_object('thread', CAST(:ts AS text)) WHERE id = :id"""
    rows(world, found, id=case, ts=talk.ts)


def test_a_command_typed_again_after_a_lost_answer_opens_no_second_case(world: World, talk: Talk) -> None:
    lost = "INSERT INTO seen (key, at) VALUES (:key, :at)"
    rows(world, lost, key=f"typed:T0LOCAL:C0DATA:{ALICE}:billing", at=time.time() - 5)
    count = "SELECT count(*) FROM cases WHERE owner = :who AND connection = 'billing'"
    before = rows(world, count, who=ALICE)[0][0]
    typed = world.slack.command("/mend billing")
    assert typed is not None
    assert typed.wait(10)
    assert "billing" in str(typed.response)
    talk.say("why")
    talk.said("Why Mend says")
    assert rows(world, count, who=ALICE)[0][0] == before


# The desk -------------------------------------------------------------------------------------------------------------


def configure(world: World, **changes: Any) -> None:
    path = world.folder / "mend.yml"
    settings = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**settings, "desk": {**settings["desk"], **changes}}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token": "${env:NOWHERE_SET}"}, "NOWHERE_SET"),
        ({"token": "wr0ng"}, "refuses the desk"),
        ({"email": "", "token": "", "client_id": "mend", "client_secret": "wr0ng"}, "refuses the desk"),
    ],
)
def test_a_desk_wrongly_set_up_is_told_in_words_and_a_person_may_try_again(
    world: World, talk: Talk, desk: Zendesk, changes: dict[str, str], said: str
) -> None:
    right = (world.folder / "mend.yml").read_text()
    configure(world, **changes)
    try:
        talk.press("mend_escalate")
        talk.until("escalating")
        talk.press("mend_confirm_ticket")
        told = talk.said("did not take the ticket")
        assert said in told["text"]
        assert "wr0ng" not in str(talk.texts)
        wait(lambda: "not taken yet" in talk.thread[0]["text"])
    finally:
        (world.folder / "mend.yml").write_text(right)
    wait(lambda: (talk.question() or {}).get("ts") == told["ts"])
    talk.press("mend_confirm_ticket")
    talk.until("escalated")
    assert sum(ticket["external_id"] == case_of(talk) for ticket in desk.tickets) == 1
    wait(lambda: talk.question() is None)


def test_three_clicks_and_a_word_at_once_are_one_ticket(world: World, talk: Talk, desk: Zendesk) -> None:
    talk.press("mend_escalate")
    talk.until("escalating")
    question = talk.question()
    assert question
    value = next(e["value"] for b in question["blocks"] for e in b.get("elements", []) if "value" in e)
    for _ in range(3):
        world.slack.press("mend_confirm_ticket", question["ts"], stale=True, value=value)
    talk.say("yes")
    talk.until("escalated")
    assert sum(ticket["external_id"] == case_of(talk) for ticket in desk.tickets) == 1
    assert sum("The ticket is open" in t for t in talk.texts) == 1


# Events out of order ---------------------------------------------------------------------------------------------------


def test_answers_that_come_five_times_in_the_wrong_order_have_one_effect_each(world: World, talk: Talk) -> None:
    world.slack.hold()
    world.slack.deliver_times = 5
    try:
        for word in ("why", "status", "escalate"):
            talk.say(word)
        world.slack.release(reverse=True)
    finally:
        world.slack.deliver_times = 1
    query = "SELECT what FROM history WHERE case_id = :id AND who = :who ORDER BY id"
    wait(lambda: len(rows(world, query, id=case_of(talk), who=ALICE)) >= 4)
    talk.until("escalating")
    answers = Counter(r.what["answer"] for r in rows(world, query, id=case_of(talk), who=ALICE))
    assert answers == {None: 1, "why": 1, "status": 1, "mend_escalate": 1}
    history = rows(world, "SELECT what FROM history WHERE case_id = :id ORDER BY id", id=case_of(talk))
    assert all(a.what["to"] == b.what["from"] for a, b in itertools.pairwise(history))
    once_and_in_order(world, talk)
