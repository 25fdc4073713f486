"""What Jira and GitHub tell of a ticket, as they send it, to the running bot."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fakes.jira_desk import Jira, jira
from tests.talk import World, case_of

DESK = "desk-canary-4712"


@pytest.fixture(scope="module")
def site() -> Iterator[Jira]:
    with jira() as state:
        yield state


@pytest.fixture(scope="module")
def world(database: str, site: Jira, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    desk = {"kind": "jira", "base_url": site.url, "project": "DATA", "email": "bot@acme.test", "token": "t0ken"}
    folder, hooks = Path(tmp_path_factory.mktemp("desks")), {"desk": {"secret": DESK}}
    with World(database, folder, http=True, hooks=hooks, desk=desk) as world:
        yield world


def post(world: World, path: str, body: bytes, **headers: str) -> requests.Response:
    return requests.post(world.addresses[0] + path, body, headers=headers, timeout=30)


def signed(world: World, kind: str, body: Any, header: str, secret: str = DESK, **more: str) -> requests.Response:
    raw = json.dumps(body).encode()
    made = f"sha256={hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}"
    return post(world, f"/hooks/desk/{kind}", raw, **{header: made, **more})


def issues_of(site: Jira, case: str) -> list[dict[str, Any]]:
    return [issue for issue in site.issues if f"mend-{case}" in issue["fields"]["labels"]]


def copied(world: World, case: str) -> dict[str, str]:
    """What is said to news of an issue that is not the case's own, but has its first line."""
    issue = {"body": f"<!-- mend-{case} -->", "html_url": "https://github.com/acme/data/issues/666"}
    body = {"action": "created", "issue": issue, "comment": {"id": 666, "body": "gossip"}}
    said = signed(world, "github", body, "x-hub-signature-256", **{"x-github-event": "issue_comment"})
    return dict(said.json())


def test_jiras_comment_is_told_once_though_it_does_not_say_whose_ticket_it_is(world: World, site: Jira) -> None:
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    talk.say("escalate")
    talk.until("escalating")
    talk.say("yes")
    said_so, case = str(talk.until("escalated")), case_of(talk)
    [ticket] = issues_of(site, case)
    assert f"{site.url}/browse/{ticket['key']}" in said_so
    assert ticket["fields"]["labels"] == ["mend", "invalid_credentials", f"mend-{case}"]

    def jira(body: Any, secret: str = DESK) -> requests.Response:
        sent = {"x-atlassian-webhook-identifier": str(uuid.uuid4())}
        return signed(world, "jira", body, "x-hub-signature", secret, **sent)

    # https://developer.atlassian.com/cloud/jira/platform/webhooks/
    issue = {"id": ticket["id"], "key": ticket["key"], "fields": {"summary": "x", "status": {"name": "To Do"}}}
    said = {"id": "10000", "author": {"displayName": "Sam"}, "body": "We look <!channel>", "jsdPublic": True}
    comment = {"webhookEvent": "comment_created", "comment": said, "issue": issue}
    assert jira(comment, "wrong").status_code == 401
    site.mood = "500"
    assert jira(comment).status_code == 503  # Jira sends it again
    site.mood = "good"
    assert jira(comment).json() == {"status": "told in the case"}
    told = talk.said("The desk answered the ticket")["text"]
    assert ("We look" in told, "Sam" in told, "<!channel>" in told) == (True, True, False)
    assert jira({**comment, "timestamp": 2}).json() == {"status": "known already"}
    for hidden in ({"visibility": {"type": "role", "value": "Administrators"}}, {"jsdPublic": False},
                   {"properties": [{"key": "sd.public.comment", "value": {"internal": True}}]}):  # fmt: skip
        gossip = {**comment, "comment": {**said, "id": "10001", "body": "gossip", **hidden}}
        assert jira(gossip).json() == {"status": "nothing to tell"}
    assert jira({**comment, "webhookEvent": "comment_updated"}).json() == {"status": "nothing to tell"}
    assert jira({**comment, "issue": {"key": "DATA-99"}}).json() == {"status": "no case of ours"}
    # Data Center tells the comment with its whole issue.
    whole = {**issue, "fields": {"labels": [f"mend-{case}"], "status": {"statusCategory": {"key": "done"}}}}
    updated = {"webhookEvent": "jira:issue_updated", "issue": whole, "user": {"displayName": "Kim"}}
    document = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "By document"}]}]}
    commented = {**updated, "issue_event_type_name": "issue_commented", "comment": {"id": "10002", "body": document}}
    assert jira(commented).json() == {"status": "told in the case"}
    talk.said("By document")
    edited = {**commented, "issue_event_type_name": "issue_comment_edited"}
    assert jira(edited).json() == {"status": "nothing to tell"}
    moved = {**updated, "changelog": {"id": "10124", "items": [{"field": "status", "toString": "Erledigt"}]}}
    assert jira(moved).json() == {"status": "told in the case"}
    talk.said("The desk has solved the ticket")
    assert jira(moved).json() == {"status": "known already"}
    assert jira({**moved, "changelog": {"items": [{"field": "labels"}]}}).json() == {"status": "nothing to tell"}
    assert copied(world, case) == {"status": "no case of ours"}
    for junk in ([], None, {"webhookEvent": 1}, {**comment, "comment": [], "issue": 7}):
        assert jira(junk).json() == {"status": "nothing to tell"}


