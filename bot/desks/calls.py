"""What desks that are asked over HTTP have in common."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import requests
from requests.auth import AuthBase

from bot.desks.base import DeskError
from bot.drivers.calls import call, json_in
from bot.drivers.http import agent

LIMIT = 15
# Whatever a desk says, somebody looks again within a day.
LONGEST = 86_400.0
# A ticket's mark at the desk. What else may be in it, the ids of cases, is letters and digits.
MARK = re.compile(r"mend-([A-Za-z0-9]{1,40})")
_guard, _held = threading.Lock(), WeakValueDictionary[str, threading.Lock]()


@dataclass(frozen=True)
class Bearer(AuthBase):
    """A header that requests does not replace by what a `.netrc` of this machine has."""

    token: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def ask(who: str, method: str, url: str, headers: Mapping[str, str], **more: Any) -> requests.Response:
    """One call; no redirect is followed, so no token goes anywhere else."""
    headers = {"User-Agent": agent(), **headers}
    try:
        return call(method, url, LIMIT, headers=headers, **more)
    except requests.RequestException as error:
        raise DeskError("down", f"{who} does not answer ({type(error).__name__})") from None


def json_of(who: str, answer: requests.Response, check: str) -> Any:
    try:
        return json_in(answer)
    except ValueError:
        raise DeskError("down", f"{who} did not answer in JSON: check {check}") from None


def wait_of(headers: Mapping[str, str]) -> float:
    """Seconds to wait: what Retry-After says, else until X-RateLimit-Reset (seconds since 1970, or a date), else 0."""
    after, reset = headers.get("retry-after", "").strip(), headers.get("x-ratelimit-reset", "").strip()
    if after.isdecimal():
        return min(float(after), LONGEST)
    try:
        at = float(reset) if reset.isdecimal() else _moment(reset)
    except ValueError:
        return 0.0
    return min(max(at - time.time(), 1.0), LONGEST)


def _moment(text: str) -> float:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@contextlib.contextmanager
def alone(key: str) -> Iterator[None]:
    """One at a time in this process, for desks without an idempotency key; of several processes one has the job."""
    with _guard:
        lock = _held.setdefault(key, threading.Lock())
    with lock:
        yield
