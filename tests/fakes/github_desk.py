"""GitHub's issue API as the documentation describes it, over real HTTP.

https://docs.github.com/en/rest/issues/issues (the list holds pull requests too; labels are silently dropped where the
owner of the token may not push; 410 where issues are disabled; 422 without a title), .../rest/repos/repos ; limits:
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api . The words of a refused token as people
report them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.serve import Quiet, listening

LEFT = {"x-ratelimit-remaining": "4999", "x-ratelimit-reset": "1"}
NO = {"message": "Resource not accessible by personal access token"}
SLOW = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}


def moods() -> dict[str, tuple[int, Any, dict[str, str]]]:
    soon = str(int(time.time()) + 40)
    return {
        "401": (401, {"message": "Bad credentials"}, LEFT),
        "403": (403, NO, LEFT),
        "404": (404, {"message": "Not Found"}, LEFT),
        "410": (410, {"message": "Issues are disabled for this repo"}, LEFT),
        "422": (422, {"message": "Validation Failed"}, LEFT),
        "429": (429, None, {"retry-after": "7"}),
        "spent": (
            403,
            {"message": "API rate limit exceeded"},
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": soon},
        ),
        "secondary": (403, SLOW, LEFT),
        "500": (500, None, {}),
        "redirect": (301, {"message": "Moved Permanently"}, {"location": "https://api.github.com/repositories/1"}),
        "portal": (200, None, {"content-type": "text/html"}),
    }


class GitHub:
    """`may`: what the token may do to issues. `pushes`: whether its owner may. `loses_answer`: made, its answer lost."""

    def __init__(self) -> None:
        self.issues: list[dict[str, Any]] = []
        self.mood, self.url, self.may = "good", "", "write"
        self.pushes, self.loses_answer = True, False
        self.there: dict[str, Any] = {"has_issues": True, "archived": False, "private": True}
        self.asked: list[tuple[str, str]] = []
        self.lock = threading.Lock()

    def made(self, sent: dict[str, Any]) -> tuple[int, Any]:
        if self.may != "write":
            return 403, NO
        if not isinstance(sent.get("title"), str) or len(sent["title"]) > 256 or len(sent.get("body", "")) > 65536:
            return 422, {"message": "Validation Failed"}
        with self.lock:
            number = len(self.issues) + 12
            page = f"https://github.com/acme/data/issues/{number}"
            labels = [{"name": name} for name in sent.get("labels", ())] if self.pushes else []
            known = {"title": sent["title"], "body": sent.get("body"), "labels": labels}
            self.issues.append({"id": 9000 + number, "number": number, "html_url": page, **known})
            return 201, self.issues[-1]

    def found(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        assert (asked["state"], asked["sort"], asked["direction"]) == ("all", "created", "desc")
        wanted = asked.get("labels")
        there = [i for i in self.issues if not wanted or wanted in [label["name"] for label in i["labels"]]]
        return there[::-1][: int(asked["per_page"])]


class Handler(Quiet):
    state: GitHub

    def _do(self) -> None:
        sent, state, url = self.sent(), self.state, urlsplit(self.path)
        state.asked.append((self.command, self.path))
        known = self.headers.get("authorization") == "Bearer t0ken"
        mood = state.mood if known else "401"
        if mood in moods():
            self.say(*moods()[mood])
            return
        path = url.path.removeprefix("/api/v3").lower()
        if self.command == "GET" and path == "/repos/acme/data":
            permissions = {"pull": True, "push": state.pushes, "triage": state.pushes}
            self.say(200, {**state.there, "permissions": permissions}, LEFT)
        elif path != "/repos/acme/data/issues":
            self.say(404, {"message": "Not Found"}, LEFT)
        elif self.command == "GET":
            self.say(200, state.found({k: v[0] for k, v in parse_qs(url.query).items()}), LEFT)
        else:
            status, body = state.made(sent)
            if status == 201 and state.loses_answer:
                self.close_connection = True
                self.connection.close()
                return
            self.say(status, body, LEFT)

    do_GET = do_POST = _do


@contextmanager
def github() -> Iterator[GitHub]:
    state = GitHub()
    with listening(Handler, state=state) as state.url:
        yield state
