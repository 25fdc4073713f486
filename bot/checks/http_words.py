"""What an answer says: the provider's words in its JSON, wherever providers put them."""

from __future__ import annotations

from typing import Any

from bot.drivers.http import Answer

# Where providers put their words, in the order in which they are read out; lower-case, without a leading _.
WORDS = (
    "errorcode", "title", "code", "error", "message", "msg", "info", "errormessages", "description",
    "error_description", "debug_message", "warning", "errors", "fault", "reasons", "o:errordetails", "category",
    "detail", "reason",
)  # fmt: skip
# Only where nothing stands in those: elsewhere they repeat what was asked.
MORE_WORDS = ("metadata", "details")


def words_of(answer: Answer, otherwise: str = "") -> str:
    words = spoken_by(answer) or [otherwise or answer.text[:200]]
    return "; ".join(dict.fromkeys(word.rstrip(". ") for word in words))


def spoken_by(answer: Answer) -> list[str]:
    return next((found for keys in (WORDS, WORDS + MORE_WORDS) if (found := _words(answer.body, keys))), [])


def _words(body: Any, keys: tuple[str, ...], depth: int = 4) -> list[str]:
    if isinstance(body, list) and body:
        return _words(body[0], keys, depth - 1)
    if isinstance(body, str):
        return [body] if body else []
    if not isinstance(body, dict) or depth == 0:
        return []
    if set(body) == {"lang", "value"}:  # a message of OData
        return _words(body["value"], keys, depth - 1)
    known = {str(key).lower().lstrip("_"): value for key, value in body.items()}
    return [word for key in keys if key in known for word in _words(known[key], keys, depth - 1)]


def inward(body: Any, path: str) -> list[Any]:
    """What stands in a JSON body under `path`; dots lead inward, lists are looked through."""
    parts: list[Any] = [body]
    for key in path.split("."):
        inner = [part.get(key) for part in parts if isinstance(part, dict)]
        parts = [one for part in inner for one in (part if isinstance(part, list) else [part])]
    return parts
