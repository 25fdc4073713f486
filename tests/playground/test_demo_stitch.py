"""The demo's Stitch, in the shapes that Stitch documents, and as Mend's own client reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from starlette.routing import Mount

from bot.platforms.base import PlatformError
from bot.platforms.stitch import Stitch as Client
from bot.playground import stitch as played
from bot.playground.provider import DemoProvider
from bot.playground.stitch import SOURCE, Stitch
from tests.talk import wait

REFUSED = 'FATAL: password authentication failed for user "stitch"'


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stitch]:
    """Whose source runs when it is told to; the password `right` is right."""
    monkeypatch.setattr(played, "JOB", 0.05)
    monkeypatch.setattr(played, "CHECK", 0.05)
    monkeypatch.setattr(played, "EVERY", 3600.0)
    one = Stitch(
        "shop", "platform.hp-postgres", {"user": "stitch"}, {"password": "old"},
        lambda kept: "" if kept["password"] == "right" else REFUSED, ("public.orders",),
    )  # fmt: skip
    one.start()
    yield one
    one.stop()


@pytest.fixture
def url(account: Stitch) -> Iterator[str]:
    provider = DemoProvider(more=[Mount("/stitch", routes=account.routes())])
    provider.start()
    yield provider.url + "/stitch"
    provider.stop()


@pytest.fixture
def client(account: Stitch, url: str) -> Client:
    return Client(account.token, url)


def ended(client: Client, state: str) -> Any:
    return wait(lambda: (job := client.last_job(str(SOURCE))).state == state and job)


def test_its_first_job_fails_with_what_the_source_said(client: Client) -> None:
    job = ended(client, "bad")
    assert (job.said, job.part) == (REFUSED, "extraction")
    assert job.next_at > job.ended


def test_a_new_password_is_checked_and_the_next_job_brings_rows(client: Client, account: Stitch) -> None:
    source = client.find("shop")
    assert (source.id, source.type) == (str(SOURCE), "platform.hp-postgres")
    bad = wait(lambda: (seen := client.last_check(source.id)).state == "bad" and seen)
    client.send(source.id, {"password": "right"})
    good = wait(lambda: (seen := client.last_check(source.id)).state == "good" and seen)
    assert good.id != bad.id
    client.start_job(source.id)
    assert ended(client, "good").said == ""


def test_one_that_runs_is_not_started_twice(client: Client, account: Stitch, url: str) -> None:
    ended(client, "bad")
    held = {"Authorization": f"Bearer {account.token}"}
    account.job = "it runs"
    answer = requests.post(f"{url}/v4/sources/{SOURCE}/sync", headers=held, timeout=10)
    assert (answer.status_code, answer.json()["error"]["type"]) == (200, "already_running")
    client.start_job(str(SOURCE))


def test_what_it_keeps_secret_is_never_given_back(account: Stitch, url: str) -> None:
    held = {"Authorization": f"Bearer {account.token}"}
    answer = requests.get(f"{url}/v4/sources/{SOURCE}", headers=held, timeout=10).json()
    assert answer["properties"] == {"user": "stitch"}
    names = {p["name"]: p["is_credential"] for p in answer["report_card"]["steps"][0]["properties"]}
    assert names == {"user": False, "password": True}


def test_a_property_that_it_does_not_know_is_refused_by_name(client: Client) -> None:
    with pytest.raises(PlatformError, match="InvalidProperties: colour"):
        client.send(str(SOURCE), {"colour": "red"})


@pytest.mark.parametrize("path", ["sources/7", "sources/7/last-connection-check", "9/extractions", "171717/others"])
def test_what_it_does_not_have_is_not_found(account: Stitch, url: str, path: str) -> None:
    held = {"Authorization": f"Bearer {account.token}"}
    assert requests.get(f"{url}/v4/{path}", headers=held, timeout=10).status_code == 404


def test_a_strangers_token_is_refused(url: str) -> None:
    with pytest.raises(PlatformError, match="refuses platform.token"):
        Client("another", url).check()
