"""Authorizing again in a real browser: from `/mend` over the provider's own page to `resolved`.

With MEND_TEST_PICTURES=FOLDER every step is also drawn there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import PATIENT
from tests.browser.test_credentials_page import ask, confirm, draw, link_of, phone, sound
from tests.fakes.oauth_provider import OAuthProvider
from tests.talk import BOB, World
from tests.web.oauth_visit import crm, everything


@pytest.fixture(scope="module")
def world(database: str, provider: OAuthProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    config = {"connections": {"crm": crm(provider)}, "oauth": {"hubspot": provider.registration()}}
    with World(database, Path(tmp_path_factory.mktemp("mend")), **config) as world:
        yield world


def visit(browser: Browser, *, script: bool) -> tuple[Page, list[str]]:
    """A telephone's page, and every address that it was at or told somebody else as its referrer."""
    context = phone(browser, script=script)
    page, seen = context.new_page(), list[str]()
    page.on("request", lambda request: seen.append(request.headers.get("referer", "")))
    return page, seen


def begin(slack: Page, page: Page, button: str = "Show me how to authorize the connection again") -> None:
    page.goto(link_of(slack, button))
    page.get_by_role("button", name="Begin").click()
    confirm(slack, page)


def test_a_connection_is_authorized_without_script_and_the_case_closes(
    world: World, provider: OAuthProvider, slack: Page, browser: Browser
) -> None:
    ask(slack, "crm")
    page, referrers = visit(browser, script=False)
    begin(slack, page)
    expect(page.get_by_role("button", name="Go to HubSpot")).to_be_visible(timeout=PATIENT)
    draw(page, "oauth-go")
    page.get_by_role("button", name="Go to HubSpot").click()
    expect(page.get_by_role("heading", name="Allow mend-app?")).to_be_visible(timeout=PATIENT)
    draw(page, "oauth-provider")
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_text("You did not allow it at HubSpot")).to_be_visible(timeout=PATIENT)
    draw(page, "oauth-denied")
    page.get_by_role("button", name="Go again to HubSpot").click()
    page.get_by_role("checkbox", name="crm.objects.deals.read").uncheck()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Not all was allowed")).to_be_visible(timeout=PATIENT)
    draw(page, "oauth-partial")
    page.get_by_role("button", name="Authorize again").click()
    page.get_by_role("button", name="Go to HubSpot").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="Is this right?")).to_be_visible(timeout=PATIENT)
    draw(page, "oauth-account")
    page.get_by_role("button", name="Yes, use it").click()
    expect(page.get_by_role("heading", name="work and are saved")).to_be_visible(timeout=PATIENT)
    draw(page, "oauth-saved")
    expect(slack.get_by_text("works again").last).to_be_visible(timeout=PATIENT)
    draw(slack, "oauth-resolved")
    assert not any(re.search("oauth/(start|callback)", one) for one in referrers)
    page.go_back()
    assert "code=" not in page.url
    seen = everything(world)
    assert not any(secret in seen for secret in provider.secrets())


def test_every_page_of_it_suits_a_screen_reader(
    world: World, provider: OAuthProvider, slack: Page, browser: Browser
) -> None:
    provider.revoke()
    ask(slack, "crm")
    page, _ = visit(browser, script=True)
    page.goto(link_of(slack, "Show me how to authorize the connection again"))
    sound(page, "oauth-begin")
    page.get_by_role("button", name="Begin").press("Enter")
    confirm(slack, page)
    expect(page.get_by_role("button", name="Go to HubSpot")).to_be_visible(timeout=PATIENT)
    sound(page, "oauth-go-again")
    page.get_by_role("button", name="Go to HubSpot").press("Enter")
    page.get_by_label("Account").select_option("99")
    page.get_by_role("button", name="Allow").press("Enter")
    expect(page.get_by_text("another account")).to_be_visible(timeout=PATIENT)
    sound(page, "oauth-other-account")
    page.get_by_role("button", name="No, authorize again").press("Enter")
    page.get_by_role("button", name="Go to HubSpot").press("Enter")
    page.get_by_role("button", name="Deny").press("Enter")
    expect(page.get_by_text("You did not allow it at HubSpot")).to_be_visible(timeout=PATIENT)
    sound(page, "oauth-denied-again")


def test_the_demo_connection_is_authorized_at_the_provider_that_is_played(trying: str, browser: Browser) -> None:
    slack = browser.new_page(viewport={"width": 1280, "height": 900})
    slack.set_default_timeout(PATIENT)
    slack.goto(trying)
    ask(slack, "hubspot-prod")
    page, _ = visit(browser, script=True)
    begin(slack, page)
    page.get_by_role("button", name="Go to HubSpot").click()
    expect(page.get_by_role("heading", name="Allow Mend to read Acme?")).to_be_visible(timeout=PATIENT)
    sound(page, "demo-provider")
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("button", name="Yes, use it").click()
    expect(page.get_by_role("heading", name="work and are saved")).to_be_visible(timeout=PATIENT)
    sound(page, "demo-saved")
    expect(slack.get_by_text("works again").last).to_be_visible(timeout=PATIENT)
    slack.close()


def test_somebody_else_is_chosen_from_the_list_of_people(world: World, slack: Page) -> None:
    talk = world.start("crm")
    talk.until("regenerating_credentials")
    talk.press("mend_reauthorize")
    slack.goto(f"{world.slack.url}/archives/{talk.channel}/p{talk.ts.replace('.', '')}?thread_ts={talk.ts}")
    chooser = slack.locator("select[data-field=mend_hand_over]").last
    expect(chooser).to_be_visible(timeout=PATIENT)
    draw(slack, "oauth-people")
    chooser.select_option(BOB)
    talk.said("was asked in a direct message")
    draw(slack, "oauth-asked")
