"""What each platform shows of its sources becomes connections that Mend can use, and nothing secret is in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from bot.platforms.deliver import place_of, source_of
from bot.settings import Settings, load
from tests.fakes.airbyte_api import AirbyteApi
from tests.fakes.fivetran_api import FivetranApi
from tests.fakes.stitch_connect import StitchConnect
from tests.importing.conftest import TOKENS, Admin, Ran

Sound = Callable[[Ran], Settings]


def test_stitch(stitch: tuple[StitchConnect, Admin], sound: Sound) -> None:
    side, admin = stitch
    side.add(101, "platform.hp-postgres", "shop_eu", ("password",), host="db.example.com", port="5432", user="stitch",
             dbname="shop", ssl="true", ssh="true", ssh_host="bastion.example.com", ssh_port="2222", ssh_user="tunnel")  # fmt: skip
    side.sources[101]["display_name"] = "Shop EU"
    side.stream(101, "orders", "public", log=True)
    side.stream(101, "a.b", "public")
    side.stream(101, "unselected", "public", selected=False)
    side.add(102, "platform.hubspot", "hubspot", ("refresh_token",))
    side.stream(102, "contacts")
    side.stream(102, "nobody_knows")
    side.add(
        103, "platform.mongodb", "mongo", ("password",), host="m.example.com", port="27017", user="u", database="admin"
    )
    ran = admin.first()
    assert ran.connections == {
        "shop_eu": {
            "connector": "postgres",
            "settings": {"host": "db.example.com", "port": 5432, "database": "shop", "user": "stitch", "sslmode": "require"},
            "secrets": {"password": "${env:SHOP_EU_PASSWORD}"},
            "tunnel": {"host": "bastion.example.com", "port": 2222, "user": "tunnel",
                       "private_key": "${env:SHOP_EU_TUNNEL_PRIVATE_KEY}"},
            "tables": ['public."a.b"', "public.orders"],
            "replication": "log",
        },
        "hubspot": {"connector": "hubspot", "secrets": {"access_token": "${env:HUBSPOT_ACCESS_TOKEN}"}, "tables": ["contacts"]},
        "mongo": {"connector": "mongodb", "secrets": {"password": "${env:MONGO_PASSWORD}"},
                  "settings": {"host": "m.example.com", "port": 27017, "user": "u", "auth_source": "admin"}},
    }  # fmt: skip
    assert "# 1 selected stream without a check in Mend\n  hubspot:" in ran.out
    assert (
        "set where Mend runs: SHOP_EU_PASSWORD SHOP_EU_TUNNEL_PRIVATE_KEY HUBSPOT_ACCESS_TOKEN MONGO_PASSWORD"
        in ran.err
    )
    assert sound(ran).platform is not None


def test_airbyte(airbyte: tuple[AirbyteApi, Admin], sound: Sound) -> None:
    side, admin = airbyte
    for number in range(130):  # more than a page of either list
        side.add(f"Other {number}", "stripe", {})
    log = {"method": "CDC", "replication_slot": "mend", "publication": "pub"}
    way = {"tunnel_method": "SSH_PASSWORD_AUTH", "tunnel_host": "b.example.com", "tunnel_port": 22, "tunnel_user": "air",
           "tunnel_user_password": "c4n4ry"}  # fmt: skip
    database = {"host": "db.example.com", "port": 5432, "database": "shop", "username": "reader", "password": "c4n4ry"}
    tls = {"mode": "verify-ca", "ca_certificate": "c4n4ry"}
    id_ = side.add(
        "Postgres → Lake", "postgres", {**database, "ssl_mode": tls, "replication_method": log, "tunnel_method": way},
        ("public", "orders"), ("public", "users"),
    )  # fmt: skip
    keys = {"auth_method": "api_password", "api_password": "c4n4ry"}
    side.add("Shopify", "shopify", {"shop": "acme.myshopify.com", "credentials": keys}, ("", "orders"))
    atlas = {"connection_string": "mongodb+srv://someone:c4n4ry@cluster0.example.net/?w=1", "databases": ["shop"],
             "username": "reader", "password": "c4n4ry", "auth_source": "admin"}  # fmt: skip
    side.add("Atlas", "mongodb-v2", {"database_config": atlas}, ("shop", "orders.eu"))
    ran = admin.first()
    assert len(ran.connections) == 133
    assert ran.connections["postgres_lake"] == {
        "connector": "postgres", "platform_source": id_,
        "settings": {"host": "db.example.com", "port": 5432, "database": "shop", "user": "reader", "slot": "mend",
                     "publication": "pub", "sslmode": "verify-ca"},
        "secrets": {"password": "${env:POSTGRES_LAKE_PASSWORD}"},
        "tunnel": {"host": "b.example.com", "port": 22, "user": "air", "password": "${env:POSTGRES_LAKE_TUNNEL_PASSWORD}"},
        "tables": ["public.orders", "public.users"], "replication": "log",
    }  # fmt: skip
    assert (
        "# it may be aurora_postgres or azure_postgres or cloud_sql_postgres or heroku_postgres or rds_postgres too"
        in ran.out
    )
    assert "save it to a file and name that as ssl_root_cert" in ran.out
    assert ran.connections["shopify"]["settings"] == {"shop": "acme"}
    assert ran.connections["atlas"]["settings"]["host"] == "mongodb+srv://cluster0.example.net"
    assert ran.connections["atlas"]["tables"] == ["shop.orders.eu"]
    sound(ran)


def test_fivetran(fivetran: tuple[FivetranApi, Admin], sound: Sound) -> None:
    side, admin = fivetran
    side.per_page = 2
    config = {"host": "h.example.com", "port": 1433, "database": "b", "user": "five", "password": "******",
              "connection_type": "SshTunnel", "tunnel_host": "t.example.com", "tunnel_port": 22, "tunnel_user": "fivetran",
              "always_encrypted": True}  # fmt: skip
    side.add("one_two", "sql_server_rds", "billing", config)
    side.schemas["one_two"] = {"dbo": {"invoices": True, "old": False}, "off": {"gone": False}}
    side.add(
        "three_four",
        "mysql",
        "crm",
        {**config, "connection_type": "Directly", "tunnel_host": "", "update_method": "BINLOG"},
    )
    side.schemas["three_four"] = {"crm": {"people": True}}
    side.add(
        "five_six", "zendesk", "tickets", {"domain": "acme.zendesk.com", "email": "a@b.example", "api_token": "******"}
    )
    side.add(
        "seven",
        "mongo",
        "mongo",
        {"hosts": ["m1.example.com:27018", "m2.example.com:27018"], "user": "u", "password": "******"},
    )
    ran = admin.first()
    assert [path for path in side.got if "cursor=4" in path]
    assert ran.connections["billing"] == {
        "connector": "mssql",
        "settings": {"host": "h.example.com", "port": 1433, "database": "b", "user": "five", "sslmode": "require"},
        "secrets": {"password": "${env:BILLING_PASSWORD}"},
        "tunnel": {"host": "t.example.com", "port": 22, "user": "fivetran", "private_key": "${env:BILLING_TUNNEL_PRIVATE_KEY}"},
        "tables": ["dbo.invoices"],
    }  # fmt: skip
    assert (ran.connections["crm"]["tables"], ran.connections["crm"]["replication"]) == (["crm.people"], "log")
    assert "tunnel" not in ran.connections["crm"]
    assert ran.connections["tickets"]["settings"] == {"subdomain": "acme", "email": "a@b.example"}
    assert ran.connections["mongo"]["settings"] == {"host": "m1.example.com", "port": 27018, "user": "u"}
    sound(ran)


def test_what_is_deleted_or_unknown_or_paused(stitch: tuple[StitchConnect, Admin]) -> None:
    side, admin = stitch
    side.add(1, "platform.hubspot", "gone", ("refresh_token",))
    side.sources[1]["deleted_at"] = "2026-01-01T00:00:00Z"
    side.add(2, "platform.unheard-of", "odd", ())
    side.add(3, "platform.hubspot", "still", ("refresh_token",))
    side.sources[3]["paused_at"] = "2026-01-01T00:00:00Z"
    ran = admin.first()
    assert list(ran.connections) == ["still"]
    assert "# Odd: Stitch's type platform.unheard-of, for which Mend has no connector yet\n" in ran.out
    assert "# paused in Stitch\n  still:" in ran.out


def test_what_mend_yml_has_is_not_printed_again(stitch: tuple[StitchConnect, Admin]) -> None:
    """By its name, which the platform knows, or by platform_source; a namesake of another kind is another one."""
    side, admin = stitch
    for number, kind, name in (
        (1, "hubspot", "crm"),
        (2, "hubspot", "shop"),
        (3, "stripe", "pay"),
        (4, "hubspot", "new"),
    ):
        side.add(number, f"platform.{kind}", name, ("token",))
    admin.file.write_text(yaml.safe_dump({
        "platform": {"kind": "stitch", "token": "${env:TOKEN}", "base_url": side.url},
        "connections": {"CRM": {"connector": "hubspot"}, "shop": {"connector": "shopify"},
                        "payments": {"connector": "stripe", "platform_source": 3, "secrets": {"api_key": "${env:NEW_ACCESS_TOKEN}"}}},
    }))  # fmt: skip
    ran = admin.run()
    assert {name: one.get("platform_source") for name, one in ran.connections.items()} == {"shop_2": "2", "new": None}
    assert ran.connections["new"]["secrets"] == {"access_token": "${env:NEW_ACCESS_TOKEN_2}"}
    assert "2 new connections, 2 had already" in ran.err
    assert "platform:" not in ran.out


def test_what_was_imported_is_found_there_by_mend_itself(
    stitch: tuple[StitchConnect, Admin], monkeypatch: pytest.MonkeyPatch
) -> None:
    side, admin = stitch
    monkeypatch.setenv("TOKEN", TOKENS["stitch"])
    for number, name in ((1, "shop"), (2, "shop"), (3, "Shop US!"), (4, "done"), (5, "42"), (42, "x")):
        side.add(number, "platform.hp-postgres", name, ("password",), host="db", dbname="shop", user="stitch")
    assert admin.first("--write").code == 0
    settings = load(admin.file, {})
    found = {name: there[1] for name in settings.connections if (there := source_of(settings, name))}
    assert found == {"shop": "1", "shop_2": "2", "shop_us": "3", "postgres_done": "4", "postgres_42": "5", "x": "42"}
    assert place_of(settings, "shop_2") is not None


def test_doctor_takes_what_was_written(airbyte: tuple[AirbyteApi, Admin]) -> None:
    side, admin = airbyte
    side.add("Pay", "stripe", {"account_id": "acct_1", "client_secret": "c4n4ry"}, ("", "charges"))
    assert admin.first("--write").code == 0
    said = admin.run(command="doctor", MEND_DATABASE_URL="postgresql://127.0.0.1:1/none", PAY_API_KEY="x").out
    assert f"ok  configuration  1 connections in {admin.file}" in said
    assert "ok  platform       Airbyte answers, 1 connections" in said
    said = admin.run(command="doctor", MEND_DATABASE_URL="postgresql://127.0.0.1:1/none").out
    assert "the environment variable PAY_API_KEY is not set" in said


def test_progress_is_told_when_it_takes_long(stitch: tuple[StitchConnect, Admin]) -> None:
    side, admin = stitch
    side.add(1, "platform.hubspot", "crm", ("token",))
    side.slow = 1.6
    assert "asking Stitch for its sources ..." in admin.first().err


def test_no_secret_is_read_from_the_variable_of_the_token(stitch: tuple[StitchConnect, Admin]) -> None:
    """Nor from one that this machine has for something else, without a word."""
    side, admin = stitch
    side.add(1, "platform.hp-postgres", "shop", ("password",), host="db", dbname="shop", user="u")
    side.add(2, "platform.hp-postgres", "größe", ("password",), host="db", dbname="shop", user="u")
    words = ("--platform", "stitch", "--token-env", "SHOP_PASSWORD", "--base-url", side.url)
    ran = admin.run(
        *words, SHOP_PASSWORD=TOKENS["stitch"], GROE_PASSWORD="x", GROSSE_PASSWORD="x", PYTHONIOENCODING="ascii"
    )
    assert ran.connections["shop"]["secrets"] == {"password": "${env:SHOP_PASSWORD_2}"}
    assert "größe:" in ran.out
    assert "set here already, see whose they are: GROE_PASSWORD\n" in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "mend.yml has no `platform:` to ask"),
        (("--platform", "other"), "choose from stitch, airbyte, fivetran"),
        (("--platform", "stitch"), "--platform needs --token-env"),
        (("--platform", "stitch", "--token-env", "NOT_SET"), "the environment variable NOT_SET is not set"),
        (("--platform", "stitch", "--token-env", "BAD"), "Stitch refuses BAD"),
        (("--token-env", "TOKEN"), "go with --platform"),
    ],
)
def test_what_is_wrong_is_one_line(stitch: tuple[StitchConnect, Admin], words: tuple[str, ...], says: str) -> None:
    side, admin = stitch
    ran = admin.run(*words, *(("--base-url", side.url) if "BAD" in words else ()), BAD="wrong")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert says in ran.err


def test_a_source_that_cannot_be_read_now_is_left_for_the_next_time(fivetran: tuple[FivetranApi, Admin]) -> None:
    side, admin = fivetran
    side.add("here_not", "hubspot", "crm", {})
    side.mood = "no details"
    ran = admin.first()
    assert (ran.code, list(ran.connections)) == (0, ["shop"])
    assert "# crm is left out for now, import again: Fivetran has trouble" in ran.out
