"""Tokens that Mend got itself are renewed before a check: once, stored first, and nobody else's refresh token ever."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bot.checks.oauth import Grant, renewal_of
from bot.checks.run import run_step
from bot.checks.target import target_for
from bot.cipher import make_key
from bot.references import serve_references
from bot.settings import VAULTS, App, Connection, Settings, load
from bot.vault import opened
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.fakes.oauth_provider import OAuthProvider, Token

SCOPES = "oauth crm.objects.contacts.read crm.objects.deals.read"
FIELDS = {"access_token": "access_token"}


@pytest.fixture
def provider() -> Iterator[OAuthProvider]:
    with OAuthProvider() as provider:
        yield provider


@pytest.fixture
def settings(
    fresh: str, provider: OAuthProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    import yaml

    from tests.web.oauth_visit import crm

    monkeypatch.setenv("MEND_SECRET_KEY", make_key())
    monkeypatch.setenv("MEND_DATABASE_URL", fresh)
    path = tmp_path / "mend.yml"
    connection = crm(provider, secrets={"access_token": "old", "refresh_token": "the-platform-s-own"})
    path.write_text(yaml.safe_dump({"connections": {"crm": connection}, "oauth": {"hubspot": provider.registration()}}))
    before = dict(VAULTS)
    serve_references(fresh)
    yield load(path, {})
    VAULTS.clear()
    VAULTS.update(before)


def granted(provider: OAuthProvider, *, lives: int, expires_in: float | None = None) -> Token:
    """As after an authorization: tokens in the vault, in use instead of what mend.yml says."""
    import time

    token = provider.give("24601", SCOPES, lives=lives)
    until = time.time() + (lives if expires_in is None else expires_in)
    grant = Grant(token.refresh_token, until if until else 0.0, FIELDS, SCOPES, "T1")
    opened().add(
        "b1",
        {"crm.access_token": token.access_token, "crm.oauth": grant.text()},
        "U0ALICE",
        team="T1",
        connection="crm",
    )
    opened().promote("b1", {"crm.access_token": "old"})
    return token


def look(settings: Settings, step: str = "verify_credentials", team: str = "T1") -> Finding:
    return run_step(target_for(settings, "crm", team), step)[0]


def held(team: str = "T1") -> Grant:
    return Grant.read(opened().kept("crm", team)["oauth"].value)


def test_a_token_that_lives_long_enough_is_left_alone(settings: Settings, provider: OAuthProvider) -> None:
    granted(provider, lives=1800)
    assert look(settings).verdict == "good"
    assert provider.refreshes() == 0


@pytest.mark.parametrize("team", ["T1", ""], ids=["in a case", "in the terminal"])
def test_a_token_that_ends_soon_is_renewed_first_and_the_new_refresh_token_is_kept(
    settings: Settings, provider: OAuthProvider, team: str
) -> None:
    before = granted(provider, lives=1)
    assert look(settings, team=team).verdict == "good"
    assert held().refresh_token == provider.tokens[-1].refresh_token != before.refresh_token
    assert look(settings, "check_permissions", team).verdict == "good"
    assert provider.refreshes() == 1


def test_a_token_whose_life_nobody_told_is_renewed_when_it_is_refused(
    settings: Settings, provider: OAuthProvider
) -> None:
    import time

    granted(provider, lives=-1, expires_in=-time.time())
    assert look(settings).verdict == "good"
    assert provider.refreshes() == 1


def test_microsoft_is_told_the_scopes_with_the_refresh_token_too(settings: Settings, provider: OAuthProvider) -> None:
    """https://learn.microsoft.com/en-us/advertising/guides/authentication-oauth-get-tokens: there it is required."""
    scopes = "https://ads.microsoft.com/msads.manage offline_access"
    settings.oauth["microsoft_advertising"] = App.model_validate(provider.registration())
    settings.connections["ads"] = Connection(connector="microsoft_advertising")
    before = provider.give("24601", scopes)
    grant = Grant(before.refresh_token, 1.0, FIELDS, scopes, "T1")
    held = {"ads.access_token": before.access_token, "ads.oauth": grant.text()}
    opened().add("b1", held, "U0ALICE", team="T1", connection="ads")
    opened().promote("b1", {"ads.access_token": "old"})
    kept = opened().kept("ads", "T1")
    renew = renewal_of(settings, "ads", sheet("microsoft_advertising"), settings.connections["ads"], kept)
    assert renew
    assert renew(False) == {"access_token": provider.tokens[-1].access_token}
    assert provider.calls[-1][1]["scope"] == scopes


