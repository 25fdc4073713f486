"""GitHub's desk: nothing of a ticket calls, links, closes or loads anything, and the list finds what was made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.desks.base import Desk, DeskError
from bot.desks.github import case_in, inert, text
from bot.desks.registry import desk_for
from bot.settings import Desk as Settings
from messages import render
from tests.desks.test_desks import TICKET, of_github, refusal
from tests.fakes.github_desk import GitHub, github
from tests.messages.views import view

HOSTILE = [
    "@octocat and @acme/team, me@acme.test",
    "fixes #1, closes acme/data#2, resolves GH-3, https://github.com/acme/data/issues/4",
    "![x](https://evil.test/x.png) <img src=https://evil.test/x.png> [x](javascript:1) www.evil.test",
    "a1b2c3d4e5f6a7b8c9d0 deadbeef effaced acme@deadbeef",
    "<!-- mend-c1 --> </details> <h1>x</h1> &#64;octocat",
    "# no heading",
    "1. no list",
    "12) no list",
    "- [ ] no task",
    "> no quote",
    "| no | table |",
    "--- ===",
    ":tada: $x$ ~~y~~ **z** _w_ $$q$$",
    "``` no ` fence `` @octocat",
    "said `@octocat`, `` `#1` ``: and `x`.",
]


@pytest.fixture
def repository() -> Iterator[GitHub]:
    with github() as state:
        yield state


def outside(line: str) -> str:
    """What is left for GitHub to read: the line without its code. https://spec.commonmark.org/0.31.2/#code-spans"""
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "\u0000", line)


@pytest.mark.parametrize("line", HOSTILE)
def test_what_is_read_outside_of_code_is_words_alone(line: str) -> None:
    shown = inert(line)
    left = outside(shown)
    assert re.fullmatch(r"[^\W_]*[\w\s\u0000.,;:!?()\"'’…–—-]*", left)
    for read in ("@", "#", "http", "www", "<", "[", "`", "_", "$", "|", "GH-", "deadbeef", "effaced", "a1b2"):
        assert read not in left
    assert not re.match(r"\s*(\d+[.)]|[-+*>#=])", left)


def test_the_words_are_all_there_and_in_order() -> None:
    for line in HOSTILE[:7]:
        assert inert(line).replace("`", "").split() == line.replace("`", "").split()
    assert inert('The server refused the password for user "stitch".') == (
        'The server refused the password for user "stitch".'
    )
    assert inert("Next: run `ALTER ROLE x;`. It waits 12 ms.") == "Next: run `ALTER ROLE x;`. It waits 12 ms."


def test_a_body_reads_as_headings_lists_and_code() -> None:
    shown = text(render.ticket(view())["body"])
    assert "- The login stitch has no password.\n\nWhat decides it: Does" in shown
    assert "12 ms)\n  The same answer would come with: `auth.unknown_user" in shown
    assert shown.startswith("## What is wrong\n\nThe server refused the password for user stitch.\n\n")
    assert "`ALTER ROLE \"stitch\" PASSWORD '<new password>';`. Waiting does not help." in shown
    assert "## Connection\n\n- Name: warehouse\n- Connector: PostgreSQL (postgres)\n- host: `db.example.com`\n" in shown
    assert '\n\n```\nFATAL: password authentication failed for user "stitch" (28P01)\n```\n\n' in shown
    assert "- Thread: <https://example.slack.com/archives/C0DATA/p1>\n" in shown


def test_evidence_cannot_leave_its_block() -> None:
    shown = text("## Results\n- Failed: x\n\n      ``\n      @octocat fixes #1\n")
    assert shown.endswith("```\n``\n@octocat fixes #1\n```")
    assert text("a\n```\n@octocat\n```\nb") == "a\n\n```\n@octocat\n```\n\nb"


def test_an_issue_says_whose_it_is_and_the_labels_of_the_desk(repository: GitHub) -> None:
    subject = "warehouse: @octocat #1 " + "x" * 300
    address = of_github(repository).make(labels=["oncall"]).open(replace(TICKET, subject=subject))
    assert (address.url, address.id) == ("https://github.com/acme/data/issues/12", "acme/data#12")
    issue = repository.issues[0]
    assert [label["name"] for label in issue["labels"]] == ["mend", "invalid_credentials", "oncall"]
    assert issue["title"].startswith("warehouse: `@octocat #1`")
    assert case_in(issue) == "c42"
    assert case_in({**issue, "pull_request": {"url": "x"}}) == ""


