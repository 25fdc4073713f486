"""Without an app token Slack calls us: signed, retried, and answered by any replica behind one address."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from bot.playground.http_events import signature
from tests.contract.balancer import balanced
from tests.talk import Talk, World, wait


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(database, Path(tmp_path_factory.mktemp("http")), http=True) as world:
        yield world


def post(world: World, body: str, kind: str = "application/json", at: float = 0.0, **headers: str) -> requests.Response:
    stamp = str(int(time.time() + at))
    signed = {
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": signature(world.slack.signing_secret, stamp, body),
    }
    url = world.addresses[0] + "/slack/events"
    return requests.post(url, body.encode(), headers={"content-type": kind, **signed, **headers}, timeout=20)


def test_slack_may_verify_the_address(world: World) -> None:
    assert world.slack.verify_request_url()


def test_the_main_line_by_buttons(world: World) -> None:
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    world.mend("warehouse")
    talk.press("mend_fixed")
    talk.until("resolved")


def test_the_main_line_by_words_from_a_mention(world: World) -> None:
    before = {m["ts"] for m in world.slack.messages()}
    world.slack.say("<@U0MEND> billing")
    roots = wait(lambda: [m for m in world.slack.messages() if m.get("metadata") and m["ts"] not in before])
    talk = Talk(world, "C0DATA", roots[0]["thread_ts"] if "thread_ts" in roots[0] else roots[0]["ts"], "U0ALICE")
    assert "GRANT SELECT" in talk.until("checking_permissions")["text"]
    world.mend("billing")
    talk.say("done")
    talk.until("resolved")


@pytest.mark.parametrize(("at", "signed"), [(0.0, "v0=" + "0" * 64), (-600.0, ""), (0.0, "nonsense")])
def test_a_forged_or_old_call_is_refused(world: World, at: float, signed: str) -> None:
    body = urlencode({"command": "/mend", "text": "warehouse", "team_id": "T0LOCAL", "channel_id": "C0DATA",
                      "user_id": "U0ALICE", "trigger_id": f"forged{at}{signed[:4]}"})  # fmt: skip
    before = len(world.slack.messages())
    forged = {"x-slack-signature": signed} if signed else {}
    answer = post(world, body, "application/x-www-form-urlencoded", at, **forged)
    assert answer.status_code == 401
    assert len(world.slack.messages()) == before


def test_an_unsigned_call_is_refused(world: World) -> None:
    url = world.addresses[0] + "/slack/events"
    assert requests.post(url, json={"type": "url_verification", "challenge": "x"}, timeout=20).status_code == 401


def test_slacks_retries_have_one_effect(world: World) -> None:
    talk = world.start("hubspot-prod")
    talk.until("regenerating_credentials")
    ts = world.slack.space.new_ts()
    event = {"type": "message", "user": "U0ALICE", "text": "why", "channel": "C0DATA", "channel_type": "channel",
             "ts": ts, "thread_ts": talk.ts, "event_ts": ts, "team": "T0LOCAL"}  # fmt: skip
    body = json.dumps({"type": "event_callback", "team_id": "T0LOCAL", "event_id": "Ev0RETRY", "event": event})
    for number in range(4):
        retry = {"x-slack-retry-num": str(number), "x-slack-retry-reason": "http_timeout"} if number else {}
        assert post(world, body, **retry).status_code == 200
    wait(lambda: any(t.startswith("Why ") for t in talk.texts))
    talk.say("status")
    wait(lambda: any("Led by" in t for t in talk.texts[1:]))
    assert sum(t.startswith("Why ") for t in talk.texts) == 1


def test_health_readiness_and_figures_are_served(world: World) -> None:
    base = world.addresses[0]
    assert requests.get(base + "/healthz", timeout=10).status_code == 200
    wait(lambda: requests.get(base + "/readyz", timeout=10).status_code == 200)
    assert requests.get(base + "/readyz", timeout=10).json() == {"database": True, "slack": True, "worker": True}
    figures = requests.get(base + "/metrics", timeout=10).text
    assert "python_info" in figures
    samples = {f"{s.name}{dict(s.labels)}": s.value for f in text_string_to_metric_families(figures) for s in f.samples}
    assert samples["mend_ready{'part': 'worker'}"] == 1
    assert samples["mend_workers{}"] >= 1
    assert "mend_cases{'state': 'escalating'}" in samples
    assert samples["mend_jobs{'status': 'failed'}"] == 0


def test_a_process_without_a_worker_takes_what_slack_sends_and_says_that_nobody_works_on_it(
    fresh: str, tmp_path: Path
) -> None:
    with World(fresh, tmp_path, http=True, roles="slack,web") as alone:
        answer = requests.get(alone.addresses[0] + "/readyz", timeout=10)
        assert (answer.status_code, answer.json()["worker"]) == (200, False)
        alone.slack.command("/mend warehouse")
        assert not alone.slack.messages()
        alone.roles = "worker"
        alone.serve(wait_for_it=False)
        wait(lambda: [m for m in alone.slack.messages() if m.get("metadata")])
        wait(lambda: requests.get(alone.addresses[0] + "/readyz", timeout=10).json()["worker"])


def test_what_is_too_large_is_not_read(world: World) -> None:
    assert post(world, "x" * 1_100_000).status_code == 413


def test_a_body_without_an_end_is_not_read_on(world: World) -> None:
    """In chunks nobody says how long it is, and no signature can be looked at before the end."""
    parts = urlsplit(world.addresses[0])
    head = f"POST /slack/events HTTP/1.1\r\nHost: {parts.netloc}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk, sent, answer = b"10000\r\n" + b"x" * 0x10000 + b"\r\n", 0, b""
    with socket.create_connection((str(parts.hostname), int(parts.port or 80)), timeout=60) as line:
        line.sendall(head.encode())
        with contextlib.suppress(ConnectionError):
            while sent < 3000 and not select.select([line], [], [], 0)[0]:
                line.sendall(chunk)
                sent += 1
        with contextlib.suppress(ConnectionError):
            answer = line.recv(100)
    assert sent < 1000, "64 MB were taken in"
    assert answer.startswith(b"HTTP/1.1 413") or not answer
    assert requests.get(world.addresses[0] + "/healthz", timeout=20).status_code == 200


def test_two_replicas_behind_one_address_are_one_bot(world: World) -> None:
    world.serve()
    with balanced(world.addresses) as (address, used):
        world.slack.request_url = address + "/slack/events"
        talk = world.start("github-org")
        talk.until("checking_permissions")
        talk.say("why")
        wait(lambda: any(t.startswith("Why ") for t in talk.texts))
        world.processes[0].terminate()
        world.processes[0].wait(40)
        world.mend("github-org")
        talk.press("mend_check_again")
        talk.until("resolved", 60)
    assert set(used) == set(world.addresses)
    assert len([m for m in world.slack.messages() if "github-org works again" in m["text"]]) == 1
