"""Logs: one line each, as text or JSON, with secrets taken out where the line is made."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

# Slack's token forms, credentials inside URLs, and bearer headers.
SECRETS = re.compile(r"xox[abeprs]-[\w-]+|xapp-[\w-]+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?i:bearer\s+)[\w.~+/-]+=*")
# The password of an address alone: whose it is may be shown.
IN_URL = re.compile(r"(://[^\s:/@]*:)[^\s@]+@")
_known: set[str] = set()


def hide(values: Iterable[str]) -> None:
    """Values that must never appear in a log line."""
    _known.update(v for v in values if len(v) >= 4)


def clean(text: str) -> str:
    for value in _known:
        text = text.replace(value, "***")
    return SECRETS.sub("***", text)


def shown(text: str) -> str:
    """On one line, and without what would move a terminal's cursor or turn the direction of a text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Line(logging.Formatter):
    """A record as text or as JSON. The trace of an exception is redacted like the words."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": clean(record.getMessage()).strip(),
            "logger": record.name,
        }
        trace = clean(self.formatException(record.exc_info)) if record.exc_info else ""
        if self.form == "json":
            return json.dumps({**said, **({"exception": trace} if trace else {})})
        line = shown("{timestamp} [{level:8}] {event} [{logger}]".format(**said))
        # Of a trace every line is set in: what it quotes of a stranger's text looks like no line of ours.
        return "\n    ".join([line, *map(shown, trace.splitlines())]) if trace else line


def set_up(form: str = "text", level: int = logging.INFO) -> None:
    """`form` is text or json (MEND_LOG)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line(form))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("mend").setLevel(level)
