"""Finds what is wrong in the calls of a sheet: what is filled in, where a credential goes, and what is posted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from flows.core.sheet import Probe, Sheet
from flows.core.sheet_http import POSTED, HttpSpec

Found = tuple[Sequence[str], str]


def calls(sheet: Sheet) -> Iterator[Found]:
    """Places and words for `mend lint`. Every {field} is a field, and the secret of the http part too."""
    http, known = sheet.http, {field.name for field in sheet.fields}
    if http is None:
        return
    if http.auth != "none" and http.secret not in {field.name for field in sheet.fields if field.secret}:
        yield ["http", "secret"], f"{http.secret} is no secret field of this sheet"
    for key in ("consumer_key", "consumer_secret", "token") if http.auth == "oauth1" else ():
        if getattr(http.oauth1, key) not in known:
            yield ["http", "oauth1", key], f"{getattr(http.oauth1, key)} is no field of this sheet"
    yield from _sending(http, sheet)
    texts = [(["base_url"], http.base_url), (["identity"], http.identity), (["user"], http.user)]
    texts += [(["token_url"], http.token_url)]
    texts += [(["headers", name], text) for name, text in http.headers.items()]
    texts += [([*part, "path"], probe.path) for part, probe in _probes(http)]
    for part, text in texts:
        for name in re.findall(r"\{(\w+)\}", text):
            if name not in known and (part[0], name) != ("other", "resource"):
                yield ["http", *part], f"{{{name}}} is no field of this sheet"
    yield from _posts(http, {field.name for field in sheet.fields if not field.secret})


def _probes(http: HttpSpec) -> list[tuple[list[str], Probe]]:
    """What is read of each resource, and of any other, with its place in the http part."""
    known = [(["resources", name], probe) for name, probe in http.resources.items()]
    return [*known, *([(["other"], http.other)] if http.other else [])]


def _sending(http: HttpSpec, sheet: Sheet) -> Iterator[Found]:
    """Where a credential goes is not for a setting to choose, and as whom it signs in is no field's bare name."""
    for field in sheet.fields:
        host = re.match(r"https://[^/]*", http.base_url)
        if host and f"{{{field.name}}}" in host[0] and not (field.pattern or field.choices):
            yield ["fields", field.name], f"{field.name} stands in the host of base_url: it needs a pattern, or choices"
        if http.user == field.name:
            yield ["http", "user"], f"{field.name} is a field: its value is {{{field.name}}}"
    if http.auth == "basic" and not http.user:
        yield ["http", "auth"], 'auth: basic needs user, such as "{email}"; where the secret is the user, key_as_user'
    for part, path in [(["identity"], http.identity), *(([*part, "path"], one.path) for part, one in _probes(http))]:
        if not path.startswith(("/", "{")):
            yield ["http", *part], f"{path} does not begin with /"


def _posts(http: HttpSpec, known: set[str]) -> Iterator[Found]:
    """A posted text is JSON, in which a field is a whole string; braces within a longer one are a query's own."""
    for part, text in [(["post"], http.post), *(([*part, "post"], probe.post) for part, probe in _probes(http))]:
        whole = set(POSTED.findall(text))
        for name in sorted(set(re.findall(r"\{(\w+)\}", POSTED.sub("", text))) & known):
            yield ["http", *part], f'{{{name}}} is filled in only as a whole string: "{{{name}}}"'
        for name in sorted(whole - known - ({"resource"} if part[0] == "other" else set())):
            said = f"{{{name}}} is no field of this sheet that is not secret; a query's own: {{ {name} }}"
            yield ["http", *part], said
        try:
            json.loads(text or "{}")
        except ValueError as error:
            yield ["http", *part], f"this is no JSON: {error}"
