"""Refusals in words that no sheet lists: what they mean elsewhere they mean here. And when to come back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest

from bot.checks.base import Target
from bot.checks.http import verify_credentials
from bot.checks.http_time import retry_after, skew
from bot.drivers.http import Answer
from bot.drivers.network import Trouble
from flows.core.finding import Finding
from flows.core.sheet import Match, sheet
from flows.core.sheet_http import ResetSaid
from tests.fakes.recorded import KEY
from tests.fakes.serve import Reply, serving


def target(url: str) -> Target:
    return Target("crm", "http_api", sheet("http_api"), {"base_url": url, "probe": "/me"}, {"token": KEY}, timeout=5)


def seen(reply: Reply) -> Finding:
    """The verdict on a key that gets this answer, where a call without a key gets another."""

    def answers(path: str, headers: object) -> Reply:
        return reply if "authorization" in dict(headers) else (401, {}, {"message": "Who are you?"})  # type: ignore[call-overload]

    with serving(answers) as url:
        return verify_credentials(target(url))


@pytest.mark.parametrize(
    ("status", "message", "cause", "code"),
    [
        (401, "The access token expired", "token_expired", "auth.token_expired"),
        (401, "This token has been revoked by its owner", "token_expired", "auth.token_revoked"),
        (401, "Invalid API key", "invalid_credentials", "auth.invalid_token"),
        (401, "No such user", "invalid_credentials", "auth.unknown_user"),
        (403, "Two-factor authentication is required for this account", "invalid_credentials", "auth.mfa_required"),
        (403, "Resource protected by organization SAML SSO: you must grant your token access", "missing_privilege",
         "auth.sso_authorization_missing"),
        (403, "Your current plan does not include API access. Upgrade your plan.", "feature_not_enabled",
         "account.plan_limit"),
        (403, "API access is disabled for this organization", "feature_not_enabled", "config.api_not_enabled"),
        (403, "This account has been suspended", "account_billing", "account.suspended"),
        (403, "Subscription payment is past due", "account_billing", "account.unpaid"),
        (403, "User is deactivated", "account_locked", "account.user_deactivated"),
        (403, "Your IP address is not allowed", "ip_not_allowlisted", "access.ip_not_allowed"),
        (401, "A sandbox key was used in the production environment", "config_error", "config.wrong_environment"),
        (400, "This account lives in another region: wrong data center", "config_error", "config.wrong_region"),
        (404, "No such tenant", "config_error", "config.wrong_tenant"),
        (404, "API version 2019-01 is no longer supported", "config_error", "config.api_version_retired"),
        (403, "Request timestamp is too far in the future: check the clock skew", "config_error", "clock.skew"),
        (429, "Daily quota exceeded", "rate_limited", "limit.daily_quota"),
        (429, "Too many concurrent requests", "rate_limited", "limit.concurrency"),
        (403, "Rate limit exceeded", "rate_limited", "limit.rate_limited"),
        (400, '{"error":"invalid_client"}', "invalid_credentials", "auth.invalid_client"),
    ],
)  # fmt: skip
def test_words_that_no_sheet_lists_lead_to_the_cause(status: int, message: str, cause: str, code: str) -> None:
    found = seen((status, {}, {"message": message}))
    assert (found.verdict, found.cause, found.code) == ("bad", cause, code), found


def test_a_provider_is_told_which_program_asks_also_behind_a_redirect() -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5: a product and its version."""
    seen: list[str] = []

    def answers(path: str, headers: Mapping[str, str]) -> Reply:
        seen.append(headers["user-agent"])
        return (302, {"Location": "/there"}, "") if path == "/me" else (200, {}, {"id": 1})

    with serving(answers) as url:
        verify_credentials(target(url))
    assert set(seen) == {f"mend/{version('mend')}"}


def test_a_200_for_a_key_is_good_when_others_are_refused_and_says_what_they_got() -> None:
    found = seen((200, {}, {"id": 7}))
    assert (found.verdict, found.evidence) == ("good", "HTTP 200 from /me, and 401 without the credential")


def answer(status: int, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, "", "http://x")


WAYS: dict[str, Callable[[datetime], str]] = {
    "seconds": lambda end: "100",
    "parts of seconds": lambda end: "100.4",
    "epoch": lambda end: str(int(end.timestamp())),
    "milliseconds": lambda end: str(int(end.timestamp() * 1000)),
    "iso": lambda end: end.isoformat(),
    "minutes": lambda end: "1m40s",
    "http date": lambda end: format_datetime(end, usegmt=True),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["retry_after", "x_ratelimit_reset", "ratelimit_reset", "x_rate_limit_reset"])
def test_the_end_of_a_limit_is_understood_however_it_is_written(name: str, way: str) -> None:
    one = target("http://127.0.0.1")
    text = WAYS[way](datetime.now(UTC) + timedelta(seconds=100))
    assert 40 <= int(retry_after(one, answer(429, **{name: text}))) <= 101


