"""Where signing in to Slack is offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from bot.environment import Environment
from bot.store import Store
from bot.web.sign_in import SignIn, slack_of
from tests.talk import World
from tests.web.visitor import Visitor, fresh_link

APP = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s"}


def test_without_the_apps_id_and_secret_it_is_not_offered(database: str, tmp_path: Path) -> None:
    with World(database, tmp_path) as world:
        talk = world.start("warehouse")
        talk.until("regenerating_credentials")
        page = Visitor(fresh_link(talk))
        assert "Begin" in page.text
        assert "Sign in" not in page.text
        assert page.press("sign_in").answer.status_code == 400
        assert "Begin" in page.look().text


@pytest.mark.parametrize(
    ("env", "offered"),
    [
        ({**APP, "MEND_PUBLIC_URL": "https://mend.acme.test"}, True),
        ({**APP, "MEND_PUBLIC_URL": "http://127.0.0.1:9"}, False),
        ({**APP, "MEND_PUBLIC_URL": "http://127.0.0.1:9", "SLACK_API_URL": "http://127.0.0.1:8/api/"}, True),
        ({**APP, "MEND_PUBLIC_URL": "https://mend.acme.test", "SLACK_API_URL": "http://slack.test/api/"}, False),
        ({**APP}, False),
        ({"SLACK_CLIENT_ID": "1.2", "MEND_PUBLIC_URL": "https://mend.acme.test"}, False),
    ],
)
def test_slack_sends_people_back_over_https_or_on_this_machine(
    env: dict[str, Any], offered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MEND_PUBLIC_URL", "MEND_LOCAL_URL"):
        monkeypatch.delenv(name, raising=False)
    if "MEND_PUBLIC_URL" in env:
        monkeypatch.setenv("MEND_PUBLIC_URL", env["MEND_PUBLIC_URL"])
    assert SignIn(cast(Store, None), slack_of(Environment.read(env))).offered is offered


def test_slacks_own_address_is_where_people_are_sent() -> None:
    slack = slack_of(Environment.read(APP))
    assert slack
    assert slack.departure("https://m/openid/callback", "T1", "s", "n").startswith(
        "https://slack.com/openid/connect/authorize?response_type=code&scope=openid&client_id=1.2&team=T1&"
    )
