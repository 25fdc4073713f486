"""Signed HTTP: events as JSON, commands and interactivity as forms, with Slack's headers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import aiohttp

from bot.playground.courier import Courier, Delivery
from bot.playground.state import Json


def signature(secret: str, timestamp: str, body: str) -> str:
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()


class HttpEvents:
    def __init__(self, courier: Courier, url: str, secret: str) -> None:
        self.courier, self.url, self.secret = courier, url, secret
        self._session: aiohttp.ClientSession | None = None

    async def attempt(self, delivery: Delivery, number: int, reason: str, limit: float) -> str:
        headers = {}
        if number:
            headers = {"x-slack-retry-num": str(number), "x-slack-retry-reason": reason}
        delivery.sent_at.append(time.monotonic())
        try:
            status, answer_headers, text = await self._post(*_encoded(delivery), headers, limit)
        except TimeoutError:
            return "http_timeout"
        except aiohttp.ClientSSLError:
            return "ssl_error"
        except aiohttp.TooManyRedirects:
            return "too_many_redirects"
        except (aiohttp.ClientError, OSError):
            return "connection_failed"
        if status != 200:
            return "no_retry" if answer_headers.get("x-slack-no-retry") == "1" else "http_error"
        self.courier.acknowledge(delivery, _answer(text))
        return ""

    async def verify(self) -> bool:
        """The handshake Slack does when a request URL is saved."""
        challenge = hashlib.sha256(self.secret.encode()).hexdigest()
        body = json.dumps({"type": "url_verification", "token": "local", "challenge": challenge})
        status, _, text = await self._post(body, "application/json", {}, 3.0)
        return status == 200 and challenge in text

    async def _post(self, body: str, kind: str, extra: dict[str, str], limit: float) -> tuple[int, dict[str, str], str]:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        stamp = str(int(time.time()))
        headers = {"content-type": kind, "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
                   "x-slack-request-timestamp": stamp,
                   "x-slack-signature": signature(self.secret, stamp, body), **extra}  # fmt: skip
        async with asyncio.timeout(limit):
            async with self._session.post(self.url, data=body.encode(), headers=headers) as answer:
                text = await answer.text()
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, text

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def _encoded(delivery: Delivery) -> tuple[str, str]:
    form = "application/x-www-form-urlencoded"
    if delivery.kind == "events_api":
        return json.dumps(delivery.payload), "application/json"
    if delivery.kind == "slash_commands":
        return urlencode(delivery.payload), form
    return urlencode({"payload": json.dumps(delivery.payload)}), form


def _answer(text: str) -> Json:
    try:
        body = json.loads(text) if text.strip() else {}
    except ValueError:
        return {"text": text}
    return body if isinstance(body, dict) else {}
