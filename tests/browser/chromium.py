"""Debian's Chromium, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.debian import program

# Milliseconds: a page whose checks run beside other work.
PATIENT = 60_000
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 800}


@contextmanager
def chromium() -> Iterator[Browser]:
    # Chromium's sandbox refuses root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program("chromium"), args=[*sandbox, "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def page_of(
    browser: Browser, url: str, *, dark: bool = False, size: dict[str, int] | None = None, **more: Any
) -> Iterator[Page]:
    """A page that fails the test when its console shows an error."""
    context = browser.new_context(viewport=size or WIDE, color_scheme="dark" if dark else "light", **more)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(90_000)
    wrong: list[str] = []
    page.on(
        "console",
        lambda message: wrong.append(f"{message.text} {message.location}") if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    yield page
    context.close()
    assert not wrong, f"the page's console: {wrong}"
