"""What a hostile source and a careless mend.yml can put on a page, in Slack, in a ticket, in the log and on a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.fakes.serve import Reply, serving
from tests.messages.test_hostile import harmless
from tests.talk import ALICE, World, rows
from tests.web.visitor import opened

NAME = "<b>shop</b>"
KEY = "canary-of-the-shop"
EVIL = (
    "no \x00 \ud800 \x1b]0;owned\x07\x1b[2J \x9b2J \r\n2026-01-01T00:00:00Z [info    ] forged [mend.app]\n <script>alert(1)"
    "</script> <!channel> <@U0BOB> *b* `x` ```y``` [a](javascript:alert(1)) {{7*7}} \u202e <https://evil.test|here>"
)


def answer(path: str, headers: Mapping[str, str]) -> Reply:
    said = {"status": "error", "message": EVIL, "error": EVIL, "error_description": EVIL, "account": {"name": EVIL}}
    return 401, {"WWW-Authenticate": 'Bearer error="<!channel>", error_description="<script>alert(1)</script>"'}, said


def connection(url: str) -> dict[str, Any]:
    return {"connector": "http_api", "settings": {"base_url": url, "auth": "bearer", "probe": "/me"},
            "secrets": {"token": KEY}, "tables": ["/orders"]}  # fmt: skip


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    with serving(answer) as url:
        yield url


@pytest.fixture(scope="module")
def world(source: str, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    shop = {"connections": {NAME: connection(source)}}
    with World(database, Path(tmp_path_factory.mktemp("source")), demo_desk=True, **shop) as world:
        yield world


@pytest.mark.attack("a source's error full of markup, escapes and NUL", "words alone, in Slack, ticket, page, log")
def test_what_a_source_says_is_text_everywhere(world: World) -> None:
    world.slack.space.users[ALICE].real_name = "Alice " + EVIL.replace("\ud800", "")
    talk = world.start(NAME)
    talk.until("regenerating_credentials")
    page = opened(world, talk)
    assert "<b>shop" not in page.answer.text
    page.press("try", token="another-canary").until("were tried and are not used", 60)
    assert not re.search(
        r"<script|<b>shop|href=.javascript:|[\x00-\x08\x0e-\x1f\x7f-\x9f\u202e\ud800]", page.answer.text
    )
    talk.press("mend_escalate")
    talk.until("escalating")
    talk.press("mend_confirm_ticket")
    found = re.search(r"<(http://\S+?)\|1001>", str(talk.until("escalated")))
    assert found, talk.texts
    for call in world.slack.calls:
        if call.method.startswith("chat."):
            harmless(call.args)
    ticket = requests.get(found[1], timeout=20).text
    assert "alert(1)" in ticket
    assert not re.search("<script>alert|<b>shop|[\x00\x1b\x9b\u202e]", ticket)
    log = world.log.read_text()
    assert not [line for line in log.splitlines() if line.startswith("2026-01-01")]
    assert not re.search("[\x00\x1b\x9b\u202e]", log)
    assert KEY not in log
    assert rows(world, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")[0][0] == 0


@pytest.mark.attack("the same in a terminal, and names of mend.yml", "no escape, no traceback, JSON that is read")
@pytest.mark.parametrize("words", [["--all"], ["--all", "--json"], ["shop"], ["shop", "--json"]], ids=" ".join)
def test_what_a_source_says_does_not_command_a_terminal(words: list[str], source: str, tmp_path: Path) -> None:
    """A half of a sign in one source's answer would also keep the answers of all others from being shown as JSON."""
    path = tmp_path / "mend.yml"
    path.write_text(yaml.safe_dump({"connections": {"shop": connection(source), "sh\x1b[2Jop": connection(source)}}))
    command = [sys.executable, "-m", "bot.cli", "check", *words, "--config", str(path)]
    run = subprocess.run(command, capture_output=True, timeout=90)
    said = (run.stdout + run.stderr).decode()
    assert run.returncode == 1, said
    assert not re.search("[\x00\x07\x1b\x7f-\x9f\u202e]", said)
    assert KEY not in said
    if "--json" in words:
        assert json.loads(run.stdout)
