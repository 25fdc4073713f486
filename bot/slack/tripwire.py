"""A secret that somebody typed into Slack is noticed by its form. Its kind is told, the text goes nowhere."""

from __future__ import annotations

import importlib
import math
import re
from functools import cache
from typing import Any

# Forms that detect-secrets does not know: the prefixes are the providers' own.
FORMS: tuple[tuple[str, str], ...] = (
    ("connection_string", r"\b[a-z][a-z0-9+.-]{2,30}://[^\s:/@<>|]{1,100}:[^\s@<>|]{2,200}@[^\s<>|]+"),
    ("hubspot", r"\bpat-(?:na|eu|ap)\d-[0-9a-f]{8}-[0-9a-f-]{27}\b"),
    ("shopify", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    ("stripe", r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}"),
    ("github", r"\bgithub_pat_\w{22,}|\bgh[pousr]_\w{30,}"),
    ("google", r"\bAIza[\w-]{35}\b|\bya29\.[\w-]{20,}|\b1//0[\w-]{30,}"),
    ("slack", r"\bx(?:ox[abeprs]|app)-[\w-]{10,}"),
    ("aws", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("private_key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
)
PLUGINS = (
    ("azure_storage_key.AzureStorageKeyDetector", "key"), ("gitlab_token.GitLabTokenDetector", "token"),
    ("jwt.JwtTokenDetector", "token"), ("mailchimp.MailchimpDetector", "key"), ("npm.NpmDetector", "token"),
    ("openai.OpenAIDetector", "key"), ("pypi_token.PypiTokenDetector", "token"), ("sendgrid.SendGridDetector", "key"),
    ("square_oauth.SquareOAuthDetector", "token"), ("telegram_token.TelegramBotTokenDetector", "token"),
    ("twilio.TwilioKeyDetector", "key"),
)  # fmt: skip
PLACE = re.compile(r"(?i)\b(?:host|hostaddr|server|data source)\s{0,3}=")
ASSIGNED = re.compile(r"(?i)\b(?:password|pwd)\s{0,3}=\s{0,3}(?![<$*{])[^\s;]")
SAID = re.compile(
    r"(?i)\b(?:passwords?|passwd|pwd|passphrase|secret|token|api[ _-]?key|access[ _-]?key)\b"
    r"(?:\s{1,3}(?:is|to)(?:\s{1,3}now)?|\s{0,3}[=:])\s{0,3}[\"'`\u201c\u2018]?(?P<value>[^\s\"'`\u201d\u2019<>|]{6,200})"
)
WORD = re.compile(r"[A-Za-z0-9+/=_~.-]{24,200}")
HOST = r".*\.(?:com|org|net|io|dev|test|local|internal)(?:[/:].*)?"
HARMLESS = re.compile(rf"(?i)\d[\d.:TZ+-]*|\$\{{.*|[*x.]+|{HOST}")


def kind_of_secret(text: str) -> str:
    """What kind of secret a text surely or very likely holds, else ''."""
    text = text[:40_000].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    # Slice by slice, as some patterns take time by the square of a run of letters.
    slices = (text[at : at + 2100] for at in range(0, len(text), 1800))
    return next((kind for kind in map(_kind, slices) if kind), "")


def _kind(text: str) -> str:
    for kind, pattern in FORMS:
        if re.search(pattern, text, re.S):
            return kind
    if PLACE.search(text) and ASSIGNED.search(text):
        return "connection_string"
    for plugin, kind in _plugins():
        if any(True for line in text.splitlines() for _ in plugin.analyze_string(line)):
            return kind
    for found in SAID.finditer(text):
        if _looks_secret(found["value"].rstrip(".,;!?)")):
            return "password"
    bare = re.sub(r"<?\w+://\S+", " ", text)
    return "token" if any(_random(word) for word in WORD.findall(bare)) else ""


@cache
def _plugins() -> list[tuple[Any, str]]:
    loaded = []
    for path, kind in PLUGINS:
        module, _, name = path.partition(".")
        loaded.append((getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)(), kind))
    return loaded


def _looks_secret(value: str) -> bool:
    """Not a word of the language ("the password is wrong"), not a number, a host or a reference."""
    mixed = bool(re.search(r"[A-Za-z]", value)) and bool(re.search(r"[\d!@#$%^&*+=?~]|[a-z][A-Z]", value))
    return mixed and not HARMLESS.fullmatch(value)


def _random(word: str) -> bool:
    """Letters of both cases and digits, as evenly spread as only a generator spreads them."""
    kinds = all(re.search(part, word) for part in ("[a-z]", "[A-Z]", "[0-9]"))
    if not kinds or HARMLESS.fullmatch(word):
        return False
    shares = [word.count(letter) / len(word) for letter in set(word)]
    return -sum(share * math.log2(share) for share in shares) >= 4.1
