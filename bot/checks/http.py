"""HTTP sources: careful verdicts. 401 and 403 count only in the provider's own form, and after a control probe."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bot.checks.base import Target
from bot.checks.text import evidence
from bot.drivers.http import Answer, get
from bot.drivers.network import Trouble
from flows.core.finding import Finding
from flows.core.sheet import HttpSpec as Http
from flows.core.sheet import Probe

LOGIN, RIGHTS = ("verify_credentials", "credentials_accepted"), ("check_permissions", "permissions_sufficient")
SERVER_CODES = {502: "availability.bad_gateway", 503: "availability.maintenance", 504: "availability.gateway_timeout"}


def _http(target: Target) -> Http:
    if target.sheet.http is None:
        raise Trouble("config_error", "config.wrong_format", f"the sheet {target.connector} has no http part")
    return target.sheet.http


def _values(target: Target) -> dict[str, str]:
    defaults = {f.name: f.default for f in target.sheet.fields if not f.secret}
    return {**defaults, **{k: str(v) for k, v in target.settings.items()}}


def fill(text: str, target: Target) -> str:
    """Substitute `{field}` with the connection's settings; nothing else is computed."""
    values = _values(target)
    return re.sub(r"\{(\w+)\}", lambda found: quote(values.get(found[1], ""), safe="/:.-_~"), text)


def base_url(target: Target) -> str:
    given = str(target.settings.get("base_url") or "")
    return (given or fill(_http(target).base_url, target)).rstrip("/")


def _auth(target: Target) -> tuple[dict[str, str], str]:
    """Headers and query of the credential."""
    http = _http(target)
    secret = target.sheet.secret(target.secrets, http.secret)
    kind = str(target.settings.get("auth") or http.auth)
    if kind == "bearer":
        return {"Authorization": f"Bearer {secret}"}, ""
    if kind == "basic":
        user = fill(http.user or "{user}", target)
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}, ""
    name = str(target.settings.get("header") or http.header or "X-Api-Key")
    if kind == "header":
        return {name: http.prefix + secret}, ""
    return {}, f"{name}={quote(secret)}" if kind == "query" else ""


def ask(target: Target, path: str, *, signed: bool = True) -> Answer:
    """One GET of the provider, with or without the credential. Raises Trouble."""
    auth, query = _auth(target) if signed else ({}, "")
    headers = {"Accept": "application/json", "User-Agent": "mend", **_http(target).headers, **auth}
    url = base_url(target) + fill(path, target)
    url += ("&" if "?" in url else "?") + query if query else ""
    ca_file = str(target.settings.get("ca_file") or "") or None
    return get(url, headers, target.timeout, proxy=target.proxy, ca_file=ca_file)


def _finding(
    at: tuple[str, str],
    target: Target,
    verdict: Any,
    words: str,
    cause: str | None = None,
    code: str | None = None,
    alternatives: tuple[str, ...] = (),
    **facts: Any,
) -> Finding:
    return Finding(at[0], at[1], verdict, cause, code, alternatives, evidence(target, words), facts)


def _said(answer: Answer) -> str:
    """The provider's own message, short."""
    body = answer.json()
    found = body
    for key in ("error", "errors", "message", "error_description"):
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, dict) and key in found:
            found = found[key]
    if isinstance(found, dict | list) or found is None:
        found = answer.text[:300]
    return f"HTTP {answer.status} {found}"


def judge(target: Target, answer: Answer) -> tuple[str, str, str] | None:
    """(verdict, cause, code) of an answer that is not good; None when it is a plain success."""
    for match in _http(target).answers:
        if (
            match.status in (None, answer.status)
            and re.search(match.body, answer.text, re.I)
            and (not match.header or match.header.lower() in answer.headers)
        ):
            return "bad", match.cause, match.code
    if answer.status < 300:
        return ("unclear", "config_error", "auth.login_page_instead_of_api") if answer.is_html else None
    if answer.status == 429:
        return "bad", "rate_limited", "limit.rate_limited"
    if answer.status >= 500:
        return "bad", "third_party_down", SERVER_CODES.get(answer.status, "availability.provider_error")
    own = _own(target, answer)
    if answer.status == 401:
        return (
            ("bad", "invalid_credentials", "auth.invalid_token")
            if own
            else ("unclear", "config_error", "access.waf_blocked")
        )
    if answer.status == 403:
        return (
            ("bad", "missing_privilege", "auth.insufficient_scope")
            if own
            else ("unclear", "ip_not_allowlisted", "access.waf_blocked")
        )
    if answer.status == 407:
        return "bad", "host_unreachable", "proxy.authentication_required"
    if answer.status in (404, 410):
        return "bad", "config_error", "config.wrong_base_path"
    return "unclear", "unclassified", "availability.malformed_response"


