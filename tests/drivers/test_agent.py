"""Everybody whom Mend calls is told which program asks: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from importlib.metadata import version

import pytest

from bot.desks.base import DeskError
from bot.desks.registry import desk_for
from bot.drivers.network import Trouble
from bot.drivers.sendgrid_keys import Keys
from bot.platforms import airbyte, fivetran, stitch
from bot.platforms.base import PlatformError
from bot.settings import Desk
from tests.fakes.serve import serving

ASKING: dict[str, Callable[[str], object]] = {
    "Stitch": lambda url: stitch.make("token", "", url).check(),
    "Airbyte": lambda url: airbyte.make("id:secret", "", url).check(),
    "Fivetran": lambda url: fivetran.make("key:secret", "", url).check(),
    "Zendesk": lambda url: desk_for(Desk(kind="zendesk", base_url=url, email="bot@acme.test", token="x")).check(),  # type: ignore[call-arg]
    "Jira": lambda url: desk_for(Desk(kind="jira", base_url=url, project="DATA", token="x")).check(),  # type: ignore[call-arg]
    "GitHub": lambda url: desk_for(Desk(kind="github", base_url=url, repository="a/b", token="x")).check(),  # type: ignore[call-arg]
    "SendGrid": lambda url: Keys(url, "SG.id.rest", 5.0).scopes(),
}


@pytest.mark.parametrize("whom", ASKING)
def test_who_asks_is_told(whom: str) -> None:
    seen: list[str] = []
    refuses = contextlib.suppress(PlatformError, DeskError, Trouble)
    with serving(lambda path, headers: (seen.append(headers["user-agent"]), (401, {}, {}))[1]) as url, refuses:
        ASKING[whom](url)
    assert set(seen) == {f"mend/{version('mend')}"}
