"""How the bot behaves in Slack: who may press, what is delivered twice, what is said where, and what never is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.zendesk_desk import Zendesk, zendesk
from tests.talk import ALICE, BOB, DANA, GUEST, Talk, World, wait


@pytest.fixture(scope="module")
def fake() -> Iterator[Zendesk]:
    with zendesk() as state:
        yield state


@pytest.fixture(scope="module")
def world(database: str, fake: Zendesk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    desk = {"kind": "zendesk", "base_url": fake.url, "email": "bot@acme.test", "token": "t0ken"}
    with World(database, Path(tmp_path_factory.mktemp("mend")), desk=desk) as world:
        yield world


def count(talk: Talk, state: str) -> int:
    return sum(1 for m in talk.thread if m.get("metadata", {}).get("event_payload", {}).get("state") == state)


def test_three_clicks_at_once_ask_once_more(talk: Talk) -> None:
    question = talk.question()
    assert question
    value = next(b for b in question["blocks"] if b["type"] == "actions")["elements"][0]["value"]
    for _ in range(3):
        talk.slack.press("mend_check_again", question["ts"], stale=True, value=value)
    wait(lambda: (talk.question() or question)["ts"] != question["ts"])
    failed = [t for t in talk.texts if "refused the password" in t and "What was seen" in t]
    assert len(failed) == 2


def test_the_same_event_delivered_five_times_has_one_effect(world: World, talk: Talk) -> None:
    world.slack.deliver_times = 5
    try:
        talk.say("why")
        wait(lambda: any(t.startswith("Why ") for t in talk.texts))
        talk.say("status")
        wait(lambda: talk.texts[-1] != "status" and not talk.texts[-1].startswith("Why "))
    finally:
        world.slack.deliver_times = 1
    assert sum(t.startswith("Why ") for t in talk.texts) == 1


def test_an_answered_question_loses_its_buttons_and_says_who_answered(talk: Talk) -> None:
    first = talk.question()
    assert first
    talk.press("mend_update_credentials")
    wait(lambda: (talk.question() or {}).get("ts") != first["ts"] and talk.question())
    old = next(m for m in talk.thread if m["ts"] == first["ts"])
    assert not [b for b in old["blocks"] if b["type"] == "actions"]
    assert ALICE in str(old["blocks"][-1])


def test_a_helper_is_told_to_ask_the_owner_until_they_take_over(talk: Talk) -> None:
    talk.say("escalate", user=DANA)
    told = wait(lambda: [m for m in talk.slack.ephemerals(DANA) if ALICE in m["text"]])
    assert ALICE in told[-1]["text"]
    talk.say("take over", user=DANA)
    wait(lambda: any(DANA in t for t in talk.texts))
    talk.say("cancel", user=DANA)
    talk.until("cancelled")


def test_an_admin_may_cancel_and_the_case_can_be_resumed(talk: Talk) -> None:
    talk.say("cancel", user=BOB)
    talk.until("cancelled")
    talk.say("resume")
    talk.until("regenerating_credentials")


def test_a_guest_only_reads(talk: Talk) -> None:
    talk.say("again", user=GUEST)
    wait(lambda: [m for m in talk.slack.ephemerals(GUEST) if "read this case" in m["text"]])
    assert count(talk, "verifying_credentials") == 0


def test_a_ticket_is_previewed_then_opened_once_with_the_evidence(talk: Talk, fake: Zendesk) -> None:
    before = len(fake.tickets)
    talk.press("mend_escalate")
    preview = talk.until("escalating")
    assert len(fake.tickets) == before
    talk.say("yes")
    talk.say("yes")
    talk.until("escalated")
    assert len(fake.tickets) == before + 1
    body = fake.tickets[-1]["comment"]["body"]
    assert "28P01" in body
    assert "t0ken" not in body + preview["text"]


def test_a_desk_that_is_down_loses_nothing(talk: Talk, fake: Zendesk) -> None:
    before = len(fake.tickets)
    fake.mood = "429"
    talk.press("mend_escalate")
    talk.until("escalating")
    talk.press("mend_confirm_ticket")
    wait(lambda: any("did not take the ticket" in t for t in talk.texts))
    fake.mood = "good"
    talk.until("escalated", 40)
    assert len(fake.tickets) == before + 1


def test_a_name_that_is_nowhere_is_answered_with_the_nearest(world: World) -> None:
    world.slack.command("/mend wherehose9", user=ALICE)
    wait(
        lambda: [m for m in world.slack.ephemerals(ALICE) if "warehouse" in m["text"] and "no connection" in m["text"]]
    )


@pytest.mark.parametrize(("typed", "meant"), [("statsu", "status"), ("billing is broken", "billing")])
def test_what_is_not_quite_a_command_is_answered_with_what_may_be_meant(world: World, typed: str, meant: str) -> None:
    world.slack.command(f"/mend {typed}", user=ALICE, channel="C0DATA")
    told = f'no connection "{typed}". Did you mean {meant}'
    wait(lambda: any(told in m["text"].replace("*", "") for m in world.slack.ephemerals(ALICE)))


def test_the_picker_is_answered_by_a_number(world: World) -> None:
    talk = world.start("")
    talk.until("choosing")
    talk.say("1")
    wait(lambda: any("Checks of" in t for t in talk.texts))


def test_a_mention_opens_one_case_though_two_events_tell_of_it(world: World) -> None:
    def roots() -> list[str]:
        said = world.slack.messages("C0DATA")
        return [m["ts"] for m in said if m.get("metadata") and m.get("thread_ts", m["ts"]) == m["ts"]]

    before = roots()
    world.slack.say("<@U0MEND> warehouse", user=ALICE)
    new = wait(lambda: [ts for ts in roots() if ts not in before])
    Talk(world, "C0DATA", new[0], ALICE).until("regenerating_credentials")
    assert len(roots()) == len(before) + 1


def test_where_the_bot_is_not_a_member_the_case_goes_on_in_a_direct_message(world: World) -> None:
    world.slack.command("/mend warehouse", user=BOB, channel="C0GENERAL")
    wait(lambda: [m for m in world.slack.messages(BOB) if "warehouse" in m["text"]])


def test_a_message_pointed_at_where_the_bot_is_not_a_member_is_troubleshot_in_a_direct_message(world: World) -> None:
    ts = world.slack.say("billing failed: permission denied for table invoices", user=DANA, channel="C0GENERAL")
    world.slack.shortcut(ts, user=DANA, channel="C0GENERAL")
    root = wait(lambda: [m for m in world.slack.messages("D0DANA") if m.get("metadata")])[0]
    Talk(world, "D0DANA", root["ts"], DANA).until("checking_permissions")


@pytest.mark.parametrize("error", ["is_archived", "restricted_action_read_only_channel"])
def test_where_nobody_may_write_the_case_goes_on_in_a_direct_message(world: World, error: str) -> None:
    def heads() -> list[str]:
        found = [m for m in world.slack.messages("D0ALICE") if m.get("metadata")]
        return [m["ts"] for m in found if m.get("thread_ts", m["ts"]) == m["ts"]]

    before = heads()
    world.slack.faults.refuse("chat.postMessage", error)
    world.slack.command("/mend billing", user=ALICE)
    head = wait(lambda: [ts for ts in heads() if ts not in before])[0]
    talk = Talk(world, "D0ALICE", head, ALICE)
    talk.said({"is_archived": "archived"}.get(error, "does not let Mend write"))
    talk.until("checking_permissions")


def test_a_message_with_an_error_is_troubleshot_in_its_own_thread(world: World) -> None:
    ts = world.slack.say("billing failed: permission denied for table invoices", user=BOB)
    world.slack.shortcut(ts, user=ALICE)
    Talk(world, "C0DATA", ts, ALICE).until("checking_permissions")


def test_hostile_text_pings_nobody_and_opens_nothing(world: World, talk: Talk) -> None:
    talk.say("<!channel> {{ 7*7 }} '; DROP TABLE cases; -- " + "A" * 3000)
    world.slack.command("/mend <!channel> {{ config }} \u202e evil", user=ALICE)
    said = wait(lambda: [m for m in world.slack.ephemerals(ALICE) if "config" in m["text"]])
    assert "<!channel>" not in said[-1]["text"]
    assert "49" not in said[-1]["text"]


def test_slack_took_everything_that_was_said(world: World) -> None:
    expected = ("not_in_channel", "channel_not_found", "is_archived", "restricted_action_read_only_channel")
    refused = [(c.method, c.response) for c in world.slack.calls if not c.response.get("ok")]
    assert [r for r in refused if r[1].get("error") not in expected] == []


def test_every_message_of_a_case_carries_its_metadata_and_a_text(world: World, talk: Talk) -> None:
    for message in talk.thread:
        if message.get("user") == "U0MEND":
            assert set(message["metadata"]["event_payload"]) == {"case", "state", "step", "verdict", "cause", "code"}
            assert len(message["text"]) > 10


def test_no_secret_is_in_anything_that_left_the_process(world: World, talk: Talk) -> None:
    secrets = [p.read_text().strip() for p in (world.folder / "demo").iterdir() if p.is_file()]
    out = str([c.args for c in world.slack.calls]) + world.log.read_text()
    assert secrets
    assert not [s for s in [*secrets, "t0ken", world.slack.bot_token] if s and s in out]


def test_a_message_that_names_no_connection_leads_to_the_picker_and_says_what_it_means(world: World) -> None:
    pointed = world.slack.say('ERROR: relation "orders" does not exist', user=ALICE, channel="C0DATA")
    world.slack.shortcut(pointed, user=ALICE)
    told = Talk(world, "C0DATA", pointed, ALICE).said("These selected tables do not exist: orders")["text"]
    assert [part for part in ("Who: ", "Next: ", "config_error, config.table_missing") if part not in told] == []
    Talk(world, "C0DATA", pointed, ALICE).said("Which connection is it about?")


def test_a_secret_that_stands_in_the_file_is_told_of_at_the_start_without_itself(world: World) -> None:
    log = world.log.read_text()
    assert "the secret desk.token stands in mend.yml itself: better ${env:...} or ${file:...}" in log
    assert "t0ken" not in log
