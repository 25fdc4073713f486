"""Snowflake, played from its drivers' published protocol: each refusal by its number, and what people are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import snowflake.connector

from bot.drivers.network import Trouble
from bot.drivers.snowflake_look import _unreadable
from flows.core.finding import explaining
from tests.fakes.serve import serving
from tests.fakes.snowflake import Snowflake, Warehouse
from tests.faults.endless import ends
from tests.faults.frame import Case, Wire, named, told
from tests.servers import refusing_port

DENIED, WRONG, CONFIG, LOCKED = "missing_privilege", "invalid_credentials", "config_error", "account_locked"
KEPT_OUT, BILL = "ip_not_allowlisted", "account_billing"


def settings(**values: Any) -> Callable[..., Any]:
    return lambda server, wire: wire.settings.update(values)


def account(**values: Any) -> Callable[..., Any]:
    def broken(server: Snowflake, wire: Wire) -> None:
        for name, value in values.items():
            setattr(server, name, value)

    return broken


def login(number: str, words: str, **more: Any) -> Callable[..., Any]:
    return account(login=(number, words), **more)


def secrets(**values: str) -> Callable[..., Any]:
    return lambda server, wire: setattr(wire, "secrets", values)


def denies(part: str, number: str, words: str) -> Callable[..., Any]:
    return account(denies={part: (number, words)})


def both(*parts: Callable[..., Any]) -> Callable[..., Any]:
    return lambda server, wire: [part(server, wire) for part in parts]


OTHER = Snowflake()
CASES = [
    Case("wrong password", WRONG, "auth.wrong_password", secrets(password="old"),
         """ALTER USER "STITCH" SET PASSWORD = '<new password>'"""),
    Case("unknown user", WRONG, "auth.wrong_password", both(secrets(password="right"), settings(user="stich")), "Does user stich exist?"),
    Case("the key is not the user's", WRONG, "auth.key_mismatch", lambda s, w: w.secrets.update(private_key=OTHER.pem()),
         """ALTER USER "STITCH" SET RSA_PUBLIC_KEY = 'MII"""),
    Case("the key's failure can be looked up", WRONG, "auth.key_mismatch", lambda s, w: w.secrets.update(private_key=OTHER.pem()),
         "SELECT SYSTEM$GET_LOGIN_FAILURE_DETAILS('0ce9eb56-821d-4ca9-a774-04ae89a0cf5a');"),
    Case("the server tells that the fingerprints differ", WRONG, "auth.key_mismatch", login("394304", "JWT token is invalid.")),
    Case("the clock is wrong", CONFIG, "clock.skew", login("394303", "JWT token is invalid.")),
    Case("the key is cut off", CONFIG, "config.wrong_format", secrets(private_key="-----BEGIN PRIVATE KEY-----\nMII")),
    Case("the public key in its place", CONFIG, "config.public_key_instead_of_private", secrets(private_key="-----BEGIN PUBLIC KEY-----\nMII")),
    Case("the key is locked", WRONG, "auth.key_passphrase_missing", lambda s, w: w.secrets.update(private_key=s.pem("pass"))),
    Case("the key opens with another word", WRONG, "auth.key_passphrase_wrong",
         lambda s, w: w.secrets.update(private_key=s.pem("pass"), passphrase="word")),
    Case("no secret at all", WRONG, "auth.credential_not_sent", secrets()),
    Case("the token was revoked or ran out", WRONG, "auth.invalid_token", secrets(token="pat-old"),
         'ALTER USER "STITCH" ROTATE PROGRAMMATIC ACCESS TOKEN'),
    Case("the OAuth token ran out", "token_expired", "auth.access_token_expired", login("390318", "OAuth access token expired. [1172527951366]")),
    Case("the OAuth token is another's", WRONG, "auth.invalid_token", both(secrets(token="old"), settings(authenticator="oauth"))),
    Case("the user is disabled", LOCKED, "auth.account_locked", login("390101", "User access disabled. Contact your local system administrator."),
         'ALTER USER "STITCH" SET DISABLED = FALSE;'),
    Case("the user is locked", LOCKED, "auth.account_locked",
         login("390102", "Your user account has been temporarily locked due to too many failed attempts."), 'ALTER USER "STITCH" SET MINS_TO_UNLOCK = 0;'),
    Case("a password alone is not enough", WRONG, "auth.mfa_required",
         login("", "Failed to authenticate: MFA authentication is required, but none of your current MFA methods are supported for programmatic authentication."),
         """ALTER USER "STITCH" SET RSA_PUBLIC_KEY = '"""),
    Case("a telephone would have to ring", WRONG, "auth.mfa_required", login("", "", waits="EXT_AUTHN_DUO_ALL")),
    Case("the second factor was refused", WRONG, "auth.mfa_required", login("390120", "")),
    Case("the second factor is locked", LOCKED, "auth.account_locked",
         login("", "User is locked from Duo Security. Contact your local system administrator.")),
    Case("the password must be changed", WRONG, "auth.password_expired", login("", "", waits="PWD_CHANGE")),
    Case("passwords are not allowed", WRONG, "auth.method_not_allowed", login("", "Authentication attempt rejected by the current authentication policy.")),
    Case("the address is not allowed", KEPT_OUT, "access.ip_not_allowed",
         login("", "Incoming request with IP/Token 203.0.113.9 is not allowed to access Snowflake."), "VALUE_LIST = ('203.0.113.9')"),
    Case("the token's user has no network policy", KEPT_OUT, "access.ip_not_allowed", login("", "Network policy is required."),
         'ALTER USER "STITCH" SET NETWORK_POLICY = <policy>;'),
    Case("the role is not granted", DENIED, "privilege.role_missing", settings(role="loader"), 'GRANT ROLE "LOADER" TO USER "STITCH";'),
    Case("the default role was taken away", DENIED, "privilege.role_missing", account(roles=("PUBLIC",)), 'GRANT ROLE "PIPELINE" TO USER "STITCH";'),
    Case("the token is for another role", DENIED, "auth.insufficient_scope",
         login("", "The role requested in the connection ('LOADER') is not listed in the Access Token or was filtered.")),
    Case("a trial has ended", BILL, "account.suspended", login("390913", "Your free trial has ended and all of your virtual warehouses have been suspended.")),
    Case("nobody pays", BILL, "account.suspended", denies("EXPLAIN", "", "SQL compilation error: Your account is suspended due to lack of payment method.")),
    Case("no such account", CONFIG, "config.wrong_base_path", account(page=(404, "<html>Not Found</html>")), "account identifier"),
    Case("no such account, answered the old way", CONFIG, "config.wrong_base_path", account(page=(403, "<html>403 Forbidden</html>"))),
    Case("the account's front is down", "third_party_down", "availability.bad_gateway", account(page=(503, ""))),
    Case("no such database, said at the login", DENIED, "privilege.database_missing",
         login("390201", "The requested database does not exist or not authorized."), 'GRANT USAGE ON DATABASE "SHOP" TO ROLE <role>;'),
    Case("no such warehouse, said at the login", DENIED, "privilege.warehouse_missing",
         login("390201", "The requested warehouse does not exist or not authorized."), 'GRANT USAGE ON WAREHOUSE "PIPELINE_WH" TO ROLE <role>;'),
    Case("no such warehouse, or not granted", DENIED, "privilege.warehouse_missing", settings(warehouse="LOAD_WH"),
         'GRANT USAGE ON WAREHOUSE "LOAD_WH" TO ROLE "PIPELINE";'),
    Case("no warehouse is set anywhere", DENIED, "privilege.warehouse_missing", lambda s, w: w.settings.pop("warehouse"),
         """ALTER USER "STITCH" SET DEFAULT_WAREHOUSE = '<warehouse>';"""),
    Case("the warehouse sleeps and does not wake", "server_misconfigured", "availability.warehouse_suspended",
         account(warehouses={"PIPELINE_WH": Warehouse(auto_resume="false")}), 'ALTER WAREHOUSE "PIPELINE_WH" SET AUTO_RESUME = TRUE;'),
    Case("its credits are used up", BILL, "limit.credit_quota",
         account(warehouses={"PIPELINE_WH": Warehouse(monitor="MONTHLY")}, monitors={"MONTHLY": ("101.5", "100", "100%")}),
         'ALTER RESOURCE MONITOR "MONTHLY" SET CREDIT_QUOTA = <number of credits>;'),
    Case("no such database, or not granted", DENIED, "privilege.database_missing", settings(database="shopp"),
         'GRANT USAGE ON DATABASE "SHOPP" TO ROLE "PIPELINE";'),
    Case("no such schema, or not granted", DENIED, "privilege.schema_usage_missing", settings(schema="sales"),
         'GRANT USAGE ON SCHEMA "SHOP"."SALES" TO ROLE "PIPELINE";'),
    Case("a table may not be read", DENIED, "privilege.table_select_missing", account(tables={"SHOP.PUBLIC.ORDERS"}),
         'GRANT SELECT ON TABLE "SHOP"."PUBLIC"."CUSTOMERS" TO ROLE "PIPELINE";'),
    Case("a table may be seen and not read", DENIED, "privilege.table_select_missing",
         denies("CUSTOMERS", "003001", "SQL access control error:\nInsufficient privileges to operate on table 'CUSTOMERS'"),
         'GRANT SELECT ON TABLE "SHOP"."PUBLIC"."CUSTOMERS" TO ROLE "PIPELINE";'),
    Case("a table's schema may not be entered", DENIED, "privilege.schema_usage_missing", lambda s, w: setattr(w, "tables", ("sales.orders",)),
         'GRANT USAGE ON SCHEMA "SHOP"."SALES" TO ROLE "PIPELINE";\nGRANT SELECT ON TABLE "SHOP"."SALES"."ORDERS" TO ROLE "PIPELINE";'),
    Case("another database", DENIED, "privilege.database_missing", lambda s, w: setattr(w, "tables", ('crm."odd Name".leads',)), "in database CRM"),
    Case("another database, and what gives it", DENIED, "privilege.database_missing", lambda s, w: setattr(w, "tables", ("crm.sales.leads",)),
         'GRANT USAGE ON DATABASE "CRM" TO ROLE "PIPELINE";'),
    Case("the account is no account", CONFIG, "config.malformed_url", lambda s, w: w.settings.update(base_url="", account="acme shop/")),
    Case("nothing listens", "host_unreachable", "network.refused", settings(base_url=f"http://127.0.0.1:{refusing_port()}")),
]  # fmt: skip


