"""Everything said to Slack goes through here: one held session, one place that understands refusals."""

from __future__ import annotations

import logging
import time
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

log = logging.getLogger("mend.slack")
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


class Later(Exception):
    """Try this order again after so many seconds."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class SlackRefused(Exception):
    """Slack said no. `passing` means that the same call may succeed after `retry_after` seconds."""

    def __init__(self, error: str, *, passing: bool, retry_after: float = 0.0) -> None:
        super().__init__(error)
        self.error, self.passing, self.retry_after = error, passing, retry_after


class Sender:
    """The Web API with one aiohttp session: a new session or TLS context per call costs 1.6 to 21 ms of CPU."""

    def __init__(self, token: str, base_url: str) -> None:
        self._token, self._base_url = token, base_url
        self._client: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._users: dict[str, tuple[float, dict[str, Any]]] = {}

    @property
    def client(self) -> AsyncWebClient:
        if self._client is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
            self._client = AsyncWebClient(
                token=self._token, base_url=self._base_url, session=self._session, timeout=15, retry_handlers=[]
            )
        return self._client

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def call(self, method: str, **args: Any) -> dict[str, Any]:
        """One Web API call with JSON arguments. Raises SlackRefused."""
        try:
            answer = await self.client.api_call(method, json=args)
        except SlackApiError as error:
            raise _refusal(error) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SlackRefused(type(error).__name__, passing=True, retry_after=1.0) from None
        return dict(answer.data) if isinstance(answer.data, dict) else {}

    async def user(self, team: str, user: str) -> dict[str, Any]:
        """users.info, kept ten minutes; {} where the scope is not granted."""
        at, info = self._users.get(f"{team}:{user}", (0.0, {}))
        if time.monotonic() - at < 600 and at:
            return info
        try:
            answer = await self.client.api_call("users.info", params={"user": user})
            info = dict(answer.get("user") or {})
        except Exception:
            info = {}
        self._users[f"{team}:{user}"] = (time.monotonic(), info)
        return info

    async def is_guest(self, team: str, user: str) -> bool:
        info = await self.user(team, user)
        return bool(info.get("is_restricted") or info.get("is_ultra_restricted") or info.get("is_stranger"))

    async def find(self, channel: str, thread: str, mark: str, since: float) -> str | None:
        """The ts of a message of ours whose block ids start with `mark`, for a post whose answer was lost."""
        method = "conversations.replies" if thread else "conversations.history"
        args = {"channel": channel, "limit": 100, "oldest": f"{since - 5:.6f}", **({"ts": thread} if thread else {})}
        try:
            answer = await self.client.api_call(method, params=args)
        except Exception:
            return None
        for message in answer.get("messages") or []:
            if any(str(b.get("block_id", "")).startswith(f"{mark}:") for b in message.get("blocks") or []):
                return str(message["ts"])
        return None


def _refusal(error: SlackApiError) -> SlackRefused:
    response = error.response
    status = getattr(response, "status_code", 0)
    headers = {str(k).lower(): v for k, v in (getattr(response, "headers", None) or {}).items()}
    data = getattr(response, "data", None)
    name = str(data.get("error", "unknown")) if isinstance(data, dict) else f"http_{status}"
    if status == 429:
        after = headers.get("retry-after", "1")
        after = after[0] if isinstance(after, list) else after
        return SlackRefused("ratelimited", passing=True, retry_after=float(after or 1))
    return SlackRefused(name, passing=status >= 500 or name in PASSING)
