"""The mission, end to end: the real bot, a real database, the local Slack."""

from __future__ import annotations

from tests.talk import World


def test_a_changed_password_is_found_mended_and_closed_on_proof(world: World) -> None:
    talk = world.start("warehouse")
    asked = talk.until("regenerating_credentials")
    found = asked["metadata"]["event_payload"]
    assert (found["verdict"], found["cause"], found["code"]) == ("bad", "invalid_credentials", "auth.wrong_password")
    assert "refused the password" in asked["text"]
    world.mend("warehouse")
    talk.press("mend_check_again")
    done = talk.until("resolved")
    assert "works again" in done["text"]


def test_a_missing_grant_is_named_and_words_are_enough(world: World) -> None:
    talk = world.start("biling")
    asked = talk.until("checking_permissions")
    assert "GRANT SELECT" in asked["text"]
    world.mend("billing")
    talk.say("done")
    talk.until("resolved")


def test_a_revoked_token_is_found_and_a_new_one_closes_the_case(world: World) -> None:
    talk = world.start("hubspot-prod")
    found = talk.until("regenerating_credentials")["metadata"]["event_payload"]
    assert (found["cause"], found["code"]) == ("token_expired", "auth.token_revoked")
    world.mend("hubspot-prod")
    talk.press("mend_fixed")
    talk.until("resolved")


def test_a_missing_scope_is_named(world: World) -> None:
    talk = world.start("github-org")
    assert "read:org" in talk.until("checking_permissions")["text"]
    world.mend("github-org")
    talk.say("again")
    talk.until("resolved")


def test_an_outage_parks_the_case_and_it_wakes_by_itself(world: World) -> None:
    talk = world.start("payments")
    talk.until("waiting_for_provider")
    world.mend("payments")
    talk.until("resolved")
