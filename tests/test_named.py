"""Which configured connection a pasted text is about."""

from __future__ import annotations

import pytest

from bot.settings import Settings
from bot.slack.commands import connection_of, named_in, only_one_of
from flows.core.explain import explain

SETTINGS = Settings.model_validate({"connections": {
    "shop_eu": {"connector": "shopify"}, "shop": {"connector": "shopify"}, "crm": {"connector": "hubspot"},
}})  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("errors with your Shop EU integration", "shop_eu"),
        ("errors with your crm integration", "crm"),
        ("CRM: 401", "crm"),
        ("crm and shop are down", ""),
        ("the workshop is over", ""),
        ("", ""),
    ],
)
def test_one_name_in_a_text_is_the_connection_and_two_are_a_question(text: str, name: str) -> None:
    assert named_in(text, SETTINGS) == name


def test_a_connector_with_one_connection_tells_which_is_meant() -> None:
    assert only_one_of("hubspot", SETTINGS) == "crm"
    assert only_one_of("shopify", SETTINGS) == ""
    assert only_one_of(None, SETTINGS) == ""


@pytest.mark.parametrize(("user", "name"), [("stitch", "warehouse"), ("somebody", "")])
def test_an_only_connection_with_another_user_is_not_what_a_text_is_about(user: str, name: str) -> None:
    settings = Settings.model_validate(
        {"connections": {"warehouse": {"connector": "postgres", "settings": {"user": "stitch"}}}}
    )
    text = f'FATAL: password authentication failed for user "{user}"'
    assert connection_of(explain(text), text, settings) == name
