"""PostgreSQL, broken at the login: who may come in, from where, how, and how many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.frame import Chosen, Fault, Told, both, by_hand, prove, setting, sql
from tests.faults.postgres_site import NAME, SECRET, PostgresSite, running

WRONG, DENIED, DROPPED = "invalid_credentials", "ip_not_allowlisted", "connection_dropped"


@pytest.fixture(scope="module")
def site() -> Iterator[PostgresSite]:
    with running(max_connections="12", superuser_reserved_connections="3") as made:
        yield made


def hba(*lines: str) -> Any:
    return lambda site: site.server.hba(*lines)


def choose(site: PostgresSite, remedy: Told) -> Told:
    """The owner runs the first line; it decides which of the others."""
    if not remedy.statements[-1].startswith("--"):
        return remedy
    look, known, unknown = remedy.statements
    return replace(remedy, statements=[known if site.run(look) else unknown.partition(": ")[2]])


look_then_act = Chosen(choose)


def crowd(site: PostgresSite) -> None:
    for _ in range(9):
        site.stay()


ROLE = f"ALTER ROLE {NAME}"
FAULTS = [
    Fault("the password was changed", "postgres login", WRONG, "auth.wrong_password", sql(f"{ROLE} PASSWORD 'other'"),
          also=("auth.unknown_user", "auth.password_expired", "auth.no_password_set")),
    Fault("the role was dropped", "postgres login", WRONG, "auth.wrong_password", sql(f"DROP OWNED BY {NAME}", f"DROP ROLE {NAME}"),
          look_then_act, also=("auth.unknown_user",), rounds=2),
    Fault("the role has no password", "postgres login", WRONG, "auth.wrong_password", sql(f"{ROLE} PASSWORD NULL"),
          also=("auth.no_password_set",)),
    Fault("the password has passed its date", "postgres login", WRONG, "auth.wrong_password",
          sql(f"{ROLE} VALID UNTIL '2020-01-01'"), also=("auth.password_expired",)),
    Fault("the password is kept as md5", "postgres login", WRONG, "auth.wrong_password",
          sql("SET password_encryption = 'md5'; " + f"{ROLE} PASSWORD '{SECRET}'"), also=("auth.password_hash_method_mismatch",)),
    Fault("no password is configured", "postgres login", WRONG, "config.password_empty", setting(password="")),
    Fault("a line break follows the password", "postgres login", WRONG, "auth.secret_with_whitespace", setting(password=SECRET + "\n"),
          by_hand(setting(password=SECRET)), also=("auth.wrong_password",)),
    Fault("the port is written behind the host", "postgres login", "config_error", "config.malformed_url",
          setting(host="127.0.0.1:5432"), by_hand(setting(host="127.0.0.1"))),
    Fault("an address stands for the host", "postgres login", "config_error", "config.malformed_url",
          setting(host="https://127.0.0.1/shop"), by_hand(setting(host="127.0.0.1"))),
    Fault("the port is none", "postgres login", "config_error", "config.malformed_url",
          lambda site: site.wire.settings.update(port="54321x"), by_hand(lambda site: site.wire.settings.update(port=site.server.port))),
    Fault("the role may not log in", "postgres login", "account_locked", "auth.account_locked", sql(f"{ROLE} NOLOGIN")),
    Fault("an unknown role where no password is asked", "postgres login", WRONG, "auth.unknown_user",
          both(hba("host all all 127.0.0.1/32 trust"), sql(f"DROP OWNED BY {NAME}", f"DROP ROLE {NAME}")), rounds=2),
    Fault("another user is written in mend.yml", "postgres login", WRONG, "auth.wrong_password", setting(user="stich"),
          look_then_act, also=("auth.unknown_user",), rounds=2),
    Fault("ident is asked for", "postgres login", WRONG, "auth.method_not_allowed", hba("host all all 127.0.0.1/32 ident")),
    Fault("no rule for this address", "postgres login", DENIED, "access.pg_hba_no_entry", hba("host all all 10.0.0.0/8 scram-sha-256")),
    Fault("no rule for this database", "postgres login", DENIED, "access.pg_hba_no_entry", hba("host other all 127.0.0.1/32 scram-sha-256")),
    Fault("no rule for this user", "postgres login", DENIED, "access.pg_hba_no_entry", hba("host all bob 127.0.0.1/32 scram-sha-256")),
    Fault("no rule at all", "postgres login", DENIED, "access.pg_hba_no_entry", hba()),
    Fault("a rule rejects", "postgres login", DENIED, "access.pg_hba_reject", hba("host all all 127.0.0.1/32 reject")),
    Fault("a rule rejects everybody but Bob", "postgres login", DENIED, "access.pg_hba_reject",
          hba("host all bob all scram-sha-256", "host all all all reject")),
    Fault("the database has another name", "postgres login", "config_error", "config.unknown_database", setting(database="shopp")),
    Fault("the database takes no connections", "postgres login", "config_error", "config.database_closed",
          lambda site: site.server.run("ALTER DATABASE shop ALLOW_CONNECTIONS false")),
    Fault("CONNECT was revoked", "postgres login", "missing_privilege", "privilege.connect_missing",
          sql("REVOKE CONNECT ON DATABASE shop FROM PUBLIC")),
    Fault("the role has no connection left", "postgres limits", DROPPED, "capacity.role_connection_limit",
          both(sql(f"{ROLE} CONNECTION LIMIT 1"), lambda site: site.stay())),
    Fault("the database has no connection left", "postgres limits", DROPPED, "capacity.database_connection_limit",
          lambda site: site.server.run("ALTER DATABASE shop CONNECTION LIMIT 0")),
    Fault("the server has no connection left", "postgres limits", DROPPED, "capacity.too_many_connections", crowd),
    Fault("the role's limit of time is over before anything can be asked", "postgres limits", DROPPED, "capacity.statement_timeout",
          sql(f"{ROLE} SET statement_timeout = '1ms'")),
    Fault("a login trigger ends the session", "postgres limits", DROPPED, "availability.terminated_by_administrator",
          sql("CREATE FUNCTION sales.out() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF session_user = 'sti\"tch' "
              "THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); END IF; END $$",
              "CREATE EVENT TRIGGER goaway ON login EXECUTE FUNCTION sales.out()")),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_its_own_remedy_mends_it(fault: Fault, site: PostgresSite) -> None:
    prove(fault, site)
