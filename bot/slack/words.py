"""What people write: an answer in a case's thread, a mention, a direct message."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.engine import receive
from bot.hot import CASE_IN_THREAD, CASE_OF_TEAM
from bot.settings import Settings
from bot.slack.commands import Wish, of_connection, wish
from bot.slack.home import OPEN
from bot.slack.tripwire import kind_of_secret, message_texts
from bot.slack.wishes import InTheWay, Wishes
from bot.store import CASE_OF_PAGE, Store
from flows.core.effects import Event
from flows.core.words import understand

HEARD = (None, "file_share", "thread_broadcast")
HELLO = frozenset({"hi", "hello", "hey", "hallo", "hola", "bonjour", "ciao", "test", "start", "mend"})
# A text longer than this is a story, not an answer or a name.
SHORT = 40
# Said to somebody by name, these are meant for Mend too: looking harms nobody. A yes to Bob opens no ticket.
REPORTED = ("mend_fixed", "mend_check_again")
CALLED = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>")
Body = dict[str, Any]


def is_stranger(body: Mapping[str, Any], team: str) -> bool:
    """Whether the author of a message belongs to another company (Slack Connect).

    In an Enterprise organisation Slack names the organisation (E...) in place of the workspace.
    """
    event = body["event"]
    home = str(event.get("user_team") or event.get("source_team") or event.get("team") or team)
    ours = {team, body.get("enterprise_id"), *(a.get("enterprise_id") for a in body.get("authorizations") or [])}
    return home not in ours


async def _case_of(client: AsyncWebClient, channel: str, root: str) -> str:
    """The case of a thread that Slack shows and that we have not written down yet: its root names it."""
    answer = await client.conversations_replies(channel=channel, ts=root, limit=1, include_all_metadata=True)
    shown = (answer.get("messages") or [{}])[0].get("metadata") or {}
    return str((shown.get("event_payload") or {}).get("case") or "")


class Words:
    """Every message is one event by its (channel, ts), however often and under whichever name Slack tells of it."""

    def __init__(self, store: Store, settings: Callable[[], Settings], wishes: Wishes) -> None:
        self.store, self.settings, self.wishes = store, settings, wishes

    async def hear(self, body: Body, team: str, bot_user: str, client: AsyncWebClient) -> None:
        event = body["event"]
        if event.get("subtype") == "message_changed":
            return await self._hear_edit(event, team, bot_user)
        user = str(event.get("user") or "")
        if event.get("subtype") not in HEARD or event.get("bot_id") or user in ("", bot_user):
            return
        channel, thread = str(event["channel"]), str(event.get("thread_ts") or "")
        place = {"team": team, "channel": channel, **({"thread": thread} if thread else {})}
        # Being called is no part of what is said; who else is named may be.
        text = re.sub(rf"<@{re.escape(bot_user)}(\|[^>]*)?>", " ", str(event.get("text") or ""))
        stranger = is_stranger(body, team)
        key = f"msg:{team}:{channel}:{event['ts']}"
        direct = channel.startswith("D") or event.get("channel_type") == "im"
        pasted = message_texts(event)
        said = (place, user, text, key, stranger, pasted)
        if (thread or direct) and await self._answer(*said):
            return
        if thread and event.get("parent_user_id") == bot_user:
            case_id = await _case_of(client, channel, thread)
            if case_id and await self._answer(*said, case_id):
                return
        if event["type"] != "app_mention" and not (direct and not thread):
            return
        if stranger:
            await self.wishes.tell("guest", place, user, key)
        elif kind := kind_of_secret(pasted):
            await self.wishes.tell("leaked", place, user, key, kind=kind)
        else:
            await self._ask(text, place, user, key)

    async def _hear_edit(self, event: Body, team: str, bot_user: str) -> None:
        """What was answered stays answered; only a secret that came in with an edit is noticed. Slack changes messages
        itself too (it shows what a link leads to): then the text is the same.
        """
        now = event.get("message") or {}
        user, pasted = str(now.get("user") or ""), message_texts(now)
        same = "edited" not in now or pasted == message_texts(event.get("previous_message") or {})
        if now.get("bot_id") or user in ("", bot_user) or same or not (kind := kind_of_secret(pasted)):
            return
        channel, thread = str(event["channel"]), str(now.get("thread_ts") or "")
        key = f"edit:{team}:{channel}:{now.get('ts')}:{now['edited'].get('ts')}"
        place = {"team": team, "channel": channel, **({"thread": thread} if thread else {})}
        direct = channel.startswith("D")
        heard = (thread or direct) and await self._answer(place, user, "", key, False, pasted)
        if direct and not heard:
            await self.wishes.tell("leaked", place, user, key, kind=kind)

    async def _answer(
        self, place: Mapping[str, str], user: str, text: str, key: str, stranger: bool, pasted: str, case_id: str = ""
    ) -> bool:
        """A word in a case's thread, or in a direct message to the person's open case. True when it was ours."""
        team, channel, thread = place["team"], place["channel"], place.get("thread")
        if case_id:
            row = await self.store.hot.one(CASE_OF_TEAM, {"id": case_id, "team": team})
        elif thread:
            row = await self.store.hot.one(CASE_IN_THREAD, {"team": team, "channel": channel, "thread": thread})
        else:
            row = await self._open_case(team, user, channel)
        if row is None:
            return False
        case, body = row
        if kind := kind_of_secret(pasted):
            seen = Event("leaked", key, time.time(), user, data={"team": team, "form": kind})
            await receive(self.store, None, case, seen)
            return True
        data = self._understood(text, body)
        if data is None:
            if not thread:
                return False
            # Who calls somebody else by name speaks with them.
            if not (body["waiting"] and body["owner"] == user and len(text) <= SHORT) or CALLED.search(text):
                return True
            named = next((name for name in self.settings().connections if name.lower() == text.strip().lower()), "")
            data = {"answer": "unclear", "named": named}
        data.update(team=team, **({"stranger": True} if stranger else {}))
        await receive(self.store, None, case, Event("answered", key, time.time(), user, data=data))
        return True

    async def _open_case(self, team: str, user: str, channel: str) -> tuple[str, Body] | None:
        """The case that a direct message is about."""
        async with self.store.hot.transaction() as connection:
            mine = next(iter(await self.store.cases_of(connection, team, [user], OPEN, channel)), None)
            mine = mine or await self.store.within(connection, CASE_OF_PAGE, {"team": team, "person": user})
        return (mine.id, mine.body) if mine else None

    def _understood(self, text: str, body: Body) -> dict[str, Any] | None:
        """The answer in a text: a number or name while choosing, else one of the words."""
        words = CALLED.sub(" ", text).strip()
        if body["state"] == "choosing":
            picked = self._picked(words, body["choices"])
            if picked:
                return {"answer": "mend_choose", **of_connection(self.settings(), picked)}
        answer, called = understand(words, body["state"]), CALLED.search(text)
        if answer == "mend_reauthorize" and called:
            return {"answer": "mend_hand_over", "to": called[1]}
        if called and answer not in REPORTED:
            return None
        return {"answer": answer} if answer else None

    def _picked(self, words: str, choices: list[str]) -> str:
        """The connection that a number of the list or a name means; a word of ours is no misspelt name."""
        known = self.settings().connections
        number = re.sub(r"[\s#.)]", "", words)
        if number.isdecimal() and len(number) < 10:  # of more Python makes no number
            name = choices[int(number) - 1] if 0 < int(number) <= len(choices) else ""
            return name if name in known else ""
        exact = words if words in known else next((name for name in known if name.lower() == words.lower()), "")
        return exact or ("" if understand(words, "choosing") else wish(words, self.settings()).connection)

    async def _ask(self, text: str, place: Mapping[str, str], user: str, key: str) -> None:
        """A mention or a direct message that is not an answer. A new case needs no reply: its thread says it."""
        settings, asked = self.settings(), wish(text, self.settings())
        if refused := self.wishes.refused(place["channel"]):
            await self.wishes.tell_payload(refused, place, user, key)
        elif asked.verb in ("open", "pick") and settings.connections:
            await self._open(self.wishes.open(asked, place, user, key), place, user, key)
        elif asked.verb == "unknown" and understand(text, ""):
            await self.wishes.tell("no_case_here", place, user, key)
        elif asked.verb == "unknown" and len(text.strip()) > SHORT and settings.connections:
            await self._open(self.wishes.report(text, place, user, key), place, user, key)
        else:
            # Several words, or a greeting, are no name that was misspelt: say what Mend can do.
            words = asked.asked.lower()
            lost = asked.verb == "unknown" and (words in HELLO or (" " in words and not asked.near))
            payload = await self.wishes.grant(Wish("help") if lost else asked, place, user, key)
            await self.wishes.tell_payload(payload, place, user, key)

    async def _open(self, opening: Awaitable[Any], place: Mapping[str, str], user: str, key: str) -> None:
        try:
            await opening
        except InTheWay as other:
            await self.wishes.tell_payload(other.payload, place, user, key)
