"""What the hands do when they were stopped half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa

from bot.effects import Hands
from bot.settings import Desk, Settings
from bot.slack.sender import Sender
from bot.store import Store
from flows.core.case import Case
from tests.fakes.mail_desk import Mailbox, mailbox
from tests.rows import keep

CASE = Case("c1", "T1", "C1", "U0ALICE", 1.0, state="escalating", connection="warehouse", connector="postgres")


async def token_of(team: str) -> str:
    return "xoxb-never-used"


def run(url: str, work: Callable[[Store, Hands, Mailbox], Awaitable[None]]) -> None:
    async def go(box: Mailbox) -> None:
        store = Store(url)
        await store.open()
        keys = {"host": "127.0.0.1", "port": box.port, "from": "mend@acme.test", "to": "help@acme.test"}
        settings = Settings(desk=Desk(kind="email", user="bot", password="t0ken", **keys))  # noqa: S106 - of a fake
        try:
            await work(store, Hands(store, Sender(token_of, "http://127.0.0.1:1/"), lambda: settings), box)
        finally:
            await store.close()

    with mailbox() as box:
        asyncio.run(go(box))


async def answers(store: Store) -> list[dict[str, Any]]:
    async with store.alone() as connection:
        query = "SELECT args->'event'->'data' FROM procrastinate_jobs WHERE task_name = 'handle' ORDER BY id"
        return list((await connection.execute(sa.text(query))).scalars())


def test_a_mail_is_sent_once_though_its_job_runs_twice(fresh: str) -> None:
    async def work(store: Store, hands: Hands, box: Mailbox) -> None:
        for _ in range(2):
            await hands.open_ticket(CASE, {}, "c1.k.0")
        assert len(box.mails) == 1
        assert await answers(store) == [{"url": "", "id": "mend-c1"}]

    run(fresh, work)


def test_killed_while_a_mail_was_sent_a_person_is_asked_and_the_next_order_sends(fresh: str) -> None:
    async def work(store: Store, hands: Hands, box: Mailbox) -> None:
        async with store.transaction() as connection:
            await store.first_time(connection, "sending:c1.k.0")
        await hands.open_ticket(CASE, {}, "c1.k.0")
        assert box.mails == []
        assert (await answers(store))[0]["problem"] == "unsure"
        await hands.open_ticket(CASE, {}, "c1.l.0")
        assert len(box.mails) == 1

    run(fresh, work)


def test_a_case_with_a_ticket_is_sent_to_no_desk_again(fresh: str) -> None:
    async def work(store: Store, hands: Hands, box: Mailbox) -> None:
        known = Case.from_dict({**CASE.to_dict(), "ticket": {"url": "https://desk/7", "id": "7"}})
        await keep(store, known.to_dict())
        await hands.open_ticket(CASE, {}, "c1.k.0")
        assert box.mails == []
        assert await answers(store) == [{"url": "https://desk/7", "id": "7"}]

    run(fresh, work)


def test_a_fault_of_a_desk_is_told_and_not_retried_in_silence(fresh: str) -> None:
    async def work(store: Store, hands: Hands, box: Mailbox) -> None:
        def broken() -> Settings:
            raise KeyError("a fault of ours")

        hands.settings = broken
        await hands.open_ticket(CASE, {}, "c1.k.0")
        assert await answers(store) == [{"problem": "down", "said": "the desk failed (KeyError)"}]

    run(fresh, work)
