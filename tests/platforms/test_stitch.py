"""Stitch as its documentation describes it: a source gets new values, its own check is read, errors are one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from bot.platforms.base import PlatformError
from bot.platforms.deliver import lives_there, place_of, source_of
from bot.platforms.stitch import Stitch
from bot.platforms.witness import seen_there
from bot.settings import load
from tests.fakes.stitch_connect import TOKEN, StitchConnect, stitch

NEW = "c4n4ry-n3w"


@pytest.fixture
def side() -> Iterator[StitchConnect]:
    with stitch() as made:
        made.add(101, "platform.hp-postgres", "shop", ("password",), host="db", user="stitch", dbname="shop")
        yield made


@pytest.fixture
def known(side: StitchConnect) -> Stitch:
    return Stitch(TOKEN, side.url)


def test_a_source_is_found_by_its_id_its_name_or_what_people_call_it(known: Stitch) -> None:
    assert {known.find(name).id for name in ("101", "shop", "Shop")} == {"101"}


def test_only_what_is_sent_changes_and_the_next_check_is_another_one(known: Stitch, side: StitchConnect) -> None:
    before = known.last_check("101")
    assert (before.state, "password authentication failed" in before.said) == ("bad", True)
    known.send("101", {"password": NEW})
    assert side.puts == [(101, {"properties": {"password": NEW}})]
    assert side.sources[101]["properties"]["host"] == "db"
    assert [known.last_check("101").state for _ in range(2)] == ["running", "good"]
    assert known.last_check("101").id != before.id


def test_a_property_that_the_source_does_not_have_is_named_without_its_value(known: Stitch) -> None:
    with pytest.raises(PlatformError, match="InvalidProperties: pasword") as caught:
        known.send("101", {"pasword": NEW})
    assert NEW not in str(caught.value)


def config(folder: Path, side: StitchConnect, **shop: object) -> Path:
    settings = {"host": "db", "database": "shop", "user": "stitch"}
    body = {
        "connections": {
            "shop": {"connector": "postgres", "settings": settings, "secrets": {"password": "old"}, **shop}
        },
        "platform": {"kind": "stitch", "token": TOKEN, "base_url": side.url},
    }
    (folder / "mend.yml").write_text(yaml.safe_dump(body))
    return folder / "mend.yml"


def test_values_go_to_a_source_of_the_same_kind_under_its_own_names(side: StitchConnect, tmp_path: Path) -> None:
    place = place_of(load(config(tmp_path, side), {}), "shop")
    assert place is not None
    place.send({"password": NEW, "user": "other"})
    assert side.secrets[101] == {"password": NEW}
    assert side.sources[101]["properties"]["user"] == "other"


def test_half_of_a_credential_is_not_sent(side: StitchConnect, tmp_path: Path) -> None:
    place = place_of(load(config(tmp_path, side), {}), "shop")
    assert place is not None
    with pytest.raises(PlatformError, match="does not know what Stitch calls passphrase"):
        place.send({"password": NEW, "passphrase": NEW})
    assert side.puts == []


def test_a_source_of_another_kind_is_not_taken_for_it(side: StitchConnect, tmp_path: Path) -> None:
    side.sources[101]["type"] = "platform.hubspot"
    settings = load(config(tmp_path, side), {})
    with pytest.raises(PlatformError, match=r"of type platform\.hubspot: name its id as platform_source"):
        place_of(settings, "shop")
    assert place_of(load(config(tmp_path, side, platform_source=101), {}), "shop")


def test_doctor_asks_the_platform(side: StitchConnect, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot.cli", "doctor", "--json", "--config", str(config(tmp_path, side))]
    env = {**os.environ, "MEND_DATA_DIR": str(tmp_path), "MEND_DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=env).stdout
    part = next(p for p in json.loads(said)["parts"] if p["part"] == "platform")
    assert part == {"part": "platform", "ok": True, "text": "Stitch answers, 1 sources"}


def test_the_last_job_is_found_on_whatever_page_it_stands(known: Stitch, side: StitchConnect) -> None:
    side.per_page = 2
    for number in range(1, 9):
        side.add(number, "platform.hubspot", f"other{number}", ("token",))
        side.ran(number)
    assert known.last_job("101").state == "none"
    side.ran(101, ago=60)
    job = known.last_job("101")
    assert (job.state, 50 < time.time() - job.started < 120) == ("good", True)


@pytest.mark.parametrize(
    ("happens", "part", "said"),
    [
        (lambda side: side.ran(101, "FATAL: permission denied for table orders"), "extraction", "permission denied"),
        (lambda side: side.terminated(101), "extraction", "Terminated"),
        (lambda side: (side.ran(101), side.load_fails(101, "Disk full")), "loading", "Disk full"),
    ],
)
def test_a_job_that_failed_says_where_and_why(
    known: Stitch, side: StitchConnect, happens: Callable[[StitchConnect], object], part: str, said: str
) -> None:
    happens(side)
    job = known.last_job("101")
    assert (job.state, job.part, said in job.said) == ("bad", part, True)


def test_a_source_that_stands_still_says_who_stopped_it_and_when_it_goes_on(known: Stitch, side: StitchConnect) -> None:
    side.sources[101] |= {"paused_at": "2026-01-01T00:00:00Z"}
    assert known.last_job("101").paused == "somebody"
    side.sources[101] |= {"system_paused_at": "2026-01-01T00:00:00Z"}
    assert known.last_job("101").paused == "platform"
    side.sources[101] |= {"schedule": {"type": "interval", "unit": "minute", "next_fire_time": "2030-01-01T00:00:00Z"}}
    assert known.last_job("101").next_at == 1893456000.0


def test_a_job_that_runs_already_is_as_good_as_one_that_was_started(known: Stitch, side: StitchConnect) -> None:
    side.ends = None
    known.start_job("101")
    known.start_job("101")
    assert side.started == [101]


def test_the_account_is_asked_no_more_often_than_stitch_allows(side: StitchConnect) -> None:
    side.ran(101)
    asked: list[str] = []
    side.page = lambda kind, number, page=side.page: (asked.append(kind), page(kind, number))[1]  # type: ignore[method-assign,misc]
    for _ in range(40):
        assert Stitch(TOKEN, side.url).last_job("101").state == "good"
    assert len(asked) <= 30


def test_one_look_reads_the_source_once_and_the_next_look_anew(known: Stitch, side: StitchConnect) -> None:
    known.last_job(known.find("shop").id)
    assert [path for path in side.got if "sources" in path] == ["/v4/sources"]
    side.sources[101]["paused_at"] = "2026-01-01T00:00:00Z"
    assert known.last_job("101").paused == "somebody"


def test_a_connection_that_the_platform_does_not_run_is_not_looked_for(side: StitchConnect, tmp_path: Path) -> None:
    known = load(config(tmp_path, side, platform_source=False), {})
    assert (source_of(known, "shop"), place_of(known, "shop"), lives_there(known, "shop")) == (None, None, False)
    assert side.got == []


def test_secrets_that_stitch_alone_knows_are_in_nothing_that_it_says_of_its_check(
    side: StitchConnect, tmp_path: Path
) -> None:
    side.checks[101]["discovery_error_message"] = (
        'FATAL: password authentication failed for user "stitch" at postgresql://stitch:c4n4ry-url@db/shop, '
        "headers {'Authorization': 'Bearer c4n4ry-bearer'}, api_key=c4n4ry-key"
    )
    file = tmp_path / "mend.yml"
    file.write_text(
        f"connections: {{shop: {{connector: postgres, settings: {{host: db, user: stitch}}}}}}\n"
        f"platform: {{kind: stitch, token: {TOKEN}, base_url: '{side.url}'}}\n"
    )
    (found,) = seen_there(load(file, {}), "shop", "", "verify_credentials")
    assert (found.verdict, found.cause) == ("bad", "invalid_credentials")
    assert "password authentication failed" in found.evidence
    assert "c4n4ry" not in repr(found)
