"""What Snowflake refuses with: cause and code by its number, or by its words where it publishes no number."""

from __future__ import annotations

import re

from bot.drivers.network import Trouble

WRONG, LOCKED, CONFIG, DENIED = "invalid_credentials", "account_locked", "config_error", "missing_privilege"
KEPT_OUT, BILL = "ip_not_allowlisted", "account_billing"
Row = tuple[str, str, tuple[str, ...]]
# A key that is not the user's, a user that does not exist and another account are one answer to the outside.
KEY: Row = (WRONG, "auth.key_mismatch", ("auth.unknown_user", "config.wrong_tenant", "clock.skew"))
ROLE: Row = (DENIED, "privilege.role_missing", ())
GONE: Row = (DENIED, "privilege.table_select_missing", ("config.table_missing",))
CLOCK: Row = (CONFIG, "clock.skew", ())
# Snowflake publishes no list of its numbers. Each stands under the address where it was read: 39xxxx are of the login,
# the rest of statements. A number that is not here is read by its words.
GITHUB = "https://github.com/snowflakedb"
PYTHON = f"{GITHUB}/snowflake-connector-python/blob/main/src/snowflake/connector/network.py"
JDBC = f"{GITHUB}/snowflake-jdbc/blob/master/src/test/java/net/snowflake/client/internal/jdbc/ConnectionIT.java"
NET = f"{GITHUB}/snowflake-connector-net/blob/master/Snowflake.Data/Core/SFError.cs"
CLI = f"{GITHUB}/snowflake-cli/blob/main/src/snowflake/cli/api/errno.py"
GO = f"{GITHUB}/gosnowflake/blob/master"
TERRAFORM = f"{GITHUB}/terraform-provider-snowflake/blob/main/pkg/testacc"
# Answers as a loader's tests keep them, and as an analyst's tool explains them to its administrators.
LOADER = "https://github.com/rudderlabs/rudder-server/blob/master/warehouse/router/errors_test.go"
SIGMA = "https://help.sigmacomputing.com/docs/troubleshoot-input-table-connection-issues"
OVER: Row = ("token_expired", "auth.session_token_expired", ())
MFA: Row = (WRONG, "auth.mfa_required", ())
UNLOCK: Row = (LOCKED, "auth.account_locked", ("auth.too_many_attempts",))
ELSEWHERE: Row = (KEPT_OUT, "access.ip_not_allowed", ())
SUSPENDED: Row = (BILL, "account.suspended", ("account.unpaid",))
FILTERED: Row = (DENIED, "auth.insufficient_scope", ("privilege.role_missing",))
READ_IN: dict[str, dict[str, Row]] = {
    PYTHON: {
        "390100": (WRONG, "auth.wrong_password", ("auth.unknown_user",)),
        "390110": ("token_expired", "auth.token_expired", ()),
        "390112": OVER,
        "390114": OVER,
        "390144": KEY,
        "390195": ("token_expired", "auth.access_token_expired", ()),
        "390303": (WRONG, "auth.invalid_token", ("auth.token_revoked",)),
        "390318": ("token_expired", "auth.access_token_expired", ()),
        "394300": KEY,
        "394301": CLOCK,
        "394302": CLOCK,
        "394303": CLOCK,
        "394304": (WRONG, "auth.key_mismatch", ()),
    },
    # EXT_AUTHN_DENIED, LOCKED, TIMEOUT, INVALID, EXCEPTION: the second factor.
    NET: {"390111": OVER, "390120": MFA, "390123": UNLOCK, "390126": MFA, "390127": MFA, "390129": MFA},
    JDBC: {"390189": ROLE, "390201": (DENIED, "privilege.warehouse_missing", ("config.object_missing",))},
    # The identity provider let somebody else in than the user of the settings.
    f"{GO}/auth_with_external_browser_test.go": {"390191": (WRONG, "auth.unknown_user", ())},
    f"{GO}/auth_with_pat_test.go": {
        "394400": (WRONG, "auth.invalid_token", ("auth.token_expired", "auth.token_revoked"))
    },
    SIGMA: {"390101": (LOCKED, "auth.account_locked", ("account.user_deactivated",))},
    LOADER: {
        "390102": UNLOCK,
        "390420": ELSEWHERE,
        "390913": SUSPENDED,
        "090073": (BILL, "limit.credit_quota", ()),
    },
    CLI: {
        "000606": (DENIED, "privilege.warehouse_missing", ()),
        "002003": GONE,
        "002043": GONE,
        "003001": (DENIED, "privilege.table_select_missing", ()),
    },
    f"{GITHUB}/snowflake-connector-net/blob/master/Snowflake.Data.Tests/IntegrationTests/SFDbCommandIT.cs": {
        "000604": ("connection_dropped", "capacity.statement_timeout", ("availability.terminated_by_administrator",))
    },
    f"{TERRAFORM}/resource_warehouse_interactive_acceptance_test.go": {
        "000630": ("connection_dropped", "capacity.statement_timeout", ())
    },
    # https://docs.snowflake.com/en/sql-reference/sql/use-database: a session may have none
    f"{TERRAFORM}/data_source_streamlits_acceptance_test.go": {"090105": (CONFIG, "config.unknown_database", ())},
}
NUMBERS: dict[str, Row] = {number: row for rows in READ_IN.values() for number, row in rows.items()}
# Words seen with the drivers' own numbers in front (250001), which say nothing. The first that fits decides.
WORDS: tuple[tuple[str, Row], ...] = (
    (r"is not allowed to access Snowflake|Network policy is required", ELSEWHERE),
    (r"locked from Duo", UNLOCK),
    (r"MFA|[Mm]ulti-factor|passcode|TOTP|Duo", MFA),
    (r"password.*(not allowed|disabled|blocked)|authentication (method|policy)|rejected by.*policy",
     (WRONG, "auth.method_not_allowed", ("auth.mfa_required",))),
    (r"temporarily locked|too many failed", UNLOCK),
    (r"access disabled|user.*disabled", NUMBERS["390101"]),
    (r"password.*expired|must change.*password", (WRONG, "auth.password_expired", ())),
    (r"trial.*(ended|expired)|account.*(suspended|locked)|payment method", SUSPENDED),
    (r"[Rr]ole .*(not granted|does not exist or not authorized)", ROLE),
    (r"role.*(not listed|filtered)", FILTERED),
    (r"exceeded its quota", NUMBERS["090073"]),
    (r"[Ww]arehouse .*is suspended", ("server_misconfigured", "availability.warehouse_suspended", ())),
    (r"No active warehouse|warehouse does not exist or not authorized", NUMBERS["390201"]),
    (r"Incorrect username or password", NUMBERS["390100"]),
    (r"JWT token is invalid", KEY),
    (r"[Pp]rogrammatic access token", NUMBERS["394400"]),
    (r"does not have a current (database|schema)", NUMBERS["090105"]),
    (r"does not exist or not authorized", GONE),
    (r"Insufficient privileges", NUMBERS["003001"]),
    (r"maintenance|internal error|incident", ("third_party_down", "availability.provider_error", ())),
)  # fmt: skip
# What the login waits for instead of letting in: `nextAction` in auth/_auth.py.
SECOND = "a second factor (MFA) is waited for"
NEXT = {"PWD_CHANGE": "the user must change the password", "EXT_AUTHN_DUO_ALL": SECOND,
        "EXT_AUTHN_DUO_PUSH_N_PASSCODE": SECOND}  # fmt: skip
# A thing that may not be seen is named by its kind, and every kind has a code of its own.
HIDDEN = (
    (r"Database '|requested database", (DENIED, "privilege.database_missing", ("config.unknown_database",))),
    (r"Schema '|requested schema", (DENIED, "privilege.schema_usage_missing", ("config.unknown_database",))),
    (r"Warehouse '", NUMBERS["390201"]),
)


def known(number: str, words: str, what: str, waits: object = None) -> Trouble:
    """Cause and code of a refusal; `waits` is what a login that failed asks for next."""
    said = " ".join(words.split())[:400]
    more = NEXT.get(str(waits or ""), "")
    cause, code, alike = _row(number, f"{said} {more}")
    evidence = f"{what}: {said or more or 'refused without a word'}{f' ({number})' if number else ''}"
    return Trouble(cause, code, evidence, alike, shown=number)


def _row(number: str, said: str) -> Row:
    if number in ("002003", "002043", "390201"):
        return next((row for pattern, row in HIDDEN if re.search(pattern, said)), NUMBERS[number])
    if number in NUMBERS:
        return NUMBERS[number]
    return next((row for pattern, row in WORDS if re.search(pattern, said)),
                ("unclassified", "availability.provider_error", ()))  # fmt: skip
