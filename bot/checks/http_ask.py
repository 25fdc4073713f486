"""Requests to an HTTP source, as its sheet says: address, credential, and words without secrets."""

from __future__ import annotations

import base64
import contextlib
import re
from typing import Any
from urllib.parse import quote, urlsplit

from bot.checks.base import Target
from bot.checks.text import evidence
from bot.drivers.http import Answer, get
from bot.drivers.network import Trouble
from flows.core.sheet import HttpSpec


def spec(target: Target) -> HttpSpec:
    if target.sheet.http is None:
        raise Trouble("config_error", "config.wrong_format", f"the sheet {target.connector} has no http part")
    return target.sheet.http


def value(target: Target, name: str) -> str:
    """A setting by its field's name or one of its other names, else the field's default."""
    field = next((f for f in target.sheet.fields if f.name == name and not f.secret), None)
    for key in (name, *(field.also if field else ())):
        if target.settings.get(key) not in (None, ""):
            return str(target.settings[key])
    return field.default if field else ""


def fill(text: str, target: Target, **more: str) -> str:
    """Substitute `{field}` with the connection's settings; nothing else is computed."""

    def one(found: re.Match[str]) -> str:
        given = more.get(found[1]) or value(target, found[1])
        if not given:
            raise Trouble("config_error", "config.malformed_url", f"the setting {found[1]} is missing")
        whole = text.startswith(found[0])
        return given if whole else quote(given, safe="/:.-_~@")

    return re.sub(r"\{(\w+)\}", one, text)


def base_url(target: Target) -> str:
    """Where the API begins, without a slash at the end. `base_url` in the settings wins. Raises Trouble."""
    given = str(target.settings.get("base_url") or "")
    return (given or fill(spec(target).base_url, target)).rstrip("/")


def kind_of_auth(target: Target) -> str:
    return value(target, "auth") or spec(target).auth


def secret(target: Target) -> str:
    return target.sheet.secret(target.secrets, spec(target).secret)


def _auth(target: Target) -> tuple[dict[str, str], str]:
    """Headers and query of the credential."""
    http, key, kind = spec(target), secret(target), kind_of_auth(target)
    if kind == "bearer":
        return {"Authorization": f"Bearer {key}"}, ""
    if kind == "basic":
        given = value(target, "user") or str(target.settings.get("username") or "")
        user = fill(http.user, target) if http.user and not given else given
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()}, ""
    name = value(target, "header") or http.header or "X-Api-Key"
    if kind == "header":
        return {name: http.prefix + key}, ""
    return {}, f"{quote(name)}={quote(key, safe='')}" if kind == "query" else ""


def ask(target: Target, path: str, *, signed: bool = True, timeout: float | None = None, **more: str) -> Answer:
    """One GET of the provider, with or without the credential. Raises Trouble."""
    url = base_url(target) + fill(path, target, **more)
    auth, query = _auth(target) if signed else ({}, "")
    headers = {"Accept": "application/json", "User-Agent": "mend", **spec(target).headers, **auth}
    url += ("&" if "?" in url else "?") + query if query else ""
    ca_file = str(target.settings.get("ca_file") or "") or None
    return get(url, headers, timeout or target.timeout, proxy=target.proxy, ca_file=ca_file)


def clean(target: Target, text: str) -> str:
    """Evidence: one line, at most 500 characters, no secret in any of the forms in which it was sent."""
    for given in sorted((v for v in target.secrets.values() if v), key=len, reverse=True):
        for form in (quote(given), quote(given, safe=""), base64.b64encode(given.encode()).decode()):
            text = text.replace(form, "***") if len(form) > 2 else text
    with contextlib.suppress(Trouble):
        for sent in _auth(target)[0].values():
            text = text.replace(sent.rpartition(" ")[2] or "\0", "***")
    return evidence(target, text)


def place(target: Target) -> dict[str, str]:
    """Facts: where the API is."""
    try:
        parts = urlsplit(base_url(target))
        return {"host": parts.hostname or "", "port": str(parts.port or (443 if parts.scheme == "https" else 80))}
    except (Trouble, ValueError):
        return {"host": "", "port": ""}


def said(answer: Answer) -> str:
    """The provider's own words, short; of a page only its title."""
    if answer.is_html:
        title = re.search(r"<title[^>]*>(.*?)</title>", answer.text, re.I | re.S)
        return f"HTTP {answer.status} with a page: {title[1].strip()[:100] if title else 'without a title'}"
    words = [one for one in _words(answer.body) if one] or [answer.text[:300]]
    return f"HTTP {answer.status} {' '.join(dict.fromkeys(words))}".strip()


def _words(body: Any, depth: int = 4) -> list[str]:
    if isinstance(body, list) and body:
        return _words(body[0], depth - 1)
    if isinstance(body, str):
        return [body]
    if not isinstance(body, dict) or depth == 0:
        return []
    keys = ("errorCode", "title", "code", "error", "message", "description", "error_description", "errors", "category")
    return [word for key in keys if key in body for word in _words(body[key], depth - 1)]
