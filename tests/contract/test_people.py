"""Who may do what: other companies, guests, helpers; where Mend may be used; what each person sees alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.playground.state import User
from tests.contract.test_events import settle
from tests.talk import ALICE, BOB, CHARLIE, DANA, GUEST, Talk, World, wait

SHARED = "C0SHARED"


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    access = {"admins": [BOB], "channels": ["C0DATA", SHARED]}
    with World(database, Path(tmp_path_factory.mktemp("people")), access=access) as world:
        yield world


def roots(world: World, channel: str = "C0DATA") -> set[str]:
    return {
        m["ts"] for m in world.slack.messages(channel) if m.get("metadata") and m.get("thread_ts", m["ts"]) == m["ts"]
    }


def test_people_of_another_company_only_read(world: World) -> None:
    talk = world.start("warehouse", channel=SHARED)
    talk.until("regenerating_credentials")
    question = talk.question()
    talk.say("cancel", user=CHARLIE)
    talk.told(CHARLIE, "You can read this case")
    assert question
    world.slack.ephemerals(CHARLIE, SHARED).clear()
    before = len(world.slack.ephemerals(CHARLIE, SHARED))
    talk.press("mend_check_again", user=CHARLIE)
    wait(lambda: len(world.slack.ephemerals(CHARLIE, SHARED)) > before)
    assert talk.question() == question


def test_a_stranger_starts_nothing_and_is_told_no_names(world: World) -> None:
    before = roots(world, SHARED)
    for words in ("<@U0MEND> warehouse", "<@U0MEND> nonsense"):
        world.slack.say(words, user=CHARLIE, channel=SHARED)
    told = wait(lambda: [m for m in world.slack.ephemerals(CHARLIE, SHARED) if "full members" in m["text"]][1:])
    assert "hubspot" not in str(told)
    assert roots(world, SHARED) == before


def test_a_guest_starts_nothing(world: World) -> None:
    before = roots(world)
    world.slack.command("/mend warehouse", user=GUEST)
    wait(lambda: [m for m in world.slack.ephemerals(GUEST) if "full members" in m["text"]])
    assert roots(world) == before


def test_a_guest_stays_a_guest_while_slack_does_not_say_who_they_are(world: World, talk: Talk) -> None:
    new = world.slack.add_user(User("U0NEWGUEST", "nora", "Nora Weiss", is_restricted=True))
    world.slack.space.channel("C0DATA").members.add(new.id)
    world.slack.faults.fail("users.info", times=2)
    question = talk.question()
    talk.press("mend_check_again", user=new.id)
    talk.told(new.id, "You can read this case")
    assert talk.question() == question


def test_a_guest_reads_but_does_not_press(talk: Talk) -> None:
    question = talk.question()
    talk.press("mend_check_again", user=GUEST)
    talk.told(GUEST, "You can read this case")
    assert talk.question() == question


def test_a_helper_takes_over_by_the_button_that_only_they_see(talk: Talk) -> None:
    talk.press("mend_escalate", user=DANA)
    told = talk.told(DANA, "leads this case")
    value = next(e["value"] for b in told["blocks"] if b["type"] == "actions" for e in b["elements"])
    assert value.split(":")[0] == talk.thread[0]["metadata"]["event_payload"]["case"]
    talk.slack.press("mend_take_over", told["ts"], user=DANA)
    talk.said(f"<@{DANA}> leads this case from now on")
    talk.say("cancel", user=ALICE)
    talk.told(ALICE, f"<@{DANA}> leads this case")
    talk.press("mend_escalate", user=DANA)
    talk.until("escalating")


def test_looking_again_is_open_to_everybody(talk: Talk) -> None:
    question = talk.question()
    talk.press("mend_check_again", user=DANA)
    wait(lambda: talk.question() not in (None, question))


@pytest.mark.parametrize("how", ["command", "mention", "shortcut"])
def test_where_mend_may_not_be_used_it_says_so(world: World, how: str) -> None:
    channel = f"C0{how.upper()}"
    world.slack.add_channel(type(world.slack.space.channel("C0DATA"))(channel, how, members={ALICE, "U0MEND"}))
    if how == "command":
        world.slack.command("/mend warehouse", channel=channel)
    elif how == "mention":
        world.slack.say("<@U0MEND> warehouse", channel=channel)
    else:
        world.slack.shortcut(world.slack.say("permission denied for table x", channel=channel), channel=channel)
    wait(lambda: [m for m in world.slack.ephemerals(ALICE, channel) if "may not be used in this channel" in m["text"]])
    assert not roots(world, channel)


def test_the_home_shows_own_cases_health_and_a_resume_that_works(world: World, talk: Talk) -> None:
    talk.say("cancel")
    talk.until("cancelled")
    world.slack.open_home()
    shown = str(wait(lambda: "resume" in str(world.slack.home()) and world.slack.home()))
    assert "warehouse" in shown
    assert "broken" in shown
    case = talk.thread[0]["metadata"]["event_payload"]["case"]
    value = next(b["accessory"]["value"] for b in world.slack.home()["blocks"] if case in str(b.get("accessory")))
    world.slack.press_in_view("mend_resume", value=value, home=True)
    talk.until("regenerating_credentials")
    wait(lambda: case not in str([b.get("accessory") for b in world.slack.home()["blocks"]]))


def test_a_broken_connection_is_looked_at_from_the_home(world: World, talk: Talk) -> None:
    world.slack.open_home(BOB)
    wait(lambda: "Look at warehouse" in str(world.slack.home(BOB)))
    before = len(world.slack.messages("D0BOB"))
    world.slack.press_in_view("mend_open", user=BOB, value="warehouse", home=True)
    root = wait(lambda: [m for m in world.slack.messages("D0BOB")[before:] if m.get("metadata")])[0]
    Talk(world, "D0BOB", root["ts"], BOB).until("regenerating_credentials")


def test_who_opens_the_page_is_not_told_that_the_button_leads_nowhere(world: World, talk: Talk) -> None:
    talk.press("mend_update_credentials")
    offered = talk.told(ALICE, "for you alone. Good for 15 minutes")
    world.slack.press("mend_open_page", offered["ts"], user=ALICE)
    settle(talk)
    assert not [m for m in world.slack.ephemerals(ALICE) if "no longer leads anywhere" in m["text"]]


def test_the_home_of_somebody_else_shows_no_case_of_mine_and_a_guest_sees_no_connection(
    world: World, talk: Talk
) -> None:
    for user in (BOB, GUEST):
        world.slack.open_home(user)
        shown = str(wait(lambda user=user: world.slack.home(user)))
        assert "Your open cases" in shown
        assert talk.ts.replace(".", "") not in shown
        assert ("hubspot-prod" in shown) is (user == BOB)


def test_feedback_is_thanked_once_and_its_buttons_go(world: World) -> None:
    world.mend("billing")
    talk = world.start("billing")
    asked = talk.until("resolved")
    offered = [e["action_id"] for b in asked["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert offered == ["mend_helpful", "mend_not_helpful"]
    talk.press("mend_not_helpful")
    talk.told(ALICE, "noted")
    wait(lambda: talk.question() is None)


def test_commands_of_ones_own_cases(world: World, talk: Talk) -> None:
    def answered(line: str, piece: str) -> str:
        world.slack.command(line, user=ALICE)
        return str(
            wait(lambda: next((m["text"] for m in world.slack.ephemerals(ALICE)[::-1] if piece in m["text"]), ""))
        )

    assert f"/archives/C0DATA/p{talk.ts.replace('.', '')}" in answered("/mend status", "Your open cases")
    assert "/mend resume" in answered("/mend help", "lets you choose")
    talk.say("cancel")
    talk.until("cancelled")
    assert "warehouse" in answered("/mend resume", "Going on with")
    talk.until("regenerating_credentials")


def test_a_second_case_of_the_same_connection_is_started_and_the_first_is_named(world: World, talk: Talk) -> None:
    second = world.start("warehouse", user=BOB)
    told = wait(lambda: [m for m in world.slack.ephemerals(BOB) if "Another one is open in this channel" in m["text"]])
    assert "/archives/C0DATA/p" in told[-1]["text"]
    second.until("regenerating_credentials")
