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
    **dict.fromkeys((504, 522, 524, 598, 599), "gateway_timeout"),
}
CLIENT = {
    402: Ruling("bad", "account_billing", "account.unpaid"),
    404: Ruling("bad", "config_error", "config.wrong_base_path", ("config.wrong_tenant", "privilege.resource_hidden")),
    405: Ruling("bad", "config_error", "config.wrong_method"),
    # JSON is asked for, and there is none at this path: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.7
    406: Ruling("bad", "config_error", "config.wrong_base_path", ("config.wrong_media_type",)),
    408: Ruling("bad", "third_party_down", "availability.too_slow"),
    410: Ruling("bad", "config_error", "config.api_version_retired", ("config.wrong_base_path",)),
    413: Ruling("bad", "config_error", "limit.payload_too_large"),
    414: Ruling("bad", "config_error", "config.header_too_large"),
    415: Ruling("bad", "config_error", "config.wrong_media_type"),
    421: Ruling("bad", "config_error", "config.wrong_tenant", ("config.wrong_region",)),
    423: Ruling("bad", "account_billing", "account.suspended"),
    # What it depends on has failed: https://www.rfc-editor.org/rfc/rfc4918#section-11.4
    424: Ruling("bad", "third_party_down", "availability.provider_error"),
    426: Ruling("unclear", "config_error", "config.api_version_retired", ("tls.https_required",)),
    429: Ruling("bad", "rate_limited", "limit.rate_limited", ("limit.concurrency", "limit.daily_quota")),
    431: Ruling("bad", "config_error", "config.header_too_large"),
    451: Ruling("unclear", "ip_not_allowlisted", "access.ip_not_allowed", ("account.suspended",)),
    501: Ruling("bad", "config_error", "config.wrong_method", ("availability.provider_error",)),
    509: Ruling("bad", "rate_limited", "limit.daily_quota"),
}
FIREWALL = Ruling("unclear", "ip_not_allowlisted", "access.waf_blocked", ("access.ip_not_allowed",))
CAPTCHA = Ruling("unclear", "ip_not_allowlisted", "access.waf_blocked", ("auth.captcha_required",))
# A refusal that nobody's sheet knows, from the provider or from what stands before it.
STRANGE_401 = Ruling(
    "unclear", "ip_not_allowlisted", "access.waf_blocked", ("access.ip_not_allowed", "auth.invalid_token")
)
FORBIDDEN = Ruling(
    "bad", "missing_privilege", "auth.insufficient_scope", ("account.plan_limit", "access.ip_not_allowed")
)
NOT_SENT = Ruling("bad", "invalid_credentials", "auth.credential_not_sent")
# API Gateway says so where no such path is, and where it wants AWS's own signature:
# https://repost.aws/knowledge-center/api-gateway-authentication-token-errors
NO_ROUTE = Ruling("unclear", "config_error", "config.wrong_base_path", ("auth.wrong_scheme",))
FILTERED = Ruling("bad", "host_unreachable", "proxy.connect_denied", ("network.captive_portal",))
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
# https://vercel.com/docs/vercel-firewall/attack-challenge-mode
CHALLENGES = ("cf-mitigated", "x-amzn-waf-action", "x-vercel-mitigated")
PERSON = re.compile(r"just a moment|attention required|captcha|are you (a )?(human|robot)|checking your browser", re.I)
PASSWORD = re.compile(r"type=[\"']?password", re.I)
GUEST = re.compile(r"captive|hotspot|wi-?fi|guest (network|access)|accept the terms|network login", re.I)
# DataDome and HUMAN tell a program where the captcha is: https://docs.datadome.co/docs/how-it-works,
# https://docs.humansecurity.com/applications-and-accounts/docs/advanced-blocking-response
PUZZLE = re.compile(r"captcha-delivery\.com/|\"blockScript\" ?:", re.I)
# Imperva's and F5's pages come with 200 (https://my.f5.com/manage/s/article/K7312), Wordfence's with 503.
WALLED = re.compile(
    r"_Incapsula_Resource|incapsula incident id|requested url was rejected|your support id is|by the site owner", re.I
)
# Filters of companies for their own people, who also hold up their programs.
FILTERS = re.compile(r"zscaler|fortiguard|mcafee web gateway|forcepoint|netskope|web page blocked", re.I)
POLICY = re.compile(r"in accordance with company policy|fortiguard (intrusion|web filter)", re.I)
# A host that the network before the provider does not know.
NOWHERE = re.compile(r"fastly error: unknown domain", re.I)
# https://nginx.org/en/docs/http/ngx_http_ssl_module.html#errors and IIS's 403.7, 403.13, 403.16 and 403.17:
# https://learn.microsoft.com/troubleshoot/developer/webapps/iis/health-diagnostic-performance/http-status-code
NO_CERTIFICATE = re.compile(r"no required ssl certificate|client certificate is required|403\.7\b", re.I)
BAD_CERTIFICATE = re.compile(r"the ssl certificate error|client certificate (is|has|was)\b|403\.1[367]\b", re.I)
# Envoy, Kong and HAProxy of the server behind them.
BEHIND = re.compile(
    r"upstream connect error|no healthy upstream|ring-balancer|name resolution failed|no server is available to handle",
    re.I,
)
# Apache says of every 503 of its own that it may be one or the other.
UPKEEP = re.compile(r"maintenance(?! downtime\s+or\s+capacity)|be (right )?back|scheduled downtime", re.I)
PLAIN = re.compile(r"plain http request was sent to https|http request to an https server", re.I)
LONG = re.compile(r"(header|cookie|field)s?( or cookie)? too (large|long)", re.I)


