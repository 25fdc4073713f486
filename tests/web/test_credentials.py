"""The secure page as the people at it see it, from `/mend` to `resolved`, without JavaScript."""

from __future__ import annotations

from tests.dump import dumped
from tests.talk import DANA, World, rows, wait
from tests.web.visitor import Visitor, opened

WRONG = "c4n4ry-wr0ng-pa55"


def everything(world: World) -> str:
    """What is kept or was sent anywhere: database, log, every call to Slack and every payload from it."""
    said = [str(call) for call in world.slack.calls] + [str(d) for d in world.slack.deliveries]
    return "\n".join([dumped(world.url), world.log.read_text(), *said])


def test_a_changed_password_is_typed_tried_kept_and_closes_the_case(world: World) -> None:
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    page = opened(world, talk)
    assert "stitch_warehouse" in page.answer.text
    assert world.demo.database.warehouse_password not in page.answer.text
    page.press("try", password=WRONG, user="stitch_warehouse").until("were tried and are not used")
    assert "The server refused the password for user stitch_warehouse." in page.text
    right = world.demo.database.changed_password
    page.press("try", password=right, user="stitch_warehouse").until("work and are saved")
    talk.until("resolved")
    assert any("were proven and saved" in text for text in talk.texts)
    seen = everything(world)
    assert WRONG not in seen
    assert right not in seen


def test_where_the_old_one_is_put_back_mend_names_what_it_keeps_and_lets_it_go(world: World) -> None:
    """What was typed counts instead of mend.yml, also when that is right again."""
    database = world.demo.database
    database.change_password()
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    opened(world, talk).press("try", password=database.changed_password, user="stitch_warehouse").until("are saved")
    talk.until("resolved")
    world.mend("warehouse")
    talk = world.start("warehouse")
    asked = talk.until("regenerating_credentials")["text"]
    assert "What was tried is what Mend itself keeps, put in at 20" in asked
    assert "It counts instead of the file " in asked
    assert 'say "forget"' in asked
    assert "forget" in asked.rpartition("Or answer in this thread")[2]
    talk.say("forget", user=DANA)
    talk.told(DANA, "leads this case")
    talk.press("mend_forget")
    talk.said("is put aside, as")
    talk.until("resolved")
    kept = rows(world, "SELECT name, version FROM secrets WHERE connection = 'warehouse' ORDER BY name")
    assert [tuple(row) for row in kept] == [("warehouse.password", "old"), ("warehouse.user", "old")]


def test_who_is_not_in_the_channel_gets_the_link_by_direct_message(world: World) -> None:
    world.break_again("warehouse")
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")

    def offered() -> list[str]:
        blocks = [b for m in world.slack.messages("D0ALICE") for b in m.get("blocks") or []]
        return [e["url"] for b in blocks for e in b.get("elements") or [] if e.get("action_id") == "mend_open_page"]

    for number, error in enumerate(("user_not_in_channel", "not_in_channel")):
        world.slack.faults.refuse("chat.postEphemeral", error)
        talk.press("mend_update_credentials")
        page = Visitor(wait(lambda number=number: offered()[number:])[0])
        assert "Begin" in page.text
    world.slack.faults.refuse("chat.postEphemeral", "user_not_in_channel")
    page.press("begin")
    asked = wait(lambda: next((m for m in world.slack.messages("D0ALICE") if "shows the number" in m["text"]), None))
    world.slack.press("mend_it_was_me", asked["ts"], channel="D0ALICE")
    page.until("Try and save")
    assert page.url.rsplit("/", 1)[1] not in str(world.slack.messages("C0DATA"))
