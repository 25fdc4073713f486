"""What Slack delivers twice, late, in the wrong order, edited or from other bots; and what nobody can press any more."""

from __future__ import annotations

import pytest
import yaml

from tests.talk import ALICE, DANA, Talk, World, wait


def settle(talk: Talk) -> None:
    """Everything said before has been heard: a later question is answered."""
    before = sum("Led by" in t for t in talk.texts[1:])
    talk.say("status")
    wait(lambda: sum("Led by" in t for t in talk.texts[1:]) > before)


def test_an_edited_message_is_not_answered_again(talk: Talk) -> None:
    ts = talk.slack.say("why", channel=talk.channel, thread_ts=talk.ts)
    talk.said("Why Mend says")
    talk.slack.edit(ts, "cancel", channel=talk.channel)
    talk.slack.edit(ts, "why", channel=talk.channel)
    settle(talk)
    assert sum(t.startswith("Why ") for t in talk.texts) == 1
    assert talk.states()[-1] == "regenerating_credentials"


def test_a_deleted_answer_undoes_nothing(talk: Talk) -> None:
    ts = talk.slack.say("why", channel=talk.channel, thread_ts=talk.ts)
    talk.said("Why Mend says")
    talk.slack.delete(ts, channel=talk.channel)
    settle(talk)
    assert talk.states()[-1] == "regenerating_credentials"


def test_other_bots_are_not_heard(world: World, talk: Talk) -> None:
    with world.slack.space.lock:
        where = world.slack.space.channel(talk.channel)
        for more in ({"bot_id": "B0OTHER"}, {"subtype": "bot_message", "bot_id": "B0OTHER"}):
            body = {"type": "message", "user": DANA, "text": "cancel", "ts": world.slack.space.new_ts(),
                    "thread_ts": talk.ts, **more}  # fmt: skip
            world.slack.space.put(where, body)
            world.slack.hub.message_event(where, body)
    settle(talk)
    assert "cancelled" not in talk.states()


def test_a_mention_whose_two_events_come_in_the_wrong_order_opens_one_case(world: World) -> None:
    before = {m["ts"] for m in world.slack.messages()}
    world.slack.hold()
    ts = world.slack.say("<@U0MEND> billing")
    assert len(world.slack.release(reverse=True)) == 2
    root = wait(lambda: [m for m in world.slack.messages() if m["ts"] not in before and m.get("metadata")])[0]
    talk = Talk(world, "C0DATA", root.get("thread_ts", root["ts"]), ALICE)
    talk.until("checking_permissions")
    settle(talk)
    cases = {m["metadata"]["event_payload"]["case"] for m in world.slack.messages()
             if m["ts"] not in before | {ts} and m.get("metadata")}  # fmt: skip
    assert len(cases) == 1


def test_answers_in_the_wrong_order_leave_the_case_where_one_can_go_on(talk: Talk) -> None:
    talk.slack.hold()
    for word in ("skip", "why", "back"):
        talk.say(word)
    talk.slack.release(reverse=True)
    settle(talk)
    wait(lambda: talk.question() is not None)
    talk.say("cancel")
    talk.until("cancelled")


def test_a_mention_within_the_thread_is_one_answer(talk: Talk) -> None:
    talk.say("<@U0MEND> why")
    talk.said("Why Mend says")
    settle(talk)
    assert sum(t.startswith("Why ") for t in talk.texts) == 1


def test_a_button_of_an_older_question_is_told_so(talk: Talk) -> None:
    old = talk.question()
    assert old
    value = next(e["value"] for b in old["blocks"] for e in b.get("elements", []) if "value" in e)
    talk.press("mend_update_credentials")
    talk.said("New credentials")
    talk.slack.press("mend_skip", old["ts"], channel=talk.channel, stale=True, value=value)
    talk.told(ALICE, "already answered")


def test_a_button_whose_case_is_gone_says_so(world: World, talk: Talk) -> None:
    for value in ("c0ffee000000:verify_credentials:3", "nonsense"):
        before = len(world.slack.ephemerals(ALICE))
        world.slack.press("mend_check_again", talk.ts, stale=True, value=value)
        told = wait(lambda before=before: world.slack.ephemerals(ALICE)[before:])
        assert "no longer leads anywhere" in told[0]["text"]


def test_every_button_carries_case_step_and_version_and_every_message_its_labels(talk: Talk) -> None:
    talk.press("mend_update_credentials")
    talk.said("New credentials")
    settle(talk)
    case = talk.thread[0]["metadata"]["event_payload"]["case"]
    for message in (m for m in talk.thread if m["user"] == "U0MEND"):
        meta = message["metadata"]
        assert meta["event_type"] == "mend_case"
        assert set(meta["event_payload"]) == {"case", "state", "step", "verdict", "cause", "code"}
        assert meta["event_payload"]["case"] == case
        for element in (e for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]):
            got, step, version = element["value"].split(":")
            assert (got, step) == (case, meta["event_payload"]["step"])
            assert version.isdecimal()
    labels = {"state": "regenerating_credentials", "step": "regenerate_credentials", "verdict": "bad",
              "cause": "invalid_credentials", "code": "auth.wrong_password", "case": case}  # fmt: skip
    wait(lambda: talk.thread[0]["metadata"]["event_payload"] == labels)


