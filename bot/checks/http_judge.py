"""What an answer means: first the provider's own forms, as its sheet lists them, then what HTTP says."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from bot.checks.base import Target
from bot.checks.http_ask import kind_of_auth, spec
from bot.drivers.http import Answer
from flows.core.finding import Verdict
from flows.core.sheet import Match


@dataclass(frozen=True)
class Ruling:
    verdict: Verdict
    cause: str
    code: str
    alternatives: tuple[str, ...] = ()


OLD = ("auth.token_revoked", "auth.access_token_expired")
# Cloudflare's own statuses 520 to 527: https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
SERVER = {
    500: "provider_error", 502: "bad_gateway", 503: "provider_error", 504: "gateway_timeout", 520: "bad_gateway",
    521: "bad_gateway", 522: "gateway_timeout", 523: "bad_gateway", 524: "gateway_timeout",
}  # fmt: skip
CLIENT = {
    402: Ruling("bad", "account_billing", "account.unpaid"),
    404: Ruling("bad", "config_error", "config.wrong_base_path", ("config.wrong_tenant", "privilege.resource_hidden")),
    405: Ruling("bad", "config_error", "config.wrong_method"),
    406: Ruling("bad", "config_error", "config.wrong_media_type"),
    407: Ruling("bad", "host_unreachable", "proxy.authentication_required"),
    410: Ruling("bad", "config_error", "config.api_version_retired", ("config.wrong_base_path",)),
    415: Ruling("bad", "config_error", "config.wrong_media_type"),
    423: Ruling("bad", "account_billing", "account.suspended"),
    429: Ruling("bad", "rate_limited", "limit.rate_limited", ("limit.concurrency", "limit.daily_quota")),
    431: Ruling("bad", "config_error", "config.header_too_large"),
}
FIREWALL = Ruling("unclear", "ip_not_allowlisted", "access.waf_blocked", ("access.ip_not_allowed",))
LOGIN = Ruling(
    "bad", "config_error", "auth.login_page_instead_of_api", ("config.wrong_base_path", "network.captive_portal")
)


def judge(target: Target, answer: Answer) -> Ruling | None:
    """What is wrong by this answer; None when it is a plain success."""
    refused = answer.status in (401, 403)
    if answer.without_credential and refused:
        return Ruling("bad", "config_error", "config.redirect_drops_authorization")
    if refused and not own(target, answer):
        return FIREWALL
    for match in spec(target).answers:
        if _fits(match, answer):
            return Ruling("bad", match.cause, match.code, match.alternatives)
    if answer.status < 300:
        return _success(target, answer)
    if answer.status >= 500:
        maintenance = "maintenance" in answer.text.lower()
        code = "maintenance" if maintenance else SERVER.get(answer.status, "provider_error")
        return Ruling("bad", "third_party_down", f"availability.{code}")
    if refused:
        return _refusal(target, answer)
    return CLIENT.get(answer.status) or Ruling("unclear", "unclassified", "availability.malformed_response")


def _fits(match: Match, answer: Answer) -> bool:
    if match.status not in (None, answer.status) or not re.search(match.body, answer.text, re.I):
        return False
    name, _, pattern = match.header.partition(":")
    given = answer.headers.get(name.strip().lower())
    return not name or (given is not None and bool(re.search(pattern.strip(), given, re.I)))


def _success(target: Target, answer: Answer) -> Ruling | None:
    if answer.is_html:
        form = re.search(r"type=[\"']?password|log ?in|sign ?in", answer.text, re.I)
        if form and answer.hops:
            return Ruling("bad", "config_error", "auth.redirect_to_login", ("auth.credential_not_sent",))
        return LOGIN if form else Ruling("unclear", "config_error", "config.wrong_base_path", LOGIN.alternatives[1:])
    if spec(target).own_error and answer.body is None and not answer.truncated:
        code = "availability.malformed_response" if answer.text.strip() else "availability.empty_response"
        return Ruling("unclear", "unclassified", code, ("config.wrong_base_path",))
    return None


def _refusal(target: Target, answer: Answer) -> Ruling:
    """A refusal in the provider's own form, in words that the sheet does not list."""
    if answer.status == 403:
        alike = ("account.plan_limit", "access.ip_not_allowed")
        return Ruling("bad", "missing_privilege", "auth.insufficient_scope", alike)
    if kind_of_auth(target) == "basic" and not spec(target).own_error:
        return Ruling("bad", "invalid_credentials", "auth.wrong_password", ("auth.unknown_user", "auth.wrong_scheme"))
    return Ruling("bad", "invalid_credentials", "auth.invalid_token", OLD)


def own(target: Target, answer: Answer) -> bool:
    """The refusal has the provider's own form: JSON with the key or header that the sheet names, never a page."""
    if answer.is_html:
        return False
    body, marker, header = answer.body, spec(target).own_error, spec(target).own_header.lower()
    parts = [one for one in (body if isinstance(body, list) else [body]) if isinstance(one, dict)]
    if marker:
        return any(marker in part for part in parts) or bool(header and parts and header in answer.headers)
    return bool(parts) or (answer.status == 401 and "www-authenticate" in answer.headers)


def same(one: Answer, other: Answer) -> bool:
    """Equal but for ids, counters and times, which differ in every answer."""

    def bare(text: str) -> str:
        return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\breq_\w+|\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\d{9,}", "", text)

    return one.status == other.status and bare(one.text) == bare(other.text)


def retry_after(answer: Answer) -> str:
    """Seconds to wait as the provider says them, '' when it does not."""
    given = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", given):
        return str(round(float(given)))
    until = answer.headers.get("x-ratelimit-reset", "") if answer.headers.get("x-ratelimit-remaining") == "0" else ""
    if re.fullmatch(r"\d{9,11}", until):
        return str(max(int(until) - int(time.time()), 1))
    try:
        return str(max(int(parsedate_to_datetime(given).timestamp() - time.time()), 1)) if given else ""
    except (ValueError, TypeError, OverflowError):
        return ""
