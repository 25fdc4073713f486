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
# 39xxxx are of the login, the rest of statements: network.py in
# https://github.com/snowflakedb/snowflake-connector-python and, for keys,
# https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting
NUMBERS: dict[str, Row] = {
    "390100": (WRONG, "auth.wrong_password", ("auth.unknown_user",)),
    "390101": (LOCKED, "auth.account_locked", ("account.user_deactivated",)),
    "390102": (LOCKED, "auth.account_locked", ("auth.too_many_attempts",)),
    "390110": ("token_expired", "auth.token_expired", ()),
    "390112": ("token_expired", "auth.session_token_expired", ()),
    "390114": ("token_expired", "auth.session_token_expired", ()),
    "390144": KEY,
    "390186": ROLE,
    "390189": ROLE,
    "390201": (DENIED, "privilege.warehouse_missing", ("config.object_missing",)),
    "390303": (WRONG, "auth.invalid_token", ("auth.token_revoked",)),
    "390317": (DENIED, "auth.insufficient_scope", ("privilege.role_missing",)),
    "390318": ("token_expired", "auth.access_token_expired", ()),
    "390422": (KEPT_OUT, "access.ip_not_allowed", ()),
    "394300": KEY,
    "394301": CLOCK,
    "394302": CLOCK,
    "394303": CLOCK,
    "394304": (WRONG, "auth.key_mismatch", ()),
    "394307": (CONFIG, "config.wrong_tenant", ()),
    "394400": (WRONG, "auth.invalid_token", ("auth.token_expired", "auth.token_revoked")),
    "000606": (DENIED, "privilege.warehouse_missing", ()),
    "000666": (BILL, "account.suspended", ("account.unpaid",)),
    "002003": GONE,
    "002043": GONE,
    "003001": (DENIED, "privilege.table_select_missing", ()),
    # https://docs.snowflake.com/en/sql-reference/sql/use-database: a session may have none
    "090105": (CONFIG, "config.unknown_database", ()),
    "090106": (CONFIG, "config.unknown_database", ()),
    "090073": (BILL, "limit.credit_quota", ()),
    "000630": ("connection_dropped", "capacity.statement_timeout", ()),
}
# Words seen with the drivers' own numbers in front (250001), which say nothing. The first that fits decides.
WORDS: tuple[tuple[str, Row], ...] = (
    (r"is not allowed to access Snowflake|Network policy is required", NUMBERS["390422"]),
    (r"MFA|multi-factor|passcode|TOTP|Duo", (WRONG, "auth.mfa_required", ())),
    (r"password.*(not allowed|disabled|blocked)|authentication (method|policy)|rejected by.*policy",
     (WRONG, "auth.method_not_allowed", ("auth.mfa_required",))),
    (r"temporarily locked|too many failed", NUMBERS["390102"]),
    (r"access disabled|user.*disabled", NUMBERS["390101"]),
    (r"password.*expired|must change.*password", (WRONG, "auth.password_expired", ())),
    (r"trial.*(ended|expired)|account.*(suspended|locked)|payment method", NUMBERS["000666"]),
    (r"[Rr]ole .*(not granted|does not exist or not authorized)", ROLE),
    (r"role.*(not listed|filtered)", NUMBERS["390317"]),
    (r"exceeded its quota", NUMBERS["090073"]),
    (r"[Ww]arehouse .*is suspended", ("server_misconfigured", "availability.warehouse_suspended", ())),
    (r"No active warehouse|warehouse does not exist or not authorized", NUMBERS["390201"]),
    (r"Incorrect username or password", NUMBERS["390100"]),
    (r"JWT token is invalid", KEY),
    (r"[Pp]rogrammatic access token", NUMBERS["394400"]),
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
    (r"Database '", (DENIED, "privilege.database_missing", ("config.unknown_database",))),
    (r"Schema '", (DENIED, "privilege.schema_usage_missing", ("config.unknown_database",))),
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
    if number in ("002003", "002043"):
        return next((row for pattern, row in HIDDEN if re.search(pattern, said)), GONE)
    if number in NUMBERS:
        return NUMBERS[number]
    return next((row for pattern, row in WORDS if re.search(pattern, said)),
                ("unclassified", "availability.provider_error", ()))  # fmt: skip
