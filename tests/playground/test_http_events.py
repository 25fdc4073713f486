"""Signed HTTP events, and a page that other web sites cannot drive."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from bot.playground import DemoAction, LocalSlack, run_local_slack


class Listener(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()
        if b"url_verification" in body:
            self.wfile.write(json.loads(body)["challenge"].encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_signed_and_retried(slack: LocalSlack, listener: Listener) -> None:
    slack.request_url = f"http://127.0.0.1:{listener.server_port}/slack/events"
    assert slack.verify_request_url()
    listener.statuses = [500, 500]
    slack.say("hello")
    slack.wait_for(lambda: len(listener.got) == 4)
    retries = [h.get("x-slack-retry-num") for h, _ in listener.got[1:]]
    assert retries == [None, "1", "2"]
    assert listener.got[2][0]["x-slack-retry-reason"] == "http_error"
    headers, body = listener.got[1]
    base = f"v0:{headers['x-slack-request-timestamp']}:".encode() + body
    expected = "v0=" + hmac.new(slack.signing_secret.encode(), base, hashlib.sha256).hexdigest()
    assert headers["x-slack-signature"] == expected
    assert len({json.loads(b)["event_id"] for _, b in listener.got[1:]}) == 1


def test_commands_are_forms(slack: LocalSlack, listener: Listener) -> None:
    slack.request_url = f"http://127.0.0.1:{listener.server_port}/slack/events"
    sent = slack.command("/mend warehouse")
    assert sent is not None
    assert sent.wait()
    assert b"command=%2Fmend" in listener.got[0][1]


def test_only_the_page_may_act() -> None:
    broken = [True]
    action = DemoAction("w", "warehouse", "Mend it", "SQL", lambda: broken[0], lambda: broken.__setitem__(0, False),
                        lambda: broken.__setitem__(0, True))  # fmt: skip
    slack = LocalSlack([action])
    with run_local_slack(slack=slack):
        url = slack.url
        page = requests.get(url + "/", timeout=5)
        assert "script-src 'self'" in page.headers["content-security-policy"]
        token = {"x-local-token": re.findall(r'local-token" content="([^"]+)"', page.text)[0]}
        body = {"text": "hi", "user": "U0ALICE", "channel": "C0DATA"}
        say, mend = url + "/local/do/type", url + "/local/actions/w/mend"
        assert requests.post(say, json=body, timeout=5).status_code == 403
        for foreign in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
            assert requests.post(say, json=body, headers={**token, **foreign}, timeout=5).status_code == 403
        assert requests.get(url + "/", headers={"host": "evil.example"}, timeout=5).status_code == 403
        assert requests.post(mend, timeout=5).status_code == 403
        assert requests.post(say, json=body, headers={**token, "origin": url}, timeout=5).json()["ok"]
        assert slack.messages()[0]["text"] == "hi"
        assert requests.post(mend, headers=token, timeout=5).json()["action"]["broken"] is False