def test_githubs_comment_and_its_close_are_told_once_from_the_tickets_own_page(world: World) -> None:
    talk = world.start("github-org")
    case = case_of(talk)

    def github(event: str, body: Any, secret: str = DESK) -> requests.Response:
        sent = {"x-github-event": event, "x-github-delivery": str(uuid.uuid4())}
        return signed(world, "github", body, "x-hub-signature-256", secret, **sent)

    # https://docs.github.com/en/webhooks/webhook-events-and-payloads
    issue = {"id": 1, "number": 12, "body": f"<!-- mend-{case} -->\n\n## What is wrong", "state": "open"}
    said = {"id": 7, "body": "We look <!channel>", "user": {"login": "sam", "type": "User"}}
    comment = {"action": "created", "issue": issue, "comment": said, "sender": {"login": "sam"}}
    assert github("issue_comment", comment, "wrong").status_code == 401
    assert github("ping", {"zen": "Keep it logically awesome."}).json() == {"status": "nothing to tell"}
    assert github("issue_comment", comment).json() == {"status": "told in the case"}
    told = talk.said("The desk answered the ticket")["text"]
    assert ("We look" in told, "sam" in told, "<!channel>" in told) == (True, True, False)
    assert github("issue_comment", {**comment, "again": 1}).json() == {"status": "known already"}
    assert github("issue_comment", {**comment, "action": "edited"}).json() == {"status": "nothing to tell"}
    for other in ({"body": "no line"}, {"body": f"x <!-- mend-{case} -->"}, {"pull_request": {"url": "x"}}):
        assert github("issue_comment", {**comment, "issue": {**issue, **other}}).json() == {"status": "nothing to tell"}
    dropped = {**issue, "state": "closed", "state_reason": "not_planned", "closed_at": "2026-11-30T10:00:00Z"}
    closed = {"action": "closed", "issue": dropped, "sender": {"login": "kim"}}
    assert github("issues", closed).json() == {"status": "told in the case"}
    talk.said("closed as not planned")
    closed["issue"] = {**dropped, "state_reason": "completed", "closed_at": "2026-11-30T11:00:00Z"}
    assert github("issues", closed).json() == {"status": "told in the case"}
    talk.said("The desk has solved the ticket")
    assert github("issues", closed).json() == {"status": "known already"}
    for junk in ([], None, {"action": "created", "issue": 7, "comment": "x"}):
        assert github("issue_comment", junk).json() == {"status": "nothing to tell"}


def test_an_issue_whose_answer_was_lost_is_the_cases_though_jiras_search_is_behind(world: World, site: Jira) -> None:
    talk = world.start("github-org")
    talk.until("checking_permissions")
    talk.say("escalate")
    talk.until("escalating")
    site.loses_answer = True
    talk.say("yes")
    talk.said("The support desk did not take the ticket")
    site.loses_answer, site.behind = False, 1
    talk.say("yes")
    said_so = str(talk.until("escalated"))
    site.behind = 0
    [ticket] = issues_of(site, case_of(talk))
    assert f"{site.url}/browse/{ticket['key']}" in said_so
