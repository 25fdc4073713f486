"""What a case says of the pipeline's own job."""

from __future__ import annotations

from typing import Any

import pytest

from messages import render
from tests.messages.views import FINDING, view

WAITS = {**FINDING, "step": "confirm_recovery", "check": "data_flows_again", "verdict": "unclear", "cause": None,
         "code": None, "evidence": ""}  # fmt: skip


def said(name: str, **more: Any) -> str:
    finding = {**WAITS, **more, "facts": {"platform": "Stitch", **more.get("facts", {})}}
    return str(render.message(name, view(finding=finding), (), key="k")["text"])


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"job": "none"}, "has not run this source in the last weeks"),
        ({"job": "running"}, "A job is running now"),
        ({"job": "bad", "ended": "1700000000.0"}, "before this was mended"),
        ({"job": "good", "ended": "1700000000.0", "next_at": "1893456000.0"}, "The next one is due"),
        ({"job": "none", "paused": "platform"}, "Stitch has paused this source itself"),
        ({"job": "none", "paused": "somebody"}, "Somebody has paused this source in Stitch"),
        ({}, "cannot be asked just now"),
    ],
)
def test_what_is_waited_for_is_said(facts: dict[str, str], words: str) -> None:
    text = said("waiting_for_job", facts=facts)
    assert words in text
    assert "All checks pass" in text


def test_a_job_that_failed_at_the_destination_sends_nobody_to_the_source() -> None:
    text = said("job_failed", verdict="bad", cause="destination_full", facts={"part": "loading"}, evidence="Disk full")
    assert "the destination did not take them" in text
    assert "the owner of the destination" in text


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("host_unreachable", "have the addresses of Stitch allowed"),
        ("unclassified", "open this job's log in Stitch"),
        ("invalid_credentials", "put the credentials in that Mend has just proven"),
    ],
)
def test_what_works_from_here_and_not_from_there_is_explained(cause: str, words: str) -> None:
    assert words in said("job_failed", verdict="bad", cause=cause)