@pytest.mark.parametrize("text", ["", "soon", "-5", "9" * 40, "1e9", "Thu, 99 Foo 2026", "\x00", "1h" * 50])
def test_what_is_no_time_is_no_time(text: str) -> None:
    assert retry_after(target("http://127.0.0.1"), answer(429, retry_after=text)) == ""


def test_a_window_that_is_not_used_up_is_no_reason_to_wait() -> None:
    one = target("http://127.0.0.1")
    assert retry_after(one, answer(401, x_ratelimit_reset="60", x_ratelimit_remaining="59")) == ""
    assert retry_after(one, answer(403, x_ratelimit_reset="60", x_ratelimit_remaining="0")) == "60"


@pytest.mark.parametrize(
    "text", ["limit=100, remaining=0, reset=5", "limit=100;w=60, remaining=0, reset=5", '"default";r=0;t=5']
)
def test_both_drafts_of_the_ratelimit_header_are_read(text: str) -> None:
    one = target("http://127.0.0.1")
    assert retry_after(one, answer(429, ratelimit=text)) == "5"
    assert retry_after(one, answer(403, ratelimit=text)) == "5"
    unused = re.sub(r"\b(r|remaining)=0", r"\1=9", text)
    assert retry_after(one, answer(403, ratelimit=unused)) == ""


def test_of_two_windows_the_one_that_is_used_up_counts() -> None:
    one = target("http://127.0.0.1")
    assert retry_after(one, answer(429, ratelimit='"burst";r=5;t=3, "day";r=0;t=900')) == "900"


def limited(url: str, **http: object) -> Target:
    """A provider that says 402 where others say 429."""
    known = sheet("http_api")
    assert known.http
    more = {"answers": (Match(status=402, body="quota", cause="rate_limited", code="limit.rate_limited"),), **http}
    changed = known.model_copy(update={"http": known.http.model_copy(update=more)})
    return Target("crm", "http_api", changed, {"base_url": url, "probe": "/me"}, {"token": KEY}, timeout=5)


def waits(reply: Reply, **http: object) -> str:
    with serving(lambda path, headers: reply) as url:
        found = verify_credentials(limited(url, **http))
    assert (found.cause, found.code) == ("rate_limited", "limit.rate_limited"), found
    return str(found.facts.get("retry_after", ""))


def test_what_is_a_limit_tells_its_end_whatever_its_status() -> None:
    reply: Reply = (402, {"X-Quota-Resets-In": "133"}, {"error": "the hourly quota is used up"})
    assert waits(reply, reset_header="X-Quota-Resets-In") == "133"
    assert waits(reply) == ""
    assert waits((402, {"X-RateLimit-Reset": "60"}, {"error": "quota"})) == "60"


WINDOWS = ("X-Quota-Day-Reset", "X-Quota-Minute-Reset")


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"X-Quota-Day-Reset": "3600", "X-Quota-Minute-Reset": "20"}, "3600"),
        ({"X-Quota-Day-Remaining": "9", "X-Quota-Minute-Remaining": "0"}, "20"),
        ({"X-Quota-Day-Remaining": "0", "X-Quota-Minute-Remaining": "5"}, "3600"),
        ({"X-Quota-Day-Remaining": "0", "X-Quota-Minute-Remaining": "0"}, "3600"),
        # What cannot be is not waited for, nor is a window that has calls left instead.
        ({"X-Quota-Day-Reset": "99999999"}, "20"),
        ({"X-Quota-Day-Reset": "soon"}, "20"),
        ({"X-Quota-Day-Reset": "soon", "X-Quota-Day-Remaining": "0"}, ""),
    ],
)
def test_of_several_windows_with_a_header_each_the_one_that_is_used_up_counts_else_the_longest(
    headers: dict[str, str], wait: str
) -> None:
    reply: Reply = (402, {"X-Quota-Day-Reset": "3600", "X-Quota-Minute-Reset": "20", **headers}, {"error": "quota"})
    assert waits(reply, reset_header=WINDOWS) == wait


USAGE = '{"1": [{"type": "ads", "regain": 0}], "2": [{"type": "ads", "regain": 19}, {"type": "insights", "regain": 3}]}'


@pytest.mark.parametrize(
    ("words", "usage", "how", "wait"),
    [
        ("quota: retry in 5603 seconds", "", ResetSaid(pattern=r"retry in (\d+) seconds"), "5603"),
        ("quota: retry in 1.5 seconds", "", ResetSaid(pattern=r"RETRY in ([\d.]+) seconds"), "2"),
        ("quota: retry soon", "", ResetSaid(pattern=r"retry in (\d+) seconds"), ""),
        ("quota: retry in -3 seconds", "", ResetSaid(pattern=r"retry in (-?\d+) seconds"), ""),
        ("quota: retry in 0 seconds", "", ResetSaid(pattern=r"retry in (\d+) seconds"), ""),
        ("quota: retry in 99999999 seconds", "", ResetSaid(pattern=r"retry in (\d+) seconds"), ""),
        ("quota: retry in " + "9" * 400 + " seconds", "", ResetSaid(pattern=r"retry in (\d+) seconds"), ""),
        ("quota: retry in a while", "", ResetSaid(pattern=r"retry in (\w+)"), ""),
        # Of several limits the one that ends last keeps a caller out.
        ("quota", USAGE, ResetSaid(pattern=r'"regain": ?(\d+)', header="X-Usage", unit="minutes"), "1140"),
        ("quota", "", ResetSaid(pattern=r'"regain": ?(\d+)', header="X-Usage", unit="minutes"), ""),
        ("quota", "{", ResetSaid(pattern=r'"regain": ?(\d+)', header="X-Usage", unit="minutes"), ""),
    ],
)
def test_the_end_of_a_limit_may_stand_in_words_or_within_a_header(
    words: str, usage: str, how: ResetSaid, wait: str
) -> None:
    headers = {"X-Usage": usage} if usage else {}
    assert waits((402, headers, {"error": words}), reset_said=how) == wait


