"""A pasted secret is noticed by its form; what people usually write is not taken for one."""

from __future__ import annotations

import csv
import secrets

import pytest

from bot.slack.tripwire import kind_of_secret
from tests.dump import dumped
from tests.pasted import DATA, filled, lines
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


@pytest.mark.parametrize("line", lines("secret"))
def test_a_pasted_secret_is_noticed(line: str) -> None:
    assert kind_of_secret(filled(line)), filled(line)


@pytest.mark.parametrize("line", lines("harmless"))
def test_a_look_alike_is_no_secret(line: str) -> None:
    assert kind_of_secret(filled(line)) == "", filled(line)


def test_it_is_no_matter_of_luck_what_was_drawn() -> None:
    drawn = [filled(line, seed) for seed in range(1, 11) for line in lines("secret") if "<" in line]
    missed = [text for text in drawn if not kind_of_secret(text)]
    assert len(missed) <= len(drawn) / 100, missed
    like = [filled(line, seed) for seed in range(1, 11) for line in lines("harmless") if "<" in line]
    assert len([text for text in like if kind_of_secret(text)]) <= len(like) / 100


def test_what_the_error_messages_of_this_world_say_is_no_secret() -> None:
    """A person whose error text is taken for a secret gets no help with it."""
    csv.field_size_limit(10_000_000)
    said = [
        cell for file in DATA.glob("errors_*.csv") for row in csv.reader(file.open()) for cell in row if len(cell) > 15
    ]
    alarms = [text for text in said if kind_of_secret(text)]
    assert len(said) > 3000
    # One holds the bare id of a spreadsheet, which no form tells from a token.
    assert len(alarms) <= 1, alarms


@pytest.mark.parametrize(
    "piece",
    ["a", "host=", "password=", "x://", "server=;", "a.b/", "eyJ.", "-_", "a/", "=-", "\u200b", "password for a b "],
)
def test_a_hostile_text_ends(piece: str) -> None:
    """A pattern that goes back and forth would take minutes over one of these, and the suite its time limit."""
    kind_of_secret(piece * (200_000 // len(piece)))


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


def whispered(world: World, words: str) -> int:
    return len([m for m in world.slack.ephemerals(ALICE) if words in m["text"]])


def test_a_secret_in_a_snippet_or_put_in_by_an_edit_is_noticed_as_well(world: World) -> None:
    talk = world.start("hubspot-prod")
    talk.until("regenerating_credentials")
    before = whispered(world, "looks like a Stripe key")
    world.slack.say("this is the file", channel=talk.channel, thread_ts=talk.ts, snippet=f"key={PASTED['stripe']}")
    wait(lambda: whispered(world, "looks like a Stripe key") == before + 1)
    before = whispered(world, "looks like an AWS access key")
    mine = world.slack.say("one moment, I look for it", channel=talk.channel, thread_ts=talk.ts)
    world.slack.edit(mine, f"this is it: {PASTED['aws']}", channel=talk.channel)
    wait(lambda: whispered(world, "looks like an AWS access key") == before + 1)
    kept = dumped(world.url) + world.log.read_text() + str(world.slack.calls)
    assert [kind for kind, value in PASTED.items() if value in kept] == []


def test_an_edit_without_a_secret_answers_nothing(world: World) -> None:
    talk = world.start("hubspot-prod")
    talk.until("regenerating_credentials")
    mine = world.slack.say("one moment", channel=talk.channel, thread_ts=talk.ts)
    world.slack.edit(mine, "cancel", channel=talk.channel)
    talk.say("why")
    talk.said("Why Mend says")
    assert talk.states()[-1] == "regenerating_credentials"