def wired(server: Snowflake, url: str) -> Wire:
    """Alice's connection to it."""
    place = {
        "base_url": url,
        "account": "acme-shop",
        "user": "stitch",
        "warehouse": "PIPELINE_WH",
        "database": "shop",
    }
    return Wire("snowflake", place, {"private_key": server.pem()}, ("orders", "shop.public.customers"))


@pytest.fixture
def played() -> Iterator[tuple[Snowflake, Wire]]:
    server = Snowflake()
    with serving(server.answer) as url:
        yield server, wired(server, url)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_named_and_what_mends_it_is_printed(case: Case, played: tuple[Snowflake, Wire]) -> None:
    server, wire = played
    assert explaining(wire.look()) is None
    server.logins, server.statements = 0, []
    named(case, server, wire)
    assert server.logins <= 1
    assert server.sessions == 0
    assert all(sql.startswith(("SHOW ", "EXPLAIN USING TEXT SELECT ")) for sql in server.statements)


@pytest.mark.parametrize(
    "given", [{"password": "right"}, {"token": "pat-right"}, {"pat": "pat-right"}, {"key": "locked"}]
)
def test_every_way_in_works(given: dict[str, str], played: tuple[Snowflake, Wire]) -> None:
    server, wire = played
    wire.secrets = {"private_key": server.pem("pass"), "passphrase": "pass"} if "key" in given else given
    assert explaining(wire.look()) is None


