"""What a status means by itself, and what stands between us and the provider."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.drivers.http import Answer
from flows.core.finding import Verdict


@dataclass(frozen=True)
class Ruling:
    verdict: Verdict
    cause: str
    code: str
    alternatives: tuple[str, ...] = ()


OLD = ("auth.token_revoked", "auth.access_token_expired")
# https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/ has 520 to 530.
SERVER = {
    **dict.fromkeys((502, 520, 521, 523, 525, 526, 530), "bad_gateway"),
    **dict.fromkeys((504, 522, 524, 598), "gateway_timeout"),
}
CLIENT = {
    402: Ruling("bad", "account_billing", "account.unpaid"),
    404: Ruling("bad", "config_error", "config.wrong_base_path", ("config.wrong_tenant", "privilege.resource_hidden")),
    405: Ruling("bad", "config_error", "config.wrong_method"),
    406: Ruling("bad", "config_error", "config.wrong_media_type"),
    408: Ruling("bad", "third_party_down", "availability.too_slow"),
    410: Ruling("bad", "config_error", "config.api_version_retired", ("config.wrong_base_path",)),
    413: Ruling("bad", "config_error", "limit.payload_too_large"),
    414: Ruling("bad", "config_error", "config.header_too_large"),
    415: Ruling("bad", "config_error", "config.wrong_media_type"),
    421: Ruling("bad", "config_error", "config.wrong_tenant", ("config.wrong_region",)),
    423: Ruling("bad", "account_billing", "account.suspended"),
    426: Ruling("unclear", "config_error", "config.api_version_retired", ("tls.https_required",)),
    429: Ruling("bad", "rate_limited", "limit.rate_limited", ("limit.concurrency", "limit.daily_quota")),
    431: Ruling("bad", "config_error", "config.header_too_large"),
    451: Ruling("unclear", "ip_not_allowlisted", "access.ip_not_allowed", ("account.suspended",)),
    501: Ruling("bad", "config_error", "config.wrong_method", ("availability.provider_error",)),
    509: Ruling("bad", "rate_limited", "limit.daily_quota"),
}
FIREWALL = Ruling("unclear", "ip_not_allowlisted", "access.waf_blocked", ("access.ip_not_allowed",))
CAPTCHA = Ruling("unclear", "ip_not_allowlisted", "access.waf_blocked", ("auth.captcha_required",))
PORTAL = Ruling("bad", "host_unreachable", "network.captive_portal", ("proxy.authentication_required",))

# Squid's page carries its error's name: https://wiki.squid-cache.org/Features/CustomErrors
# Proxies of today say it as RFC 9209 wants: https://www.rfc-editor.org/rfc/rfc9209#section-2.3
PROXY = (
    (r"err_cache_access_denied|proxy_authentication", "proxy.authentication_required"),
    (r"err_access_denied|http_request_denied|destination_ip_prohibited", "proxy.connect_denied"),
    (r"err_dns_fail|dns_error", "dns.nxdomain"),
    (r"dns_timeout", "dns.timeout"),
    (r"err_connect_fail|connection_refused|destination_unavailable|destination_ip_unroutable", "network.refused"),
    (r"err_read_timeout|err_lifetime_exp|connection_timeout|connection_read_timeout|http_response_timeout",
     "network.timeout_filtered"),
    (r"err_read_error|err_zero_size_object|connection_terminated|http_response_incomplete", "network.reset"),
    (r"tls_certificate_error", "tls.unknown_ca"),
    (r"tls_protocol_error|err_secure_connect_fail", "tls.no_common_algorithm"),
)  # fmt: skip
# Cloudflare's and AWS's own marks of a page that wants to see a person.
# https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
# https://docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-how-it-works.html
CHALLENGES = ("cf-mitigated", "x-amzn-waf-action")
PERSON = re.compile(r"just a moment|attention required|captcha|are you (a )?(human|robot)|checking your browser", re.I)
GUEST = re.compile(r"captive|hotspot|wi-?fi|guest (network|access)|accept the terms|network login", re.I)
PLAIN = re.compile(r"plain http request was sent to https|http request to an https server", re.I)
LONG = re.compile(r"(header|cookie|field)s?( or cookie)? too (large|long)", re.I)


def between(answer: Answer, proxy: str | None) -> Ruling | None:
    """The word of a firewall, a proxy or a network, which says nothing about the credential."""
    if answer.status == 511:  # https://www.rfc-editor.org/rfc/rfc6585#section-6
        return PORTAL
    if answer.status == 407:
        code = "wrong_credentials" if proxy and re.search(r"//[^/@]+:[^/@]+@", proxy) else "authentication_required"
        return Ruling("bad", "host_unreachable", f"proxy.{code}")
    marks = f"{answer.headers.get('x-squid-error', '')} {answer.headers.get('proxy-status', '')}".lower()
    for pattern, code in PROXY if marks.strip() and answer.status >= 400 else ():
        if re.search(pattern, marks):
            return Ruling("bad", "tls_mismatch" if code.startswith("tls.") else "host_unreachable", code)
    if any(name in answer.headers for name in CHALLENGES) or answer.status == 999:
        return CAPTCHA
    if answer.is_html:
        return _page(answer)
    return None


def _page(answer: Answer) -> Ruling | None:
    if answer.status == 400 and PLAIN.search(answer.head):
        return Ruling("bad", "tls_mismatch", "tls.https_required")
    if answer.status == 400 and LONG.search(answer.head):
        return CLIENT[431]
    if answer.status in (200, 202, 403, 429, 503) and PERSON.search(answer.head):
        return CAPTCHA
    if answer.status < 300 and GUEST.search(answer.head):
        return PORTAL
    return None
