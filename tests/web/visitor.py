"""A browser without JavaScript: cookies, one form, and the page's text. Alice opens what Mend sends her."""

from __future__ import annotations

import html
import re
import time
from typing import Any

import requests

from tests.talk import ALICE, Talk, World, wait


def links_of(talk: Talk, user: str) -> list[str]:
    """The addresses that Slack shows to this person alone in this thread."""
    return [
        element["url"]
        for message in talk.slack.ephemerals(user)
        if message.get("thread_ts") == talk.ts
        for block in message.get("blocks") or []
        for element in block.get("elements") or []
        if element.get("action_id") == "mend_open_page"
    ]


def fresh_link(talk: Talk, user: str = ALICE) -> str:
    """Ask for a page and wait for its address."""
    before = len(links_of(talk, user))
    talk.press("mend_update_credentials", user=user)
    wait(lambda: len(links_of(talk, user)) > before, 40)
    return links_of(talk, user)[-1]


class Visitor:
    def __init__(self, url: str) -> None:
        self.url, self.session = url, requests.Session()
        self.answer: requests.Response = self.session.get(url, timeout=20)

    @property
    def text(self) -> str:
        body = re.sub(r"<style.*?</style>", " ", self.answer.text, flags=re.S)
        return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.answer.text)
        return found[1] if found else ""

    def look(self) -> Visitor:
        self.answer = self.session.get(self.url, timeout=20)
        return self

    def press(self, do: str, **fields: str) -> Visitor:
        self.answer = self.session.post(self.url, data={"csrf": self.csrf, "do": do, **fields}, timeout=20)
        return self

    def until(self, words: str, seconds: float = 40) -> Visitor:
        end = time.monotonic() + seconds
        while words not in self.look().text:
            assert time.monotonic() < end, self.text
            time.sleep(0.3)
        return self


def confirm(world: World, talk: Talk, code: str, user: str = ALICE, action: str = "mend_it_was_me") -> None:
    """Press the button of this case's private question that shows this number; another case may have drawn the same."""

    def asked() -> Any:
        asked = [m for m in world.slack.ephemerals(user) if m.get("thread_ts") == talk.ts]
        mine = [m for m in asked if f"number {code}" in m.get("text", "")]
        return mine[-1]["ts"] if mine else None

    world.slack.press(action, wait(asked, 40), user=user, channel=talk.channel)


def opened(world: World, talk: Talk) -> Visitor:
    """From the case's button to the form."""
    visitor = Visitor(fresh_link(talk))
    visitor.press("begin")
    code = re.search(r"(\d\d) This page looks again", visitor.text)
    assert code, visitor.text
    confirm(world, talk, code[1])
    return visitor.until("Try and save")