@pytest.mark.parametrize("way", [{"password": "right"}, {"password": "old"}, {"role": "LOADER"}])
def test_snowflakes_own_connector_gets_the_same_from_this_server(
    way: dict[str, str], played: tuple[Snowflake, Wire]
) -> None:
    """What plays Snowflake is judged by somebody who knows the real one."""
    server, wire = played
    place = urlsplit(wire.settings["base_url"])
    given = {"password": "right", "user": "stitch", "account": "acme-shop", "warehouse": "PIPELINE_WH", **way}
    try:
        with snowflake.connector.connect(
            host=place.hostname, port=place.port, protocol="http", login_timeout=10, **given
        ) as made:  # fmt: skip
            rows = made.cursor(snowflake.connector.DictCursor).execute("SHOW WAREHOUSES").fetchall()
            seen: Any = rows[0]["name"], rows[0]["state"]
    except snowflake.connector.errors.DatabaseError as error:
        seen = error.errno
    assert seen == {"right": ("PIPELINE_WH", "SUSPENDED"), "old": 390100, "LOADER": 390189}[next(iter(way.values()))]


def test_only_what_the_role_lacks_is_granted(played: tuple[Snowflake, Wire]) -> None:
    server, wire = played
    server.tables = set()
    top = explaining(wire.look())
    assert top is not None
    assert told(wire, top).statements == [
        'GRANT USAGE ON SCHEMA "SHOP"."PUBLIC" TO ROLE "PIPELINE";',
        'GRANT SELECT ON TABLE "SHOP"."PUBLIC"."ORDERS" TO ROLE "PIPELINE";',
        'GRANT SELECT ON TABLE "SHOP"."PUBLIC"."CUSTOMERS" TO ROLE "PIPELINE";',
    ]


