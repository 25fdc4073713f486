"""A pasted secret is noticed by its form; what people usually write is not taken for one."""

from __future__ import annotations

import secrets

import pytest

from bot.slack.tripwire import kind_of_secret
from tests.dump import dumped
from tests.talk import ALICE, World, wait

# Put together here, so that no scanner takes this file for a leak.
PASTED = {
    "hubspot": "pat-" + "na1-12345678-1234-1234-1234-123456789012",
    "shopify": "shp" + "at_" + "0123456789abcdef" * 2,
    "stripe": "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "github": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "google": "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "slack": "xox" + "b-1234567890-abcdefghij",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "private_key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", PASTED)
def test_a_providers_own_form_is_known(kind: str) -> None:
    assert kind_of_secret(f"here it is: `{PASTED[kind]}` thanks") == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("postgres://stitch:hunter2@db.acme.test:5432/shop", "connection_string"),
        ("<mysql://root:p%40ss@10.0.0.1/shop>", "connection_string"),
        ("host=db.acme.test user=stitch password=letmein dbname=shop", "connection_string"),
        ("Server=db;Database=shop;User Id=sa;Password=S3cret!;", "connection_string"),
        ("the new password is Tr0ub4dor&amp;3", "password"),
        ("password: hunter22", "password"),
        ("token=abc123def456", "password"),
        ("SG." + "abcdefghijklmnopqrstuv." + "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "key"),
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "token"),
    ],
)  # fmt: skip
def test_what_is_said_like_a_secret_is_one(text: str, kind: str) -> None:
    assert kind_of_secret(text) == kind


def test_a_bare_generated_token_is_noticed() -> None:
    assert sum(kind_of_secret(f"try {secrets.token_urlsafe(30)}") != "" for _ in range(50)) >= 47


@pytest.mark.parametrize(
    "text",
    [
        "again", "done", "the password is wrong", "password authentication failed for user stitch", "token: expired",
        'FATAL: password authentication failed for user "stitch" (28P01)', "is the password expired?", "2",
        "see https://app.hubspot.com/oauth/abcDEF123456789012345678901234567890?x=Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8",
        "commit 9fceb02d0ae598e95dc970b74767f19372d4b8d3", "550e8400-e29b-41d4-a716-446655440000",
        "password=${env:WAREHOUSE_PASSWORD}", "password: ********", "secret: see 1password", "the token is in Vault",
        "correlationId 8f2b2ac1-6a9e-4f60-8d9e-6c1f0b1d7d10", "GRANT SELECT ON public.invoices TO stitch_billing",
        "2026-11-24T16:00:00.000+00:00", "db-prod-EU1.internal.example.com", "host=db.acme.test user=stitch dbname=shop",
        "mongodb+srv://cluster0.example.mongodb.net/shop", "com.example.ConnectionRefusedExceptionFactoryBean",
    ],
)  # fmt: skip
def test_what_people_usually_write_is_none(text: str) -> None:
    assert kind_of_secret(text) == ""


def test_a_hostile_text_takes_no_time() -> None:
    for text in ("a" * 200_000, "host=" * 40_000, "password=" * 20_000, "x://" * 50_000, "server=;" * 25_000):
        kind_of_secret(text)


def test_a_pasted_token_is_told_to_its_author_alone_and_stands_nowhere(world: World) -> None:
    talk = world.start("hubspot-prod")
    talk.until("regenerating_credentials")
    talk.say(f"the new one: {PASTED['hubspot']}")
    told = wait(lambda: [m for m in world.slack.ephemerals(ALICE) if "looks like a HubSpot token" in m["text"]], 40)[-1]
    assert "delete your message" in told["text"]
    assert "update credentials" in told["text"]
    delivery = world.slack.command(f"/mend postgres://stitch:{PASTED['stripe']}@db/shop")
    assert delivery
    wait(lambda: any("nobody else has seen it here" in m["text"] for m in world.slack.ephemerals(ALICE)), 40)
    direct = world.slack.say(f"password is {PASTED['github']}", channel="D0ALICE")
    assert direct
    wait(lambda: any("looks like a GitHub token" in str(call.args) for call in world.slack.calls), 40)
    kept = dumped(world.url) + world.log.read_text() + str(world.slack.calls)
    assert [kind for kind, value in PASTED.items() if value in kept] == []
