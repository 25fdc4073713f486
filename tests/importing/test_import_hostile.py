"""Whatever a source is called, and whatever stands in its settings: it does nothing to YAML, shell, terminal or Mend."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.importing.entry import Made
from bot.cli.importing.names import connection_name, variable
from bot.cli.importing.text import comment, written
from bot.platforms.base import Listed, Shown, Stream
from bot.settings import Settings
from bot.slack.commands import wish
from flows.core.sheet import sheet
from flows.core.words import understand
from tests.fakes.stitch_connect import StitchConnect
from tests.importing.conftest import Admin, Ran

NASTY = [
    "a: b", "- x", "# y", "x\n  admin: {connector: evil}", "&a *a", "!!python/object/apply:os.system ['id']", "$(id)", "`id`",
    "; rm -rf /", "\x1b]0;owned\x07\x1b[2J", "‮abc", "\u2028access: {admins: [U1]}", "../../etc/passwd", "{{7*7}}", "--write", "-h",
    "no", "~", "null", "1e3", "0x1F", "2026-01-01", "<!channel>", "@here", "", "   ", "'", '"', "${env:MEND_SECRET_KEY}", "a" * 500,
    "Ünïcode Größe", "продажи", "売上", "help", "rotate shop", "slack_bot", "mend", "status", "yes",
]  # fmt: skip


@pytest.mark.parametrize("called", NASTY)
def test_a_name_is_one_that_people_can_call(called: str) -> None:
    name = connection_name(called, "postgres_7", ["shop"])
    settings = Settings.model_validate(
        {"connections": {name: {"connector": "postgres"}, "shop": {"connector": "stripe"}}}
    )
    assert wish(name, settings).connection == name
    assert understand(name, "verifying_credentials") is None
    assert all(one.isalnum() or one in "-_" for one in name)
    assert name[0].isalnum()
    assert len(name) <= 75


@pytest.mark.parametrize("called", NASTY)
def test_a_variable_is_one_of_its_own(called: str) -> None:
    made = variable(connection_name(called, "slack", []), "slack_7", "token", {"SHOP_TOKEN"})
    assert made.isascii()
    assert made.replace("_", "A").isalnum()
    assert made.isupper()
    assert not made.startswith(("MEND_", "SLACK_", "AWS_"))


anything = st.text(max_size=60) | st.sampled_from(NASTY)


@given(anything, st.dictionaries(st.sampled_from(["host", "dbname", "user", "port", "ssh_host", "ssh_user", "ssh", "ssl"]), anything), anything, anything)  # fmt: skip
def test_whatever_is_shown_reads_back_as_itself(called: str, shown: dict[str, Any], place: str, table: str) -> None:
    name = connection_name(called, "postgres", [])
    made = Made("stitch", "Stitch", set())
    listed = Listed("7", called, "platform.postgres", (called,), "somebody")
    entry = made.entry(
        name, listed, Shown(shown, frozenset(), (Stream(table, place),)), [sheet("postgres")], by_name=False
    )
    text = "\n".join([comment(called), "connections:", *written([entry])])
    assert yaml.safe_load(text) == {"connections": {name: entry.body}}
    Settings.model_validate(yaml.safe_load(text))
    assert all(unicodedata.category(one)[0] != "C" for one in text.replace("\n", ""))


def test_a_platform_full_of_them(stitch: tuple[StitchConnect, Admin], sound: Callable[[Ran], Settings]) -> None:
    side, admin = stitch
    for number, nasty in enumerate(NASTY, 1):
        side.add(number, "platform.hp-postgres", f"s{number}", ("password",), host=nasty, dbname=nasty, user=nasty, ssh="true",
                 ssh_host=nasty, ssh_user=nasty)  # fmt: skip
        side.sources[number]["display_name"] = nasty
        side.stream(number, nasty, nasty)
        side.add(number + 1000, nasty, nasty, ())
    ran = admin.first()
    assert len(sound(ran).connections) == len(NASTY)
    assert set(yaml.safe_load(ran.out)) == {"connections", "platform"}
    assert all(one == "\n" or unicodedata.category(one)[0] != "C" for one in ran.out + ran.err)
    assert "${env:MEND_SECRET_KEY}" not in {str(s) for c in ran.connections.values() for s in c["secrets"].values()}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("******", False),
        ("https://u:c4n4ry@db", False),
        ("db.example.com", True),
        ("x" * 400, False),
        ("a\x00b", False),
    ],
)
def test_what_is_hidden_or_holds_a_login_is_no_setting(value: str, kept: bool) -> None:
    listed = Listed("7", "shop", "postgres", ("shop",))
    made = Made("fivetran", "Fivetran", set()).entry(
        "shop", listed, Shown({"host": value, "database": "d", "user": "u"}), [sheet("postgres")], by_name=True
    )
    assert ("host" in made.body["settings"]) is kept


@pytest.mark.parametrize(
    "odd",
    [
        [{"id": 1}], [{"id": 1, "type": "platform.hubspot", "properties": [], "report_card": "x"}], ["x", None, 3],
        [{"id": {"a": 1}, "type": ["platform.hubspot"], "name": {"x": 1}}], [{"type": "platform.hubspot"}],
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_no_crash(stitch: tuple[StitchConnect, Admin], odd: list[Any]) -> None:
    side, admin = stitch
    side.sources = dict(enumerate(odd))
    ran = admin.first()
    assert ran.code == 0
    assert "fault of Mend's own" not in ran.err
