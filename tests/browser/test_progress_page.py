"""The page while its credentials are tried, and after, as it is in the browser: on a telephone, light and dark.

With MEND_TEST_PICTURES=FOLDER every step is also drawn there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.browser.chromium import PATIENT, WIDE
from tests.browser.test_credentials_page import ask, confirm, link_of, phone, sound
from tests.talk import World
from tests.web.test_progress import SlowWorld, slow_warehouse


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlowWorld]:
    with slow_warehouse(database, Path(tmp_path_factory.mktemp("slow")), 40) as world:
        yield world


def both(page: Page, name: str) -> None:
    """Light and dark. A page that looks again by itself may do so in the middle of it."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for last in (False, False, False, True):
            try:
                page.wait_for_load_state()
                sound(page, f"{name}-{scheme}")
                break
            except Error as error:
                if last or "context was destroyed" not in str(error).lower():
                    raise


def same_words_as_the_thread(page: Page, world: World) -> None:
    """Each sentence of the finding stands in the case's own message."""
    root = next(m for m in world.slack.messages("C0DATA") if m.get("metadata"))
    said = " ".join(" ".join(m["text"] for m in world.slack.thread("C0DATA", root["ts"])).split())
    shown = [
        " ".join(one.inner_text().split()) for one in page.locator(".box h2, .box h3 + p, summary + p, .box li").all()
    ]
    assert len(shown) >= 4
    assert [one for one in shown if one.removesuffix(".") not in said] == []


def test_the_page_suits_everybody_while_it_looks_and_when_it_has_looked(
    world: SlowWorld, slack: Page, browser: Browser
) -> None:
    ask(slack, "slow")
    page = phone(browser, script=True).new_page()
    page.goto(link_of(slack, "Put in new credentials, or see how"))
    both(page, "begin")
    page.get_by_role("button", name="Begin").click()
    both(page, "wait")
    confirm(slack, page)
    expect(page.get_by_label("Password")).to_be_visible(timeout=PATIENT)
    both(page, "form")
    world.seconds = 5
    page.get_by_label("Password").fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"[1-6] of 7 checks are done"), timeout=PATIENT)
    expect(page.locator("[aria-current=step]")).to_contain_text("Looking now:")
    both(page, "progress")
    world.seconds = 0
    expect(page.get_by_text("refused the password for user stitch_warehouse").first).to_be_visible(timeout=PATIENT)
    both(page, "finding")
    expect(page.get_by_label("User")).to_be_in_viewport()
    page.get_by_text("What it means, and what to do").press("Enter")
    both(page, "finding-open")
    same_words_as_the_thread(page, world)
    page.get_by_label("Password").fill(world.demo.database.changed_password)
    page.get_by_role("button", name="Try and save").click()
    expect(page.get_by_role("heading", name="work and are saved")).to_be_visible(timeout=PATIENT)
    both(page, "done")
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    both(page, "done-wide")
