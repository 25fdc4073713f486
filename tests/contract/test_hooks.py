"""Alerts of pipelines and news of desks, as those programs send them, to the running bot."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.talk import ALICE, DANA, Talk, World, case_of, rows, wait

SECRET, DESK = "hook-canary-4711", "desk-canary-4712"
# https://docs.airbyte.com/platform/cloud/managing-airbyte-cloud/manage-airbyte-cloud-notifications
AIRBYTE = {
    "data": {
        "workspace": {"id": "b510e39b", "name": "Workspace1", "url": "https://cloud.airbyte.com/workspaces/b510e39b"},
        "connection": {"id": "64d901a1", "name": "warehouse", "url": "https://cloud.airbyte.com/c/64d901a1"},
        "source": {"id": "4d9d3291", "name": "Postgres", "url": "https://cloud.airbyte.com/s/4d9d3291"},
        "destination": {"id": "b2b2b2b2", "name": "Snowflake", "url": "https://cloud.airbyte.com/d/b2b2b2b2"},
        "jobId": 9988, "startedAt": "2024-01-01T00:00:00Z", "finishedAt": "2024-01-01T01:00:00Z",
        "bytesEmitted": 1000, "success": False, "durationInSeconds": 3600,
        "errorMessage": 'FATAL: password authentication failed for user "stitch"', "errorType": "config_error",
        "errorOrigin": "source",
    }
}  # fmt: skip
# https://fivetran.com/docs/rest-api/webhooks
FIVETRAN = {
    "event": "sync_end", "created": "2026-11-24T09:41:44.981Z", "connector_type": "postgres",
    "connector_id": "mystified_presiding", "connector_name": "billing", "sync_id": "b2b2b2b2-1", "destination_group_id": "g",
    "data": {"status": "FAILURE_WITH_TASK", "reason": "ERROR: permission denied for table invoices"},
}  # fmt: skip


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    hooks = {"alert": {"secret": SECRET, "channel": "C0DATA"}, "desk": {"secret": DESK}}
    with World(database, Path(tmp_path_factory.mktemp("hooks")), http=True, hooks=hooks) as world:
        yield world


def post(world: World, path: str, body: bytes, **headers: str) -> requests.Response:
    return requests.post(world.addresses[0] + path, body, headers=headers, timeout=30)


def alert(world: World, body: Any, **headers: str) -> requests.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return post(world, "/hooks/alert", raw, **{"authorization": f"Bearer {SECRET}", **headers})


def heads(world: World) -> list[dict[str, Any]]:
    return [m for m in world.slack.messages() if m.get("metadata") and m.get("thread_ts", m["ts"]) == m["ts"]]


def new_talk(world: World, before: list[dict[str, Any]]) -> Talk:
    known = {m["ts"] for m in before}
    return Talk(world, "C0DATA", wait(lambda: [m for m in heads(world) if m["ts"] not in known])[0]["ts"], "U0BOB")


def zendesk(world: World, body: Any, secret: str = DESK, late: float = 0.0) -> requests.Response:
    raw = json.dumps(body).encode()
    stamp = (datetime.now(UTC) - timedelta(seconds=late)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = base64.b64encode(hmac.new(secret.encode(), stamp.encode() + raw, hashlib.sha256).digest()).decode()
    signed = {"x-zendesk-webhook-signature": made, "x-zendesk-webhook-signature-timestamp": stamp}
    return post(world, "/hooks/desk/zendesk", raw, **signed)


def test_a_failed_sync_opens_a_case_that_looks_itself_and_comes_once(world: World) -> None:
    before = heads(world)
    assert alert(world, AIRBYTE).json() == {"status": "a case is opened"}
    talk = new_talk(world, before)
    said = talk.said("The pipeline says that a sync failed")["text"]
    assert "job 9988" in said
    assert "refused the password" in said
    talk.until("regenerating_credentials")
    # The same job once more, by the way that can send no header.
    again = post(world, f"/hooks/alert?token={SECRET}", json.dumps(AIRBYTE).encode())
    assert again.json() == {"status": "known already"}
    other = json.loads(json.dumps(AIRBYTE))
    other["data"]["jobId"] = 9989
    assert alert(world, other).json() == {"status": "told in the open case"}
    talk.said("job 9989")
    assert alert(world, other).json() == {"status": "known already"}
    assert len(heads(world)) == len(before) + 1
    talk.say("cancel", user="U0BOB")
    talk.until("cancelled")


def test_a_case_of_a_group_is_led_by_whoever_is_in_it(world: World) -> None:
    path = world.folder / "mend.yml"
    settings = yaml.safe_load(path.read_text())
    settings["connections"]["github-org"]["owner"] = "S0DATA"
    path.write_text(yaml.safe_dump(settings))
    world.slack.space.groups["S0DATA"] = [DANA]
    before = heads(world)
    named = json.loads(json.dumps(AIRBYTE))
    named["data"] |= {"connection": {"name": "github-org"}, "jobId": 9990, "errorMessage": "HTTP 403 forbidden"}
    assert alert(world, named).json() == {"status": "a case is opened"}
    talk = new_talk(world, before)
    talk.until("checking_permissions")
    assert "Led by <!subteam^S0DATA>" in talk.thread[0]["text"]
    world.slack.command("/mend status", user=DANA)
    assert "github-org" in talk.told(DANA, "Your open cases")["text"]
    world.slack.command("/mend status", user=ALICE)
    talk.told(ALICE, "no open case")
    talk.say("cancel", user=ALICE)
    talk.told(ALICE, "<!subteam^S0DATA> leads this case")
    talk.say("cancel", user=DANA)
    talk.until("cancelled")


def test_fivetran_signs_and_its_test_and_its_successes_open_nothing(world: World) -> None:
    before = heads(world)

    def signed(body: Any, secret: str = SECRET) -> requests.Response:
        raw = json.dumps(body).encode()
        made = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest().upper()
        return post(world, "/hooks/alert", raw, **{"x-fivetran-signature-256": made})

    test = {
        "event": "test_event",
        "created": "now",
        "connector_type": "_connector_type",
        "connector_id": "_connector_1",
    }
    assert signed(test).json() == {"status": "nothing failed"}
    good = {**FIVETRAN, "data": {"status": "SUCCESSFUL"}}
    assert signed(good).json() == {"status": "nothing failed"}
    assert signed(FIVETRAN, "another secret").status_code == 401
    assert signed(FIVETRAN).json() == {"status": "a case is opened"}
    talk = new_talk(world, before)
    assert "may not read" in talk.said("The pipeline says that a sync failed")["text"]
    talk.until("checking_permissions")
    talk.say("cancel", user="U0BOB")
    talk.until("cancelled")


def test_who_does_not_know_the_secret_learns_nothing(world: World) -> None:
    raw = json.dumps(AIRBYTE).encode()
    for headers in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": SECRET},
        {"x-fivetran-signature-256": "0"},
    ):
        refused = post(world, "/hooks/alert", raw, **headers)
        assert (refused.status_code, refused.json()) == (401, {"error": "not signed with this hook's secret"})
    assert post(world, "/hooks/alert?token=", raw).status_code == 401
    assert post(world, "/hooks/desk/zendesk", raw).status_code == 401
    assert post(world, "/hooks/desk/nope", raw).status_code == 404
    assert requests.get(world.addresses[0] + "/hooks/alert", timeout=20).status_code == 405
    assert alert(world, b"x" * 300_000).status_code == 413
    assert SECRET not in world.log.read_text()


def test_hostile_text_neither_pings_nor_formats_nor_stays(world: World) -> None:
    before = heads(world)
    secret = "xoxb-" + "1234567890-abcdefghij"
    text = f'<!channel> <@U0ALICE> *bold* `x` https://evil.test {secret} FATAL: password authentication failed for user "<!here>"'
    hostile = {
        "data": {**AIRBYTE["data"], "errorMessage": text, "jobId": "<!channel>*", "connection": {"name": "billing"}}
    }
    assert alert(world, hostile).status_code == 200
    talk = new_talk(world, before)
    said = talk.said("The pipeline says that a sync failed")["text"]
    for bad in ("<!channel>", "<@U0ALICE>", "<!here>", "evil.test", secret):
        assert bad not in said
    kept = rows(world, "SELECT count(*) FROM cases WHERE body::text LIKE :it", it=f"%{secret}%")
    assert kept[0][0] == 0
    count = len(heads(world))
    for junk in (b"\xff\xfe\x00", b"[" * 100_000, b'{"data": []}', b"null", b"{}"):
        assert alert(world, junk).status_code == 200
    assert alert(world, b"").json() == {"status": "nothing failed"}
    assert len(heads(world)) == count


def test_the_desk_is_told_about_in_the_thread_once_and_only_when_signed(world: World) -> None:
    talk = world.start("github-org")
    talk.until("checking_permissions")
    case = case_of(talk)
    # https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
    ticket = {"id": "42", "external_id": case, "status": "OPEN"}
    comment = {"type": "zen:event-type:ticket.comment_added", "detail": ticket,
               "event": {"comment": {"body": "We look into it <!channel>", "is_public": True, "author": {"name": "Sam"}}}}  # fmt: skip
    assert zendesk(world, comment, "wrong").status_code == 401
    assert zendesk(world, comment, late=900).status_code == 401
    assert zendesk(world, comment).json() == {"status": "told in the case"}
    told = talk.said("The desk answered the ticket")["text"]
    assert "We look into it" in told
    assert "<!channel>" not in told
    assert zendesk(world, comment).json() == {"status": "known already"}
    private = json.loads(json.dumps(comment))
    private["event"]["comment"].update(is_public=False, body="internal gossip")
    assert zendesk(world, private).json() == {"status": "nothing to tell"}
    solved = {"type": "zen:event-type:ticket.status_changed", "detail": {**ticket, "status": "SOLVED"},
              "event": {"current": "SOLVED", "previous": "OPEN"}}  # fmt: skip
    assert zendesk(world, solved).json() == {"status": "told in the case"}
    talk.said("The desk has solved the ticket")
    assert zendesk(world, {"external_id": "cnobody", "status": "solved"}).json() == {"status": "no case of ours"}
    # The JSON that docs/admin.md gives for a trigger.
    trigger = {"external_id": case, "id": "42", "status": "open", "comment": "By the trigger"}
    assert zendesk(world, trigger).json() == {"status": "told in the case"}
    talk.said("By the trigger")
