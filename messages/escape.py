"""Text from outside can neither ping nor format nor turn the reading direction."""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

USER, GROUP = re.compile(r"[UW][A-Z0-9]{2,20}"), re.compile(r"S[A-Z0-9]{2,20}")
# The star comes first, what may not stand before it second: so the engine leaps from star to star.
BOLD = re.compile(r"\*(?<![\w*]\*)(?! )([^*\n]+?)(?<! )\*(?![\w*])")
DATE, BLANKS = re.compile(r"<!date\^[^|>]*\|([^>]*)>"), re.compile(r"[ \t]+")
# Slack reads @here and its like even in plain words unless told otherwise; the zero-width space breaks them.
PING = re.compile(r"@(?=here\b|channel\b|everyone\b)", re.I)
# Joiners hold emoji and some scripts together; every other invisible character can only deceive, those that turn the
# reading direction most of all: https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
JOINERS = "\u200c\u200d"


def _visible(char: str) -> bool:
    kind = unicodedata.category(char)
    return kind[0] != "C" and kind not in ("Zl", "Zp")


def scrub(value: Any, limit: int = 600, *, fence: str = "`") -> str:
    """Visible characters only, at most `limit`, without what would end the code: a backtick, or three of them."""
    text = str(value)[: limit * 4]
    # Nearly all text is plain, and asking so of the whole is a hundred times faster than of each character.
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = "".join(c for c in text if c in "\n\t" or c in JOINERS or _visible(c))
    if len(text) > limit:
        text = text[:limit].rstrip() + " ... (shortened)"
    text = text.replace(fence, "\u02cb" * len(fence))
    return PING.sub("@\u200b", text) if "@" in text else text


def escape(text: str) -> str:
    """The three characters that Slack reads."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clean(value: Any) -> Any:
    """Jinja's `finalize` for Slack: what the templates themselves made is trusted, every value is escaped."""
    return value if value is None or isinstance(value, Markup) else escape(scrub(value))


def bare(value: Any) -> Any:
    """Jinja's `finalize` for the terminal and for tickets, where `<` means nothing."""
    return value if value is None or isinstance(value, Markup) else scrub(value)


def one_line(value: Any, limit: int = 80) -> str:
    """A name or a line of evidence: on one line, cut."""
    text = " ".join(str(value)[: limit * 4].split())
    return text if len(text) <= limit else text[: limit - 3].rstrip() + "..."


def raw_mention(user: Any) -> Markup:
    """A mention of a real user or user group, else the text itself, harmless."""
    text = str(user or "somebody")
    if GROUP.fullmatch(text):
        return Markup(f"<!subteam^{text}>")  # noqa: S704 - checked
    return Markup(f"<@{text}>" if USER.fullmatch(text) else clean(one_line(text)))  # noqa: S704 - checked or escaped


def link(url: Any, label: Any) -> Markup:
    """A link when the address is http(s), else the label alone."""
    words = clean(one_line(label)).replace("|", "/")
    if not re.fullmatch(r"https?://[^\s|<>\"`]{3,1000}", str(url or "")):
        return Markup(words)  # noqa: S704 - escaped
    return Markup(f"<{escape(str(url))}|{words}>")  # noqa: S704 - checked or escaped


def utc(seconds: Any) -> str:
    """A moment in words that everybody reads alike."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (TypeError, ValueError, OverflowError, OSError):
        return "an unknown time"


def when(seconds: Any) -> Markup:
    """A moment that Slack shows in the reader's own time zone."""
    try:
        stamp = int(float(seconds))
    except (TypeError, ValueError, OverflowError):
        stamp = 0
    words = utc(stamp) if stamp > 0 else "an unknown time"
    shown = f"<!date^{stamp}^{{date_short_pretty}} at {{time}}|{words}>" if stamp > 0 else words
    return Markup(shown)  # noqa: S704 - numbers only


def moment(text: Any) -> Markup:
    """A moment as somebody else wrote it: as ours when it can be read, else as it stands."""
    try:
        return when(datetime.fromisoformat(str(text)).timestamp())
    except ValueError:
        return Markup(clean(one_line(text)))  # noqa: S704 - escaped


def plain(text: str, icons: re.Pattern[str] | None = None) -> str:
    """mrkdwn as words for a screen reader: without stars, fences, icons (a word stands beside each) and dates' code."""
    if "<!date" in text:
        text = DATE.sub(r"\1", text)
    text = icons.sub("", text) if icons else text
    text = f"\n{text}".replace("\n-# ", "\n").replace("`", "")
    text = BOLD.sub(lambda found: found[1], text) if "*" in text else text
    text = BLANKS.sub(" ", text) if "  " in text or "\t" in text else text
    return "\n".join(line for line in map(str.strip, text.split("\n")) if line)


def markdown(text: str) -> Markup:
    """mrkdwn of our own templates as Markdown, for the terminal."""
    text = re.sub(r"<(https?://[^|>\s]+)\|([^>]*)>", r"[\2](\1)", text)
    text = BOLD.sub(r"**\1**", text).replace("• ", "- ")
    return Markup(html.unescape(text))  # noqa: S704 - nothing from outside


def cut(text: str, limit: int) -> tuple[str, str]:
    """(head, rest) with head at most `limit` long, never within an entity, a mention or a link."""
    if len(text) <= limit:
        return text, ""
    at = max(text.rfind("\n", limit // 2, limit), 0) or max(text.rfind(" ", limit // 2, limit), 0) or limit
    opened = max(text.rfind("<", 0, at), text.rfind("&", max(0, at - 6), at))
    closed = ">" if opened >= 0 and text[opened] == "<" else ";"
    if opened > 0 and closed not in text[opened:at]:
        at = opened
    return text[:at].rstrip(), text[at:].lstrip()