def _own(target: Target, answer: Answer) -> bool:
    """The refusal has the provider's own form: JSON with the key that the sheet names, never an HTML page."""
    if answer.is_html:
        return False
    marker = _http(target).own_error
    return not marker or marker in answer.text


def verify_credentials(target: Target) -> Finding:
    """The identity call, then the same call without the credential: equal answers prove nothing."""
    path = str(target.settings.get("probe") or _http(target).identity)
    try:
        answer = ask(target, path)
        result = judge(target, answer)
        if result is None and _http(target).auth != "none" and str(target.settings.get("auth")) != "none":
            control = ask(target, path, signed=False)
            if control.status < 300 and control.text == answer.text:
                return _finding(
                    LOGIN,
                    target,
                    "unclear",
                    f"{path} answers the same without the credential, so it proves nothing",
                    "unclassified",
                    "auth.credential_not_sent",
                )
    except Trouble as trouble:
        return _finding(LOGIN, target, "bad", trouble.evidence, trouble.cause, trouble.code, **_where(target))
    if result is None:
        return _finding(LOGIN, target, "good", f"HTTP {answer.status} from {path}")
    verdict, cause, code = result
    if code == "auth.insufficient_scope":
        # A good key with few rights: the login itself is fine, the permission check will name what is missing.
        return _finding(LOGIN, target, "good", f"{_said(answer)} (known key, this call is not allowed)")
    alternatives = ("auth.token_revoked", "auth.token_expired") if code == "auth.invalid_token" else ()
    return _finding(
        LOGIN,
        target,
        verdict,
        _said(answer),
        cause,
        code,
        alternatives,
        **_where(target),
        retry_after=answer.headers.get("retry-after", ""),
    )


def _where(target: Target) -> dict[str, str]:
    from urllib.parse import urlsplit

    parts = urlsplit(base_url(target))
    return {"host": parts.hostname or "", "port": str(parts.port or "")}


def _resources(target: Target) -> Mapping[str, Probe]:
    """What was selected, or for the generic connector the configured paths, or everything the sheet knows."""
    known = _http(target).resources
    paths = target.settings.get("resources")
    if isinstance(paths, list):
        return {str(p): Probe(path=str(p)) for p in paths}
    wanted = target.tables or tuple(known)
    return {name: known.get(name, Probe(path="/" + name.strip("/"))) for name in wanted}


def verify_permissions(target: Target) -> Finding:
    """One smallest read per selected resource; names those that the identity may not read and the scopes they need."""
    missing: list[str] = []
    needed: list[str] = []
    words, granted, problem = "", "", None
    try:
        for name, probe in _resources(target).items():
            answer = ask(target, probe.path)
            granted = answer.headers.get(_http(target).scopes_header.lower(), granted)
            result = judge(target, answer)
            if (result and result[2] == "auth.insufficient_scope") or (
                answer.status in (403, 404) and not answer.is_html
            ):
                missing.append(name)
                needed += [s for s in probe.scopes if s not in needed]
                words = words or _said(answer)
            elif result:
                problem = problem or (result, _said(answer))
    except Trouble as trouble:
        return _finding(RIGHTS, target, "unclear", trouble.evidence, trouble.cause, trouble.code)
    if missing:
        return _finding(
            RIGHTS,
            target,
            "bad",
            words,
            "missing_privilege",
            "auth.insufficient_scope",
            missing=missing,
            scopes_needed=needed,
            scopes_granted=granted,
        )
    if problem:
        (verdict, cause, code), said = problem
        return _finding(RIGHTS, target, verdict, said, cause, code)
    return _finding(RIGHTS, target, "good", f"all {len(_resources(target))} resources answer")
