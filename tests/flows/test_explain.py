"""Error texts as people paste them: known messages, the other side's codes, words, and an honest unclear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.core.causes import CAUSES
from flows.core.errors_file import load
from flows.core.explain import explain

MEGABYTE = 1_000_000
CODES = set((Path(__file__).parent.parent / "messages" / "codes.txt").read_text("utf-8").split())

# As the pipeline's documentation catalogues them, with real values where it has placeholders.
KNOWN = [
    ('FATAL: password authentication failed for user "stitch"', "invalid_credentials"),
    ("401 Client Error: Unauthorized for url: https://partner-api.recurly.com/v2/accounts", "invalid_credentials"),
    ("[API] Invalid API key or access token (unrecognized login or wrong password)", "token_expired"),
    ("Terminated", "job_limit"),
    ("We're unable to connect to your Braintree integration. Please verify that our IP is whitelisted and we're not "
     "blocked by a firewall.", "ip_not_allowlisted"),
    ("Could not list databases/tables for connection.", "missing_privilege"),
    ("Connection timed out.", "host_unreachable"),
    ("Stitch has discovered more than the maximum supported limit of 10,000 tables in your integration.", "job_limit"),
    ("A single record is larger than the Stitch API limit of 20MB", "source_data_invalid"),
    ("Unable to extract reviews data. To receive reviews data, you also need to select pull_requests.", "config_error"),
    ("HTTP-error-code: 404, Error: Please check the repository name 'acme/shop' or you do not have sufficient "
     "permissions to access this repository.", "missing_privilege"),
    ("SKIPPING Malformed sheet: Q3 numbers", "source_data_invalid"),
    ("Clearing state because Oplog has aged out", "log_position_lost"),
    ("The projection: {name: 1} for stream users is not valid json", "config_error"),
    ("Cannot sync stream: orders using log-based replication. Change Tracking is not enabled for table: orders",
     "server_misconfigured"),
    ("binlog_format is not set to 'ROW': MIXED.", "server_misconfigured"),
    ("Unable to replicate binlog stream because the following binary log(s) no longer exist: bin.000042",
     "log_position_lost"),
    ("A slave with the same server_uuid/server_id as this slave has connected to the master", "config_error"),
    ("SuiteTalk concurrent request limit exceeded. Request blocked.", "rate_limited"),
    ("The account you are trying to access is currently unavailable while we undergo our regularly scheduled "
     "maintenance.", "third_party_down"),
    ("Invalid login. Customer access is disabled.", "feature_not_enabled"),
    ("LogMiner is NOT supported for views. Please change the replication method for orders", "unsupported_object"),
    ("ORA-01292: no log file has been specified for the current LogMiner session", "log_position_lost"),
    ("ORA-01031: insufficient privileges", "missing_privilege"),
    ("Fatal Error Occured - FATAL: connection requires a valid client certificate", "tls_mismatch"),
    ("CRITICAL Salesforce has reported 32115/100000 (32.12%) total REST quota used across all Salesforce Applications.",
     "rate_limited"),
    ('This client does not have Bulk API permissions, received "API_DISABLED_FOR_ORG" error code', "feature_not_enabled"),
    ("Numeric out of range for BigQuery on 1e300", "destination_limit"),
    ("Column name a_very_long_name is too long for Redshift", "destination_limit"),
    ("incoming pks([id, shop]) do not match pks([id]) in existing table(orders)", "schema_changed"),
    ("The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'", "config_error"),
    ("Encountered error while attempting to create new schema.", "missing_privilege"),
    ('ERROR: could not extend file "base/16389/t2_285302": No space left on device Hint: Check free disk space.',
     "destination_full"),
    ("ERROR: cannot drop table shop.orders column type because other objects depend on it", "object_dependency"),
    ("Stitch cannot load data into your destination", "ssh_tunnel_failed"),
    ("Your free trial of Stitch has expired", "account_billing"),
    ("Data delays", "stitch_internal"),
    ("CRITICAL 401 Client Error: Bad Credentials for url: https://api.codat.io/companies", "config_error"),
    ("Message from SFTP server: Authentication failed. - Please ensure that the server is configured to accept the "
     "public key for this integration.", "invalid_credentials"),
    ("tap - WARNING The account credentials supplied do not have access to `users` custom fields.", "feature_not_enabled"),
    ("Not Authorized", "invalid_credentials"),
]  # fmt: skip
# What nobody catalogued.
UNSEEN = [
    ("psycopg.OperationalError: connection to server at 10.0.0.4 failed: Connection refused", "host_unreachable", None),
    (
        "(1045, \"Access denied for user 'stitch'@'10.0.0.1' (using password: YES)\")",
        "invalid_credentials",
        "auth.wrong_password",
    ),
    (
        "ERROR 1044 (42000): Access denied for user 'stitch'@'%' to database 'shop'",
        "missing_privilege",
        "privilege.database_missing",
    ),
    (
        "ERROR: permission denied for table orders (SQLSTATE 42501)",
        "missing_privilege",
        "privilege.table_select_missing",
    ),
    (
        'FATAL: no pg_hba.conf entry for host "10.0.0.9", user "stitch", database "shop", no encryption',
        "ip_not_allowlisted",
        "access.pg_hba_no_entry",
    ),
    ('FATAL: database "shpo" does not exist (3D000)', "config_error", "config.unknown_database"),
    (
        "SSLError: [SSL: CERTIFICATE_VERIFY_FAILED] verify failed: certificate has expired",
        "tls_mismatch",
        "tls.certificate_expired",
    ),
    ("socket.gaierror: [Errno -2] Name or service not known", "host_unreachable", "dns.nxdomain"),
    ("HTTP 503 Service Unavailable", "third_party_down", "availability.provider_error"),
    ("429 Client Error: Too Many Requests for url: https://api.acme.test", "rate_limited", "limit.rate_limited"),
    ('{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}', "token_expired", None),
    ("HTTP 403: the token lacks the scope read:org", "missing_privilege", None),
    ("Your client IP address 52.1.2.3 is blocked by the firewall", "ip_not_allowlisted", None),
    ("paramiko: SSH authentication to bastion.acme.test failed", "ssh_tunnel_failed", None),
    ("Permission denied (publickey,password).", "ssh_tunnel_failed", "auth.key_not_authorized"),
    ("tap exited with code -9", "job_limit", None),
    ("HTTP 404 Not Found", "config_error", None),
    ("the database has a disk full", "destination_full", None),
]


@pytest.mark.parametrize(("text", "cause"), KNOWN)
def test_a_catalogued_message_is_known_also_inside_a_log_line(text: str, cause: str) -> None:
    assert explain(text).cause == cause
    assert explain(text.upper()).cause == cause
    assert (
        explain("2026-01-02 03:04:05 main - INFO starting\n2026-01-02 03:04:06 tap - CRITICAL " + text).cause == cause
    )


@pytest.mark.parametrize(("text", "cause", "code"), UNSEEN)
def test_an_uncatalogued_message_is_read_by_its_codes_and_words(text: str, cause: str, code: str | None) -> None:
    found = explain(text)
    assert found.cause == cause
    assert code in (None, found.code)


@pytest.mark.parametrize("text", ["", "hello", "the moon is blue", "order 40312 shipped in 503 boxes", "Error 77"])
def test_what_says_nothing_is_unclear(text: str) -> None:
    found = explain(text)
    assert (found.cause, found.code, found.confidence) == ("unclassified", None, "unclear")


def test_the_same_words_can_mean_another_thing_to_another_connector() -> None:
    assert explain("401 Unauthorized").cause == "invalid_credentials"
    assert explain("401 Unauthorized", "urban_airship").cause == "feature_not_enabled"


def test_critical_lines_count_before_the_others() -> None:
    log = "WARNING rate limit is near\nCRITICAL ORA-01031: insufficient privileges\nERROR broken pipe"
    assert explain(log).cause == "missing_privilege"


def test_words_are_at_most_likely_and_codes_are_certain() -> None:
    assert explain("something was forbidden").confidence == "likely"
    assert explain("SQLSTATE: 28P01").confidence == "certain"


def test_the_connector_is_taken_from_the_text_when_nobody_said_it() -> None:
    assert explain("psycopg.OperationalError: boom refused").connector == "postgres"
    assert explain("psycopg.OperationalError: boom refused", "mysql").connector == "mysql"


DATA = load()
LITERAL = [*DATA["catalogue"], *DATA["drivers"]]
CODED = [*DATA["states"].values(), *(row for kind in DATA["numbers"].values() for row in kind.values()), *DATA["names"]]


def test_every_entry_names_a_cause_and_a_code_that_exist() -> None:
    entries = [*LITERAL, *CODED, *DATA["words"]]
    assert {entry["cause"] for entry in entries} <= set(CAUSES)
    assert {entry["code"] for entry in entries if "code" in entry} <= CODES
    assert len({entry["says"] for entry in LITERAL}) == len(LITERAL)


@pytest.mark.parametrize("entry", LITERAL, ids=lambda entry: entry["says"][:30])
def test_every_entry_of_the_catalogue_is_found_by_its_own_words(entry: dict[str, str]) -> None:
    found = explain(entry["says"].removeprefix("=").replace("*", " x1 "), entry.get("only"))
    assert (found.cause, found.stage) == (entry["cause"], entry["stage"])


@pytest.mark.parametrize("row", DATA["names"], ids=lambda row: row["any"][0])
def test_every_code_that_is_one_word_is_found(row: dict[str, Any]) -> None:
    for name in row["any"]:
        if "and" in row:
            continue
        found = explain(f"Caused by: {name}: something", row.get("of"))
        if "sure" in row:
            assert found.confidence == "likely", name
        else:
            assert (found.cause, found.code, found.confidence) == (row["cause"], row.get("code"), "certain"), name


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "a" * MEGABYTE, "token " * 160_000, "((((((" * 160_000, "column " * 140_000, "CRITICAL\n" * 110_000,
        "\n".join(f"ERROR {n} token column clock binlog region expire" for n in range(20_000)), '{"data":' * 120_000,
        "\x1b[31m" * 200_000, "role " * 200_000, "connection failed from " * 40_000, "\0" * MEGABYTE, "\ud800" * 9_000,
    ],
    ids=lambda text: ascii(text[:8]),
)  # fmt: skip
def test_a_hostile_text_comes_to_an_end(text: str) -> None:
    assert explain(text).confidence in ("unclear", "likely")
