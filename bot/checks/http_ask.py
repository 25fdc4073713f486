"""Requests to an HTTP source, as its sheet says: address, credential, and words without secrets."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from bot.checks.base import Target
from bot.checks.http_words import spoken_by, words_of
from bot.checks.text import evidence
from bot.drivers.http import Answer, get
from bot.drivers.network import Trouble
from bot.settings import SettingsError
from flows.core.sheet import Field, HttpSpec
from flows.core.sheet_http import POSTED

FIELD = re.compile(r"\{(\w+)\}")
# What JSON may escape and need not.
ESCAPED = re.compile(r"\\/|\\u00([2-7][0-9a-fA-F])")


def spec(target: Target) -> HttpSpec:
    if target.sheet.http is None:
        raise Trouble("config_error", "config.wrong_format", f"the sheet {target.connector} has no http part")
    return target.sheet.http


def _field(target: Target, name: str) -> Field | None:
    return next((f for f in target.sheet.fields if f.name == name and not f.secret), None)


def _given(target: Target, name: str) -> str:
    field = _field(target, name)
    keys = [key for key in (name, *(field.also if field else ())) if target.settings.get(key) not in (None, "")]
    return str(target.settings[keys[0]]) if keys else ""


def written(target: Target, name: str) -> str:
    """A setting by its field's name or one of its other names, else the field's default."""
    field = _field(target, name)
    return _given(target, name) or (field.default if field else "")


def holds(target: Target, when: Mapping[str, str]) -> bool:
    """The settings that `when` names fit its patterns.

    A default speaks of the provider's own address: which environment is behind another is known only when it is said.
    """
    address = str(target.settings.get("base_url") or "").rstrip("/")
    said = written if address in ("", spec(target).base_url.rstrip("/")) else _given
    return all((text := said(target, name)) and re.search(pattern, text) for name, pattern in when.items())


def value(target: Target, name: str) -> str:
    """As `written`, and what a choice stands for."""
    field, given = _field(target, name), written(target, name)
    if not (field and field.choices and given):
        return given
    if given not in field.choices:
        said = f"{name} is {given}; it can be {', '.join(field.choices)}"
        raise Trouble("config_error", "config.wrong_region", said)
    return field.choices[given]


def fill(text: str, target: Target, *, path: bool = False, one_segment: bool = False, **more: str) -> str:
    """Substitute `{field}` with the connection's settings; nothing else is computed.

    In a `path` a field is one segment: a `/` of its own is encoded, as GitLab wants it for a subgroup. A resource may
    be a path itself (`issuing/cards`), unless it is `one_segment` too. Behind `?` a `/` is a character like others:
    https://www.rfc-editor.org/rfc/rfc3986#section-3.4
    """
    behind = text.find("?") if "?" in text else len(text)

    def one(found: re.Match[str]) -> str:
        given = more.get(found[1]) or _needed(target, found[1])
        segment = path and (one_segment or found[1] not in more) and found.start() < behind
        whole = text.startswith(found[0])
        return given if whole else quote(given, safe=":.-_~@" if segment else "/:.-_~@")

    return re.sub(FIELD, one, text)


def _needed(target: Target, name: str) -> str:
    given = value(target, name)
    if not given:
        raise Trouble("config_error", "config.malformed_url", f"the setting {name} is missing")
    return given


def base_url(target: Target) -> str:
    """Where the API begins, without a slash at the end. `base_url` in the settings wins. Raises Trouble."""
    if given := str(target.settings.get("base_url") or ""):
        if odd := re.search(r"[?#]", given):
            words = f"base_url holds {odd[0]}, behind which no path can stand: let it end before that"
            raise Trouble("config_error", "config.malformed_url", words)
        return given.rstrip("/")
    return address(spec(target).base_url, target).rstrip("/")


def address(text: str, target: Target) -> str:
    """As `fill`, for where a credential goes: what stands in it is of the form that its field has. Raises Trouble."""
    for name in re.findall(FIELD, text):
        field, said = _field(target, name), written(target, name)
        if field and field.pattern and said and not re.fullmatch(field.pattern, said, re.I):
            raise Trouble(
                "config_error", "config.malformed_url", f"{name} is {said}, not of the form of {field.example}"
            )
    return fill(text, target)


def kind_of_auth(target: Target) -> str:
    return value(target, "auth") or spec(target).auth


def secret(target: Target) -> str:
    """The credential; one that ends soon is renewed first where that is ours to do. Raises Trouble."""
    renew(target, at_once=False)
    return target.sheet.secret(target.secrets, spec(target).secret)


def renew(target: Target, *, at_once: bool) -> bool:
    """Whether new secrets took the place of the old, once per run at most. Raises Trouble."""
    if target.renew is None or "renewed" in target.memo:
        return False
    try:
        fresh = target.renew(at_once)
    except SettingsError as error:
        raise Trouble("config_error", "config.wrong_format", str(error)) from None
    if fresh or at_once:
        target.memo["renewed"] = True
    cast(dict[str, str], target.secrets).update(fresh)
    return bool(fresh)


def _user(target: Target) -> str:
    given = value(target, "user") or str(target.settings.get("username") or "")
    return fill(spec(target).user, target) if spec(target).user and not given else given


def _auth(target: Target, key: str) -> tuple[dict[str, str], str]:
    """Headers and query of the credential."""
    http, kind = spec(target), kind_of_auth(target)
    if kind == "bearer":
        return {"Authorization": f"Bearer {key}"}, ""
    if kind in ("basic", "key_as_user"):
        pair = f"{_user(target)}:{key}" if kind == "basic" else f"{key}:{http.password}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}, ""
    name = value(target, "header") or http.header or "X-Api-Key"
    if kind == "header":
        return {name: http.prefix + key}, ""
    return {}, f"{quote(name)}={quote(key, safe='')}" if kind == "query" else ""


def _signature(target: Target, method: str, url: str) -> dict[str, str]:
    from bot.checks.http_oauth1 import authorization

    one = spec(target).oauth1
    names = {"consumer_key": one.consumer_key, "consumer_secret": one.consumer_secret, "token": one.token,
             "token_secret": spec(target).secret}  # fmt: skip
    keys = {part: value(target, name) or target.sheet.secret(target.secrets, name) for part, name in names.items()}
    empty = [names[part] for part, given in keys.items() if not given]
    if empty:
        raise Trouble("invalid_credentials", "auth.credential_not_sent", f"{empty[0]} is empty")
    realm = fill(one.realm, target) if one.realm else ""
    return {"Authorization": authorization(method, url, keys, sha=one.sha, realm=realm)}


def _headers(target: Target, signed: bool) -> dict[str, str]:
    """The sheet's own headers; one that holds a secret belongs to the credential."""
    made = {}
    for name, text in spec(target).headers.items():
        secrets = {one: target.sheet.secret(target.secrets, one) for one in FIELD.findall(text)}
        if signed or not any(secrets.values()):
            made[name] = FIELD.sub(lambda m: secrets[m[1]] or fill(m[0], target), text)  # noqa: B023 - used at once
    return made


