"""Logs: one line each, as text or JSON, with secrets taken out where the line is made."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog

# Slack's token forms, credentials inside URLs, and bearer headers.
SECRETS = re.compile(r"xox[abeprs]-[\w-]+|xapp-[\w-]+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?i:bearer\s+)[\w.~+/-]+=*")
_known: set[str] = set()


def hide(values: Iterable[str]) -> None:
    """Values that must never appear in a log line."""
    _known.update(v for v in values if len(v) >= 4)


def clean(text: str) -> str:
    for value in _known:
        text = text.replace(value, "***")
    return SECRETS.sub("***", text)


def _redact(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: clean(value) if isinstance(value, str) else value for key, value in line.items()}


def set_up(form: str = "text", level: int = logging.INFO) -> None:
    """`form` is text or json (MEND_LOG)."""
    last = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("mend").setLevel(level)
    # Bolt warns at every start that `authorize` replaces the token, which is what we want.
    logging.getLogger("slack_bolt.AsyncApp").setLevel(logging.ERROR)
