"""Everything said to Slack goes through here: one held session, one place that understands refusals."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

log = logging.getLogger("mend.slack")
# slack_sdk spells out each request and answer for its log, shown or not, unless the logger's own level forbids it.
QUIET = logging.getLogger("mend.slack.calls")
QUIET.setLevel(logging.WARNING)
PAGES = 20
# Seconds, where a 429 names a moment, as what stands between us and Slack may.
A_WHILE = 30.0
PASSING = frozenset(
    {
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "ratelimited",
        "rate_limited",
        "team_added_to_org",
        "message_limit_exceeded",
    }
)
# The bot, or the person, is not in that conversation.
ABSENT = frozenset({"not_in_channel", "channel_not_found", "user_not_in_channel"})
# It may be there and not write: an archived channel, one for announcements, one without threads.
MUTE = frozenset({"is_archived", "cannot_reply_to_message", "team_access_not_granted"})
# A token is read from the vault anew after so long, or when Slack says that it is none any more: a reinstalled app.
TOKEN_SECONDS = 60.0
# A person who left a group, or was added, is known so late; Slack allows some twenty such questions a minute.
GROUP_SECONDS = 300.0
# Of somebody of another company, or beyond what this workspace may see: https://docs.slack.dev/reference/methods/users.info
UNSEEN = frozenset({"user_not_found", "user_not_visible"})
HINT = "; the scope usergroups:read comes with `mend manifest` and another install"
DEAD_TOKEN = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})


def closed_to_us(error: str) -> bool:
    """Whether Slack refuses a post because of the place and not because of what is said.

    The names: https://docs.slack.dev/reference/methods/chat.postMessage#errors
    """
    return error in ABSENT or error in MUTE or error.startswith("restricted_action")


class Later(Exception):
    """Try this order again after so many seconds, or when 0 after more and more."""

    def __init__(self, why: str, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.seconds = seconds


class SlackRefused(Exception):
    """Slack said no. `passing` means that the same call may succeed after `retry_after` seconds.

    `lost`: the answer did not come through, so it may have been done.
    """

    def __init__(self, error: str, *, passing: bool, retry_after: float = 0.0, lost: bool = False) -> None:
        super().__init__(error)
        self.error, self.passing, self.retry_after, self.lost = error, passing, retry_after, lost


class Sender:
    """The Web API with one aiohttp session: a new session or TLS context per call costs 1.6 to 21 ms of CPU."""

    def __init__(self, token_of: Callable[[str], Awaitable[str]], base_url: str) -> None:
        self._token_of, self._base_url = token_of, base_url
        self._client: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._users: dict[str, tuple[float, dict[str, Any]]] = {}
        self._unseen = set[str]()
        self._tokens: dict[str, tuple[float, str]] = {}
        self._groups: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}
        self._team = ""
        self._closed: dict[tuple[str, ...], float] = {}

    @property
    def client(self) -> AsyncWebClient:
        if self._client is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
            self._client = AsyncWebClient(
                base_url=self._base_url, session=self._session, timeout=15, retry_handlers=[], logger=QUIET
            )
        return self._client

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def call(self, method: str, team: str, **args: Any) -> dict[str, Any]:
        """One Web API call with JSON arguments, as the bot of that workspace. Raises SlackRefused."""
        # Slack counts posts by channel and everything else by workspace: https://docs.slack.dev/apis/web-api/rate-limits
        gate = (team, method, str(args["channel"]) if method.startswith("chat.post") else "")
        if (wait := self._closed.pop(gate, 0.0) - time.monotonic()) > 0:
            self._closed[gate] = time.monotonic() + wait
            raise SlackRefused("ratelimited", passing=True, retry_after=wait)
        try:
            return await self._called(method, team, "json", args)
        except SlackRefused as refusal:
            if refusal.error == "ratelimited":
                self._closed[gate] = time.monotonic() + refusal.retry_after
            raise

    async def ask(self, method: str, team: str, **params: Any) -> dict[str, Any]:
        """The same for methods that read: Slack takes JSON only for those that write."""
        return await self._called(method, team, "params", params)

    async def _called(self, method: str, team: str, way: str, args: dict[str, Any]) -> dict[str, Any]:
        since, token = self._tokens.get(team, (-TOKEN_SECONDS, ""))
        kept = time.monotonic() - since < TOKEN_SECONDS
        if not kept:
            token = await self._token_of(team)
            self._tokens[team] = (time.monotonic(), token)
        try:
            return await self._asked(method, **{way: {**args, "token": token}})
        except SlackRefused as refusal:
            if refusal.error not in DEAD_TOKEN:
                raise
            self._tokens.pop(team, None)
            if not kept:
                raise
        return await self._called(method, team, way, args)

    async def _asked(self, method: str, **given: Any) -> dict[str, Any]:
        try:
            answer = await self.client.api_call(method, **given)
        except SlackApiError as error:
            raise _refusal(error) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            lost = not isinstance(error, aiohttp.ClientConnectorError)
            raise SlackRefused(type(error).__name__, passing=True, lost=lost) from None
        return dict(answer.data) if isinstance(answer.data, dict) else {}

    async def tell(self, team: str, channel: str, user: str, thread: str, payload: dict[str, Any]) -> None:
        """Say it to one person: in the conversation, seen by them alone, or in a direct message."""
        where = {"thread_ts": thread} if thread else {}
        if not channel.startswith("D"):
            try:
                await self.call("chat.postEphemeral", team, channel=channel, user=user, **where, **payload)
                return
            except SlackRefused as refusal:
                if not closed_to_us(refusal.error):
                    raise
            channel, where = user, {}
        await self.call("chat.postMessage", team, channel=channel, **where, **payload)

    async def team(self) -> str:
        """The workspace of SLACK_BOT_TOKEN; '' without one that Slack takes."""
        if not self._team:
            try:
                self._team = str((await self.ask("auth.test", "")).get("team_id") or "")
            except SlackRefused as refusal:
                if refusal.passing:
                    raise Later(refusal.error, refusal.retry_after) from None
        return self._team

    async def user(self, team: str, user: str) -> dict[str, Any]:
        """users.info, kept ten minutes; {} where the scope is not granted."""
        at, info = self._users.get(f"{team}:{user}", (0.0, {}))
        if time.monotonic() - at < 600 and at:
            return info
        self._unseen.discard(f"{team}:{user}")
        try:
            info = dict((await self.ask("users.info", team, user=user)).get("user") or {})
        except SlackRefused as refusal:
            if refusal.passing:  # for want of an answer a guest must not count as a member
                raise Later(refusal.error, refusal.retry_after) from None
            info = {}
            if refusal.error in UNSEEN:
                self._unseen.add(f"{team}:{user}")
        self._users[f"{team}:{user}"] = (time.monotonic(), info)
        return info

    async def is_guest(self, team: str, user: str) -> bool:
        info = await self.user(team, user)
        outside = ("is_restricted", "is_ultra_restricted", "is_stranger")
        return f"{team}:{user}" in self._unseen or any(info.get(one) for one in outside)

    async def members(self, team: str, group: str) -> tuple[str, ...]:
        """Who is in a user group, kept five minutes; nobody where it is not of this workspace or Mend may not ask."""
        at, found = self._groups.get((team, group), (0.0, ()))
        if at and time.monotonic() - at < GROUP_SECONDS:
            return found
        try:
            found = tuple(map(str, (await self.ask("usergroups.users.list", team, usergroup=group)).get("users") or ()))
        except SlackRefused as refusal:
            if refusal.passing:
                raise Later(refusal.error, refusal.retry_after) from None
            found = ()
            if refusal.error != "no_such_subteam":  # of several workspaces one knows it
                hint = HINT if refusal.error == "missing_scope" else ""
                log.warning(
                    "%s: not told who is in %s (%s): only admins act for it%s", team, group, refusal.error, hint
                )
        self._groups[(team, group)] = (time.monotonic(), found)
        return found

    async def groups_of(self, team: str, user: str, groups: Iterable[str]) -> list[str]:
        """Those of these user groups that this person is in."""
        return [group for group in groups if user in await self.members(team, group)]

    async def find(self, team: str, channel: str, thread: str, mark: str, since: float) -> str | None:
        """The ts of a message of ours whose block ids start with `mark`, for a post whose answer was lost."""
        async with contextlib.aclosing(self._marked(team, channel, thread, mark, since)) as found:
            async for ts in found:
                return ts
        return None

    async def keep_one(self, team: str, channel: str, mark: str, since: float) -> None:
        """Of messages of ours with the same mark the first stays."""
        found = [ts async for ts in self._marked(team, channel, "", mark, since)]
        for ts in sorted(found, key=float)[1:]:
            await self.call("chat.delete", team, channel=channel, ts=ts)

    async def _marked(self, team: str, channel: str, thread: str, mark: str, since: float) -> AsyncGenerator[str, None]:
        method = "conversations.replies" if thread else "conversations.history"
        # A minute for clocks that differ.
        args = {"channel": channel, "limit": 200, "oldest": f"{since - 60:.6f}", **({"ts": thread} if thread else {})}
        cursor = ""
        for _ in range(PAGES):
            try:
                answer = await self.ask(method, team, **args, **({"cursor": cursor} if cursor else {}))
            except SlackRefused as refusal:
                if refusal.passing:
                    raise
                return
            for message in answer.get("messages") or []:
                if any(str(b.get("block_id", "")).startswith(f"{mark}:") for b in message.get("blocks") or []):
                    yield str(message["ts"])
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return


def _refusal(error: SlackApiError) -> SlackRefused:
    response = error.response
    status = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    headers = {str(k).lower(): v for k, v in (getattr(response, "headers", None) or {}).items()}
    data = getattr(response, "data", None)
    name = str(data.get("error") or "") if isinstance(data, dict) else ""
    if status == 429:
        after = headers.get("retry-after", "1")
        after = str(after[0] if isinstance(after, list) else after)
        return SlackRefused("ratelimited", passing=True, retry_after=float(after) if after.isdecimal() else A_WHILE)
    if not name and status < 300:  # half an answer, or a page of something in between: what was asked may be done
        return SlackRefused("no_answer", passing=True, lost=True)
    name = name or f"http_{status}"
    return SlackRefused(name, passing=status >= 500 or name in PASSING)
