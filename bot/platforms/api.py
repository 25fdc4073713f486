"""How platforms are asked: JSON over HTTP, one request at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import requests

from bot.drivers.calls import call, json_in
from bot.drivers.http import agent
from bot.platforms.base import Kind, PlatformError

LIMIT = 20
Found = TypeVar("Found")


class Refused(PlatformError):
    """An answer that is no good: its HTTP status, and the platform's own name for the error where it has one."""

    def __init__(self, kind: Kind, text: str, status: int, code: str = "") -> None:
        super().__init__(kind, text)
        self.status, self.code = status, code


def ask(
    platform: str, method: str, url: str, headers: Mapping[str, str], *, limit: float = LIMIT, **more: Any
) -> tuple[int, Any]:
    """Status and JSON of an answer; no JSON is None. A redirect is not followed: it would take the token along."""
    headers = {"User-Agent": agent(), **headers}
    try:
        answer = call(method, url, limit, headers=headers, **more)
    except requests.RequestException as error:
        raise PlatformError("down", f"{platform} does not answer ({type(error).__name__})") from None
    try:
        return answer.status_code, json_in(answer)
    except ValueError:
        return answer.status_code, None


def answered(platform: str, method: str, url: str, headers: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """The object that a good answer holds. Raises Refused, with the platform's own `message` where it gives one."""
    status, body = ask(platform, method, url, headers, **more)
    said = body if isinstance(body, dict) else {}
    if 200 <= status < 300 and said:
        return said
    if status < 400:
        raise no_json(platform)
    what = " ".join(str(said.get("message") or said.get("detail") or said.get("title") or f"HTTP {status}").split())
    raise refused(platform, status, what[:120], token=status in (401, 403))


def rows(many: Any) -> list[dict[str, Any]]:
    """The objects of a list, whatever else came in its place."""
    return [one for one in many if isinstance(one, dict)] if isinstance(many, list) else []


def no_json(platform: str) -> PlatformError:
    return PlatformError("config", f"{platform} did not answer in JSON: check platform.base_url")


def endless(platform: str, things: str, count: int) -> PlatformError:
    """Of a list whose end is never seen a part would stand for the whole."""
    return PlatformError("config", f"{platform}'s list of {things} has no end behind {count}: check platform.base_url")


def refused(platform: str, status: int, what: str, *, token: bool, code: str = "") -> Refused:
    """Whose an answer that is no good is: with `token` the admin's, since that is what is refused."""
    kind: Kind
    if token:
        kind, text = "auth", f"refuses platform.token ({what}): make a new one in its account settings"
    elif status == 429:
        kind, text = "rate", "asks to wait"
    elif status >= 500:
        kind, text = "down", f"has trouble ({what})"
    else:
        kind, text = "config", f"does not take it ({what})"
    return Refused(kind, f"{platform} {text}", status, code)


def only(platform: str, wanted: str, same: Sequence[Found], things: str = "connections") -> Found:
    """The one that is meant."""
    if len(same) == 1:
        return same[0]
    why = f"{len(same)} {things} are called {wanted}" if same else f"no {things.removesuffix('s')} is called {wanted}"
    raise PlatformError("config", f"in {platform} {why}: name its id as platform_source in mend.yml")
