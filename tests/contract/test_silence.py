"""When people are silent for long, and when a workspace has removed Mend."""

from __future__ import annotations

from pathlib import Path

from tests.talk import World, case_of, rows


def test_silence_is_nudged_then_the_case_pauses_and_goes_on(database: str, tmp_path: Path) -> None:
    reminders = {"nudge_minutes": 0.1, "expire_hours": 0.003, "poll_seconds": 1}
    with World(database, tmp_path, reminders=reminders) as world:
        talk = world.start("warehouse")
        talk.until("regenerating_credentials")
        talk.said("still waits for an answer")
        talk.until("expired")
        assert sum("still waits for an answer" in t for t in talk.texts) == 1
        talk.press("mend_resume")
        talk.until("regenerating_credentials")


def test_a_workspace_that_removed_mend_is_left_alone(database: str, tmp_path: Path) -> None:
    with World(database, tmp_path) as world:
        talk = world.start("payments")
        talk.until("waiting_for_provider")
        world.slack.hub.subscriptions.add("app_uninstalled")
        gone = world.slack.hub.event({"type": "app_uninstalled"}, None, "app_uninstalled")
        assert gone is not None
        assert gone.wait(10)
        state = "SELECT state, due_at FROM cases WHERE id = :id"
        assert [tuple(r) for r in rows(world, state, id=case_of(talk))] == [("cancelled", None)]
        queued = "SELECT count(*) FROM procrastinate_jobs WHERE split_part(lock, ':', 2) = :id AND status = 'todo'"
        assert rows(world, queued, id=case_of(talk))[0][0] == 0