def test_an_edited_root_keeps_up_with_the_case(talk: Talk) -> None:
    talk.say("cancel")
    talk.until("cancelled")
    wait(lambda: talk.thread[0]["metadata"]["event_payload"]["state"] == "cancelled")
    assert "edited" in talk.thread[0]
    assert "Stopped" in talk.thread[0]["text"]


def test_words_where_there_is_no_case_are_told_so(world: World) -> None:
    ts = world.slack.say("the numbers look odd", user=DANA)
    world.slack.say("<@U0MEND> again", user=DANA, thread_ts=ts)
    wait(lambda: [m for m in world.slack.ephemerals(DANA) if "no case in this thread" in m["text"]])


@pytest.mark.parametrize("words", ["hello", "what can you do for me"])
def test_who_greets_mend_in_a_direct_message_is_told_what_it_can_do(world: World, words: str) -> None:
    def told() -> int:
        return sum("finds out why a data connection is broken" in m["text"] for m in world.slack.messages("D0DANA"))

    before = told()
    world.slack.say(words, user=DANA, channel="D0DANA")
    wait(lambda: told() > before)


def test_talk_with_somebody_else_is_left_alone_and_another_connections_name_is_told_its_place(talk: Talk) -> None:
    before = len(talk.slack.ephemerals(ALICE))
    talk.say("<@U0BOB> did you change it?")
    talk.say("billing")
    told = wait(lambda: talk.slack.ephemerals(ALICE)[before:])
    assert "/mend billing" in told[0]["text"]
    assert not [m for m in talk.slack.ephemerals(ALICE)[before:] if "did not understand" in m["text"]]


def test_a_direct_message_names_a_connection_and_answers_without_a_thread(world: World) -> None:
    room = "D0DANA"
    world.slack.say("hubspot-prod", user=DANA, channel=room)
    root = wait(lambda: [m for m in world.slack.messages(room) if m.get("metadata")])[0]
    talk = Talk(world, room, root["ts"], DANA)
    talk.until("regenerating_credentials")
    world.slack.say("cancel", user=DANA, channel=room)
    talk.until("cancelled")


def test_a_story_in_a_direct_message_is_read_for_its_error(world: World) -> None:
    room = "D0BOB"
    world.slack.say("since this morning billing says: permission denied for table invoices", user="U0BOB", channel=room)
    root = wait(lambda: [m for m in world.slack.messages(room) if m.get("metadata")])[0]
    Talk(world, room, root["ts"], "U0BOB").until("checking_permissions")


def test_a_thread_has_room_for_one_case(world: World, talk: Talk) -> None:
    before = {m["metadata"]["event_payload"]["case"] for m in talk.thread if m.get("metadata")}
    world.slack.shortcut(talk.thread[1]["ts"], user=DANA)
    talk.told(DANA, "already under way in this thread")
    settle(talk)
    assert {m["metadata"]["event_payload"]["case"] for m in talk.thread if m.get("metadata")} == before


def test_the_picker_shows_broken_connections_first(world: World, talk: Talk) -> None:
    picker = world.start("")
    listed = picker.until("choosing")["text"].splitlines()
    numbered = [line for line in listed if line[:1].isdigit()]
    broken = ["broken" in line for line in numbered]
    assert broken == sorted(broken, reverse=True)
    assert broken[0]
    picker.choose("warehouse")
    picker.until("regenerating_credentials")


def test_a_name_that_no_option_of_slacks_can_carry_whole_is_chosen_all_the_same(world: World) -> None:
    path, long = world.folder / "mend.yml", "warehouse-" + "of-the-southern-region-" * 6
    before = path.read_text()
    settings = yaml.safe_load(before)
    settings["connections"][long] = settings["connections"]["warehouse"]
    path.write_text(yaml.safe_dump(settings))
    try:
        picker = world.start("")
        question = picker.until("choosing")
        shown = next(e for b in question["blocks"] for e in b.get("elements", []) if "options" in e)["options"]
        value = next(o["value"] for o in shown if o["value"].rpartition(":")[2].startswith("warehouse-"))
        world.slack.press("mend_choose", question["ts"], user=ALICE, value=value)
        picker.until("regenerating_credentials")
        assert long[:40] in str(picker.texts)
    finally:
        path.write_text(before)


def test_a_renamed_conversation_keeps_its_cases(world: World, talk: Talk) -> None:
    slack = world.slack
    with slack.space.lock:
        old = slack.space.channels.pop("C0DATA")
        old.id = "C0MOVED"
        slack.space.channels["C0MOVED"] = old
    slack.hub.subscriptions.add("channel_id_changed")
    slack.hub.event({"type": "channel_id_changed", "old_channel_id": "C0DATA", "new_channel_id": "C0MOVED"}, None,
                    "channel_id_changed").wait()  # fmt: skip
    moved = Talk(world, "C0MOVED", talk.ts, ALICE)
    moved.say("why")
    moved.said("Why Mend says")
