"""Signing in with Slack in a real browser, without script: from a page over Slack's own to what the page is for.

With MEND_TEST_PICTURES=FOLDER every step is also drawn there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import PATIENT
from tests.browser.test_credentials_page import ask, draw, link_of, sound
from tests.browser.test_oauth_page import visit
from tests.fakes.oauth_provider import OAuthProvider
from tests.talk import World
from tests.web.oauth_visit import crm
from tests.web.test_sign_in import SigningIn


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with OAuthProvider() as provider:
        config = {"connections": {"crm": crm(provider)}, "oauth": {"hubspot": provider.registration()}}
        with SigningIn(database, Path(tmp_path_factory.mktemp("mend")), **config) as world:
            yield world


def test_a_person_signs_in_with_the_keyboard_and_goes_on_to_the_provider(slack: Page, browser: Browser) -> None:
    ask(slack, "crm")
    page, referrers = visit(browser, script=False)
    page.goto(link_of(slack, "Show me how to authorize the connection again"))
    draw(page, "sign-in-begin")
    page.get_by_role("button", name="Sign in with Slack").press("Enter")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("You did not sign in to Slack", timeout=PATIENT)
    draw(page, "sign-in-declined")
    page.get_by_role("button", name="Sign in with Slack").press("Enter")
    page.get_by_role("link", name="Sign in as Alice").click()
    expect(page.get_by_role("button", name="Go to HubSpot")).to_be_visible(timeout=PATIENT)
    draw(page, "sign-in-done")
    assert "code=" not in page.url + "".join(referrers)


def test_the_page_with_both_ways_is_sound(slack: Page, browser: Browser) -> None:
    ask(slack, "crm")
    page, _ = visit(browser, script=True)
    page.goto(link_of(slack, "Show me how to authorize the connection again") + "?sign_in=down")
    expect(page.get_by_role("alert")).to_contain_text("did not take the sign-in", timeout=PATIENT)
    sound(page, "sign-in-down")
