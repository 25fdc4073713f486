"""What `mend diagnose` says of a server's number is what the live checks say of it, or there is a reason here.

A pasted text is read later, and from whichever side it came: from the source or from the destination, from a login or from
a query that had begun. A live check knows where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from bot.drivers import aws, mongodb, mssql, mysql_words, oracle, postgres_words, snowflake_words
from flows.core.explain import explain
from tests.flows.test_explain import DATA as SIGNALS

Said = tuple[str, str, Iterable[str]]
# The cause here, the cause of the live check, and for which codes both are right.
REASONS = {
    # A full disk that a pipeline's log tells of is mostly the destination's.
    ("destination_full", "connection_dropped"): {"capacity.persistence_failed"},
    # When the text is read the restart is over, or the provider knows: nobody has to do anything.
    ("third_party_down", "connection_dropped"): {
        "availability.shutting_down",
        "availability.provider_error",
        "availability.no_primary",
    },
    # A login that is cut short did not get there; a query that is cut short did.
    ("connection_dropped", "host_unreachable"): {"network.reset", None},
    # Oracle hides a table from who may not see it; the live check has looked whether there is one.
    ("config_error", "missing_privilege"): {"config.table_missing"},
    # The slot is another pipeline's: in a log it is its configuration, on the server a setting.
    ("config_error", "server_misconfigured"): {"replication.slot_in_use"},
}
# A log may tell of any command and any object, a live check only of the tables it has read.
WIDER = {"privilege.command_denied", "privilege.resource_hidden", "capacity.statement_timeout"}
# What these say depends on words that no bare number has.
BY_WORDS = {"8000", "28000", "42501", "1227", "Forbidden", "InternalError"}


def told() -> Iterator[tuple[str, str | None, Said]]:
    """A text with nothing but the code, the connector, and what the live check makes of it."""
    for number, (cause, code) in mysql_words.CODES.items():
        yield f"(boom) ERROR {number} (HY000)", "mysql", (cause, code, mysql_words.ALIKE.get(number, ()))
    for number, row in mssql.CODES.items():
        yield f"Msg {number}, level 16", "mssql", row
    for number, row in mongodb.CODES.items():
        yield f"failed with error {number}", "mongodb", row
    for digits, row in snowflake_words.NUMBERS.items():
        yield f"{digits} (HY000): boom", "snowflake", row
    for number, row in oracle.CODES.items():
        yield f"ORA-{number:05d}: boom", "oracle", row
    for name, row in oracle.OWN.items():
        yield f"{name}: boom", "oracle", row
    for name, row in aws.CODES.items():
        yield f"An error occurred ({name}) when calling the operation", None, row
    for state, pattern, cause, code in postgres_words.CODES:
        if state and not pattern:
            yield f"SQLSTATE: {state}", "postgres", (cause, code, ())


TOLD = [one for one in told() if not any(word in one[0] for word in BY_WORDS)]


@pytest.mark.parametrize(("text", "connector", "live"), TOLD, ids=[one[0][:40] for one in TOLD])
def test_a_number_means_the_same_pasted_and_live(text: str, connector: str | None, live: Said) -> None:
    cause, code, alike = live
    found = explain(text, connector)
    assert found.cause == cause or found.code in REASONS.get((found.cause, cause), ()), found
    if found.cause == cause:
        assert found.code in {code, None, *alike, *WIDER}, found


# https://github.com/snowflakedb/snowflake-connector-python/blob/main/src/snowflake/connector/errorcode.py
OF_THE_CLIENT = {250003, 250005, 251001, 251005, 251006}


def test_no_number_of_snowflakes_is_from_memory() -> None:
    """It publishes no list: each number stands under the address where it was read, once, and the others are words."""
    read = [number for rows in snowflake_words.READ_IN.values() for number in rows]
    assert len(read) == len(set(read))
    assert all(address.startswith("https://") for address in snowflake_words.READ_IN)
    assert set(SIGNALS["numbers"]["snowflake"]) - {int(number) for number in read} == OF_THE_CLIENT
    assert snowflake_words.NUMBERS.keys() == set(read)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        # The sentences: https://github.com/rudderlabs/rudder-server/blob/master/warehouse/router/errors_test.go,
        # https://docs.posit.co/partnerships/snowflake/posit-team/networking/network-policies.html,
        # https://github.com/snowflakedb/snowflake-cli/issues/1931
        ("390201 (08004): The requested database does not exist or not authorized.", "privilege.resource_hidden"),
        ("390420 (08004): IP 203.0.113.9 is not allowed to access Snowflake.", "access.ip_not_allowed"),
        ("390422 (08004): Incoming request with IP/Token 203.0.113.9 is not allowed to access Snowflake.",
         "access.ip_not_allowed"),
        ("390186 (08001): Role 'LOADER' specified in the connect string is not granted to this user.",
         "privilege.role_missing"),
        ("250001 (08001): Failed to connect to DB. User is locked from Duo Security. Contact your local system "
         "administrator.", "auth.account_locked"),
    ],
)  # fmt: skip
def test_what_snowflake_says_without_a_known_number_is_read_by_its_words(words: str, code: str) -> None:
    assert explain(words, "snowflake").code == code
