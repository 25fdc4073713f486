"""One case where two are asked for at once, the button of a reminder, and what a guest may read."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from bot.playground.state import BOT_USER
from tests.talk import ALICE, BOB, DANA, GUEST, World, rows, wait


def cases_in(world: World, thread: str) -> list[Any]:
    query = "SELECT id, owner FROM cases WHERE thread = :thread"
    return rows(world, query, thread=thread)


@pytest.mark.parametrize("again", range(5))
def test_shortcuts_on_one_message_at_the_same_instant_open_one_case(world: World, again: int) -> None:
    ts, people = world.slack.say(f"warehouse: FATAL: password authentication failed ({again})"), {ALICE, BOB, DANA}
    before = {p: len(world.slack.ephemerals(p)) for p in people}
    pressed = [threading.Thread(target=world.slack.shortcut, args=(ts,), kwargs={"user": p}) for p in (*people, ALICE)]
    for one in pressed:
        one.start()
    for one in pressed:
        one.join()
    wait(lambda: cases_in(world, ts))

    def refused() -> list[Any]:
        new = [m for p in people for m in world.slack.ephemerals(p)[before[p] :]]
        return [m for m in new if "under way in this thread" in m["text"]]

    wait(lambda: len(refused()) == 3)
    assert len(cases_in(world, ts)) == 1


def test_a_reminders_button_opens_one_case_in_its_thread(world: World) -> None:
    at = time.time() + 5 * 86_400
    rows(world, "INSERT INTO expiries VALUES ('billing', 'token', 'access_token', :at, :at)", at=at)
    rows(
        world,
        "INSERT INTO looks VALUES ('billing', 0, :now) ON CONFLICT (connection) DO UPDATE SET due_at = 0, done_at = :now",
        now=time.time(),
    )

    def reminder() -> Any:
        return next(
            (m for m in world.slack.messages("D0BOB") if "runs out in 4 days" in m["text"] and m["user"] == BOT_USER),
            None,
        )

    ts = wait(reminder, 90)["ts"]
    for _ in range(2):
        world.slack.press("mend_open", ts, user=BOB, channel="D0BOB")
    wait(
        lambda: [
            m for m in world.slack.thread("D0BOB", ts) if (m.get("metadata") or {}).get("event_type") == "mend_case"
        ]
    )
    (case,) = cases_in(world, ts)
    assert case.owner == BOB
    for user, sees in ((DANA, True), (GUEST, False)):
        said = len(world.slack.ephemerals(user))
        world.slack.command("/mend status", user=user)
        answer = wait(lambda user=user, said=said: world.slack.ephemerals(user)[said:])[0]["text"]
        assert ("access token" in answer) is sees


@pytest.mark.parametrize("typed", ["hubsopt", "warehousee", "nonsense", "help", "billin"])
def test_a_guest_who_mistypes_reads_no_names(world: World, typed: str) -> None:
    before = len(world.slack.ephemerals(GUEST))
    world.slack.command(f"/mend {typed}", user=GUEST)
    wait(lambda: len(world.slack.ephemerals(GUEST)) > before)
    time.sleep(0.5)
    read = str(world.slack.ephemerals(GUEST)[before:]).replace(typed, "")
    assert not [name for name in ("hubspot-prod", "warehouse", "billing", "payments", "github-org") if name in read]
    before = len(world.slack.ephemerals(DANA))
    world.slack.command(f"/mend {typed}x-nowhere", user=DANA)
    answer = wait(lambda: world.slack.ephemerals(DANA)[before:])[0]["text"]
    assert "warehouse" in answer
