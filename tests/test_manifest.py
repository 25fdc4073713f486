"""The app's manifest: what Slack accepts, and no scope more than its events and commands need."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.cli import doctor, setup

ROOT = Path(__file__).parent.parent
# From https://docs.slack.dev/reference/app-manifest: every object is closed, texts have limits.
TEXT = {"type": "string", "minLength": 1}
ADDRESS = {"type": "string", "pattern": "^https://"}
SWITCH = {"type": "boolean"}
SCOPES = {"type": "array", "maxItems": 255, "uniqueItems": True, "items": {"type": "string", "pattern": "^[a-z_:.]+$"}}


def closed(required: str = "", **properties: Any) -> dict[str, Any]:
    wanted = required.split()
    return {"type": "object", "properties": properties, "required": wanted, "additionalProperties": False}


def several(most: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": most, "items": item}


def text(most: int, least: int = 1, pattern: str = "") -> dict[str, Any]:
    return {**TEXT, "minLength": least, "maxLength": most, "pattern": pattern}


DOCUMENTED = closed(
    "display_information features oauth_config settings",
    display_information=closed(
        "name",
        name=text(35),
        description=text(140),
        long_description=text(4000, 175),
        background_color=text(7, 4, "^#[0-9a-fA-F]{3,6}$"),
    ),
    features=closed(
        app_home=closed(home_tab_enabled=SWITCH, messages_tab_enabled=SWITCH, messages_tab_read_only_enabled=SWITCH),
        bot_user=closed("display_name", display_name=text(80), always_online=SWITCH),
        slash_commands=several(
            50,
            closed(
                "command description",
                command=text(32, 2, "^/"),
                description=text(2000),
                usage_hint=text(1000),
                should_escape=SWITCH,
                url=ADDRESS,
            ),
        ),
        shortcuts=several(
            10,
            closed(
                "name type callback_id description",
                name=text(24),
                type={"enum": ["message", "global"]},
                callback_id=text(255),
                description=text(150),
            ),
        ),
    ),
    oauth_config=closed("scopes", scopes=closed(bot=SCOPES, bot_optional=SCOPES), redirect_urls=several(1000, ADDRESS)),
    settings=closed(
        event_subscriptions=closed(bot_events=several(100, TEXT), request_url=ADDRESS),
        interactivity=closed("is_enabled", is_enabled=SWITCH, request_url=ADDRESS),
        org_deploy_enabled=SWITCH,
        socket_mode_enabled=SWITCH,
        token_rotation_enabled=SWITCH,
    ),
)
NEEDED_BY = {
    "app_mention": "app_mentions:read",
    "message.im": "im:history",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
}
# What Mend asks where it may, and does without where it may not.
OPTIONAL = {"users.info": "users:read", "usergroups.users.list": "usergroups:read"}
WITHOUT_SCOPE = {"app_home_opened", "app_uninstalled", "tokens_revoked", "channel_id_changed"}


def printed(capsys: pytest.CaptureFixture[str], url: str | None) -> dict[str, Any]:
    setup.manifest(url)
    read: dict[str, Any] = json.loads(capsys.readouterr().out)
    return read


@pytest.fixture(params=[None, "https://mend.acme.test", "https://mend.acme.test/"], ids=["socket", "http", "slash"])
def manifest(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return printed(capsys, request.param)


def test_it_is_what_slack_documents(manifest: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(DOCUMENTED).validate(manifest)


@pytest.fixture(params=["1.0.0", "2.0.0"])
def published(request: pytest.FixtureRequest) -> jsonschema.Draft7Validator:
    """Slack's own schema. A manifest that names no version is read by the first."""
    file = ROOT / "tests/data/slack_manifest" / f"manifest.schema.{request.param}.json"
    return jsonschema.Draft7Validator(json.loads(file.read_text(encoding="utf-8")))


def test_it_is_what_slacks_own_schema_accepts(manifest: dict[str, Any], published: jsonschema.Draft7Validator) -> None:
    published.validate(manifest)
    manifest["features"]["slash_commands"][0]["commando"] = "/mend"
    assert not published.is_valid(manifest)


def test_every_event_has_its_scope_and_no_scope_is_without_use(manifest: dict[str, Any]) -> None:
    scopes = manifest["oauth_config"]["scopes"]
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    required = set(scopes["bot"]) - set(scopes["bot_optional"])
    assert set(events) == set(NEEDED_BY) | WITHOUT_SCOPE
    assert required == {"commands", "chat:write"} | set(NEEDED_BY.values())
    assert set(scopes["bot_optional"]) <= set(scopes["bot"])  # Slack wants optional ones in both lists


def test_optional_scopes_are_for_what_mend_can_do_without(manifest: dict[str, Any]) -> None:
    used = (ROOT / "bot/slack/sender.py").read_text(encoding="utf-8")
    assert [method for method in OPTIONAL if f'"{method}"' not in used] == []
    assert set(manifest["oauth_config"]["scopes"]["bot_optional"]) == set(OPTIONAL.values())


def test_the_doctor_asks_for_the_scopes_that_the_manifest_requires(manifest: dict[str, Any]) -> None:
    scopes = manifest["oauth_config"]["scopes"]
    assert set(scopes["bot"]) - set(scopes["bot_optional"]) == doctor.SCOPES


def test_the_command_and_the_shortcut_are_those_of_the_documentation(manifest: dict[str, Any]) -> None:
    (command,), (shortcut,) = manifest["features"]["slash_commands"], manifest["features"]["shortcuts"]
    assert (command["command"], command["should_escape"]) == ("/mend", True)
    assert (shortcut["name"], shortcut["type"]) == ("Troubleshoot this", "message")
    assert shortcut["callback_id"] == "mend_troubleshoot"


def test_socket_mode_needs_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = printed(capsys, None)
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert not re.search(r'"(request_url|url|redirect_urls)"', json.dumps(manifest))


def test_http_mode_names_its_addresses_once(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = printed(capsys, "https://mend.acme.test/")
    events = "https://mend.acme.test/slack/events"
    settings = manifest["settings"]
    assert settings["socket_mode_enabled"] is False
    assert settings["event_subscriptions"]["request_url"] == settings["interactivity"]["request_url"] == events
    assert manifest["features"]["slash_commands"][0]["url"] == events
    paths = ("/slack/oauth_redirect", "/openid/callback")
    assert manifest["oauth_config"]["redirect_urls"] == [f"https://mend.acme.test{path}" for path in paths]


def test_what_ships_is_the_file_at_the_top() -> None:
    assert (
        yaml.safe_load((ROOT / "app_manifest.yml").read_text(encoding="utf-8"))["display_information"]["name"] == "Mend"
    )
