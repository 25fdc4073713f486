"""Times that an answer tells: until when to wait, and how far the clocks differ."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bot.checks.base import Target
from bot.checks.http_ask import spec
from bot.drivers.http import Answer
from flows.core.sheet_http import ResetSaid

# No standard says how a limit's end is written: seconds, seconds or milliseconds since 1970, a date, or "6m0s"; a name
# in -ms counts milliseconds: https://github.com/bigcommerce/docs (docs/api-docs/getting-started/api-rate-limits.mdx).
RESETS = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset-requests", "x-retry-after")
LEFT = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining", "x-ratelimit-remaining-requests")
# https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers: "day";r=0;t=5 for each window; in older
# drafts of it limit=100, remaining=0, reset=5.
USED_UP = re.compile(r"\b(?:r|remaining)=0\b")
END = re.compile(r"\b(?:t|reset)=(\d+)")
UNITS = {"seconds": 1, "minutes": 60}
LONGEST = 400 * 86_400
# One header sent twice is one text with a comma.
TWICE = re.compile(r"^([\w.]+)(?:, *\1)+$")
# What signed requests allow: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
ALLOWED = 300


def retry_after(target: Target, answer: Answer, *, limited: bool = False) -> str:
    """Seconds to wait as the provider says them, '' when it does not. `limited`: the answer is known to be a limit."""
    given = [("retry-after", answer.headers.get("retry-after", ""))]
    windows = sorted(answer.headers.get("ratelimit", "").split(","), key=lambda one: not USED_UP.search(one))
    if limited or answer.status == 429 or USED_UP.search(windows[0]) or _nothing_left(answer):
        given += [("", _told(spec(target).reset_said, answer))]
        given += [(name, answer.headers.get(name, "")) for name in (*_windows(target, answer), *RESETS)]
        given += [("ratelimit", text) for text in END.findall(",".join(windows))]
    now = time.time() - skew(answer)  # a moment is one of their clock
    times = (seconds for name, text in given if (seconds := _plausible(name, text, now)) is not None)
    return next((str(max(round(seconds), 1)) for seconds in times), "")


def _windows(target: Target, answer: Answer) -> list[str]:
    """The sheet's own headers, the one to wait for first: its window is used up, else it ends last."""
    names = spec(target).reset_header
    known = [name.lower() for name in ([names] if isinstance(names, str) else names)]
    used_up = [name for name in known if answer.headers.get(name.replace("reset", "remaining"), "").strip() == "0"]
    now = time.time() - skew(answer)
    return sorted(used_up or known, key=lambda name: -(_plausible(name, answer.headers.get(name, ""), now) or 0))


def _plausible(name: str, text: str, now: float) -> float | None:
    seconds = _seconds(TWICE.sub(r"\1", text.strip()[:60]), now)
    if seconds is not None and name.endswith("-ms"):
        seconds /= 1000
    return seconds if seconds is not None and seconds <= LONGEST else None


def _nothing_left(answer: Answer) -> bool:
    return any(answer.headers.get(name, "").strip() == "0" for name in LEFT)


def _told(how: ResetSaid | None, answer: Answer) -> str:
    """Seconds, as words or JSON tell them; of several limits the one that ends last keeps a caller out."""
    if how is None:
        return ""
    text = answer.headers.get(how.header.lower(), "")[:8192] if how.header else answer.head
    found = [one[1] or "" for one in re.finditer(how.pattern, text, re.I)]
    times = [float(one) * UNITS[how.unit] for one in found if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", one)]
    latest = max(times, default=0.0)
    return f"{latest:.3f}" if 0 < latest <= LONGEST else ""


def _seconds(text: str, now: float) -> float | None:
    if re.fullmatch(r"\d{1,14}(\.\d{1,6})?", text):
        number = float(text)
        return number / 1000 - now if number > 1e12 else number - now if number > 1e9 else number
    spans = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,4})m)?(?:(\d{1,5})(?:\.\d+)?s)?(?:\d+ms)?", text)
    if text and spans:
        hours, minutes, seconds = (int(part or 0) for part in spans.groups())
        return hours * 3600 + minutes * 60 + seconds
    when = date_of(text)
    return when.timestamp() - now if when and when.tzinfo else None


def date_of(text: str) -> datetime | None:
    """A date as ISO 8601, RFC 5322 or C writes it; only the first with or without its zone."""
    for read in (datetime.fromisoformat, _of_a_header):
        try:
            return read(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _of_a_header(text: str) -> datetime:
    """Without a zone it is UTC: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7"""
    when = parsedate_to_datetime(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def skew(answer: Answer) -> int:
    """Seconds by which our clock is ahead of the other side's; 0 when the difference does no harm."""
    when, age = date_of(answer.headers.get("date", "")[:60]), answer.headers.get("age", "0")
    if when is None or when.tzinfo is None or not re.fullmatch(r"\d{1,8}", age):
        return 0
    ahead = time.time() - when.timestamp() - int(age)
    return round(ahead) if ALLOWED < abs(ahead) < LONGEST * 100 else 0


def spoken(seconds: int) -> str:
    """A difference of clocks in words."""
    unit, size = ("days", 86_400) if abs(seconds) > 172_800 else ("minutes", 60)
    return f"the clock here is {abs(seconds) // size} {unit} {'ahead of' if seconds > 0 else 'behind'} theirs"
