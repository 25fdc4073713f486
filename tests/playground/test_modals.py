"""Modals and the App Home through the real SDK client."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.playground import LocalSlack
from tests.playground.test_socket_mode import App, talk

FIELD = {"type": "input", "block_id": "sum", "label": {"type": "plain_text", "text": "Summary"},
         "element": {"type": "plain_text_input", "action_id": "a"}}  # fmt: skip
VIEW = {"type": "modal", "callback_id": "ticket", "title": {"type": "plain_text", "text": "T"}, "notify_on_close": True,
        "submit": {"type": "plain_text", "text": "Send"}, "blocks": [FIELD]}  # fmt: skip


async def wait(delivery: Any) -> bool:
    return bool(await asyncio.to_thread(delivery.wait))


def test_submit_errors_push_and_close(slack: LocalSlack) -> None:
    async def story(app: App) -> None:
        await wait(slack.command("/mend"))
        await app.client.web_client.views_open(trigger_id=app.got[0].payload["trigger_id"], view=VIEW)
        assert slack.submit() is None
        app.answer = {"response_action": "errors", "errors": {"sum": "Too short"}}
        sent = slack.submit({"sum": "x"})
        assert await wait(sent)
        payload = app.got[1].payload
        assert payload["type"] == "view_submission"
        assert payload["view"]["state"]["values"] == {"sum": {"a": {"type": "plain_text_input", "value": "x"}}}
        assert slack.space.view_errors[payload["view"]["id"]] == {"sum": "Too short"}
        app.answer = {"response_action": "push", "view": VIEW}
        assert await wait(slack.submit({"sum": "long enough"}))
        assert len(slack.space.modals["U0ALICE"]) == 2
        app.answer = None
        assert await wait(slack.close_modal())
        assert app.got[3].payload["type"] == "view_closed"
        assert await wait(slack.submit({"sum": "long enough"}))
        assert slack.modal() is None

    talk(slack, story)


def test_home(slack: LocalSlack) -> None:
    async def story(app: App) -> None:
        assert await wait(slack.open_home("U0BOB"))
        event = app.got[0].payload["event"]
        assert (event["type"], event["user"], event["tab"]) == ("app_home_opened", "U0BOB", "home")
        button = {"type": "button", "action_id": "open", "text": {"type": "plain_text", "text": "Open"}}
        view = {"type": "home", "blocks": [{"type": "actions", "elements": [button]}]}
        await app.client.web_client.views_publish(user_id="U0BOB", view=view)
        assert await wait(slack.press_in_view("open", "U0BOB", home=True))
        assert app.got[1].payload["container"]["type"] == "view"

    talk(slack, story)


def test_direct_message_has_no_mention_event(slack: LocalSlack) -> None:
    async def story(app: App) -> None:
        slack.say("@mend warehouse", channel="U0ALICE")
        await app.until(1)
        await asyncio.sleep(0.2)
        assert [g.payload["event"]["channel_type"] for g in app.got] == ["im"]

    talk(slack, story)
