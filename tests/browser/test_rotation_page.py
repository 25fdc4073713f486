"""A rotation in a real browser, from `/mend rotate` to `resolved`: a PostgreSQL password and an AWS key.

With MEND_TEST_PICTURES=FOLDER every step is also drawn there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import PATIENT, page_of
from tests.browser.test_credentials_page import confirm, draw, phone, sound
from tests.browser.test_local_slack import thread
from tests.rotation.sources import AwsSource, PostgresSource, aws_source, postgres_source
from tests.rotation.test_rotate_postgres import kept
from tests.talk import BOB, World, wait

expect.set_options(timeout=90_000)


@pytest.fixture(scope="module")
def sources() -> Iterator[dict[str, Any]]:
    with postgres_source() as shop, aws_source() as exports:
        yield {"shop": shop, "exports": exports}


@pytest.fixture(scope="module")
def world(database: str, sources: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    connections = {name: source.connection() for name, source in sources.items()}
    with World(database, Path(tmp_path_factory.mktemp("rotate")), connections=connections) as world:
        yield world


def begin(slack: Page, name: str) -> None:
    """Bob asks for a rotation and says yes to what he reads."""
    slack.locator("#actor").select_option(BOB)
    box = slack.get_by_role("textbox", name="Message", exact=True)
    box.fill(f"/mend rotate {name}")
    box.press("Enter")
    root = slack.locator("#list article", has_text=name).filter(has_text="Waiting for new credentials").last
    root.get_by_role("button", name=re.compile(r"^\d+ repl")).click()
    expect(thread(slack)).to_contain_text("Nothing is changed before somebody allowed says yes")
    draw(slack, f"rotate-{name}-preview")
    thread(slack).get_by_role("button", name="Yes, replace the credential now").click()
    expect(thread(slack)).to_contain_text("and Mend's checks use it")
    draw(slack, f"rotate-{name}-carry")


def carry(slack: Page, browser: Browser, new: str) -> None:
    """The page shows the new one once, without script, on a phone."""
    thread(slack).get_by_role("button", name="Give me a page that shows the new credential once").last.click()
    link = slack.locator("a[data-action=mend_open_page]").last
    expect(link).to_be_visible(timeout=PATIENT)
    url = str(link.get_attribute("href"))
    page = phone(browser, script=True).new_page()
    page.goto(url)
    sound(page, "carry-begin")
    page.get_by_role("button", name="Begin").click()
    confirm(slack, page)
    expect(page.get_by_role("button", name="Show it now")).to_be_visible(timeout=PATIENT)
    sound(page, "carry-ready")
    page.get_by_role("button", name="Show it now").click()
    expect(page.get_by_role("heading", name="The new credential of")).to_be_visible(timeout=PATIENT)
    assert new in [field.input_value() for field in page.get_by_role("textbox").all()]
    sound(page, "carry-shown")
    page.goto(url)
    expect(page.get_by_role("heading", name="was shown already")).to_be_visible(timeout=PATIENT)
    assert new not in page.content()
    sound(page, "carry-done")


def done(slack: Page, name: str) -> None:
    thread(slack).get_by_role("button", name="I have done it, check whether it works").last.click()
    expect(thread(slack)).to_contain_text(f"{name} works again")
    draw(slack, f"rotate-{name}-resolved")


def test_a_postgres_password(world: World, browser: Browser, sources: dict[str, Any]) -> None:
    shop: PostgresSource = sources["shop"]
    with page_of(browser, world.slack.url) as slack:
        begin(slack, "shop")
        new = kept(world, "shop")
        assert (shop.opens({"password": new}), shop.opens(shop.given())) == (True, False)
        carry(slack, browser, new)
        done(slack, "shop")


def test_an_aws_key_whose_old_one_lives_until_the_pipeline_has_the_new_one(
    world: World, browser: Browser, sources: dict[str, Any]
) -> None:
    exports: AwsSource = sources["exports"]
    with page_of(browser, world.slack.url) as slack:
        begin(slack, "exports")
        assert exports.opens(exports.given())
        carry(slack, browser, kept(world, "exports", "secret_access_key"))
        done(slack, "exports")
        expect(thread(slack)).to_contain_text("has ended. Only the new one is valid")
    wait(lambda: exports.keys() == [kept(world, "exports", "access_key_id")])
