"""The demo's warehouse, which a pipeline runs: its case closes on the pipeline's own job alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.talk import Talk, World, wait


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(database, Path(tmp_path_factory.mktemp("pipeline")), pipeline=True) as world:
        yield world


@pytest.fixture
def waiting(world: World) -> Talk:
    """A case whose source is mended, with nothing left to prove but the job."""
    world.break_again("warehouse")
    world.demo.stitch.due()
    wait(lambda: (ran := world.demo.stitch.extraction) and ran["discovery_description"])
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    world.mend("warehouse")
    talk.press("mend_fixed")
    talk.said("Mend waits for Stitch's next job")
    assert "resolved" not in talk.states()
    return talk


def test_a_job_that_is_started_by_a_button_closes_the_case(waiting: Talk) -> None:
    assert "Its last job failed" in waiting.said("Mend waits for Stitch's next job")["text"]
    waiting.press("mend_start_job")
    waiting.said("Stitch runs it now")
    assert "and data flows" in waiting.until("resolved")["text"]
    wait(lambda: "the pipeline's job brought data" in waiting.thread[0]["text"])


def test_a_job_that_is_started_by_a_word_closes_the_case(waiting: Talk) -> None:
    waiting.say("start")
    assert "The pipeline's own next job succeeds" in waiting.until("resolved")["text"]


def test_it_closes_by_itself_when_the_job_comes_and_the_question_is_over(world: World, waiting: Talk) -> None:
    world.demo.stitch.due()
    waiting.until("resolved")
    waiting.press("mend_helpful")
    wait(lambda: waiting.question() is None)


def test_the_pipeline_says_nothing_of_a_connection_that_it_does_not_run(world: World) -> None:
    world.break_again("billing")
    talk = world.start("billing")
    talk.until("checking_permissions")
    world.mend("billing")
    talk.press("mend_fixed")
    assert "pipeline's own next job" not in talk.until("resolved")["text"]