def _call(target: Target, url: str, headers: dict[str, str], post: str, timeout: float | None) -> Answer:
    ca_file = str(target.settings.get("ca_file") or "") or None
    headers, limit = {"Accept": "application/json", **headers}, timeout or target.timeout
    return get(url, headers, limit, proxy=target.proxy, ca_file=ca_file, post=post)


def ask(
    target: Target, path: str, *, signed: bool = True, timeout: float | None = None, post: str = "",
    one_segment: bool = False, **more: str,
) -> Answer:  # fmt: skip
    """One reading call of the provider, with or without the credential. Raises Trouble."""
    url = base_url(target) + fill(path, target, path=True, one_segment=one_segment, **more)
    key = (access_token(target) if spec(target).token_url else secret(target)) if signed else ""
    auth, query = _auth(target, key) if signed else ({}, "")
    url += ("&" if "?" in url else "?") + query if query else ""
    if signed and kind_of_auth(target) == "oauth1":
        auth = _signature(target, "POST" if post else "GET", url)
    kind = {"Content-Type": "application/json"} if post else {}
    answer = _call(target, url, {**kind, **_headers(target, signed), **auth}, fill_post(post, target, more), timeout)
    # A redirect's new address holds only what the provider wrote into it.
    lost = bool(query) and query not in answer.url
    return replace(answer, without_credential=True) if lost else answer


