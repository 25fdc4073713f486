"""New credentials in a real browser, without JavaScript on the page, from `/mend` to `resolved`.

With MEND_TEST_PICTURES=FOLDER every step is also drawn there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from messages.page import page as render_page
from tests.browser.chromium import PATIENT


@pytest.fixture
def slack(browser: Browser, trying: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENT)
    page.goto(trying)
    yield page
    page.close()


def draw(page: Page, name: str) -> None:
    if folder := os.environ.get("MEND_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def sound(page: Page, name: str) -> None:
    """axe finds nothing, and a phone need not scroll sideways."""
    draw(page, name)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def ask(slack: Page, name: str) -> None:
    slack.get_by_label("Message", exact=True).fill(f"/mend {name}")
    slack.keyboard.press("Enter")


def link_of(slack: Page, button: str) -> str:
    slack.get_by_role("button", name=button).last.click()
    offered = slack.locator("a[data-action=mend_open_page]").last
    expect(offered).to_be_visible(timeout=PATIENT)
    return str(offered.get_attribute("href"))


def confirm(slack: Page, page: Page) -> None:
    number = page.locator(".number").inner_text()
    expect(slack.get_by_text(re.compile(f"shows the number {number}")).last).to_be_visible(timeout=PATIENT)
    draw(slack, "slack-confirm")
    slack.locator("[data-action=mend_it_was_me]").last.click()


def told(slack: Page, name: str) -> str:
    """What the administrator's panel says of this connection."""
    card = slack.locator("details.deed", has=slack.locator(".deed-name", has_text=name))
    card.locator("summary").click()
    return card.locator("pre").inner_text()


def phone(browser: Browser, *, script: bool) -> BrowserContext:
    context = browser.new_context(java_script_enabled=script, viewport={"width": 390, "height": 780})
    context.set_default_timeout(PATIENT)
    return context


def test_a_new_password_is_typed_without_script_and_closes_the_case(slack: Page, browser: Browser) -> None:
    password = re.search(r"stitch_warehouse to (\S+)\. Give", told(slack, "warehouse"))
    assert password
    ask(slack, "warehouse")
    page = phone(browser, script=False).new_page()
    page.goto(link_of(slack, "Put in new credentials, or see how"))
    page.get_by_role("button", name="Begin").click()
    confirm(slack, page)
    field = page.get_by_label("Password")
    expect(field).to_be_visible(timeout=PATIENT)
    assert (page.get_by_label("User").input_value(), field.input_value()) == ("stitch_warehouse", "")
    field.fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_text("refused the password for user stitch_warehouse").first).to_be_visible(timeout=PATIENT)
    draw(page, "warehouse-refused")
    page.get_by_label("Password").fill(password[1])
    page.get_by_role("button", name="Try and save").click()
    expect(page.get_by_role("heading", name="work and are saved")).to_be_visible(timeout=PATIENT)
    draw(page, "warehouse-saved")
    assert password[1] not in page.content()
    expect(slack.get_by_text("works again").last).to_be_visible(timeout=PATIENT)
    draw(slack, "slack-resolved")
    slack.get_by_label("Message", exact=True).click()  # the panel looks again while nobody is in it
    card = slack.locator("details.deed", has=slack.locator(".deed-name", has_text="warehouse"))
    expect(card.locator(".deed-word")).to_have_text("Working", timeout=PATIENT)


def test_a_new_token_is_typed_by_keyboard_and_nothing_hinders_a_screen_reader(slack: Page, browser: Browser) -> None:
    token = re.search(r"the new one is (\S+)\. Give", told(slack, "hubspot-prod"))
    assert token
    ask(slack, "hubspot-prod")
    page = phone(browser, script=True).new_page()
    url = link_of(slack, "Put in new credentials, or see how")
    page.goto(url)
    sound(page, "hubspot-begin")
    page.get_by_role("button", name="Begin").click()
    sound(page, "hubspot-wait")
    confirm(slack, page)
    expect(page.get_by_label("Access token")).to_be_visible(timeout=PATIENT)
    sound(page, "hubspot-form")
    page.evaluate("document.querySelectorAll('[required]').forEach((field) => field.removeAttribute('required'))")
    page.get_by_role("button", name="Try and save").click()
    expect(page.get_by_label("Access token")).to_have_attribute("aria-invalid", "true", timeout=PATIENT)
    sound(page, "hubspot-missing")
    page.get_by_role("link", name="Access token").press("Enter")
    expect(page.get_by_label("Access token")).to_be_focused()
    page.keyboard.type("pat-na1-wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("were tried and are not used").first).to_be_visible(timeout=PATIENT)
    sound(page, "hubspot-refused")
    page.get_by_label("Access token").fill(token[1])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Is this the right account?")).to_be_visible(timeout=PATIENT)
    assert "24601" in page.content()
    sound(page, "hubspot-account")
    page.get_by_role("button", name="Yes, use it").press("Enter")
    expect(page.get_by_role("heading", name="work and are saved")).to_be_visible(timeout=PATIENT)
    sound(page, "hubspot-saved")
    expect(slack.get_by_text("works again").last).to_be_visible(timeout=PATIENT)
    other = phone(browser, script=True).new_page()
    other.goto(url)
    expect(other.get_by_role("heading", name="This link does not work")).to_be_visible(timeout=PATIENT)
    sound(other, "gone")


def test_the_progress_of_the_checks_is_read_out_and_fits_a_phone(browser: Browser) -> None:
    claims = ("The name resolves to an address.", "The port answers.", "The server's certificate is valid and issued for this name.",
              "The credentials are accepted.", "Every selected table can be read.")  # fmt: skip
    steps = [
        {"claim": claim, "verdict": v}
        for claim, v in zip(claims, ("good", "good", "skipped", "in_progress", "pending"), strict=True)
    ]
    page = phone(browser, script=True).new_page()
    page.set_content(
        render_page(
            "trying", {"connection": {"name": "warehouse", "title": "PostgreSQL"}, "steps": steps, "nonce": "x"}
        )
    )
    expect(page.get_by_role("status")).to_contain_text("3 of 5 checks are done")
    expect(page.locator("[aria-current=step]")).to_contain_text("Looking now: The credentials are accepted.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Look again now")).to_be_focused()
    sound(page, "progress")
