"""The ticket as the support agent sees it in `make try`, and the answer that comes back to the thread.

With MEND_TEST_PICTURES=FOLDER every step is also drawn there.
"""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser.chromium import PATIENT
from tests.browser.test_credentials_page import ask, draw, phone, sound


def test_a_ticket_of_the_demo_is_read_and_answered_on_a_phone(trying: str, browser: Browser) -> None:
    slack = browser.new_page(viewport={"width": 1280, "height": 900})
    slack.set_default_timeout(PATIENT)
    slack.goto(trying)
    ask(slack, "billing")
    slack.locator("[data-action=mend_escalate]").last.click()
    yes = slack.locator("[data-action=mend_confirm_ticket]").last
    expect(yes).to_be_visible(timeout=PATIENT)
    draw(slack, "desk-preview")
    yes.click()
    link = slack.get_by_role("complementary", name="Thread").get_by_role("link", name="1001").first
    page = phone(browser, script=True).new_page()
    page.goto(str(link.get_attribute("href")))
    expect(page.get_by_role("article")).to_contain_text("GRANT SELECT ON")
    sound(page, "desk-ticket")
    page.get_by_label("A public reply").fill("We grant it on Monday.")
    page.get_by_role("button", name="Reply and solve").click()
    expect(page.get_by_text("solved", exact=True)).to_be_visible()
    sound(page, "desk-solved")
    expect(slack.get_by_text("We grant it on Monday.").last).to_be_visible(timeout=PATIENT)
    expect(slack.get_by_text("The desk has solved the ticket").last).to_be_visible(timeout=PATIENT)
    draw(slack, "desk-thread")
    page.get_by_role("link", name="All tickets").click()
    sound(page, "desk-tickets")
