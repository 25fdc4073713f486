"""Jira's desk: a second ticket is not made while the search is behind, and nothing of a ticket's text is read as markup."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.desks.base import Desk, DeskError
from bot.desks.calls import wait_of
from bot.desks.jira import LONGEST, as_it_stands, document
from bot.desks.registry import desk_for
from bot.settings import Desk as Settings
from messages import render
from tests.desks.test_desks import TICKET, of_jira, refusal
from tests.fakes.jira_desk import Jira, jira, sound
from tests.messages.views import view

HOSTILE = '[~admin] @all {noformat} !http://evil.test/x.png! [x|http://evil.test] <b>x</b> {{x}} "c"}]} h1. *b* {NoFormat:a=b}'


@pytest.fixture(params=["cloud", "data center"])
def site(request: pytest.FixtureRequest) -> Iterator[Jira]:
    with jira(cloud=request.param == "cloud") as state:
        yield state


@pytest.fixture
def cloud() -> Iterator[Jira]:
    with jira() as state:
        yield state


def text_of(node: Any) -> str:
    if node["type"] in ("text", "hardBreak"):
        return str(node.get("text", "\n"))
    return "".join(map(text_of, node.get("content", ()))) + ("\n" if node["type"] != "doc" else "")


def test_a_ticket_says_what_it_is_and_leads_to_its_page(site: Jira) -> None:
    address = of_jira(site).make().open(TICKET)
    assert (address.url, address.id) == (f"{site.url}/browse/DATA-12", "DATA-12")
    assert site.issues[0]["fields"]["labels"] == ["mend", "invalid_credentials", "mend-c42"]


def test_what_was_made_before_the_answer_was_lost_is_found_though_the_search_is_behind(site: Jira) -> None:
    of_jira(site).make().open(replace(TICKET, id="c41"))
    site.loses_answer = True
    error = refusal(of_jira(site).make())
    assert (error.kind, error.retry_after) == ("down", 120)
    site.loses_answer, site.behind = False, 1
    assert of_jira(site).make().open(TICKET).id == "DATA-13"
    site.behind = 0
    assert of_jira(site).make().open(TICKET).id == "DATA-13"
    assert len(site.issues) == 2


def test_issues_that_came_in_between_and_numbers_that_are_missing_hide_nothing(site: Jira) -> None:
    make = of_jira(site).make
    make().open(replace(TICKET, id="c1"))
    for number in range(2, 9):
        make().open(replace(TICKET, id=f"c{number}"))
    make().open(TICKET)
    del site.issues[3:5]  # deleted there; the search still knows the first alone
    site.behind = len(site.issues) - 1
    assert make().open(TICKET).id == "DATA-20"
    assert len(site.issues) == 7


def test_a_body_reads_as_headings_lists_and_code(cloud: Jira) -> None:
    body = render.ticket(view())["body"]
    of_jira(cloud).make().open(replace(TICKET, body=body))
    sent = cloud.issues[0]["fields"]["description"]
    assert sound(sent)
    headings = [text_of(node).strip() for node in sent["content"] if node["type"] == "heading"]
    assert headings[:3] == ["What is wrong", "Case", "Connection"]
    code = [text_of(node) for node in sent["content"] if node["type"] == "codeBlock"]
    assert code == ['FATAL: password authentication failed for user "stitch" (28P01)\n']
    inline = [n["text"] for n in _all(sent) if n.get("marks") == [{"type": "code"}]]
    assert inline == ["ALTER ROLE \"stitch\" PASSWORD '<new password>';"]
    links = [n for n in _all(sent) if n.get("marks", [{}])[0].get("type") == "link"]
    assert [n["text"] for n in links] == ["https://example.slack.com/archives/C0DATA/p1"]
    words = "".join(char for char in body if char.isalnum())
    assert "".join(char for char in text_of(sent) if char.isalnum()) == words  # nothing is lost


def _all(node: Any) -> Iterator[Any]:
    yield node
    for child in node.get("content", ()):
        yield from _all(child)


def test_statements_in_fences_keep_their_lines() -> None:
    made = document("Next: run this.\n```\nGRANT a;\n  -- ## no heading\n- no item\n```\nThen wait.")
    assert [n["type"] for n in made["content"]] == ["paragraph", "codeBlock", "paragraph"]
    assert made["content"][1]["content"][0]["text"] == "GRANT a;\n  -- ## no heading\n- no item"


def test_text_from_outside_stays_text(site: Jira) -> None:
    of_jira(site).make().open(replace(TICKET, body=f"## Results\n- Failed: {HOSTILE}\n\n      {HOSTILE}\n\n{HOSTILE}"))
    sent = site.issues[0]["fields"]["description"]
    if site.cloud:
        assert sound(sent)
        assert text_of(sent).count(HOSTILE) == 3
    else:
        assert sent.startswith("{noformat}\n")
        assert sent.endswith("\n{noformat}")
        assert sent.lower().count("{noformat") == 2
        assert sent.count("[~admin] @all") == 3


def test_what_is_longer_than_jira_takes_is_cut_and_says_so() -> None:
    long = "\n\n".join(f'## H{n}\n- {"x" * 90} `c`\n\n      "{n}"' for n in range(400))
    made = document(long)
    assert sound(made)
    assert LONGEST - 4000 < len(json.dumps(made)) < 32_767
    assert "shortened" in json.dumps(made["content"][-1])
    assert len(as_it_stands("{noformat}" * 9000)) < 32_767
    assert sound(document(""))


@pytest.mark.parametrize(
    ("mood", "kind", "piece"),
    [
        ("401", "auth", "refuses the desk's"),
        ("captcha", "auth", "refuses the desk's"),
        ("403", "auth", "may not do this in DATA"),
        ("redirect", "config", "check desk.site"),
        ("portal", "down", "did not answer in JSON"),
        ("500", "down", "HTTP 500"),
    ],
)
def test_refusals_are_one_line_for_the_right_person(site: Jira, mood: str, kind: str, piece: str) -> None:
    site.mood = mood
    for call in (lambda: of_jira(site).make().open(TICKET), lambda: of_jira(site).make().check()):
        with pytest.raises(DeskError) as caught:
            call()
        assert (caught.value.kind, piece in str(caught.value), "\n" in str(caught.value)) == (kind, True, False)
        assert "t0ken" not in str(caught.value)
    assert len(site.asked) == 2  # and nobody was followed elsewhere


def test_the_wait_that_jira_asks_for_is_kept(site: Jira) -> None:
    site.mood = "429"
    assert refusal(of_jira(site).make()).retry_after == 7


def test_a_wait_is_read_as_seconds_or_until_a_moment() -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    assert wait_of({"retry-after": "7", "x-ratelimit-reset": "1"}) == 7
    assert 230 < wait_of({"x-ratelimit-reset": soon.strftime("%Y-%m-%dT%H:%MZ")}) <= 300
    assert 290 < wait_of({"x-ratelimit-reset": str(int(soon.timestamp()))}) <= 300
    assert wait_of({"x-ratelimit-reset": "soon"}) == wait_of({}) == 0
    assert wait_of({"retry-after": "9" * 30}) == 86_400


def test_a_field_that_jira_does_not_take_is_named(site: Jira) -> None:
    del site.form["labels"]
    error = refusal(of_jira(site).make())
    assert (error.kind, "HTTP 400: labels" in str(error)) == ("config", True)


def test_its_check_finds_what_a_ticket_would_be_refused_for(site: Jira) -> None:
    def said(**more: Any) -> str:
        with pytest.raises(DeskError) as caught:
            of_jira(site).make(**more).check()
        return f"{caught.value.kind}: {caught.value}"

    assert of_jira(site).make().check() == ""
    assert of_jira(site).make(issue_type="10002").check() == ""
    assert "config: Jira: no project OTHER there" in said(project="OTHER")
    assert "config: Jira: DATA has no issue type 'Incident'; choose from Task, Bug" in said(issue_type="Incident")
    site.form["customfield_1"] = {"fieldId": "customfield_1", "required": True, "hasDefaultValue": False}
    assert "config: Jira: Task requires customfield_1: give it a default" in said()
    site.form = {name: site.form[name] for name in ("project", "issuetype", "summary", "description")}
    assert "config: Jira: put labels on the create screen of Task" in said()
    site.lacks = {"CREATE_ISSUES"}
    assert "auth: Jira: the desk's account lacks the permission 'Create issues' in DATA" in said()
    assert site.issues == []


def test_whose_an_issue_is_stands_on_it(site: Jira) -> None:
    desk = of_jira(site).make()
    assert desk.case_of(desk.open(TICKET).id) == "c42"
    assert desk.case_of("DATA-99") == ""
    asked = len(site.asked)
    assert [desk.case_of(key) for key in ("OTHER-1", "DATA-1/../x", "DATA-12?x=1", "")] == [""] * 4
    assert len(site.asked) == asked


def made(**keys: Any) -> Desk:
    return desk_for(Settings(**{"kind": "jira", **keys}))


def test_a_site_is_cloud_a_bare_address_data_center_and_both_are_a_token_with_scopes() -> None:
    known: Any = made(site="acme", project="DATA", email="m@acme.test", token="t")
    assert (known.base_url, known.pages) == ("https://acme.atlassian.net",) * 2
    known = made(base_url="https://jira.acme.test/jira/", project="DATA", token="t")
    assert (known.base_url, known.email) == ("https://jira.acme.test/jira", "")
    known = made(
        site="acme", base_url="https://api.atlassian.com/ex/jira/1", project="DATA", email="m@acme.test", token="t"
    )
    assert (known.base_url, known.pages) == ("https://api.atlassian.com/ex/jira/1", "https://acme.atlassian.net")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "jira needs site, project, token, email in mend.yml"),
        ({"site": "acme", "project": "DATA", "token": "t0ken"}, "jira needs email in mend.yml"),
        ({"base_url": "https://jira.acme.test", "token": "t0ken"}, "jira needs project in mend.yml"),
        ({"base_url": "https://jira.acme.test", "token": "t0ken", "project": 'D" OR 1=1'}, "the project's key"),
    ],
)
def test_what_is_missing_or_no_key_is_told_in_one_line(keys: dict[str, str], said: str) -> None:
    with pytest.raises(DeskError) as caught:
        made(**keys)
    assert (caught.value.kind, said in str(caught.value), "t0ken" in str(caught.value)) == ("config", True, False)
