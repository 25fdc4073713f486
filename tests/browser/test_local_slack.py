"""The page of `mend try` as a newcomer meets it: by mouse, by keyboard, in light, dark and on a telephone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import NARROW, WIDE, page_of
from tests.talk import World

# Under load a check may take long; the waits end as soon as it is there.
expect.set_options(timeout=90_000)


def mend(page: Page, connection: str) -> None:
    """Press "What the admin would do now"."""
    deed = page.locator("details.deed", has_text=connection)
    deed.locator("summary").click()
    deed.get_by_role("button", name="Do it").click()
    expect(page.locator("#toast")).to_contain_text("Done")


def thread(page: Page) -> Any:
    return page.get_by_role("complementary", name="Thread")


def test_a_newcomer_is_led_to_the_end(world: World, browser: Browser) -> None:
    world.break_again("warehouse")
    with page_of(browser, world.slack.url) as page:
        box = page.get_by_role("textbox", name="Message", exact=True)
        box.fill("/mend warehouse")
        box.press("Enter")
        root = page.locator("#list article", has_text="Waiting for new credentials")
        root.get_by_role("button", name=re.compile(r"^\d+ repl")).click()
        expect(thread(page)).to_contain_text("refused the password")
        thread(page).locator('[data-action="mend_update_credentials"]').click()
        expect(thread(page)).to_contain_text("Never paste a password")
        mend(page, "warehouse")
        thread(page).get_by_role("button", name="I have done it, check whether it works").last.click()
        expect(thread(page)).to_contain_text("warehouse works again")
        expect(page.locator("#list")).to_contain_text("Works again")
        thread(page).get_by_role("button", name="Yes, this helped").click()
        expect(thread(page)).to_contain_text("answered: It helped")


def test_a_pasted_error_is_explained_in_a_thread_that_opens_by_itself(world: World, browser: Browser) -> None:
    with page_of(browser, world.slack.url) as page:
        box = page.get_by_role("textbox", name="Message", exact=True)
        box.fill('FATAL: no pg_hba.conf entry for host "52.23.137.21", user "stitch", database "shop", SSL off')
        box.press("Enter")
        pasted = page.locator("#list article", has_text="no pg_hba.conf entry").last
        pasted.hover()
        pasted.get_by_role("button", name="More actions").click()
        page.get_by_role("menuitem", name="Troubleshoot this").click()
        expect(thread(page)).to_contain_text("What that message says: The server has no rule that lets user stitch")
        expect(thread(page)).to_contain_text("Which connection is it about?")


def focus(page: Page, name: str) -> None:
    """Press Tab until the focus is on what has this name; what has the focus can be seen."""
    for _ in range(150):
        page.keyboard.press("Tab")
        here = page.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.getAttribute('aria-label') || e.textContent, s.outlineStyle + s.outlineWidth + s.boxShadow]; }""")
        if name in here[0]:
            assert here[1] != "none0pxnone", f"no focus is shown on {name}"
            return
    raise AssertionError(f"Tab never comes to {name}")


def test_the_keyboard_is_enough(world: World, browser: Browser) -> None:
    world.break_again("billing")
    with page_of(browser, world.slack.url) as page:
        expect(page.locator("details.deed")).to_have_count(5)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.type("/mend billing")
        page.keyboard.press("Enter")
        expect(page.locator("#list article", has_text="at the permissions")).to_be_visible()
        focus(page, "repl")
        page.keyboard.press("Enter")
        expect(thread(page)).to_contain_text("may not read public.invoices")
        world.mend("billing")
        focus(page, "I have done it, check whether it works")
        page.keyboard.press("Enter")
        expect(thread(page)).to_contain_text("billing works again")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "telephone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_read_it(world: World, browser: Browser, dark: bool, size: dict[str, int]) -> None:
    """Contrast, names and roles by axe; nothing wider than the window."""
    world.break_again("hubspot-prod")
    talk = world.start("hubspot-prod")
    talk.until("regenerating_credentials")
    at = f"{world.slack.url}/archives/C0DATA/p{talk.ts.replace('.', '')}"
    with page_of(browser, at, dark=dark, size=size) as page:
        expect(page.locator("#title")).not_to_be_empty()
        if size == NARROW:
            expect(page.locator(f'#list article[data-ts="{talk.ts}"]')).to_be_visible()
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wider) <= 0
        assert problems(page) == []
        page.goto(at + f"?thread_ts={talk.ts}")
        page.reload()
        expect(page.locator("#title")).not_to_be_empty()
        expect(thread(page)).to_contain_text("no longer accepts the token")
        assert page.evaluate(wider) <= 0
        assert problems(page) == []


def problems(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:200]}" for one in found for node in one["nodes"]
    ]