def fill_post(post: str, target: Target, more: Mapping[str, str]) -> str:
    """A JSON text is full of braces: {resource} is substituted by a name only, a field where it is a whole string."""

    def one(found: re.Match[str]) -> str:
        return json.dumps(_needed(target, found[1])) if _field(target, found[1]) else found[0]

    return POSTED.sub(one, post.replace("{resource}", re.sub(r"[^\w.-]", "", more.get("resource", ""))))


def exchange(target: Target) -> Answer:
    """The app's own credentials for an access token, once per run. No grant of anybody is used up by it."""
    if "exchanged" not in target.memo:
        form = {"grant_type": "client_credentials", "client_id": _user(target), "client_secret": secret(target)}
        form.update({"scope": spec(target).token_scope} if spec(target).token_scope else {})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        target.memo["exchanged"] = _call(target, address(spec(target).token_url, target), kind, urlencode(form), None)
    answer: Answer = target.memo["exchanged"]
    return answer


def access_token(target: Target) -> str:
    """The token that the exchange gave. Raises Trouble."""
    answer = exchange(target)
    token = _token(answer)
    if not token:
        # A refusal has a status of its own: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
        alike = ("auth.invalid_client", "config.wrong_base_path")
        words = f"no access token for this app: {said(target, answer)}"
        raise Trouble("third_party_down", "availability.malformed_response", words, alike)
    return token


def _token(answer: Answer) -> str:
    token = answer.body.get("access_token") if isinstance(answer.body, dict) and answer.status < 300 else None
    return token if isinstance(token, str) and token.isprintable() else ""


def clean(target: Target, text: str) -> str:
    """Evidence: one line, at most 500 characters, no secret in any of the forms in which it was sent or is echoed."""
    # PHP escapes each slash in JSON, .NET each plus.
    text = ESCAPED.sub(lambda found: "/" if found[0] == "\\/" else chr(int(found[1], 16)), text)
    for given in sorted((v for v in target.secrets.values() if v), key=len, reverse=True):
        for form in _forms(given):
            text = text.replace(form, "***") if len(form) > 2 else text
    with contextlib.suppress(Trouble):
        if "exchanged" in target.memo:
            text = text.replace(_token(exchange(target)) or "\0", "***")
        for sent in _auth(target, secret(target))[0].values():
            text = text.replace(sent.rpartition(" ")[2] or "\0", "***")
    return evidence(target, text)


def _forms(given: str) -> Iterator[str]:
    """How a text stands in an address, in JSON and in a page."""
    for one in (quote(given), quote(given, safe=""), quote_plus(given)):
        yield from (one, re.sub("%..", lambda found: found[0].lower(), one))
    yield from (base64.b64encode(given.encode()).decode(), json.dumps(given)[1:-1], html.escape(given))


def place(target: Target) -> dict[str, str]:
    """Facts: where the API is."""
    try:
        parts = urlsplit(base_url(target))
        return {"host": parts.hostname or "", "port": str(parts.port or (443 if parts.scheme == "https" else 80))}
    except (Trouble, ValueError):
        return {"host": "", "port": ""}


def said(target: Target, answer: Answer) -> str:
    """The provider's own words, short; of a page only its title; and from where, when redirects led elsewhere.

    No secret is in them: half of one, left by a cut, would be found by nobody.
    """
    after = f" (a redirect led to {urlsplit(answer.url).netloc.rpartition('@')[2]})" if answer.hops else ""
    proxy = answer.headers.get("x-squid-error") or answer.headers.get("proxy-status") or ""
    after += f" (the proxy says {clean(target, proxy)[:80]})" if proxy else ""
    if answer.is_html:
        title = clean(target, answer.title)[:100]
        return f"HTTP {answer.status} with a page{f': {title}' if title else ' without a title'}{after}"
    if answer.truncated:
        begins = f"more than {len(answer.text) // 1024} KiB, beginning {clean(target, answer.head)[:60]}"
        return f"HTTP {answer.status} with {begins}{after}"
    words = clean(target, words_of(answer, answer.head))
    return f"HTTP {answer.status} {words if spoken_by(answer) else words[:200]}".strip() + after