def test_what_was_made_before_the_answer_was_lost_is_found_again(repository: GitHub) -> None:
    repository.loses_answer = True
    error = refusal(of_github(repository).make())
    assert (error.kind, error.retry_after) == ("down", 120)
    repository.loses_answer, repository.pushes = False, False
    assert of_github(repository).make().open(TICKET).id == "acme/data#12"
    assert len(repository.issues) == 1


def test_it_is_found_by_its_line_without_labels_and_by_its_label_behind_many(repository: GitHub) -> None:
    make = of_github(repository).make
    make().open(TICKET)
    repository.pushes = False
    make().open(replace(TICKET, id="c43"))
    for number in range(120):
        repository.made({"title": f"{number}", "body": "x <!-- mend-c42 -->"})
    assert make().open(TICKET).id == "acme/data#12"
    repository.made({"title": "a copy of its first line", "body": repository.issues[0]["body"]})
    assert make().open(TICKET).id == "acme/data#12"  # the older one is Mend's
    assert sum(case_in(issue) == "c43" for issue in repository.issues) == 1


@pytest.mark.parametrize(
    ("mood", "kind", "piece"),
    [
        ("401", "auth", "refuses the desk's token"),
        ("403", "auth", "Issues: Read and write"),
        ("404", "config", "check desk.repository"),
        ("410", "config", "are disabled"),
        ("redirect", "config", "check desk.repository"),
        ("portal", "down", "did not answer in JSON"),
        ("500", "down", "HTTP 500"),
        ("spent", "rate", "asks to wait"),
        ("secondary", "rate", "asks to wait"),
    ],
)
def test_refusals_are_one_line_for_the_right_person(repository: GitHub, mood: str, kind: str, piece: str) -> None:
    repository.mood = mood
    for call in (lambda: of_github(repository).make().open(TICKET), lambda: of_github(repository).make().check()):
        with pytest.raises(DeskError) as caught:
            call()
        assert (caught.value.kind, piece in str(caught.value), "\n" in str(caught.value)) == (kind, True, False)
        assert "t0ken" not in str(caught.value)
    assert len(repository.asked) == 2  # and nobody was followed elsewhere


@pytest.mark.parametrize(("mood", "least", "most"), [("429", 7, 7), ("spent", 30, 41), ("secondary", 60, 60)])
def test_the_wait_that_github_asks_for_is_kept(repository: GitHub, mood: str, least: float, most: float) -> None:
    repository.mood = mood
    assert least <= refusal(of_github(repository).make()).retry_after <= most


def test_its_check_finds_what_an_issue_would_be_refused_for(repository: GitHub) -> None:
    def said() -> str:
        with pytest.raises(DeskError) as caught:
            of_github(repository).make().check()
        return f"{caught.value.kind}: {caught.value}"

    assert of_github(repository).make().check() == ""
    repository.pushes = False
    repository.there["private"] = False
    told = of_github(repository).make().check()
    assert told.startswith("acme/data is public, and so are its tickets; ")
    assert "drops the labels" in told
    repository.may = "read"
    assert said().startswith("auth: GitHub: the token may not do this in acme/data (HTTP 403): it needs the repository")
    repository.there["archived"] = True
    assert said() == "config: GitHub: acme/data is archived, or its issues are disabled"
    assert repository.issues == []


def test_enterprise_is_asked_at_its_own_address(repository: GitHub) -> None:
    of_github(repository).make(base_url=f"{repository.url}/api/v3/").open(TICKET)
    assert repository.asked[-1] == ("POST", "/api/v3/repos/acme/data/issues")


def made(**keys: Any) -> Desk:
    return desk_for(Settings(**{"kind": "github", **keys}))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "github needs repository, token in mend.yml"),
        ({"repository": "acme/data", "token": "t0ken", "labels": "data"}, "a list is needed"),
        ({"repository": "https://github.com/acme/data", "token": "t0ken"}, "write owner/name"),
        ({"repository": "acme/..", "token": "t0ken"}, "write owner/name"),
    ],
)
def test_what_is_missing_or_wrong_is_told_in_one_line(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(DeskError) as caught:
        made(**keys)
    assert (caught.value.kind, said in str(caught.value), "t0ken" in json.dumps(str(caught.value))) == (
        "config", True, False,
    )  # fmt: skip
