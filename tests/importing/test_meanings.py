"""What platforms call and mean by their settings, as their own definitions say."""

from __future__ import annotations

from typing import Any

import pytest

from bot.cli.importing.entry import Made
from bot.platforms.base import Listed, Shown, Stream
from flows.core.sheet import sheet

TUNNEL = {"tunnel_host": "t.example.com", "tunnel_port": 22, "tunnel_user": "u"}


def body(kind: str, key: str, shown: dict[str, Any], *streams: Stream, type_: str = "") -> dict[str, Any]:
    made = Made(kind, kind.title(), set())
    return made.entry(
        "one", Listed("7", "one", type_, ("one",)), Shown(shown, streams=streams), [sheet(key)], by_name=True
    ).body


@pytest.mark.parametrize(
    ("kind", "key", "shown", "settings"),
    [
        ("airbyte", "mysql", {"ssl_mode": {"mode": "verify_identity"}}, {"sslmode": "verify-full"}),
        ("airbyte", "mysql", {"ssl_mode": {"mode": "preferred"}}, {"sslmode": "prefer"}),
        ("airbyte", "mssql", {"ssl_method": {"ssl_method": "unencrypted"}}, {"sslmode": "disable"}),
        ("airbyte", "mssql", {"ssl_method": {"ssl_method": "encrypted_verify_certificate"}}, {}),
        ("airbyte", "oracle", {"encryption": {"encryption_method": "client_nne"}, "connection_data": {"sid": "X"}}, {"sid": "X"}),
        ("airbyte", "oracle", {"connection_data": {"service_name": "ORCLPDB1"}}, {"database": "ORCLPDB1"}),
        ("stitch", "mysql", {"ssl": "true", "verify_mode": "true", "check_hostname": "true"}, {"sslmode": "verify-full"}),
        ("stitch", "mysql", {"ssl": "true", "ssl_ca": "-----BEGIN"}, {"sslmode": "verify-ca"}),
        ("stitch", "postgres", {"ssl": "false"}, {}),
        ("stitch", "dynamodb", {"region_name": "us-east-2"}, {"region": "us-east-2"}),
        ("fivetran", "dynamodb", {"aws_region_code": "us-east-2"}, {"region": "us-east-2"}),
        ("fivetran", "postgres", {"publication_name": "p", "replication_slot": "s"}, {"slot": "s", "publication": "p"}),
        ("airbyte", "bigquery", {"project_id": "p-1", "dataset_id": "d"}, {"project": "p-1", "dataset": "d"}),
        ("fivetran", "iterable", {"account_region": "EU"}, {"region": "eu"}),
        ("fivetran", "marketo", {"endpoint": "https://123-ABC-456.mktorest.com"}, {"munchkin": "123-ABC-456"}),
        ("fivetran", "google_analytics_4", {"properties": ["properties/123"]}, {"property_id": "123"}),
        ("airbyte", "google_analytics_4", {"property_ids": ["1", "2"]}, {}),
        ("airbyte", "facebook_ads", {"account_ids": ["act_42"]}, {"account_id": "42"}),
        ("airbyte", "google_ads", {"customer_id": "123-456-7890"}, {"customer_id": "1234567890"}),
        ("airbyte", "gitlab", {"api_url": "https://git.example.com/"}, {"host": "git.example.com"}),
        ("airbyte", "google_sheets", {"spreadsheet_id": "https://docs.google.com/spreadsheets/d/abcdefghij_1/edit"}, {"spreadsheet_id": "abcdefghij_1"}),
        ("airbyte", "shopify", {"shop": "https://acme.myshopify.com/"}, {"shop": "acme"}),
        ("airbyte", "shopify", {"shop": "acme.example.com"}, {}),
        ("airbyte", "sftp", {"folder_path": "/"}, {"path": "/"}),
        ("airbyte", "github", {"api_url": "https://github.example.com"}, {}),
        ("airbyte", "postgres", {"port": "99999"}, {}),
        ("airbyte", "mongodb", {"database_config": {"connection_string": "mongodb://u:p@a.example.com:27018,b.example.com/x"}}, {"host": "a.example.com", "port": 27018}),
    ],
)  # fmt: skip
def test_a_setting_is_taken_where_it_means_the_same(
    kind: str, key: str, shown: dict[str, Any], settings: dict[str, Any]
) -> None:
    assert body(kind, key, shown).get("settings", {}) == settings


def test_a_type_may_say_more_than_the_settings() -> None:
    assert body("fivetran", "stripe", {}, type_="stripe_test")["settings"] == {"environment": "test"}


@pytest.mark.parametrize(
    ("shown", "there"),
    [
        ({**TUNNEL, "connection_type": "SshTunnel"}, True), (TUNNEL, True), ({**TUNNEL, "connection_type": "Directly"}, False),
        ({"tunnel_method": {"tunnel_method": "NO_TUNNEL"}}, False), ({"tunnel_method": {"tunnel_method": "SSH_KEY_AUTH", **TUNNEL}}, True),
        ({"ssh": "false", "ssh_host": "t", "ssh_user": "u"}, False), ({"ssh": "true", "ssh_host": "t", "ssh_user": "u"}, True),
    ],
)  # fmt: skip
def test_a_tunnel_is_taken_where_it_is_used(shown: dict[str, Any], there: bool) -> None:
    assert ("tunnel" in body("fivetran", "postgres", shown)) is there


@pytest.mark.parametrize(
    ("key", "streams", "tables"),
    [
        ("postgres", [Stream("o.x", "public"), Stream("t", "s")], ['public."o.x"', "s.t"]),
        ("mysql", [Stream("t", "my.db"), Stream("o.x", "db")], ["my.db.t"]),
        ("mongodb", [Stream("a.b", "db")], ["db.a.b"]),
        ("dynamodb", [Stream("orders", "x")], ["orders"]),
        ("s3", [Stream("orders")], None),
        ("zendesk", [Stream("Ticket-Forms"), Stream("odd")], ["ticket_forms"]),
        ("salesforce", [Stream("Account"), Stream("Invoice__c")], ["Account", "Invoice__c"]),
        ("postgres", [Stream(f"t{n}", "public") for n in range(501)], None),
    ],
)
def test_tables_are_named_as_the_checks_read_them(key: str, streams: list[Stream], tables: list[str] | None) -> None:
    assert body("airbyte", key, {}, *streams).get("tables") == tables


@pytest.mark.parametrize(
    ("kind", "key", "shown", "streams", "log"),
    [
        ("airbyte", "postgres", {"replication_method": {"method": "CDC"}}, [], True),
        ("airbyte", "postgres", {"replication_method": {"method": "Xmin"}}, [], False),
        ("fivetran", "mysql", {"update_method": "TELEPORT"}, [], False),
        ("fivetran", "postgres", {"update_method": "WAL_PGOUTPUT"}, [], True),
        ("stitch", "mysql", {}, [Stream("t", "db", log=True)], True),
    ],
)
def test_the_log_is_looked_at_where_it_is_followed(
    kind: str, key: str, shown: dict[str, Any], streams: list[Stream], log: bool
) -> None:
    assert (body(kind, key, shown, *streams).get("replication") == "log") is log