def test_five_hundred_tables_are_ten_questions(played: tuple[Snowflake, Wire]) -> None:
    server, wire = played
    wire.tables = tuple(f"t{number}" for number in range(500))
    server.tables = {f"SHOP.PUBLIC.T{number}" for number in range(500)}
    assert explaining(wire.look()) is None
    assert len([sql for sql in server.statements if sql.startswith("EXPLAIN")]) == 10


def test_neither_key_nor_token_is_in_what_is_found(played: tuple[Snowflake, Wire]) -> None:
    server, wire = played
    for given in ({"private_key": OTHER.pem()}, {"token": "pat-s3cret"}, {"password": "s3cret-of-the-shop"}):
        wire.secrets = given
        said = str([f.to_dict() for f in wire.look()])
        assert "PRIVATE KEY" not in said
        assert "s3cret" not in said


def test_a_page_of_somebody_else_is_not_snowflakes_word(played: tuple[Snowflake, Wire]) -> None:
    server, wire = played
    server.page = (200, "<html>Sign in to the guest network</html>")
    top = explaining(wire.look())
    assert top is not None
    assert top.code == "config.wrong_port_other_service"


@pytest.mark.parametrize(
    "name", ["acme-shop", "ACME-SHOP", "xy12345.eu-west-1", "https://acme-shop.snowflakecomputing.com/console"]
)
def test_an_account_is_found_however_it_is_written(name: str, played: tuple[Snowflake, Wire]) -> None:
    from bot.drivers.snowflake import address, identifier

    host = "xy12345.eu-west-1" if name.startswith("xy") else "acme-shop"
    assert address({"account": name}) == f"https://{host}.snowflakecomputing.com"
    assert identifier({"account": name}) == host.partition(".")[0].upper()


@pytest.mark.parametrize("way", ["silent", "dripping", "flooding"])
def test_what_never_ends_is_ended(way: str, played: tuple[Snowflake, Wire]) -> None:
    ends(way, played[1])


def test_what_goes_wrong_behind_the_login_is_not_the_credentials_fault(played: tuple[Snowflake, Wire]) -> None:
    server, wire = played
    denies("SHOW WAREHOUSES", "390189", "Something nobody has seen before.")(server, wire)
    found = {f.check: f for f in wire.look()}
    assert found["credentials_accepted"].verdict == "good"
    assert found["permissions_sufficient"].verdict == "unclear"


def test_tables_of_which_one_is_refused_are_not_called_readable_when_time_is_over() -> None:
    def ask(sql: str) -> list[Any]:
        raise Trouble("missing_privilege", "privilege.table_select_missing", f"{sql}: not authorized")

    late: Any = SimpleNamespace(ask=ask, deadline=SimpleNamespace(over=lambda: True))
    assert [why.code for _, why in _unreadable(late, ['"S"."A"', '"S"."B"'])] == ["privilege.table_select_missing"]
