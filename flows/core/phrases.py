"""Many literal messages at once: each is filed under its rarest word, so that 5,000 cost the same as 50."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Who quotes a name, and how, differs between the clients of one server.
_QUOTES = re.compile("[\"'`\u00ab\u00bb\u201e\u201c\u201d]")
WORD = re.compile(r"[a-z0-9_]+")
# A rule's own word, also where it is spelt in two ways: authori[sz]ed.
_OWN = re.compile(r"[a-z](?:[a-z]|\[[a-z]{2}\](?![?*+{])){2,}")
# What varies between two parts of a message is a name or a number, not another sentence.
GAP = 200


@dataclass(frozen=True)
class Phrase:
    """Its fragments stand in the text in this order; `whole`: the message says nothing else."""

    fragments: tuple[str, ...]
    whole: bool
    row: Mapping[str, Any]

    def stands_in(self, low: str, lines: set[str]) -> bool:
        if self.whole:
            return self.fragments[0] in lines
        first = self.fragments[0]
        at = low.find(first)
        while at >= 0:
            if self._goes_on(low, at + len(first)):
                return True
            at = low.find(first, at + 1) if len(self.fragments) > 1 else -1
        return False

    def _goes_on(self, low: str, at: int) -> bool:
        gap = self.row.get("gap", GAP)
        for fragment in self.fragments[1:]:
            found = low.find(fragment, at, at + gap + len(fragment))
            if found < 0:
                return False
            at = found + len(fragment)
        return True

    def beside(self, other: Phrase) -> bool:
        """`other` says another cause, and by words of its own: only one of the two can be what broke."""
        apart = any(all(part not in mine for mine in self.fragments) for part in other.fragments)
        return apart and other.row["cause"] != self.row["cause"] and "sure" not in other.row

    @property
    def size(self) -> int:
        return sum(map(len, self.fragments))


def plain(low: str) -> str:
    """Without quotes."""
    return _QUOTES.sub("", low)


def phrase(says: str, row: Mapping[str, Any]) -> Phrase:
    """`says` is literal, with * for what varies, and =... for the whole message."""
    low = " ".join(plain(says.lower()).split())
    parts = [low[1:]] if low.startswith("=") else [part.strip() for part in low.split("*")]
    return Phrase(tuple(part for part in parts if part), low.startswith("="), row)


class Phrases:
    def __init__(self, phrases: Iterable[Phrase]) -> None:
        known = list(phrases)
        words = [set(WORD.findall(" ".join(one.fragments))) for one in known]
        often = Counter(word for some in words for word in some)
        self._index: dict[str, list[Phrase]] = {}
        for one, some in zip(known, words, strict=True):
            # A short word at the edge may be the beginning of a longer one in the text.
            rare = min(some, key=lambda word: (len(word) < 4, often[word], -len(word), word))
            self._index.setdefault(rare, []).append(one)

    def found(self, low: str, words: Iterable[str], lines: set[str]) -> Iterator[Phrase]:
        """Those that stand in the text."""
        for word in words:
            for one in self._index.get(word, ()):
                if one.stands_in(low, lines):
                    yield one


def shown(where: str, pattern: str) -> str:
    """Only the rule's own words: what stands between them may be anything, a secret too."""
    words = sorted(set(_OWN.findall(re.sub(r"\\.", " ", pattern))), key=len, reverse=True)
    there: list[tuple[int, str]] = []
    for word in words:
        if "[" in word:
            word = found[0] if (found := re.search(word, where)) else "\n"
        at = where.find(word)
        if at >= 0 and not any(word in other for _, other in there):
            there.append((at, word))
    said, end = "", 0
    for at, word in sorted(there):
        gap = " " if not where[end:at].strip() else " ... "
        said, end = said + (gap if said else "") + word, at + len(word)
    return said
