"""The nastiest behaviours of HTTP against six connectors: the right cause, or an honest `unclear`. -s shows the table."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.checks.base import Target
from bot.checks.http import verify_credentials, verify_permissions
from flows.core.causes import CAUSES
from flows.core.finding import Finding
from flows.core.sheet import sheet
from tests.fakes.nasty import NASTY, Nasty, bomb, serving

KEY = "key-that-must-never-be-seen"
SHEETS = ("hubspot", "github", "stripe", "zendesk", "shopify")
SETTINGS = {"zendesk": {"subdomain": "acme", "email": "bot@acme.com"}, "shopify": {"shop": "acme"}}
LIMIT = 1.5
ALL = "http_api"
# behaviour: verdict and code for everybody, or (for a plain API, for a provider whose own form is known).
SAME = "unclear auth.credential_not_sent"
WALL = "unclear access.waf_blocked"
EXPECTED: dict[str, str | tuple[str, str]] = {
    "silent": "bad network.accepts_but_silent",
    "drips_headers": "bad network.accepts_but_silent",
    "drips_body": "bad availability.too_slow",
    "continues_for_ever": "bad network.accepts_but_silent",
    "gigabyte": "unclear limit.response_too_large",
    "endless_chunks": "unclear limit.response_too_large",
    "endless_chunk_line": "bad availability.malformed_response",
    "endless_trailers": "bad availability.too_slow",
    "endless_headers": "bad availability.malformed_response",
    "endless_header_line": "bad availability.malformed_response",
    "endless_status_line": "bad availability.malformed_response",
    "gzip_bomb": "unclear limit.response_too_large",
    "gzip_bomb_in_gzip": "unclear limit.response_too_large",
    "deep_json": "unclear availability.response_truncated",
    "wide_json": SAME,
    "hangs_up": "bad availability.empty_response",
    "resets": "bad network.reset",
    "speaks_ssh": "bad config.wrong_port_other_service",
    "stops_in_the_middle": "bad availability.response_truncated",
    "stops_in_a_chunk": "bad availability.response_truncated",
    "endless_chunk_of_less_than_nothing": "bad availability.response_truncated",
    "chunks_without_numbers": "bad availability.response_truncated",
    "half_json": "unclear availability.response_truncated",
    "empty": "unclear availability.empty_response",
    "two_lengths": "bad availability.malformed_response",
    "gzip_that_is_none": "bad availability.corrupt_encoding",
    "unknown_coding": "unclear availability.corrupt_encoding",
    "no_text": "unclear availability.corrupt_encoding",
    "json_behind_a_guard": "unclear availability.malformed_response",
    "redirects_to_login": "bad auth.redirect_to_login",
    "redirects_in_a_circle": "bad config.redirect_loop",
    "redirects_elsewhere": "bad config.redirect_drops_authorization",
    "redirects_out_of_http": "bad config.malformed_url",
    "redirects_to_a_login_that_is_away": "bad auth.redirect_to_login",
    "redirects_to_a_server_that_is_away": "bad config.wrong_base_path",
    "redirects_nowhere": "unclear availability.malformed_response",
    "welcome_page": "unclear config.wrong_base_path",
    "login_page": "bad auth.login_page_instead_of_api",
    "maintenance_page": "unclear availability.maintenance",
    "hotspot_page": "bad network.captive_portal",
    "network_wants_a_login": "bad network.captive_portal",
    "proxy_wants_a_login": "bad proxy.authentication_required",
    "proxy_finds_no_name": "bad dns.nxdomain",
    "proxy_forbids": "bad proxy.connect_denied",
    "proxy_was_refused": "bad network.refused",
    "firewall_page": WALL,
    "firewall_says_401": WALL,
    "challenge": WALL,
    "silent_challenge": WALL,
    "denied_by_999": WALL,
    "wants_https": "bad tls.https_required",
    "same_for_everybody": SAME,
    "same_for_everybody_but_a_number": SAME,
    "says_200_but_not_logged_in": "bad auth.invalid_token",
    "says_200_but_401_inside": ("bad auth.invalid_token", WALL),
    "limited": "bad limit.rate_limited",
    "limited_until_a_second": "bad limit.rate_limited",
    "limited_until_a_date": "bad limit.rate_limited",
    "limited_for_today": "bad limit.daily_quota",
    "maintained_until_a_date": "bad availability.maintenance",
    "bad_gateway": "bad availability.bad_gateway",
    "origin_is_away": "bad availability.gateway_timeout",
    "retired_version": "bad config.api_version_retired",
    "wrong_base_path": "bad config.wrong_base_path",
    "unpaid": "bad account.unpaid",
    "misdirected": "bad config.wrong_tenant",
    "teapot": "unclear availability.malformed_response",
    "refuses_from_the_past": "bad auth.invalid_token",
    "account_suspended": "bad account.suspended",
    "user_deactivated": "bad account.user_deactivated",
    "plan_without_the_api": "bad account.plan_limit",
    "wants_a_second_factor": "bad auth.mfa_required",
    "wants_single_sign_on": "bad auth.sso_authorization_missing",
    "sandbox_key": "bad config.wrong_environment",
    "other_region": "bad config.wrong_region",
    "token_ran_out": "bad auth.token_expired",
    "token_was_revoked": "bad auth.token_revoked",
    "address_not_listed": "bad access.ip_not_allowed",
    "account_locked": "bad auth.account_locked",
    "echoes_the_key": ("bad auth.invalid_token", WALL),
}
ROWS: list[str] = []
MEMORY: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    bomb()  # built now: it takes longer than a caller waits
    yield
    print(f"\n{'':33}{'seconds':9}{ALL:42}{', '.join(SHEETS)}")
    print("\n".join([*ROWS, f"{len(ROWS)} behaviours, {len(ROWS) * (1 + len(SHEETS))} verdicts", *MEMORY]))


def target(connector: str, url: str) -> Target:
    known = sheet(connector)
    assert known.http
    settings = {**SETTINGS.get(connector, {}), "base_url": url, "organization": "acme"}
    return Target("crm", connector, known, settings, {known.http.secret: KEY}, timeout=LIMIT)


def one(connector: str, url: str) -> tuple[Finding, float]:
    began = time.monotonic()
    return verify_credentials(target(connector, url)), time.monotonic() - began


def verdict(found: Finding) -> str:
    return f"{found.verdict} {found.code or ''}".strip()


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_server_gets_the_right_verdict_in_time(name: str) -> None:
    with serving(NASTY[name]) as url, ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda connector: one(connector, url), (ALL, *SHEETS)))
    for found, _ in done:
        assert KEY not in repr(found)
        assert "\n" not in found.evidence
        assert len(found.evidence) <= 500
        assert found.cause in CAUSES
    slowest = max(took for _, took in done)
    verdicts = [verdict(found) for found, _ in done]
    ROWS.append(f"{name:33}{slowest:<9.1f}{verdicts[0]:42}{', '.join(sorted(set(verdicts[1:])))}")
    wanted = EXPECTED[name]
    plain, known = wanted if isinstance(wanted, tuple) else (wanted, wanted)
    assert verdicts == [plain, *[known] * len(SHEETS)], done
    # At most the call, its control, and the control's own control.
    assert slowest < 3 * LIMIT + 15


@pytest.mark.parametrize("name", ["limited_until_a_second", "limited_until_a_date", "maintained_until_a_date"])
def test_the_time_until_a_limit_ends_is_told_in_seconds(name: str) -> None:
    with serving(NASTY[name]) as url:
        found, _ = one(ALL, url)
    assert 60 <= int(found.facts["retry_after"]) <= 90


def test_a_clock_two_hours_off_is_named_as_the_other_reason() -> None:
    with serving(NASTY["refuses_from_the_past"]) as url:
        for connector in (ALL, *SHEETS):
            found, _ = one(connector, url)
            assert "clock.skew" in found.alternatives
            assert "the clock here is 120 minutes ahead of theirs" in found.evidence


def test_a_permission_check_against_nasty_servers_ends_too() -> None:
    for name in ("drips_body", "gzip_bomb", "redirects_in_a_circle", "half_json", "firewall_page"):
        with serving(NASTY[name]) as url:
            found = verify_permissions(target("hubspot", url))
        assert found.verdict in ("bad", "unclear"), name
        assert found.cause != "missing_privilege"


CHILD = """
import sys
from pathlib import Path
from bot.checks.base import Target
from bot.checks.http import verify_credentials
from flows.core.sheet import sheet

def run(url):
    for key in ("http_api", "hubspot"):
        verify_credentials(Target("crm", key, sheet(key), {"base_url": url}, {sheet(key).http.secret: "key-1"}, timeout=1.5))

def most():
    # ru_maxrss would count what the parent held before it became this program.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(status["VmHWM"].split()[0]) / 1024

run(sys.argv[1])
before = most()
run(sys.argv[2])
print(most() - before)
"""


def growth(nasty: Nasty) -> float:
    """MB by which checking this server raises the peak of a process that has checked a plain one."""
    with serving(NASTY["same_for_everybody"]) as plain, serving(nasty) as url:
        root = Path(__file__).parent.parent.parent
        ran = subprocess.run(
            [sys.executable, "-c", CHILD, plain, url], cwd=root, capture_output=True, text=True, check=True, timeout=120
        )
    return float(ran.stdout)


BIG = [
    name for name in NASTY if name.startswith(("endless", "giga", "gzip_bomb", "deep", "wide", "drips", "continues"))
]


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("name", BIG)
def test_memory_stays_bounded_whatever_comes(name: str) -> None:
    grown = growth(NASTY[name])
    MEMORY.append(f"{name:33}memory grew by {grown:.0f} MB")
    assert grown < 50