def walled(ruling: Ruling) -> Ruling:
    """A refusal that everybody gets tells of a wall, and perhaps of what it seemed to be."""
    return Ruling("unclear", "ip_not_allowlisted", "access.waf_blocked", (ruling.code, "access.ip_not_allowed"))


def between(answer: Answer, proxy: str | None) -> Ruling | None:
    """The word of a firewall, a proxy or a network, which says nothing about the credential."""
    if answer.status == 511:  # https://www.rfc-editor.org/rfc/rfc6585#section-6
        return PORTAL
    if answer.status == 407:
        code = "wrong_credentials" if proxy and re.search(r"//[^/@]+:[^/@]+@", proxy) else "authentication_required"
        return Ruling("bad", "host_unreachable", f"proxy.{code}")
    if answer.headers.get("x-amzn-errortype", "").startswith(("MissingAuthenticationToken", "IncompleteSignature")):
        return NO_ROUTE
    # The other end of a tunnel is away: https://ngrok.com/docs/errors/err_ngrok_3200
    if answer.headers.get("ngrok-error-code") == "ERR_NGROK_3200":
        return Ruling("bad", "third_party_down", "availability.bad_gateway")
    told = [answer.headers.get(name, "") for name in ("x-squid-error", "proxy-status")]
    marks = " ".join([*told, _of_squid(answer)]).lower()
    for pattern, code in PROXY if marks.strip() and answer.status >= 400 else ():
        if re.search(pattern, marks):
            return Ruling("bad", "tls_mismatch" if code.startswith("tls.") else "host_unreachable", code)
    if any(name in answer.headers for name in CHALLENGES) or answer.status == 999:
        return CAPTCHA
    if answer.status == 400 and PLAIN.search(answer.head):
        return Ruling("bad", "tls_mismatch", "tls.https_required")
    if answer.status in (403, 429) and PUZZLE.search(answer.head):
        return CAPTCHA
    if answer.is_html:
        return _page(answer)
    return _upgrade(answer) if answer.status == 426 else None


def _of_squid(answer: Answer) -> str:
    """What its page says where its header was taken away."""
    found = re.search(r"<body id=[\"']?(ERR_\w{1,40})", answer.head) if answer.is_html else None
    return found[1] if found else ""


def _upgrade(answer: Answer) -> Ruling | None:
    """What else is to be spoken: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.22"""
    wanted = answer.headers.get("upgrade", "").lower()
    if "tls/" in wanted:
        return Ruling("bad", "tls_mismatch", "tls.https_required")
    return Ruling("bad", "config_error", "config.wrong_base_path") if "websocket" in wanted else None


def _page(answer: Answer) -> Ruling | None:
    if answer.status == 400 and LONG.search(answer.head):
        return CLIENT[431]
    if answer.status in (400, 403) and NO_CERTIFICATE.search(answer.title):
        return Ruling("bad", "tls_mismatch", "tls.client_certificate_required")
    if answer.status in (400, 403) and BAD_CERTIFICATE.search(answer.title):
        return Ruling("bad", "tls_mismatch", "tls.client_certificate_untrusted")
    if FILTERS.search(f"{answer.headers.get('server', '')} {answer.title}") or POLICY.search(answer.head):
        return FILTERED
    if NOWHERE.search(answer.title):
        return CLIENT[404]
    if WALLED.search(answer.head):
        return FIREWALL
    if answer.status in (200, 202, 403, 429, 503) and PERSON.search(answer.head) and not PASSWORD.search(answer.head):
        return CAPTCHA
    if answer.status < 300 and GUEST.search(answer.head):
        return PORTAL
    return None
