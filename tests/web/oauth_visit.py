"""A person at the provider's consent page, without JavaScript."""

from __future__ import annotations

import re
from typing import Any

import requests

from tests.dump import dumped
from tests.fakes.oauth_provider import OAuthProvider
from tests.talk import ALICE, Talk, World, wait
from tests.web.visitor import Visitor, confirm, links_of

TABLES = ["contacts", "deals"]


def crm(provider: OAuthProvider, **more: Any) -> dict[str, Any]:
    return {
        "connector": "hubspot",
        "settings": {"base_url": provider.url, "status_url": provider.url},
        "secrets": {"access_token": "revoked-long-ago"},
        "tables": TABLES,
        **more,
    }


def asked(talk: Talk, user: str = ALICE) -> str:
    """Ask for an authorization and wait for its link."""
    before = len(links_of(talk, user))
    talk.press("mend_reauthorize", user=user)
    wait(lambda: len(links_of(talk, user)) > before, 40)
    return links_of(talk, user)[-1]


def number(visitor: Visitor) -> str:
    code = re.search(r"(\d\d) This page looks again", visitor.text)
    assert code, visitor.text
    return code[1]


def ready(world: World, talk: Talk, user: str = ALICE) -> Visitor:
    """From the case's button to the page with the way to the provider, confirmed in Slack."""
    visitor = Visitor(asked(talk, user)).press("begin")
    confirm(world, talk, number(visitor), user)
    return visitor.until("Go to")


def departure(visitor: Visitor) -> str:
    """Press the button; the address at the provider."""
    visitor.press("go")
    found = re.match(r"0; url=(.+)", visitor.answer.headers.get("Refresh", ""))
    assert found, visitor.text
    return found[1]


def consent(url: str, *, account: str = "24601", without: tuple[str, ...] = (), deny: bool = False) -> str:
    """Answer the provider's question; the address that it sends the browser back to."""
    at_provider = requests.Session()
    page = at_provider.get(url, timeout=20)
    scopes = [one for one in re.findall(r'name=granted value="([^"]+)"', page.text) if one not in without]
    data: dict[str, Any] = {"account": account, "granted": scopes, "answer": "deny" if deny else "allow"}
    answer = at_provider.post(url, data=data, timeout=20, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def come_back(visitor: Visitor, url: str) -> Visitor:
    """The browser follows the provider's answer, and then its own page."""
    visitor.answer = visitor.session.get(url, timeout=20)
    return visitor


def bare(visitor: Visitor) -> str:
    """The page without what differs each time."""
    return re.sub(r'nonce="[^"]*"', "", visitor.answer.text)


def everything(world: World) -> str:
    """What is kept or was sent anywhere: database, log, every call to Slack and every payload from it."""
    said = [str(call) for call in world.slack.calls] + [str(d) for d in world.slack.deliveries]
    return "\n".join([dumped(world.url), world.log.read_text(), *said])