def test_what_the_provider_says_in_the_standards_way_counts_before_its_words() -> None:
    how = ResetSaid(pattern=r"retry in (\d+)")
    assert waits((402, {"Retry-After": "7"}, {"error": "quota: retry in 9 s"}), reset_said=how) == "7"
    one = limited("http://127.0.0.1", reset_said=how)
    assert retry_after(one, Answer(500, {}, "retry in 9 s", "http://x")) == ""


def test_a_pattern_that_is_to_find_something_has_a_group() -> None:
    with pytest.raises(ValueError, match="no group"):
        ResetSaid(pattern="retry in \\d+ seconds")


def test_only_a_harmful_difference_of_clocks_is_told_and_a_cached_date_is_older() -> None:
    def dated(minutes: float, **more: str) -> int:
        date = format_datetime(datetime.fromtimestamp(time.time() - minutes * 60, UTC), usegmt=True)
        return skew(answer(401, date=date, **more))

    assert dated(1) == 0
    assert round(dated(30) / 60) == 30
    assert round(dated(-30) / 60) == -30
    assert dated(30, age="1800") == 0
    assert skew(answer(401, date="yesterday")) == 0


@pytest.mark.attack("SSRF by a provider's redirect", "dns.private_address, not followed")
def test_a_redirect_leads_nobody_into_a_private_network() -> None:
    from bot.drivers.http import _onward
    from bot.drivers.http_trouble import split

    first = split("https://api.acme.test/v1")
    assert _onward("https://api.acme.test/v1", "/v2", first) == "https://api.acme.test/v2"
    for inside in ("http://169.254.169.254/latest", "http://127.0.0.1/", "https://10.0.0.1/", "http://[::1]/"):
        with pytest.raises(Trouble) as caught:
            _onward("https://api.acme.test/v1", inside, first)
        assert caught.value.code == "dns.private_address"


@pytest.mark.attack("DNS rebinding behind a redirect", "the line is cut before a byte is sent")
def test_a_name_that_turns_inward_gets_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the first line led is looked at from outside: this machine has no address that the world reaches."""
    from bot.drivers import http

    def provider(path: str, headers: Mapping[str, str]) -> Reply:
        asked.append(path)
        turned = f"http://localhost:{urlsplit(url).port}/inner"
        return (302, {"Location": turned}, "") if path == "/me" else (200, {}, {"role": "admin"})

    asked: list[str] = []
    with serving(provider) as url:
        assert http.get(f"{url}/me", {}, 5).status == 200  # an inner host that the administrator named may lead on
        inside = iter([False])
        real = http._inside
        monkeypatch.setattr(
            http, "_inside", lambda host: next(inside, True) if host == "127.0.0.1" else host == "x" and real(host)
        )
        with pytest.raises(Trouble) as caught:
            http.get(f"{url}/me", {}, 5)
        assert caught.value.code == "dns.private_address"
    assert asked == ["/me", "/inner", "/me"]


def test_a_redirect_that_turns_a_post_into_a_get_is_told() -> None:
    known = sheet("http_api")
    assert known.http
    by_post = known.model_copy(update={"http": known.http.model_copy(update={"post": '{"query":"{me}"}'})})

    def moved(status: int) -> Finding:
        with serving(
            lambda path, h: (status, {"Location": "/new"}, "") if path == "/me" else (200, {}, {"path": path})
        ) as url:
            return verify_credentials(
                Target("x", "http_api", by_post, {"base_url": url, "probe": "/me"}, {"token": KEY})
            )

    assert moved(302).code == "config.redirect_changes_method"
    assert moved(308).code == "auth.credential_not_sent"  # asked as it should be; it answers everybody


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_moment_is_one_of_the_clock_that_told_it(hours: int) -> None:
    there = datetime.now(UTC) + timedelta(hours=hours)
    end, date = there + timedelta(seconds=100), format_datetime(there, usegmt=True)
    one = target("http://127.0.0.1")
    for said in (format_datetime(end, usegmt=True), str(int(end.timestamp())), str(int(end.timestamp() * 1000))):
        told = retry_after(one, answer(429, date=date, retry_after=said))
        assert 95 <= int(told) <= 101
