"""What every platform owes: what is in its way is one line that says whose it is, and no secret is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bot.platforms import airbyte, fivetran, stitch
from bot.platforms.base import Platform, PlatformError
from tests.fakes import airbyte_api, fivetran_api, stitch_connect
from tests.servers import refusing_port

Make = Callable[[str, str, str], Platform]
# The platform, its other side, a token that is right, one that is wrong.
EVERY: dict[str, tuple[Make, Callable[[], Any], str, str]] = {
    "Stitch": (stitch.make, stitch_connect.stitch, stitch_connect.TOKEN, "wr0ng-c4n4ry"),
    "Airbyte": (airbyte.make, airbyte_api.airbyte, f"{airbyte_api.CLIENT}:{airbyte_api.SECRET}", "id:wr0ng-c4n4ry"),
    "Fivetran": (fivetran.make, fivetran_api.fivetran, f"{fivetran_api.KEY}:{fivetran_api.SECRET}", "id:wr0ng-c4n4ry"),
}


@contextmanager
def refusal(name: str, *, mood: str = "", token: str = "") -> Iterator[list[PlatformError]]:
    """What it says to whoever asks all that can be asked, in a mood or with a token."""
    make, other_side, right, _ = EVERY[name]
    said: list[PlatformError] = []
    with other_side() as side:
        side.mood = mood
        platform = make(token or right, "", side.url)
        for asked in (platform.check, lambda: platform.find("shop"), lambda: platform.last_job("101"),
                      lambda: platform.start_job("101")):  # fmt: skip
            with pytest.raises(PlatformError) as caught:
                asked()
            said.append(caught.value)
        yield said


@pytest.mark.parametrize("name", EVERY)
def test_a_token_that_is_refused_is_the_admins(name: str) -> None:
    with refusal(name, token=EVERY[name][3]) as said:
        for error in said:
            assert (error.kind, error.passing) == ("auth", False)
            assert str(error).startswith(f"{name} refuses platform.token")
            assert "c4n4ry" not in str(error)
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", EVERY)
def test_trouble_of_its_own_passes(name: str) -> None:
    with refusal(name, mood="500") as said:
        for error in said:
            assert (error.kind, error.passing) == ("down", True)
            assert str(error).startswith(f"{name} has trouble")


@pytest.mark.parametrize("name", EVERY)
def test_nobody_there_passes_too(name: str) -> None:
    make, _, right, _ = EVERY[name]
    with pytest.raises(PlatformError, match=f"{name} does not answer") as caught:
        make(right, "", f"http://127.0.0.1:{refusing_port()}").check()
    assert caught.value.passing


@pytest.mark.parametrize("name", EVERY)
def test_a_connection_that_it_does_not_have_says_where_to_name_it(name: str) -> None:
    make, other_side, right, _ = EVERY[name]
    with other_side() as side, pytest.raises(PlatformError, match="called crm: name its id as platform_source"):
        make(right, "", side.url).find("crm")
