"""Mails, alerts and logs as people paste them: cause, connection, connector, stage, and no secret comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows.core.errors_file import load
from flows.core.explain import Rules, explain
from flows.core.phrases import Phrase

MAIL = """Subject: Stitch Notification - We're encountering some errors with your Shop EU integration
Hi there,
The last extraction failed:
2026-01-02 03:04:06,123Z   tap - CRITICAL FATAL:  password authentication failed for user "stitch"
You can see the log in your dashboard. If the problem continues, contact support."""

LOG = "\n".join(
    [
        *(
            f"2026-01-02 03:04:{n % 60:02},000Z   main - INFO rate limit: {n} of 4000 requests left"
            for n in range(4000)
        ),
        "2026-01-02 04:00:00,000Z target - INFO Batch rejected, will try again",
        "2026-01-02 04:00:01,000Z    tap - CRITICAL 401 Client Error: Unauthorized for url: https://api.hubapi.com/crm",
        "2026-01-02 04:00:02,000Z   main - INFO Exit status is: Discovery succeeded. Tap failed with code 1.",
    ]
)

TRACE = """Traceback (most recent call last):
  File "tap.py", line 3, in <module>
    ssl_context = make_password_context()
paramiko.ssh_exception.BadHostKeyException: Host key for server 'bastion.acme.test' does not match"""


def airbyte(message: str, origin: str) -> str:
    named = {one: {"id": "1", "name": name} for one, name in (("connection", "Shop to lake"), ("source", "Postgres"))}
    data = {**named, "destination": {"name": "Snowflake"}, "errorMessage": message, "errorOrigin": origin}
    return json.dumps({"data": {**data, "errorType": "config_error", "success": False}})


def fivetran(reason: str) -> str:
    return json.dumps({
        "event": "sync_end", "connector_type": "shopify", "connector_id": "clang_taught",
        "connector_name": "shop_eu", "data": {"status": "FAILURE_WITH_TASK", "reason": reason},
    })  # fmt: skip


CASES: list[tuple[str, str, str, str | None, str]] = [
    (MAIL, "invalid_credentials", "Shop EU", "postgres", "extraction"),
    (LOG, "invalid_credentials", "", "hubspot", "extraction"),
    (airbyte("ERROR: permission denied for table orders", "source"), "missing_privilege", "Shop to lake", "postgres",
     "extraction"),
    (airbyte("No active warehouse selected in the current session", "destination"), "missing_privilege",
     "Shop to lake", "snowflake", "loading"),
    (fivetran("Invalid API key or access token"), "invalid_credentials", "shop_eu", "shopify", "connection"),
    (fivetran("429 Too Many Requests"), "rate_limited", "shop_eu", "shopify", "extraction"),
    ("Connection *Shop EU* from Postgres to Snowflake failed: Connection refused", "host_unreachable", "Shop EU",
     "postgres", "connection"),
    (TRACE, "ssh_tunnel_failed", "", None, "connection"),
    ("target-postgres - CRITICAL No space left on device", "destination_full", "", "postgres", "loading"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cause", "connection", "connector", "stage"), CASES)
def test_a_notice_tells_cause_connection_connector_and_stage(
    text: str, cause: str, connection: str, connector: str | None, stage: str
) -> None:
    found = explain(text)
    assert (found.cause, found.connection, found.connector, found.stage) == (cause, connection, connector, stage), found


def test_the_end_of_a_log_too_long_to_read_counts() -> None:
    noise = "2026-01-02 main - INFO one more page of records\n" * 60_000
    assert explain(noise + "tap - CRITICAL ORA-28000: The account is locked.").cause == "account_locked"


def test_an_alert_without_words_is_unclear() -> None:
    for text in (airbyte("", "source"), fivetran(""), '{"data": {"errorMessage": {"a": 1}}}'):
        assert explain(text).confidence == "unclear"


@pytest.mark.parametrize(
    "text",
    [
        "token hunter2canary is invalid",
        "api key: hunter2canary is not valid",
        "session hunter2canary hunter2canary expired",
        "password hunter2canary is wrong",
        "passwordhunter2canary wrong",
        "password authentication failed for user hunter2canary",
        "relation hunter2canary does not exist",
        "log file hunter2canary has been purged",
    ],
)
def test_what_decided_is_shown_without_what_may_be_a_secret(text: str) -> None:
    found = explain(text)
    assert found.matched
    assert "hunter2canary" not in repr(found)


@pytest.mark.parametrize("typed", ["can’t connect to “db”", "\x1b[31mcan't\x1b[0m connect\u200b to db"])
def test_what_editors_and_terminals_add_is_no_obstacle(typed: str) -> None:
    assert explain(typed).cause == "host_unreachable"


def test_five_thousand_messages_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    stands_in = Phrase.stands_in

    def counting(self: Phrase, low: str, lines: set[str]) -> bool:
        looked.append(self.fragments[0])
        return stands_in(self, low, lines)

    monkeypatch.setattr(Phrase, "stands_in", counting)
    counts = []
    for number in (50, 5_000):
        data: dict[str, Any] = load()
        more = [{"says": f"connection to the server failed with fault f{n}x", "cause": "host_unreachable",
                 "stage": "connection"} for n in range(number)]  # fmt: skip
        rules = Rules({**data, "drivers": [*data["drivers"], *more]})
        looked.clear()
        found = rules.explain("CRITICAL connection to the server failed with fault f17x")
        assert found.matched.endswith("f17x")
        counts.append(len(looked))
    assert counts[1] == counts[0]
