"""Which connector a text is about: as platforms name their parts, by the hosts of an API, by names in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows.core.errors_file import load
from flows.core.phrases import WORD, Phrases, phrase
from flows.core.sheet import sheets

# How platforms name their parts: tap-xero, source-postgres, platform.hubspot, as modules of Python too.
_PART = re.compile(r"\b(tap|source|target|destination|platform)[-_.]([a-z0-9]{1,30}(?:[-_][a-z0-9]{1,30}){0,5})")
# "connection `shopify_eu`", "connector netsuite_suiteanalytics", "your Front integration".
_KIND = re.compile(r"\b(?:connect(?:or|ion)|integration|source|api)\b", re.I)
_BEHIND = re.compile(r"[ :]{1,2}['\"`*]?(\w{1,60}(?:-\w{1,60}){0,5})")
_BEFORE = re.compile(r"(?:([\w.-]{1,40}) )?([\w.-]{1,40}) $")
# Of a sheet only what names it: reading 90 of them whole takes half a second.
_TITLE = re.compile(r"^title: *[\"']?([^\"'\n#(]+)", re.M)
_ALIASES = re.compile(r"^aliases: *\[([^\]]*)\]", re.M)
_TYPES = re.compile(r"\b(?:stitch|airbyte|fivetran): *(\[[^\]]+\]|[\"']?[a-z][\w.-]+)")
_PLACES = re.compile(r"^.*\b(?:base_url|choices|authorize_url|token_url|authorize|token):.*$", re.M)
_HOST = re.compile(r"(?<![\w@.-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b")
# Where something is explained, not where data comes from.
_EXPLAINS = re.compile(r"(?:docs?|developers?|help|support|status|learn|community|console)\.|github\.com|hub\.docker")


# What speaks HTTP says nothing of whose it is.
GENERIC = ("http_api",)


class Names:
    def __init__(self, hints: Mapping[str, list[str]], ordinary: list[str], paths: Mapping[str, Path]) -> None:
        self.ordinary = frozenset(ordinary)
        self.hosts: dict[str, set[str]] = {}
        said = {word: key for key, words in hints.items() for word in words}
        heads: dict[str, str] = {}
        for key, path in paths.items():
            if key in GENERIC:
                continue
            head = path.read_text(encoding="utf-8", errors="replace")
            heads[key] = head
            title = _TITLE.search(head)
            for name in (title[1].strip().lower() if title else "", key.replace("_", " "), key):
                if len(name) > 2 and name not in ordinary:
                    said.setdefault(name, key)
            for host in _HOST.findall(re.sub(r"\{\w+\}", "x", "\n".join(_PLACES.findall(head)))):
                for end in _ends(host):
                    self.hosts.setdefault(end, set()).add(key)
        self.keys = {key: key for key in heads}
        # A variant shares the names of what it is a variant of.
        for key in sorted(heads, key=lambda one: "\nextends:" in heads[one]):
            for name in _names(heads[key]):
                self.keys.setdefault(name, key)
        for word, key in said.items():
            if "." in word:
                self.hosts[word] = {key}
        self.said = Phrases(phrase(word, {"is": key}) for word, key in said.items())

    def key(self, name: str) -> str | None:
        """The key of what somebody calls so; a longer name may begin with it: `shopify_eu`."""
        parts = re.split(r"[-_. ]", name.lower())
        tried = ("_".join(parts[:n]) for n in range(len(parts), 0, -1))
        return next((self.keys[one] for one in tried if one in self.keys), None)

    def about(self, text: str, loading: bool = False) -> str | None:
        """The connector that the text names, by the surest way there is."""
        low = text.lower()
        return self.part(low, loading) or self._called(text) or self._host(low) or self._said(low)

    def part(self, low: str, loading: bool = False) -> str | None:
        """As a platform names its parts; when loading failed the destination is meant."""
        sides: dict[bool, str] = {}
        for found in _PART.finditer(low):
            if key := self.key(found[2]):
                sides.setdefault(found[1] in ("target", "destination"), key)
        return sides.get(loading) or next(iter(sides.values()), None)

    def _called(self, text: str) -> str | None:
        for kind in _KIND.finditer(text):
            behind, before = (
                _BEHIND.match(text, kind.end()),
                _BEFORE.search(text[max(0, kind.start() - 82) : kind.start()]),
            )
            said = [behind[1]] if behind and kind[0].lower() != "api" else []
            said += [f"{before[1]} {before[2]}", before[2]] if before else []
            for name in said:
                # A word of the language is a name only where it is written as one.
                if (name.lower() not in self.ordinary or name[0].isupper()) and (key := self.key(name)):
                    return key
        return None

    def _host(self, low: str) -> str | None:
        """A host that only one kind of connection has."""
        for host in _HOST.findall(low):
            if not _EXPLAINS.match(host):
                owners = next((self.hosts[end] for end in _ends(host) if end in self.hosts), set())
                if len(owners) == 1:
                    return next(iter(owners))
        return None

    def _said(self, low: str) -> str | None:
        there = self.said.found(low, set(WORD.findall(low)), set())
        first = min(((low.find(one.fragments[0]), -one.size, str(one.row["is"])) for one in there), default=None)
        return first[2] if first else None


def _ends(host: str) -> Iterator[str]:
    """api.eu.acme.com, eu.acme.com, acme.com."""
    parts = host.split(".")
    for first in range(len(parts) - 1):
        yield ".".join(parts[first:])


def _names(head: str) -> Iterator[str]:
    """Aliases, and what the platforms call it, without the part's own word."""
    aliases = _ALIASES.search(head)
    types = (name for said in _TYPES.findall(head) for name in said.strip("[]").split(","))
    for name in [*(aliases[1].split(",") if aliases else ()), *types]:
        yield re.sub(r"^(?:platform|source)[._-]", "", name.strip(" \"'").lower()).replace("-", "_")


_known: dict[int, Names] = {}


def names() -> Names:
    """For the sheets that there are now."""
    there = sheets()
    if id(there) not in _known:
        data: Mapping[str, Any] = load()
        _known[id(there)] = Names(data["hints"], data["ordinary"], there.paths)
    return _known[id(there)]
