"""The pictures of the README: `python -m tests.browser.pictures` walks three cases to the end and looks at them."""

from __future__ import annotations

from pathlib import Path

from tests.browser.chromium import NARROW, chromium, page_of
from tests.servers import postgres
from tests.talk import World

DOCS = Path(__file__).parent.parent.parent / "docs"
TALL = {"width": 1280, "height": 1040}
PICTURES = (
    ("light", "warehouse", "regenerating_credentials", {"size": TALL}),
    ("dark", "billing", "checking_permissions", {"size": TALL, "dark": True}),
    ("mobile", "github-org", "checking_permissions", {"size": NARROW}),
)


def take(world: World) -> None:
    with chromium() as browser:
        for name, connection, state, look in PICTURES:
            talk = world.start(connection)
            talk.until(state)
            world.mend(connection)
            talk.press("mend_fixed")
            talk.until("resolved")
            place = f"/archives/C0DATA/p{talk.ts.replace('.', '')}?thread_ts={talk.ts}"
            with page_of(browser, world.slack.url + place, **look) as page:  # type: ignore[arg-type]
                page.get_by_role("complementary", name="Thread").get_by_text("Did this help?").wait_for()
                if name == "light":
                    cause = page.locator("#thread-list article", has_text="What was seen")
                    cause.evaluate("it => it.parentElement.scrollTop = it.offsetTop - it.parentElement.offsetTop - 8")
                page.locator("details.deed").first.wait_for(state="attached")
                page.screenshot(path=DOCS / f"{name}.png", animations="disabled")


def main() -> None:
    with postgres("pictures") as (url, folder), World(url, folder) as world:
        take(world)


if __name__ == "__main__":
    main()
