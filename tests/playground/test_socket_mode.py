"""Socket Mode as the real SDK speaks it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground import LocalSlack


class App:
    """A real SDK client that acks as told."""

    def __init__(self, slack: LocalSlack) -> None:
        web = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        self.client = SocketModeClient(app_token=slack.app_token, web_client=web)
        self.client.socket_mode_request_listeners.append(self.take)
        self.got: list[Any] = []
        self.ignore = 0
        self.answer: dict[str, Any] | None = None

    async def take(self, client: Any, request: Any) -> None:
        self.got.append(request)
        if self.ignore > 0:
            self.ignore -= 1
            return
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, self.answer))

    async def until(self, count: int, timeout: float = 5) -> None:
        end = time.monotonic() + timeout
        while len(self.got) < count:
            assert time.monotonic() < end, f"only {len(self.got)} of {count} came"
            await asyncio.sleep(0.01)


def talk(slack: LocalSlack, story: Any) -> None:
    async def main() -> None:
        app = App(slack)
        await app.client.connect()
        try:
            await story(app)
        finally:
            await app.client.close()

    asyncio.run(main())


def test_command_is_acked_and_the_answer_is_shown_to_one_person(slack: LocalSlack) -> None:
    async def story(app: App) -> None:
        app.answer = {"text": "Starting..."}
        sent = slack.command("/mend warehouse")
        assert sent is not None
        assert await asyncio.to_thread(sent.wait)
        assert app.got[0].type == "slash_commands"
        assert app.got[0].payload["text"] == "warehouse"
        assert app.got[0].accepts_response_payload

    talk(slack, story)
    assert [m["text"] for m in slack.ephemerals("U0ALICE")] == ["Starting..."]
    assert slack.ephemerals("U0BOB") == []


def test_mention_is_two_events_with_one_ts(slack: LocalSlack) -> None:
    async def story(app: App) -> None:
        ts = slack.say("@Mend warehouse")
        await app.until(2)
        events = [g.payload["event"] for g in app.got]
        assert {e["type"] for e in events} == {"message", "app_mention"}
        assert {e["ts"] for e in events} == {ts}
        assert len({g.payload["event_id"] for g in app.got}) == 2
        assert events[0]["text"] == "<@U0MEND> warehouse"

    talk(slack, story)


def test_event_without_ack_is_sent_again(slack: LocalSlack) -> None:
    slack.ack_seconds = 0.2

    async def story(app: App) -> None:
        app.ignore = 2
        slack.say("hello")
        await app.until(3)
        assert len({g.envelope_id for g in app.got}) == 1
        assert [g.retry_attempt for g in app.got] == [0, 1, 2]
        assert app.got[1].retry_reason == "timeout"

    talk(slack, story)


def test_command_without_ack_shows_operation_timeout(slack: LocalSlack) -> None:
    slack.ack_seconds = 0.2

    async def story(app: App) -> None:
        app.ignore = 1
        sent = slack.command("/mend")
        assert sent is not None
        assert not await asyncio.to_thread(sent.wait)

    talk(slack, story)
    assert "operation_timeout" in slack.ephemerals()[0]["text"]


def test_command_without_an_app_shows_dispatch_failed(slack: LocalSlack) -> None:
    sent = slack.command("/mend")
    assert sent is not None
    assert not sent.wait()
    assert "dispatch_failed" in slack.ephemerals()[0]["text"]


def test_refresh_moves_the_connection_and_loses_nothing(slack: LocalSlack) -> None:
    async def story(app: App) -> None:
        await asyncio.to_thread(slack.disconnect, "refresh_requested", 0.3)
        await asyncio.to_thread(slack.wait_for, lambda: slack.connections == 1, 5)
        slack.say("still there?")
        await app.until(1)

    talk(slack, story)


def test_envelope_on_a_cut_connection_comes_again(slack: LocalSlack) -> None:
    async def story(app: App) -> None:
        app.ignore = 1
        slack.say("hello")
        await app.until(1)
        slack.retry_scale = 0.01
        await asyncio.to_thread(slack.cut_connections)
        await app.until(2, 15)
        assert app.got[0].envelope_id == app.got[1].envelope_id

    talk(slack, story)


def test_deliver_five_times_and_in_reverse(slack: LocalSlack) -> None:
    async def story(app: App) -> None:
        slack.deliver_times = 5
        slack.say("one")
        await app.until(5)
        assert len({g.payload["event_id"] for g in app.got}) == 1
        slack.deliver_times = 1
        slack.hold()
        first, second = slack.say("a"), slack.say("b")
        slack.release(reverse=True)
        await app.until(7)
        assert [g.payload["event"]["ts"] for g in app.got[5:]] == [second, first]

    talk(slack, story)
