"""Where templates are looked for, what they may call, and how what comes from outside is escaped in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.runtime import Context

from messages import blocks
from messages.escape import bare, clean, link, moment, one_line, raw_mention, utc, when
from messages.expiring import advice, expires
from messages.files import HERE
from messages.words import sentences, wait

_also: list[Path] = []


def also(folder: Path) -> None:
    """From now on the templates of `folder` are looked for first."""
    if folder not in _also:
        _also.append(folder)
        forget()


def forget() -> None:
    """What was found is looked for again."""
    for kept in (environment, _found, macro):
        kept.cache_clear()


class WhenAsked:
    """A value that is made when a template first asks for it: most ask for few."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def value(self) -> Any:
        return self._make()


class _Context(Context):
    def resolve_or_missing(self, key: str) -> Any:
        found = super().resolve_or_missing(key)
        return found.value if isinstance(found, WhenAsked) else found


class _Environment(jinja2.Environment):
    context_class = _Context

    def make_globals(self, d: Mapping[str, Any] | None) -> dict[str, Any]:
        """Jinja's own chains the two, and every rendering walks that chain in Python to copy it."""
        return {**self.globals, **(d or {})}


@cache
def environment(escaping: bool) -> jinja2.Environment:
    """Autoescape would turn quotes into entities, so only what Slack reads is escaped, in `finalize`."""
    environment = _Environment(
        loader=jinja2.FileSystemLoader([*_also, HERE]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        autoescape=False,
        finalize=clean if escaping else bare,
    )
    known = blocks.words()
    environment.globals.update(
        raw_mention=raw_mention, link=link, utc=utc, when=when, moment=moment, name=one_line, verdict=blocks.verdict,
        STATE=known["states"], LABEL=known["answers"], VERDICT=known["verdicts"], SECRET=known["secrets"],
        ROTATION=known["rotation"], steps=_steps, tries=_tries, wait=wait, expires=expires, advice=advice,
        upper_first=_upper_first,
        **sentences(environment.finalize or bare, escaping),
    )  # fmt: skip
    return environment


def template(names: Sequence[str], *, escaping: bool = True) -> jinja2.Template:
    return _found(tuple(names), escaping)


@lru_cache(maxsize=2000)
def _found(names: tuple[str, ...], escaping: bool) -> jinja2.Template:
    """The first that is there. Jinja itself looks on the disk anew, each time, for those that are not."""
    return environment(escaping).select_template(list(names))


@lru_cache(maxsize=2000)
def macro(names: tuple[str, ...], part: str, *, escaping: bool) -> Callable[..., str]:
    """A macro of the first template that is there, else of the last."""
    first, last = template(names, escaping=escaping), template(names[-1:], escaping=escaping)
    found: Callable[..., str] = getattr(first.module, part, None) or getattr(last.module, part)
    return found


def _upper_first(text: str) -> str:
    """As a sentence begins; an address keeps its form."""
    return text if "." in text.split(" ", 1)[0].rstrip(".") else text[:1].upper() + text[1:]


def _steps(names: Sequence[str]) -> str:
    """Steps as people call them."""
    known = blocks.words()["steps"]
    return ", ".join(str(known.get(name, name)) for name in names)


def _tries(tried: Sequence[str]) -> list[str]:
    """What was tried, in words; equal tries once, with their number."""
    known, counted = blocks.words(), dict.fromkeys(tried)
    lines = []
    for one in counted:
        trigger, _, state = one.partition(":")
        at = str(known["states"].get(state, {}).get("words", state)).lower()
        said = str(known["tried"].get(trigger, one)).replace("{}", at)
        lines.append(said + (f" ({list(tried).count(one)} times)" if list(tried).count(one) > 1 else ""))
    return lines
