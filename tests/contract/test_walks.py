"""All five demo cases to the end, once by buttons alone and once by words alone; and what every word does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.talk import Talk, World, wait

# The connection, where its case waits for a repair, and what its question must tell.
DEMO = {
    "warehouse": ("regenerating_credentials", "refused the password"),
    "billing": ("checking_permissions", "may not read public.invoices"),
    "hubspot-prod": ("regenerating_credentials", "token"),
    "github-org": ("checking_permissions", "read:org"),
    "payments": ("waiting_for_provider", "reports trouble"),
}
# A parked case must not wake by itself here: it is the person's answer that is looked at.
PATIENT = {"poll_seconds": 600}


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(database, Path(tmp_path_factory.mktemp("walks")), reminders=PATIENT) as world:
        yield world


@pytest.mark.parametrize("connection", DEMO)
def test_by_buttons_alone(world: World, connection: str) -> None:
    world.break_again(connection)
    state, told = DEMO[connection]
    talk = world.start("")
    talk.until("choosing")
    talk.choose(connection)
    assert told in talk.until(state)["text"]
    world.mend(connection)
    talk.press("mend_check_again" if connection in ("warehouse", "payments") else "mend_fixed")
    talk.until("resolved")
    talk.press("mend_helpful")
    wait(lambda: talk.question() is None)


@pytest.mark.parametrize("connection", DEMO)
def test_by_words_alone(world: World, connection: str) -> None:
    world.break_again(connection)
    state, told = DEMO[connection]
    talk = world.start("")
    listed = talk.until("choosing")["text"].splitlines()
    number = next(line.split(".")[0] for line in listed if f". {connection} " in line)
    talk.say(number if connection in ("billing", "payments") else connection)
    assert told in talk.until(state)["text"]
    world.mend(connection)
    talk.say({"warehouse": "Done.", "billing": "again", "hubspot-prod": "fixed"}.get(connection, "check again"))
    talk.until("resolved")
    talk.say("not helpful")
    wait(lambda: talk.question() is None)


GUIDES = {"update credentials": "New credentials", "reauthorize": "Authorize", "rotate": "A new credential"}


@pytest.fixture
def talk(world: World) -> Talk:
    world.break_again("warehouse")
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    return talk


def new_text(talk: Talk, before: int, piece: str) -> str:
    return str(wait(lambda: next((t for t in talk.texts[before:] if piece in t), None)))


@pytest.mark.parametrize("word", GUIDES)
def test_a_guide_is_shown_for_its_word(talk: Talk, word: str) -> None:
    before = len(talk.texts)
    talk.say(word)
    assert "Never paste" in new_text(talk, before, GUIDES[word])


@pytest.mark.parametrize(("word", "piece"), [("why", "Why Mend says"), ("status", "Led by"), ("help", "What you can")])
def test_a_question_to_mend_is_answered_and_the_case_goes_on(talk: Talk, word: str, piece: str) -> None:
    before, question = len(talk.texts), talk.question()
    talk.say(word)
    new_text(talk, before, piece)
    assert talk.question() == question


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (["again"], "regenerating_credentials"),
        (["fixed"], "regenerating_credentials"),
        (["back"], "regenerating_credentials"),
        (["skip"], "regenerating_credentials"),
        (["escalate"], "escalating"),
        (["support"], "escalating"),
        (["support", "no"], "regenerating_credentials"),
        (["escalate", "back"], "regenerating_credentials"),
        (["cancel"], "cancelled"),
        (["stop"], "cancelled"),
    ],
)
def test_a_word_moves_the_case(talk: Talk, words: list[str], state: str) -> None:
    for word in words:
        question = talk.question()
        talk.say(f"<@U0MEND> {word.upper()}!" if word in ("skip", "stop") else word)
        wait(lambda: talk.question() != question)  # noqa: B023 - it is called at once
    talk.until(state)
