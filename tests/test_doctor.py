"""`mend doctor` about what reaches Mend from outside: the groups that own connections, hooks, and Sign in with Slack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.cli.doctor import doctor
from bot.playground import LocalSlack, run_local_slack
from tests.fakes.zendesk_desk import zendesk
from tests.talk import BOB, DANA

Doctor = Callable[..., dict[str, tuple[bool, str]]]
TOKENS = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET")
HOOK = "hooks: {alert: {secret: '${env:HOOK_SECRET}', channel: C0DATA}}\n"
URL = "https://mend.example.com"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Doctor:
    """What it says of each part, for a mend.yml and an environment."""
    monkeypatch.chdir(tmp_path)
    for name in (*TOKENS, "MEND_CONFIG", "MEND_PUBLIC_URL", "MEND_LOCAL_URL", "HOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://127.0.0.1:1/mend")

    def ask(text: str, **env: str) -> dict[str, tuple[bool, str]]:
        Path("mend.yml").write_text(text)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        doctor(False, None)
        found: dict[str, Any] = {}
        for line in capsys.readouterr().out.splitlines():
            if line.startswith(("ok  ", "bad ")):
                found[line[4:18].strip()] = (line.startswith("ok"), line[19:])
        return found

    return ask


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSlack]:
    slack = LocalSlack()
    server = run_local_slack("127.0.0.1", 0, slack)
    server.start()
    monkeypatch.setenv("SLACK_API_URL", slack.api_url)
    try:
        yield slack
    finally:
        server.stop()


def owned(by: str) -> str:
    return f"connections: {{crm: {{connector: hubspot, owner: {by}}}, shop: {{connector: stripe, owner: U0ALICE}}}}\n"


def test_it_asks_slack_who_is_in_the_groups_that_own_connections(asked: Doctor, slack: LocalSlack) -> None:
    slack.space.groups["S0DATATEAM"] = [BOB, DANA]
    tokens = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token}
    assert asked(owned("S0DATATEAM"), **tokens)["owners"] == (True, "S0DATATEAM (2 people) owns crm")
    slack.hub.scopes.discard("usergroups:read")
    parts = asked(owned("S0DATATEAM"))
    assert parts["slack"][0]
    ok, said = parts["owners"]
    assert not ok
    assert "(usergroups:read), so only admins act as the owner of crm: update it from `mend manifest`" in said
    slack.hub.scopes.add("usergroups:read")
    ok, said = asked(owned("S0GONE"))["owners"]
    assert not ok
    assert "S0GONE (no_such_subteam)" in said
    assert asked(owned("U0BOB"))["owners"] == (True, "no connection is owned by a user group")
    assert asked(owned("U0BOB") + "access: {admins: [S0DATATEAM]}\n")["owners"] == (
        False,
        "access.admins holds S0DATATEAM: write the ids of people (U0...)",
    )
    ok, said = asked(owned("bob"))["owners"]
    assert not ok
    assert "the owner of crm is bob: write the id of a person (U0...) or user group (S0...)" in said


def test_workspaces_that_install_mend_themselves_are_asked_when_it_counts(asked: Doctor) -> None:
    ok, said = asked(owned("S0DATATEAM"), SLACK_CLIENT_ID="1.2", SLACK_CLIENT_SECRET="s3cret")["owners"]
    assert ok
    assert "S0DATATEAM is asked where Mend is installed, with the scope usergroups:read" in said


def test_a_hook_that_nobody_could_call_is_named_with_what_it_lacks(asked: Doctor) -> None:
    ok, said = asked("")["hooks"]
    assert (ok, said.split(":")[0]) == (True, "none")
    for text, env, piece in (
        (HOOK, {}, "the environment variable HOOK_SECRET is not set"),
        (HOOK, {"HOOK_SECRET": " "}, "hooks.alert: the secret is empty, so every call is refused"),
        (HOOK, {"HOOK_SECRET": "s3cret-canary"}, "hooks.alert: set MEND_PUBLIC_URL"),
        ("hooks: {alert: {secret: '${env:HOOK_SECRET}'}}\n", {"MEND_PUBLIC_URL": URL}, "hooks.alert needs channel"),
        (HOOK, {}, "hooks.alert needs team"),
        (
            "hooks: {desk: {secret: '${env:HOOK_SECRET}'}}\n",
            {},
            "hooks.desk hears github, jira, zendesk alone, and desk: is none",
        ),
    ):
        ok, said = asked(text, **env)["hooks"]
        assert (ok, piece in said) == (False, True), said
        assert "canary" not in said


def test_a_hook_that_is_ready_says_what_to_give_the_other_program(asked: Doctor) -> None:
    env = {"HOOK_SECRET": "s3cret", "MEND_PUBLIC_URL": URL, "SLACK_BOT_TOKEN": "xoxb-1"}
    assert asked(HOOK, **env)["hooks"] == (
        True,
        f"give the pipeline {URL}/hooks/alert; its cases are opened in C0DATA",
    )
    desk = "desk: {kind: zendesk, subdomain: acme, base_url: 'http://127.0.0.1:1', email: m@acme.test, token: t}\n"
    assert "not told in threads: hooks.desk" in asked(HOOK + desk)["hooks"][1]
    ok, said = asked(desk + "hooks: {desk: {secret: '${env:HOOK_SECRET}'}}\n")["hooks"]
    assert (ok, said) == (True, f"give zendesk {URL}/hooks/desk/zendesk")


def test_it_signs_in_at_the_desk_and_tells_in_time_that_its_way_in_ends(asked: Doctor) -> None:
    with zendesk() as state:
        desk = f"desk: {{kind: zendesk, base_url: '{state.url}', %s}}\n"
        client, token = "client_id: mend, client_secret: '${env:DESK}'", "email: bot@acme.test, token: '${env:DESK}'"
        assert asked(desk % client, DESK="t0ken")["desk"] == (True, "zendesk answers")
        ok, said = asked(desk % token)["desk"]
        assert (ok, said.split("; ")[0]) == (True, "zendesk answers")
        assert "on April 30, 2027: use client_id and client_secret" in said
        for keys, piece in (
            (f"{client}, {token}", "so take email and token out of mend.yml"),
            ("client_id: mend", "zendesk needs client_secret"),
            (client.replace("mend", "mond"), "refuses the desk's client_id or client_secret"),
        ):
            ok, said = asked(desk % keys)["desk"]
            assert (ok, piece in said, "t0ken" in said) == (False, True, False), said
        assert state.tickets == []


def test_sign_in_with_slack_is_whole_or_said_to_be_half(asked: Doctor) -> None:
    assert asked("")["sign-in"][0]
    assert asked("", SLACK_APP_TOKEN="xapp-1", SLACK_CLIENT_ID="1.2")["sign-in"] == (
        False,
        "SLACK_CLIENT_SECRET is not set: copy it from Basic Information of the app, or unset the other one",
    )
    ok, said = asked("", SLACK_CLIENT_SECRET="s3cret-canary")["sign-in"]
    assert not ok
    assert "set MEND_PUBLIC_URL to the https address" in said
    assert asked("", SLACK_APP_TOKEN="")["sign-in"] == (
        True,
        "not offered: without MEND_PUBLIC_URL there are no pages",
    )
    ok, said = asked("", MEND_PUBLIC_URL=URL)["sign-in"]
    assert ok
    assert f"Redirect URLs (OAuth & Permissions) must have {URL}/openid/callback" in said
