"""Workspaces install Mend themselves: Slack's page, a token of their own, and nothing left when they remove it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
import yaml
from cryptography.fernet import Fernet

from bot.playground.oauth import add_workspace, uninstall
from tests.talk import Talk, World, wait

OTHER = "T0OTHER"
KEY = Fernet.generate_key().decode()


class Installing(World):
    """`mend serve` without any bot token."""

    def serve(self):  # type: ignore[no-untyped-def]
        app = self.slack.hub.oauth
        self.env = {"SLACK_BOT_TOKEN": "", "SLACK_CLIENT_ID": app.client_id, "SLACK_CLIENT_SECRET": app.client_secret,
                    "MEND_SECRET_KEY": KEY}  # fmt: skip
        process = super().serve()
        app.redirect_urls.append(self.addresses[-1] + "/slack/oauth_redirect")
        return process


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Installing(database, Path(tmp_path_factory.mktemp("installs")), http=True) as world:
        add_workspace(world.slack.hub, OTHER, "Other")
        yield world
        # Other tests on this database have other keys.
        for team in ("T0LOCAL", OTHER):
            uninstall(world.slack.hub, team)
        wait(lambda: rows(database, "installations") == [])


def install(world: World, browser: requests.Session, **chosen: str) -> requests.Response:
    """Press "Add to Slack" and follow where it leads."""
    consent = browser.get(world.addresses[0] + "/slack/install", timeout=20)
    assert consent.status_code == 200, consent.text
    assert "Mend asks for" in consent.text
    return browser.get(consent.url + "&" + "&".join(f"{k}={v}" for k, v in chosen.items()), timeout=20)


def installed(world: World, *teams: str) -> None:
    """In these workspaces and no others, whatever was before."""
    for team in ("T0LOCAL", OTHER):
        uninstall(world.slack.hub, team)
    # Slack tells it by two events, and the later one must not meet the next installation.
    told = ("tokens_revoked", "app_uninstalled")
    events = [d for d in world.slack.deliveries if d.payload.get("event", {}).get("type") in told]
    wait(lambda: all(d.finished.is_set() for d in events) and rows(world.url, "installations") == [])
    for team in teams:
        assert "Mend is installed in" in install(world, requests.Session(), team=team).text


def rows(database: str, table: str) -> list[str]:
    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = [str(tuple(row)) for row in connection.execute(sa.text(f"SELECT * FROM {table}"))]
    engine.dispose()
    return found


def other_case(world: World) -> Talk:
    before = {m["ts"] for m in world.slack.messages(f"C{OTHER[1:]}")}
    world.slack.command("/mend warehouse", user=f"U{OTHER[1:]}", channel=f"C{OTHER[1:]}")
    root = wait(
        lambda: [m for m in world.slack.messages(f"C{OTHER[1:]}") if m["ts"] not in before and m.get("metadata")]
    )
    return Talk(world, f"C{OTHER[1:]}", root[0]["ts"], f"U{OTHER[1:]}")


def test_before_it_is_installed_mend_says_so(world: World) -> None:
    installed(world)
    before = len(world.slack.ephemerals(f"U{OTHER[1:]}", f"C{OTHER[1:]}"))
    world.slack.command("/mend warehouse", user=f"U{OTHER[1:]}", channel=f"C{OTHER[1:]}")
    told = wait(lambda: world.slack.ephemerals(f"U{OTHER[1:]}", f"C{OTHER[1:]}")[before:])
    assert "not installed" in told[0]["text"]


def test_who_declines_installs_nothing(world: World, database: str) -> None:
    installed(world)
    page = install(world, requests.Session(), deny="1")
    assert "did not allow it" in page.text
    assert rows(database, "installations") == []


def test_two_workspaces_are_answered_each_with_its_own_token(world: World, database: str) -> None:
    installed(world, "T0LOCAL", OTHER)
    talk, other = world.start("billing"), other_case(world)
    talk.until("checking_permissions")
    other.until("regenerating_credentials")
    other.press("mend_escalate")
    other.until("escalating")
    kept = rows(database, "installations")
    assert len(kept) == 2
    assert not [t for t in world.slack.hub.tokens if t in str(kept) + world.log.read_text()]


def test_whose_token_it_is_is_asked_once(world: World) -> None:
    installed(world, "T0LOCAL")

    def answers() -> int:
        return len([m for m in world.slack.ephemerals() if "open case" in m["text"]])

    before = answers()
    world.slack.command("/mend status")
    wait(lambda: answers() == before + 1)
    asked = len(world.slack.calls_of("auth.test"))
    for _ in range(3):
        world.slack.command("/mend status")
    wait(lambda: answers() == before + 4)
    assert len(world.slack.calls_of("auth.test")) == asked


def test_a_state_is_good_once_and_in_its_browser_only(world: World, database: str) -> None:
    installed(world, "T0LOCAL")
    browser = requests.Session()
    consent = browser.get(world.addresses[0] + "/slack/install", timeout=20)
    sent = browser.get(consent.url + f"&team={OTHER}", timeout=20, allow_redirects=False).headers["location"]
    stranger = requests.get(sent, timeout=20)
    assert stranger.status_code == 400
    assert "did not begin" in stranger.text
    assert browser.get(sent, timeout=20).status_code == 200
    again = browser.get(sent, timeout=20)
    assert again.status_code in (400, 401)
    assert "Begin again" in again.text


def test_what_is_removed_is_forgotten_and_can_come_back(world: World, database: str) -> None:
    installed(world, "T0LOCAL", OTHER)
    case = other_case(world)
    case.until("regenerating_credentials")
    dead = [t for t, owner in world.slack.hub.tokens.items() if owner == OTHER]
    uninstall(world.slack.hub, OTHER)
    wait(lambda: len(rows(database, "installations")) == 1)
    told = len(world.slack.ephemerals(case.user, case.channel))
    world.slack.command("/mend warehouse", user=case.user, channel=case.channel)
    wait(lambda: "not installed" in str(world.slack.ephemerals(case.user, case.channel)[told:]))
    install(world, requests.Session(), team=OTHER)
    other_case(world).until("regenerating_credentials")
    assert dead
    world.start("billing").until("checking_permissions")


def test_word_of_an_old_removal_that_comes_late_does_not_undo_a_new_installation(world: World, database: str) -> None:
    """Slack sends an event again that was not answered: https://docs.slack.dev/apis/events-api/#retries"""
    installed(world, "T0LOCAL")
    hub = world.slack.hub
    payload = next(d.payload for d in hub.courier.deliveries if d.payload.get("event") == {"type": "app_uninstalled"})
    late = {**payload, "team_id": "T0LOCAL", "event_time": int(time.time()) - 60, "event_id": "Ev0LATE"}
    assert hub.call_app("events_api", late).wait(30)
    assert len(rows(database, "installations")) == 1
    world.start("billing").until("checking_permissions")


