"""A healthy source of which more is selected than can be asked for in time is not called unreachable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from bot.checks.base import Target
from bot.checks.run import run_all
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.fakes.google import Google
from tests.fakes.serve import serving

# Seconds for one answer.
SLOW = 0.1
ARN = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/x</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
Judge = Callable[[int], Finding]


def bigquery() -> Iterator[Judge]:
    google = Google()

    def slow(path: str, headers: Mapping[str, str]) -> Any:
        time.sleep(SLOW)
        return google.answer(path, headers)

    with serving(slow) as url:
        place = {"base_url": url, "dataset": "shop", "project": "acme"}
        yield lambda count: judged("bigquery", place, {"service_account": google.file()}, ["orders"] * count)


def dynamodb() -> Iterator[Judge]:
    def slow(path: str, headers: Mapping[str, str]) -> Any:
        asked = headers.get("x-amz-target", "")
        time.sleep(SLOW if asked else 0)
        return 200, {}, '{"Table": {"TableName": "a"}, "Count": 1}' if asked else ARN

    with serving(slow) as url:
        place, keys = {"endpoint_url": url, "region": "eu-west-1"}, {"access_key_id": "a", "secret_access_key": "b"}
        yield lambda count: judged("dynamodb", place, keys, [f"t{n}" for n in range(count // 2)])


def judged(key: str, settings: dict[str, Any], secrets: dict[str, str], tables: list[str]) -> Finding:
    found = run_all(Target("w", key, sheet(key), settings, secrets, tuple(tables), timeout=1.0))
    return next(one for one in found if one.check == "permissions_sufficient")


@pytest.fixture(params=[bigquery, dynamodb])
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    yield from request.param()


def test_tables_that_take_longer_together_than_one_may_are_all_asked_for(judge: Judge) -> None:
    assert judge(14).verdict == "good"


def test_tables_that_there_is_no_time_for_are_named_as_not_proven(judge: Judge) -> None:
    found = judge(60)
    assert (found.verdict, found.code) == ("unclear", "availability.too_slow")
    assert "time ran out; not proven: " in found.evidence
