"""The demo's desk, from *escalate* to the agent's answer in the thread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.talk import ALICE, World


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(database, Path(tmp_path_factory.mktemp("desk")), http=True, demo_desk=True) as world:
        world.demo.mend_url = lambda: world.addresses[-1]
        yield world


def test_what_the_agent_answers_comes_back_to_the_thread(world: World) -> None:
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    talk.say("escalate")
    preview = talk.until("escalating")["text"]
    talk.say("yes")
    found = re.search(r"<(http://\S+?)\|1001>", str(talk.until("escalated")))
    assert found, talk.texts
    page = requests.get(found[1], timeout=10).text
    asked = f"Asked by: Alice Moreau ({ALICE} in Slack)"
    assert asked in preview
    assert asked in page
    assert "28P01" in page
    assert f"/archives/C0DATA/p{talk.ts.replace('.', '')}" in page
    assert world.demo.database.warehouse_password not in page
    origin = {"origin": re.sub(r"(?<=\d)/.*", "", found[1])}
    words = {"words": "The role was changed on <Monday>.", "do": "reply"}
    requests.post(found[1], words, headers=origin, timeout=10).raise_for_status()
    talk.said("The role was changed on")
    assert "(Sam Okafor)" in talk.said("The desk answered the ticket")["text"]
    requests.post(found[1], {"words": "", "do": "solve"}, headers=origin, timeout=10).raise_for_status()
    talk.said("The desk has solved the ticket")