@pytest.mark.attack("a workspace that was let out of mend.yml", "not answered, though its token is there")
def test_a_workspace_that_mend_yml_does_not_name_any_more_is_not_answered(fresh: str, tmp_path: Path) -> None:
    with Installing(fresh, tmp_path, http=True) as world:
        add_workspace(world.slack.hub, OTHER, "Other")
        for team in ("T0LOCAL", OTHER):
            install(world, requests.Session(), team=team)
        path = tmp_path / "mend.yml"
        settings = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**settings, "access": {"admins": [], "workspaces": ["T0LOCAL"]}}))
        stranger = (f"U{OTHER[1:]}", f"C{OTHER[1:]}")
        world.slack.command("/mend which", user=stranger[0], channel=stranger[1])
        told = wait(lambda: world.slack.ephemerals(*stranger))
        assert "not installed" in told[-1]["text"]
        assert "warehouse" not in str(told)
        world.start("billing").until("checking_permissions")


@pytest.mark.attack("installations begun without end", "429; each keeps a state for ten minutes")
def test_installations_are_not_begun_without_end(fresh: str, tmp_path: Path) -> None:
    with Installing(fresh, tmp_path, http=True) as world:
        url = world.addresses[0] + "/slack/install"
        codes = [requests.get(url, timeout=20, allow_redirects=False).status_code for _ in range(100)]
        assert set(codes) == {302, 429}
        assert len(rows(world.url, "oauth_states")) < 70


def test_a_workspace_that_mend_yml_does_not_name_installs_nothing(fresh: str, tmp_path: Path) -> None:
    with Installing(fresh, tmp_path, http=True, access={"workspaces": ["T0LOCAL"]}) as world:
        add_workspace(world.slack.hub, OTHER, "Other")
        refused = install(world, requests.Session(), team=OTHER)
        assert (refused.status_code, "not for that workspace" in refused.text) == (403, True)
        assert rows(world.url, "installations") == []
        assert "Mend is installed in" in install(world, requests.Session(), team="T0LOCAL").text
