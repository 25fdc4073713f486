"""The demo sources over real HTTP and a real PostgreSQL: broken at start, mended by their actions, broken again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from bot.playground.actions import DemoAction
from bot.playground.demo import Demo
from bot.playground.demo_relay import Relay
from tests.servers import postgres


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    with postgres("demo") as found:
        yield found


@pytest.fixture(scope="module")
def admin_url(server: tuple[str, Path]) -> str:
    return server[0]


@pytest.fixture(scope="module")
def folder(server: tuple[str, Path]) -> Path:
    return server[1]


@pytest.fixture(scope="module")
def demo(folder: Path, admin_url: str) -> Iterator[Demo]:
    one = Demo(admin_url, folder / "data")
    one.start()
    yield one
    one.stop()


@pytest.fixture
def actions(demo: Demo) -> Iterator[dict[str, DemoAction]]:
    table = {action.connection: action for action in demo.actions()}
    yield table
    for action in table.values():
        action.break_again()


def secret(connection: dict[str, Any], name: str) -> str:
    found = re.fullmatch(r"\$\{file:(.+)\}", connection["secrets"][name])
    assert found
    path = Path(found[1])
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text()


def connect(connection: dict[str, Any], password: str | None = None) -> psycopg.Connection[Any]:
    given = connection["settings"]
    return psycopg.connect(
        host=given["host"],
        port=given["port"],
        dbname=given["database"],
        user=given["user"],
        password=secret(connection, "password") if password is None else password,
        sslmode=given["sslmode"],
    )


def get(connection: dict[str, Any], path: str, name: str = "access_token") -> requests.Response:
    headers = {"Authorization": f"Bearer {secret(connection, name)}"}
    return requests.get(connection["settings"]["base_url"] + path, headers=headers, timeout=10)


def status(connection: dict[str, Any], name: str) -> dict[str, Any]:
    body: dict[str, Any] = requests.get(f"{connection['settings']['status_url']}/api/v2/{name}.json", timeout=10).json()
    return body


def test_every_connection_has_an_action_and_all_start_broken(demo: Demo) -> None:
    assert set(demo.connections()) == {"warehouse", "billing", "hubspot-prod", "github-org", "payments"}
    assert [action.connection for action in demo.actions()] == list(demo.connections())
    assert all(action.broken() for action in demo.actions())


def test_the_warehouse_refuses_its_password_until_it_is_put_back(demo: Demo, actions: dict[str, DemoAction]) -> None:
    warehouse = demo.connections()["warehouse"]
    assert warehouse["settings"]["host"] == "127.0.0.1"
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(warehouse)
        actions["warehouse"].mend()
        assert not actions["warehouse"].broken()
        with connect(warehouse) as session:
            for table in warehouse["tables"]:
                assert session.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0
        actions["warehouse"].break_again()
        assert actions["warehouse"].broken()


def test_the_changed_password_of_the_warehouse_is_told_and_works(demo: Demo, actions: dict[str, DemoAction]) -> None:
    told = demo.database.changed_password
    assert told in actions["warehouse"].told
    connect(demo.connections()["warehouse"], told).close()
    assert not actions["warehouse"].broken()  # whoever has the new one is let in
    actions["warehouse"].break_again()
    assert actions["warehouse"].broken()
    assert told not in actions["warehouse"].told
    assert demo.database.changed_password in actions["warehouse"].told


def test_billing_cannot_read_invoices_until_granted(demo: Demo, actions: dict[str, DemoAction]) -> None:
    billing = demo.connections()["billing"]
    for _ in range(2):
        with connect(billing) as session:
            assert session.execute("SELECT count(*) FROM public.orders").fetchone() == (3,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("SELECT 1 FROM public.invoices")
        actions["billing"].mend()
        assert not actions["billing"].broken()
        with connect(billing) as session:
            assert session.execute("SELECT count(*) FROM public.invoices").fetchone() == (2,)
        actions["billing"].break_again()
        assert actions["billing"].broken()


def test_a_wrong_or_empty_password_never_works(demo: Demo) -> None:
    for name in ("warehouse", "billing"):
        for wrong in ("nonsense", ""):
            with pytest.raises(psycopg.OperationalError):
                connect(demo.connections()[name], wrong)


@pytest.mark.parametrize("user", ["postgres", "nobody"])
@pytest.mark.parametrize("gss", ["disable", "prefer"])
def test_the_port_leads_nobody_else_into_the_server(demo: Demo, user: str, gss: str) -> None:
    place = demo.database.settings(user)
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(host=place["host"], port=place["port"], user=user, dbname="postgres", gssencmode=gss)


def test_a_connection_that_asks_for_encryption_is_told_there_is_none(demo: Demo) -> None:
    place = demo.database.settings("stitch_billing")
    with pytest.raises(psycopg.OperationalError, match="SSL"):
        psycopg.connect(host=place["host"], port=place["port"], user="stitch_billing", sslmode="require")


def test_hubspot_refuses_the_revoked_token(demo: Demo, actions: dict[str, DemoAction]) -> None:
    hubspot = demo.connections()["hubspot-prod"]
    for _ in range(2):
        refused = get(hubspot, "/account-info/v3/details")
        assert (refused.status_code, refused.json()["category"]) == (401, "INVALID_AUTHENTICATION")
        assert get(hubspot, "/crm/v3/objects/contacts").status_code == 401
        actions["hubspot-prod"].mend()
        assert not actions["hubspot-prod"].broken()
        assert get(hubspot, "/account-info/v3/details").json()["portalId"]
        for table in hubspot["tables"]:
            assert len(get(hubspot, f"/crm/v3/objects/{table}?limit=1").json()["results"]) == 1
        actions["hubspot-prod"].break_again()


def test_github_hides_teams_without_the_scope(demo: Demo, actions: dict[str, DemoAction]) -> None:
    github = demo.connections()["github-org"]
    for _ in range(2):
        refused = get(github, "/orgs/acme/teams")
        assert (refused.status_code, refused.json()["status"]) == (403, "403")
        assert refused.headers["X-OAuth-Scopes"] == "read:user, repo"
        assert "read:org" in refused.headers["X-Accepted-OAuth-Scopes"]
        assert {one["name"] for one in get(github, "/orgs/acme/repos").json()} == {"shop", "website"}
        actions["github-org"].mend()
        assert not actions["github-org"].broken()
        teams = get(github, "/orgs/acme/teams")
        assert teams.json()[0]["slug"] == "data"
        assert "read:org" in teams.headers["X-OAuth-Scopes"]
        actions["github-org"].break_again()


def test_the_outage_of_stripe_is_on_its_api_and_its_status_page(demo: Demo, actions: dict[str, DemoAction]) -> None:
    stripe = demo.connections()["payments"]
    for _ in range(2):
        assert get(stripe, "/v1/account", "api_key").status_code == 503
        assert status(stripe, "status")["status"]["indicator"] == "major"
        (incident,) = status(stripe, "incidents/unresolved")["incidents"]
        actions["payments"].mend()
        assert not actions["payments"].broken()
        assert get(stripe, "/v1/account", "api_key").json()["object"] == "account"
        for table in stripe["tables"]:
            assert get(stripe, f"/v1/{table}?limit=1", "api_key").json()["object"] == "list"
        assert status(stripe, "summary")["incidents"] == []
        assert status(stripe, "summary")["status"]["indicator"] == "none"
        latest = status(stripe, "incidents")["incidents"][0]
        assert (latest["id"], latest["status"]) == (incident["id"], "resolved")
        assert latest["resolved_at"]
        actions["payments"].break_again()


def test_a_second_run_on_the_same_data_is_broken_again(demo: Demo, folder: Path, admin_url: str) -> None:
    """Last, since it takes the database over."""
    for action in demo.actions():
        action.mend()
    demo.stop()
    again = Demo(admin_url, folder / "data")
    again.start()
    try:
        assert all(action.broken() for action in again.actions())
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(again.connections()["warehouse"])
        for action in again.actions():
            action.mend()
        assert not any(action.broken() for action in again.actions())
        with psycopg.connect(admin_url) as admin:
            hba = Path(admin.execute("SHOW hba_file").fetchone()[0]).read_text()
        assert hba.count("mend demo: begin") == 1
    finally:
        again.stop()


def test_the_end_of_everything_prints_nothing_about_a_line_that_is_open(
    folder: Path, admin_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    relay = Relay(str(folder / "pg" / ".s.PGSQL.5432"), {"postgres"})
    with psycopg.connect(host="127.0.0.1", port=relay.start(), user="postgres", dbname="postgres") as line:
        assert line.execute("SELECT 1").fetchone() == (1,)
        relay.stop()
        assert caplog.text == ""
        with pytest.raises(psycopg.OperationalError):
            line.execute("SELECT 1")
