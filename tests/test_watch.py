"""What runs out is looked at once a day, shown, and somebody is reminded once per thing and threshold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

from bot import expiries
from bot.cipher import make_key
from bot.playground import LocalSlack, run_local_slack
from bot.playground.oauth import add_workspace
from bot.playground.state import BOT_USER, User
from bot.settings import Access, Connection, Settings, Watching
from bot.slack.home import publish
from bot.slack.sender import Later, Sender
from bot.store import Store
from bot.threads import Threads
from bot.upkeep import forget_team
from bot.vault import open_vault, opened
from bot.watch import Watch, queue_looks
from flows.core.case import Case
from tests.rows import keep
from tests.talk import ALICE, BOB, CHARLIE, DANA, GUEST

DAY = 86_400


class Place:
    """Replicas on one database, a local Slack, and a role whose password ends. `days` have passed since now."""

    def __init__(self, url: str, slack: LocalSlack, store: Store) -> None:
        self.url, self.slack, self.store, self.days = url, slack, store, 0.0
        self.role = f"r{time.time_ns()}"
        where = conninfo_to_dict(url)
        made = {"host": where["host"], "database": where["dbname"], "user": self.role}
        one = Connection(connector="postgres", settings=made, secrets={"password": "S3cret!"}, owner=ALICE)
        self.settings = Settings(connections={"warehouse": one}, access=Access(admins=[BOB]))
        self.tokens = dict[str, str]()
        self.pool, self.senders = Threads(4), list[Sender]()
        self.execute(f"CREATE ROLE {self.role} LOGIN PASSWORD 'S3cret!'")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(statement)  # type: ignore[call-overload]

    def ends_in(self, days: float) -> None:
        until = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(time.time() + days * DAY))
        self.execute(f"ALTER ROLE {self.role} VALID UNTIL '{until}'")

    def replica(self) -> Watch:
        async def token_of(team: str) -> str:
            return self.tokens.get(team, self.slack.bot_token)

        self.senders.append(Sender(token_of, self.slack.api_url))
        return Watch(
            self.store, self.senders[-1], lambda: self.settings, self.pool, lambda: time.time() + self.days * DAY
        )

    async def ask(self, query: str, **params: Any) -> list[Any]:
        async with self.store.transaction() as connection:
            result = await connection.execute(sa.text(query), params)
            return list(result.all()) if result.returns_rows else []

    async def look(self) -> None:
        """As if a day had passed since the last one."""
        await self.ask("UPDATE looks SET done_at = 0")
        await self.replica().look("warehouse")

    async def remind(self) -> None:
        for (job,) in await self.ask("SELECT args FROM procrastinate_jobs WHERE task_name = 'remind' ORDER BY id"):
            await self.replica().remind(**job)

    async def installed(self, *teams: str) -> None:
        """Each of these workspaces has installed Mend, in this order, and knows its own people and groups alone."""
        for n, team in enumerate(teams):
            if team not in self.slack.space.teams:
                add_workspace(self.slack.hub, team, team.lower())
            self.tokens[team] = f"xoxb-{team}"
            self.slack.hub.tokens[self.tokens[team]] = team
            await self.ask("INSERT INTO installations VALUES (:team, '', :at)", team=team, at=float(n))

    def posts(self, channel: str) -> list[dict[str, Any]]:
        return [m for m in self.slack.messages(channel) if m["user"] == BOT_USER]


@pytest.fixture
def watched(fresh: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Place], Awaitable[None]]], None]:
    monkeypatch.setenv("MEND_SECRET_KEY", make_key())
    open_vault(fresh)

    async def go(work: Callable[[Place], Awaitable[None]]) -> None:
        slack = LocalSlack()
        server = run_local_slack("127.0.0.1", 0, slack)
        server.start()
        store = Store(fresh)
        await store.open()
        place = Place(fresh, slack, store)
        try:
            await queue_looks(store, place.settings)
            await work(place)
        finally:
            for sender in place.senders:
                await sender.close()
            await store.close()
            server.stop()
            place.execute(f"DROP ROLE {place.role}")

    return lambda work: asyncio.run(go(work))


Watched = Callable[[Callable[[Place], Awaitable[None]]], None]


def test_the_owner_is_reminded_once_per_threshold_though_replicas_look_at_once(watched: Watched) -> None:
    async def work(place: Place) -> None:
        place.ends_in(40)
        await place.look()
        seen = []
        for place.days in (0, 9, 11, 12, 33.5, 34, 39.5, 40.5):
            await asyncio.gather(*(place.replica().look("warehouse") for _ in range(3)))
            both = await asyncio.gather(place.remind(), place.remind(), return_exceptions=True)
            assert all(one is None or isinstance(one, Later) for one in both)  # one waits for the other
            seen.append(len(place.posts("D0ALICE")))
        assert seen == [0, 0, 1, 1, 2, 2, 3, 3]
        first = place.posts("D0ALICE")[0]
        assert f"The password of {place.role} at" in first["text"]
        assert "runs out in 28 days" in first["text"]
        assert "warehouse" in first["text"]
        button = first["blocks"][-1]["elements"][0]
        assert (button["action_id"], button["value"], button["text"]["text"]) == (
            "mend_open",
            "warehouse",
            "Open a case",
        )

    watched(work)


def test_a_new_day_is_a_new_thing_and_no_day_is_none(watched: Watched) -> None:
    async def work(place: Place) -> None:
        for days, wanted in ((5, 1), (25, 2), (25, 2)):
            if len(place.posts("D0ALICE")) < wanted:
                place.ends_in(days)
            await place.look()
            await place.remind()
            assert len(place.posts("D0ALICE")) == wanted
        place.execute(f"ALTER ROLE {place.role} VALID UNTIL 'infinity'")
        await place.look()
        assert await place.ask("SELECT * FROM expiries") == []

    watched(work)


def test_it_logs_in_no_more_than_once_a_day_and_not_at_all_after_a_refusal(watched: Watched) -> None:
    async def work(place: Place) -> None:
        async def tried() -> int:
            before = await place.ask("SELECT done_at FROM looks")
            await place.replica().look("warehouse")
            return int(before != await place.ask("SELECT done_at FROM looks"))

        assert [await tried(), await tried(), await tried()] == [1, 0, 0]
        await place.ask("UPDATE health SET verdict = 'bad', cause = 'invalid_credentials'")
        await place.look()
        assert [row.verdict for row in await place.ask("SELECT verdict FROM health")] == ["bad"]  # not tried again

    watched(work)


def test_an_ssh_certificate_that_two_connections_log_in_with_is_one_reminder(watched: Watched) -> None:
    async def work(place: Place) -> None:
        place.settings.connections["files"] = place.settings.connections["warehouse"]
        for name in ("warehouse", "files"):
            async with place.store.transaction() as connection:
                await expiries.keep(connection, name, "ssh_certificate", "stitch at bastion", 6.5 * DAY + 1.8e9)
        place.days = (1.8e9 - time.time()) / DAY
        for name in ("warehouse", "files"):
            await place.replica()._remind(name)
        await place.remind()
        (post,) = place.posts("D0ALICE")
        assert "The SSH certificate of stitch at bastion runs out in 6 days" in post["text"]
        assert "files, warehouse" in post["text"]

    watched(work)


def test_every_connection_has_its_time_and_one_that_is_gone_is_forgotten(watched: Watched) -> None:
    async def work(place: Place) -> None:
        one = place.settings.connections["warehouse"]
        many = Settings(connections={f"c{n}": one for n in range(50)})
        await queue_looks(place.store, many)
        due = [row.due_at - time.time() for row in await place.ask("SELECT due_at FROM looks")]
        assert len(due) == 50
        assert 0 < min(due) < max(due) <= 3600
        assert max(due) - min(due) > 1800
        await place.ask("UPDATE looks SET due_at = 0 WHERE connection IN ('c1', 'c2')")
        await asyncio.gather(*(queue_looks(place.store, many) for _ in range(4)))
        jobs = await place.ask(
            "SELECT args->>'name' AS name FROM procrastinate_jobs WHERE task_name = 'look' ORDER BY 1"
        )
        assert [row.name for row in jobs] == ["c1", "c2"]
        async with place.store.transaction() as connection:
            await expiries.keep(connection, "c1", "token", "access_token", time.time())
        await queue_looks(place.store, Settings(connections={"c2": one}))
        assert [row.connection for row in await place.ask("SELECT connection FROM looks")] == ["c2"]
        assert await place.ask("SELECT * FROM expiries") == []

    watched(work)


def test_without_an_owner_to_ask_the_channel_of_its_last_case_is_told_or_an_administrator(watched: Watched) -> None:
    async def work(place: Place) -> None:
        place.ends_in(6)
        place.settings.connections["warehouse"].owner = "S0DATATEAM"
        await place.look()
        await place.remind()
        assert len(place.posts("D0BOB")) == 1
        case = Case("c1", "T0LOCAL", "C0DATA", DANA, 1.0, connection="warehouse", connector="postgres", changed_at=1.0)
        await keep(place.store, case.to_dict())
        place.days = 5.5
        await place.replica().look("warehouse")
        await place.remind()
        (post,) = place.posts("C0DATA")
        assert "<!subteam^S0DATATEAM>" in str(post["blocks"])
        place.settings.watch = Watching(channel="C0NOWHERE", days=[10])
        await place.look()
        await place.remind()
        assert len(place.posts("D0BOB")) == 2  # Mend is not in that channel

    watched(work)


def test_every_member_of_the_group_that_owns_it_is_reminded_once(watched: Watched) -> None:
    async def work(place: Place) -> None:
        place.ends_in(6)
        place.settings.connections["warehouse"].owner = "S0DATATEAM"
        place.slack.space.groups["S0DATATEAM"] = [ALICE, DANA, GUEST, CHARLIE]
        place.slack.space.user(DANA).deleted = True
        place.slack.space.add_user(User("U0ERIN", "erin", "Erin Moss"))
        place.slack.space.groups["S0DATATEAM"] += ["U0ERIN"]
        for _ in range(2):
            await place.look()
            await place.remind()
        for channel in ("D0ALICE", "D0ERIN"):
            (post,) = place.posts(channel)
            assert "<!subteam^S0DATATEAM>: The password of" in str(post["blocks"])
        # Neither who left, nor guests and people of other companies, who see no names of connections.
        assert [place.posts(c) for c in ("D0DANA", "D0GUEST", "D0CHARLIE", "D0BOB", "C0DATA")] == [[]] * 5

    watched(work)


def test_a_group_that_is_large_or_unknown_is_called_in_the_channel(watched: Watched) -> None:
    async def work(place: Place) -> None:
        place.ends_in(6)
        place.settings.watch = Watching(channel="C0DATA", days=[10])
        place.settings.connections["warehouse"].owner = "S0DATATEAM"
        place.slack.space.groups["S0DATATEAM"] = [ALICE, BOB, *(f"U0CROWD{n}" for n in range(10))]
        await place.look()
        await place.remind()
        place.slack.hub.scopes.discard("usergroups:read")
        place.settings.watch = Watching(channel="C0DATA", days=[9])
        await place.look()
        await place.remind()
        told = place.posts("C0DATA")
        assert len(told) == 2
        assert all("<!subteam^S0DATATEAM>" in str(post["blocks"]) for post in told)
        assert place.posts("D0ALICE") == place.posts("D0BOB") == []

    watched(work)


@pytest.mark.parametrize("first", ["T0LOCAL", "T0OTHER"])
def test_each_workspace_hears_of_its_own_people_groups_and_channels_alone(watched: Watched, first: str) -> None:
    """Whichever of them installed Mend first."""

    async def work(place: Place) -> None:
        await place.installed(first, "T0OTHER" if first == "T0LOCAL" else "T0LOCAL")
        one = place.settings.connections["warehouse"]
        owners = {"mine": ALICE, "theirs": "U0OTHER", "group": "S0OTHER", "channel": None}
        place.settings.connections = {name: one.model_copy(update={"owner": by}) for name, by in owners.items()}
        place.settings.watch = Watching(channel="C0OTHER", days=[10])
        place.slack.space.groups["S0OTHER"] = ["U0OTHER"]
        for name in owners:
            async with place.store.transaction() as connection:
                await expiries.keep(connection, name, "token", name, time.time() + 3 * DAY)
            await place.replica()._remind(name)
        await place.remind()
        told = {
            channel: sorted(
                name for name in owners for post in place.posts(channel) if f"Connection: {name}." in post["text"]
            )
            for channel in ("D0ALICE", "D0OTHER", "C0OTHER", "D0BOB", "C0DATA")
        }
        assert told == {"D0ALICE": ["mine"], "D0OTHER": ["group", "theirs"], "C0OTHER": ["channel"], "D0BOB": [],
                        "C0DATA": []}  # fmt: skip

    watched(work)


def test_a_workspace_that_removed_mend_hears_nothing_any_more(watched: Watched) -> None:
    async def work(place: Place) -> None:
        await place.installed("T0LOCAL", "T0OTHER")
        place.settings.connections["warehouse"].owner = None
        case = Case("c1", "T0OTHER", "C0OTHER", DANA, 1.0, connection="warehouse", connector="postgres", changed_at=1.0)
        await keep(place.store, case.to_dict())
        async with place.store.transaction() as connection:
            await forget_team(connection, "T0OTHER")
        place.ends_in(6)
        await place.look()
        await place.remind()
        assert (len(place.posts("D0BOB")), place.posts("C0OTHER")) == (1, [])

    watched(work)


def test_a_deactivated_owner_is_a_warning_and_an_administrator_hears_of_it(watched: Watched) -> None:
    async def work(place: Place) -> None:
        await asyncio.to_thread(opened().put, "warehouse.password", "S3cret!", DANA, connection="warehouse")
        for user in (ALICE, DANA):
            place.slack.space.user(user).deleted = True
        for _ in range(2):
            await place.look()
            await place.remind()
        assert place.posts("D0ALICE") == []
        told = [m["text"] for m in place.posts("D0BOB")]
        assert len(told) == 2
        assert all("is deactivated" in text and "Give it another owner" in text for text in told)
        place.slack.space.user(DANA).deleted = False
        await place.look()
        assert [row.what for row in await place.ask("SELECT what FROM expiries")] == [ALICE]

    watched(work)


def test_connections_on_one_certificate_are_one_reminder(watched: Watched) -> None:
    async def work(place: Place) -> None:
        one = place.settings.connections["warehouse"]
        place.settings.connections["billing"] = one
        at = time.time() + 3 * DAY
        async with place.store.transaction() as connection:
            for name in ("billing", "warehouse"):
                await expiries.keep(connection, name, "certificate", "db.example.com", at)
                await expiries.keep(connection, name, "token", "access_token", at)
        for name in ("billing", "warehouse"):
            await place.replica()._remind(name)
        await place.remind()
        told = [m["text"] for m in place.posts("D0ALICE")]
        assert len(told) == 3
        assert "Connections: billing, warehouse." in next(text for text in told if "certificate" in text)

    watched(work)


def test_an_outage_of_slack_delays_a_reminder_and_a_lost_answer_repeats_none(watched: Watched) -> None:
    async def work(place: Place) -> None:
        place.ends_in(6)
        await place.look()
        place.slack.faults.fail("chat.postMessage", times=1)
        with pytest.raises(Later):
            await place.remind()
        await place.remind()
        assert len(place.posts("D0ALICE")) == 1
        await place.ask("UPDATE reminders SET state = 'sending'")  # killed after the post
        place.slack.faults.fail("conversations.history", times=1)
        with pytest.raises(Later):
            await place.remind()
        await place.remind()
        assert len(place.posts("D0ALICE")) == 1

    watched(work)


def test_an_answer_that_was_lost_on_the_way_counts_as_a_post(watched: Watched) -> None:
    async def work(place: Place) -> None:
        place.ends_in(6)
        await place.look()
        place.slack.faults.drop("chat.postMessage", done_first=True)
        with pytest.raises(Later):
            await place.remind()
        await place.remind()
        assert len(place.posts("D0ALICE")) == 1

    watched(work)


@pytest.mark.parametrize("known", [False, True])
def test_a_reminder_that_was_killed_before_its_post_is_sent(watched: Watched, known: bool) -> None:
    async def work(place: Place) -> None:
        place.ends_in(6)
        await place.look()
        if known:
            await place.remind()
            place.ends_in(5)
            await place.look()
        await place.ask("UPDATE reminders SET state = 'sending' WHERE state = 'due'")
        await place.remind()
        await place.remind()
        assert len(place.posts("D0ALICE")) == 1 + known

    watched(work)


def test_home_shows_it_to_members_and_not_to_guests(watched: Watched) -> None:
    async def work(place: Place) -> None:
        place.ends_in(6)
        await place.look()
        place.replica()
        for user, sees in ((ALICE, True), (GUEST, False)):
            await publish(place.store, place.senders[-1], place.settings, "T0LOCAL", user)
            view = next(c.args["view"] for c in reversed(place.slack.calls) if c.method == "views.publish")
            assert (f"The password of *{place.role} at" in str(view)) is sees

    watched(work)
