"""How messages are posted and edited, against the local Slack and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import sqlalchemy as sa

from bot.playground import LocalSlack, run_local_slack
from bot.slack import outbox as module
from bot.slack.outbox import Outbox
from bot.slack.sender import Later, Sender, SlackRefused
from bot.store import Store
from bot.tables import messages
from bot.worker import sweep
from flows.core.case import Case
from tests.fakes.serve import Quiet, listening

CASE = Case("c1", "T0LOCAL", "C0DATA", "U0ALICE", 1.0)


def said(key: str, text: str) -> dict[str, Any]:
    block = {"type": "section", "block_id": f"{key}:0", "text": {"type": "mrkdwn", "text": text}}
    return {"text": text, "blocks": [block]}


def run(url: str, work: Callable[[LocalSlack, Store, Outbox], Awaitable[None]]) -> None:
    slack = LocalSlack()

    async def token_of(team: str) -> str:
        return slack.bot_token

    async def go() -> None:
        store, sender = Store(url), Sender(token_of, slack.api_url)
        await store.open()
        try:
            await work(slack, store, Outbox(store, sender))
        finally:
            await sender.close()
            await store.close()

    with run_local_slack("127.0.0.1", 0, slack):
        asyncio.run(go())


async def age(store: Store, seconds: float) -> None:
    """As if so much time had passed."""
    async with store.alone() as connection:
        now = {c: messages.c[c] - seconds for c in ("edited_at", "updated_at", "due_at")}
        await connection.execute(messages.update().values(**now))


async def due(store: Store, box: Outbox) -> None:
    await sweep(store)
    async with store.alone() as connection:
        flush = "DELETE FROM procrastinate_jobs WHERE task_name = 'flush' RETURNING args->>'key'"
        keys = list((await connection.execute(sa.text(flush))).scalars())
    for key in keys:
        await box.flush(key)


def shown(slack: LocalSlack) -> list[str]:
    return sorted(m["text"] for m in slack.messages("C0DATA") if m.get("metadata"))


def test_edits_of_a_workspace_keep_to_its_budget_and_only_the_last_wish_is_sent(
    fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EDITS_A_MINUTE", 5)

    async def work(slack: LocalSlack, store: Store, box: Outbox) -> None:
        keys = [f"m{n}" for n in range(8)]
        for key in keys:
            await box.post(CASE, key, said(key, f"{key} first"), -1)
        await age(store, 10)
        for wish in ("second", "third", "last"):
            for key in keys:
                await box.edit(key, said(key, f"{key} {wish}"), now=False)
        await age(store, 4)
        await due(store, box)
        assert len(slack.calls_of("chat.update")) == 5
        for _ in range(3):
            await age(store, 61)
            await due(store, box)
        assert len(slack.calls_of("chat.update")) <= 5 + 8
        assert shown(slack) == [f"{key} last" for key in keys]

    run(fresh, work)


def test_a_wish_taken_back_before_its_time_is_not_sent(fresh: str) -> None:
    async def work(slack: LocalSlack, store: Store, box: Outbox) -> None:
        await box.post(CASE, "m", said("m", "first"), -1)
        async with store.alone() as connection:
            first = (await connection.execute(sa.select(messages.c.shown))).scalar_one()
        await box.edit("m", said("m", "second"), now=False)
        await box.edit("m", first, now=False)
        await age(store, 10)
        await due(store, box)
        assert (slack.calls_of("chat.update"), shown(slack)) == ([], ["first"])

    run(fresh, work)


def test_an_edit_cut_short_by_a_kill_is_sent_by_the_sweep(fresh: str) -> None:
    async def work(slack: LocalSlack, store: Store, box: Outbox) -> None:
        await box.post(CASE, "m", said("m", "first"), 1)
        slack.faults.fail("chat.update", status=503)
        with pytest.raises(Later):
            await box.edit("m", said("m", "answered"), now=True, settled=True)
        await age(store, 10)
        await due(store, box)
        assert shown(slack) == ["answered"]

    run(fresh, work)


def test_of_two_processes_that_do_the_same_job_one_posts(fresh: str) -> None:
    async def work(slack: LocalSlack, store: Store, box: Outbox) -> None:
        slack.faults.slow("chat.postMessage", 0.5)
        both = [box.post(CASE, "m", said("m", "first"), -1) for _ in range(2)]
        done = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(d).__name__ for d in done) == ["Later", "NoneType"]
        await box.post(CASE, "m", said("m", "first"), -1)
        assert shown(slack) == ["first"]

    run(fresh, work)


def test_after_a_429_no_call_goes_out_before_its_time(fresh: str) -> None:
    async def work(slack: LocalSlack, store: Store, box: Outbox) -> None:
        slack.faults.rate_limit("chat.postMessage", retry_after=2)
        for key in ("a", "b", "c"):
            with pytest.raises(Later) as later:
                await box.post(CASE, key, said(key, key), -1)
            assert 0 < later.value.seconds <= 2
        assert len(slack.calls_of("chat.postMessage")) == 1
        await asyncio.sleep(later.value.seconds + 0.05)
        await box.post(CASE, "a", said("a", "a"), -1)
        assert shown(slack) == ["a"]

    run(fresh, work)


def test_a_message_that_slack_refused_once_can_be_posted_by_whoever_comes_next(fresh: str) -> None:
    async def work(slack: LocalSlack, store: Store, box: Outbox) -> None:
        slack.faults.refuse("chat.postMessage", "invalid_arguments")
        async with box.slot() as slot:
            await box.post(CASE, "plan", said("plan", "plan"), -1, slot)
            await box.post(CASE, "m", said("m", "m"), -1, slot)
        async with store.hot.connection():  # so that it comes over another one
            await box.post(CASE, "plan", said("plan", "plan"), -1)
        assert shown(slack) == ["m", "plan"]

    run(fresh, work)


class InTheWay(Quiet):
    """Something between us and Slack that answers in its place."""

    answer: tuple[int, str, bytes]
    more: dict[str, str] = {}

    def do_POST(self) -> None:
        status, kind, body = self.answer
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **self.more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("answer", [(200, "application/json", b'{"ok": tr'), (200, "text/html", b"<h1>Back soon</h1>")])
def test_what_is_no_answer_of_slack_drops_no_message(answer: tuple[int, str, bytes]) -> None:
    refused = refusal_of(answer=answer)
    assert (refused.passing, refused.lost) == (True, True)


def test_a_moment_until_which_to_wait_is_as_good_as_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    refused = refusal_of(answer=(429, "text/plain", b""), more={"Retry-After": at})
    assert refused.error == "ratelimited"
    assert 0 < refused.retry_after <= 90


def refusal_of(**said: Any) -> SlackRefused:
    async def token_of(team: str) -> str:
        return "xoxb-1"

    async def go(url: str) -> SlackRefused:
        sender = Sender(token_of, f"{url}/api/")
        try:
            with pytest.raises(SlackRefused) as refused:
                await sender.call("chat.postMessage", "T1", channel="C1", text="it")
            return refused.value
        finally:
            await sender.close()

    with listening(InTheWay, **said) as url:
        return asyncio.run(go(url))
