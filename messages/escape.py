"""Text from outside can neither ping nor format nor turn the reading direction."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from markupsafe import Markup

USER = re.compile(r"[UW][A-Z0-9]{2,20}")
# Controls that turn the reading direction: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(value: Any) -> Any:
    """For Jinja's `finalize`: escapes what Slack reads, drops control characters, cuts at 600 characters."""
    if value is None or isinstance(value, Markup):
        return value
    text = BIDI.sub("", str(value))
    text = "".join(
        c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C" or unicodedata.category(c) == "Cf"
    )
    if len(text) > 600:
        text = text[:600] + " ... (cut)"
    text = text.replace("`", "\u02cb")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mention(user: str) -> Markup:
    """A mention of a real user id, else the text itself, harmless."""
    return Markup(f"<@{user}>" if USER.fullmatch(user or "") else clean(user or "somebody"))  # noqa: S704 - made of checked or escaped parts


def link(url: str, label: str) -> Markup:
    """A link when the address is http(s), else the label alone."""
    if not re.fullmatch(r"https?://[^\s|<>\"]+", url or ""):
        return Markup(clean(label))  # noqa: S704 - made of checked or escaped parts
    return Markup(f"<{url}|{clean(label).replace('|', '/')}>")  # noqa: S704 - made of checked or escaped parts


def plain(text: str) -> str:
    """mrkdwn as words for a screen reader: without stars, fences and block marks."""
    return re.sub(r"[ \t]+", " ", text.replace("```", "").replace("*", "").replace("\n\n", "\n")).strip()
