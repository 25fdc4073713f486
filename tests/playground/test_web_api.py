"""The Web API answers and refuses as Slack does."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests

from bot.playground import LocalSlack

Api = Any


def test_tokens(slack: LocalSlack, api: Api) -> None:
    assert requests.post(slack.api_url + "auth.test", timeout=5).json()["error"] == "not_authed"
    assert api("auth.test", token="xoxb-wrong")["error"] == "invalid_auth"
    assert api("no.such")["error"] == "unknown_method"
    assert api("apps.connections.open")["error"] == "not_allowed_token_type"
    answer = requests.post(slack.api_url + "auth.test", data={"token": slack.bot_token}, timeout=5)
    assert answer.json()["user_id"] == "U0MEND"
    assert "chat:write" in answer.headers["x-oauth-scopes"]


def test_posting(slack: LocalSlack, api: Api) -> None:
    assert api("chat.postMessage", channel="C0NONE", text="x")["error"] == "channel_not_found"
    assert api("chat.postMessage", channel="C0GENERAL", text="x")["error"] == "not_in_channel"
    assert api("chat.postMessage", channel="C0DATA")["error"] == "no_text"
    bad = api("chat.postMessage", channel="C0DATA", text="x", blocks=[{"type": "header"}])
    assert bad["error"] == "invalid_blocks"
    assert "/blocks/0" in bad["response_metadata"]["messages"][0]
    assert api("chat.postMessage", channel="C0DATA", text="x", thread_ts="1.1")["error"] == "thread_not_found"
    slack.space.channel("C0DATA").is_archived = True
    assert api("chat.postMessage", channel="C0DATA", text="x")["error"] == "is_archived"


def test_updates(slack: LocalSlack, api: Api) -> None:
    ts = api("chat.postMessage", channel="C0DATA", text="x" * 40_001)["ts"]
    assert len(slack.messages()[0]["text"]) == 40_000
    assert api("chat.update", channel="C0DATA", ts=ts, text="x" * 4001)["error"] == "msg_too_long"
    assert api("chat.update", channel="C0DATA", ts="1.1", text="x")["error"] == "message_not_found"
    human = slack.say("hello")
    assert api("chat.update", channel="C0DATA", ts=human, text="x")["error"] == "cant_update_message"
    assert api("chat.delete", channel="C0DATA", ts=human)["error"] == "cant_delete_message"
    assert api("chat.update", channel="C0DATA", ts=ts, text="new")["ok"]
    assert slack.messages()[0]["text"] == "new"


def test_metadata_comes_back_when_asked(api: Api) -> None:
    meta = {"event_type": "mend_case", "event_payload": {"case": "1"}}
    ts = api("chat.postMessage", channel="C0DATA", text="x", metadata=meta)["ts"]
    plain = api("conversations.replies", channel="C0DATA", ts=ts)["messages"][0]
    full = api("conversations.replies", channel="C0DATA", ts=ts, include_all_metadata=True)["messages"][0]
    assert "metadata" not in plain
    assert full["metadata"] == meta
    big = {"event_type": "x", "event_payload": {"a": "x" * 9000}}
    assert api("chat.postMessage", channel="C0DATA", text="x", metadata=big)["error"] == "metadata_too_large"


VIEW = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": [{"type": "divider"}]}


def test_triggers(slack: LocalSlack, api: Api) -> None:
    trigger = slack.hub.trigger("U0ALICE")
    view = api("views.open", trigger_id=trigger, view=VIEW)["view"]
    assert slack.modal()["id"] == view["id"]  # type: ignore[index]
    assert api("views.open", trigger_id=trigger, view=VIEW)["error"] == "exchanged_trigger_id"
    late = slack.hub.trigger("U0ALICE")
    slack.hub.triggers[late].expires = time.monotonic()
    assert api("views.open", trigger_id=late, view=VIEW)["error"] == "expired_trigger_id"
    assert api("views.update", view_id=view["id"], hash="old", view=VIEW)["error"] == "hash_conflict"
    assert api("views.update", view_id=view["id"], hash=view["hash"], view=VIEW)["ok"]


def test_faults(slack: LocalSlack, api: Api) -> None:
    slack.faults.rate_limit("chat.postMessage", retry_after=7)
    url, headers = slack.api_url + "chat.postMessage", {"authorization": f"Bearer {slack.bot_token}"}
    body = {"channel": "C0DATA", "text": "x"}
    limited = requests.post(url, json=body, headers=headers, timeout=5)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    slack.faults.fail("chat.postMessage", status=503)
    assert requests.post(url, json=body, headers=headers, timeout=5).status_code == 503
    slack.faults.drop("chat.postMessage", done_first=True)
    with pytest.raises(requests.exceptions.RequestException):
        requests.post(url, json=body, headers=headers, timeout=5)
    assert len(slack.messages()) == 1
    assert api("chat.postMessage", **body)["ok"]


def test_response_url_works_five_times(slack: LocalSlack) -> None:
    slack.command("/mend")
    url = slack.deliveries[0].payload["response_url"]
    answers = [requests.post(url, json={"text": "x"}, timeout=5) for _ in range(6)]
    assert [a.status_code for a in answers] == [200] * 5 + [404]
    assert answers[5].json()["error"] == "used_url"


def test_users_of_slack(slack: LocalSlack, api: Api) -> None:
    root = slack.say("look at <!channel> & db.example.com")
    assert slack.messages()[0]["text"] == "look at &lt;!channel&gt; &amp; <http://db.example.com|db.example.com>"
    assert slack.command("/mend", thread_ts=root) is None
    assert "not supported in threads" in slack.ephemerals()[0]["text"]
    assert slack.command("/other") is None
    assert slack.command("/mend", user="U0CHARLIE", channel="C0SHARED") is None
    slack.say("@Mend hi", channel="C0GENERAL")
    assert "not in this channel" in slack.ephemerals(channel="C0GENERAL")[0]["text"]
    assert api("users.info", user="U0GUEST")["user"]["is_restricted"]


def test_press_and_choose(slack: LocalSlack, api: Api) -> None:
    go = {"type": "button", "action_id": "go", "value": "c:1:1", "text": {"type": "plain_text", "text": "Go"}}
    ts = api("chat.postMessage", channel="C0DATA", text="x", blocks=[{"type": "actions", "elements": [go]}])["ts"]
    payload = slack.press("go", ts, user="U0BOB").payload
    assert payload["type"] == "block_actions"
    assert payload["container"] == {
        "type": "message", "message_ts": ts, "channel_id": "C0DATA", "is_ephemeral": False}  # fmt: skip
    assert payload["actions"][0]["value"] == "c:1:1"
    assert payload["user"]["id"] == "U0BOB"
    assert slack.press("old", ts, value="c:0:0", stale=True).payload["actions"][0]["value"] == "c:0:0"
    assert slack.shortcut(ts).payload["callback_id"] == "mend_troubleshoot"


def test_wait_for_wakes_up(slack: LocalSlack) -> None:
    threading.Timer(0.1, slack.say, ["late"]).start()
    assert slack.wait_for(slack.messages, 3)[0]["text"] == "late"