def test_many_checks_at_once_renew_once(settings: Settings, provider: OAuthProvider) -> None:
    granted(provider, lives=1)
    provider.slow = 0.3
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: look(settings).verdict, range(8)))
    assert (seen, provider.refreshes()) == (["good"] * 8, 1)


def test_two_replicas_renew_once(settings: Settings, provider: OAuthProvider) -> None:
    """Each is a process of its own; a second use of the refresh token would end the whole grant."""
    granted(provider, lives=1)
    provider.slow = 1.0
    command = [sys.executable, "-m", "bot.cli", "check", "crm", "--json", "--config", str(settings.source)]
    replicas = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [one.communicate(timeout=60)[0] for one in replicas]
    assert [one.returncode for one in replicas] == [0, 0, 0], said
    assert provider.refreshes() == 1


def test_a_revoked_grant_is_called_so(settings: Settings, provider: OAuthProvider) -> None:
    granted(provider, lives=1)
    provider.revoke()
    found = look(settings)
    assert (found.verdict, found.cause, found.code) == ("bad", "token_expired", "auth.refresh_token_revoked")
    assert not any(secret in str(found.to_dict()) for secret in provider.secrets())


def test_a_refresh_token_that_somebody_else_used_ends_the_grant_and_is_said(
    settings: Settings, provider: OAuthProvider
) -> None:
    token = granted(provider, lives=1)
    token.refreshed = True
    found = look(settings)
    assert (found.cause, found.code) == ("token_expired", "auth.refresh_token_revoked")


def test_a_provider_that_is_down_costs_no_grant(settings: Settings, provider: OAuthProvider) -> None:
    before = granted(provider, lives=1)
    provider.down = True
    found = look(settings)
    assert (found.verdict, found.cause) == ("bad", "third_party_down")
    assert held().refresh_token == before.refresh_token
    provider.down = False
    assert look(settings).verdict == "good"


def test_a_refresh_token_of_the_platform_is_never_sent(settings: Settings, provider: OAuthProvider) -> None:
    assert look(settings).code == "auth.token_revoked"
    assert provider.refreshes() == 0


def test_who_changes_mend_yml_wins_and_the_old_grant_is_not_renewed(
    settings: Settings, provider: OAuthProvider
) -> None:
    granted(provider, lives=1)
    by_hand: dict[str, Any] = {"access_token": provider.give("24601", SCOPES).access_token}
    settings.connections["crm"].secrets = by_hand
    assert look(settings).verdict == "good"
    assert provider.refreshes() == 0


def test_a_token_that_is_typed_in_later_ends_what_the_authorization_left(
    settings: Settings, provider: OAuthProvider
) -> None:
    granted(provider, lives=1)
    typed = provider.give("24601", SCOPES).access_token
    opened().add("b2", {"crm.access_token": typed}, "U0ALICE", team="T1", connection="crm")
    opened().promote("b2", {"crm.access_token": "old"})
    assert look(settings).verdict == "good"
    assert provider.refreshes() == 0
    assert list(opened().kept("crm", "T1")) == ["access_token"]


def test_a_renewal_that_comes_too_late_changes_nothing(settings: Settings, provider: OAuthProvider) -> None:
    granted(provider, lives=1)
    opened().add("b2", {"crm.access_token": "typed"}, "U0ALICE", team="T1", connection="crm")
    opened().promote("b2", {"crm.access_token": "old"})
    opened().renewed("T1", "crm", {"access_token": "late"})
    assert opened().kept("crm", "T1")["access_token"].value == "typed"
