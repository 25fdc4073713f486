"""A secret that somebody typed into Slack is noticed by its form. Its kind is told, the text goes nowhere."""

from __future__ import annotations

import html
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot.slack.secret_forms import FORMS, HARMLESS, PUBLIC
from bot.slack.secret_forms import PLACE as ADDRESS

KNOWN = [(kind, re.compile(pattern)) for kind, pattern in FORMS]
# What a person sees is one word to them: characters without width, marks of emphasis and code, quotes of a language.
UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
QUOTES = str.maketrans("\u2018\u2019\u201c\u201d\u201e\u201a\u00ab\u00bb", '\'\'"""\'""')
LINK = re.compile(r"<(?:(mailto:|tel:)|(?=[a-z][^<>|\s]{0,30}://))([^<>|\s]+)(?:\|([^<>\n]*))?>")
# As JSON and logs write the end of a line.
LINES = re.compile(r"(?:\\[rnt])+")
USERINFO = re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,30}://[^\s:/@<>|]{0,100}:(?P<value>[^\s@<>|]{2,200})@[^\s<>|]+")
PLACE = re.compile(r"(?i)\b(?:host|hostaddr|server|data source)\s{0,3}=")
ASSIGNED = re.compile(
    r"(?i)\b(?:password|pwd)\s{0,3}=\s{0,3}(?:'(?P<quoted>[^'\n]+)'|\{(?P<braced>[^{}\n]+)\}|(?P<bare>[^\s;]+))"
)
OF_PEOPLE = (
    r"passwords?|credentials?|passwd|passcode|passphrase|pwd|pw|pass|identified (?:with \S{1,40} )?by"
    r"|passwort|kennwort|mot de passe|contrase(?:\u00f1|n)a|senha|wachtwoord|parola"
)
OF_PROGRAMS = (
    r"(?:api|access|secret|signing|write|account|auth|private|license|encryption)[ _-]?(?:api[ _-]?)?key|secret|token"
    r"|apikey|(?:client|app|api|signing|shared)[ _-]?secret"
)
# Ways to hand a login to a program, each with the secret alone.
HANDED = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)[?&;](?:api[_-]?key|(?:access_?|auth_?)?token|key|secret|passwo?r?d|pwd)=(?P<value>[^\s&#;<>|]{4,300})",
        r"(?i)\b(?:Basic|Bearer|Token)\s+(?P<value>[\w+/=.~-]{16,})",
        r"\bcurl\b[^\n]{0,300}\s(?:-u|--user)[\s=]['\"]?[^\s:'\"]+:(?P<value>[^\s'\"]{4,})",
        r"\b(?:mysql|mariadb|mysqldump|sshpass|sqlcmd|redis-cli)\b[^\n]{0,300}?\s-[pPa]\s?['\"]?(?P<value>[^\s'\"]{5,})",
        # Oracle's user/password@host:port/service, PostgreSQL's line of .pgpass
        r"(?<![\w/])[\w$#]{1,30}/(?P<value>[^\s/@\"]{4,60})@(?://)?[\w.-]+:\d{2,5}/\w",
        r"(?<![\w/])[\w.*-]{1,100}:\d{2,5}:[\w*-]+:[\w*-]+:(?P<value>\S{5,100})",
        r"(?i)\b(?:creds?|credentials)\b(?:\s(?:is|are|now|for \S+))*\s{0,2}[=:]?\s{1,2}[^\s\"]{1,60}?\s?[/:]\s?"
        r"(?P<value>\S{6,100})",
        r"(?i)\b(?:login|log in|user(?:name)?)\b\s?[=:]?\s?(?:is |as |with )?[\w.@+-]{1,60} / (?P<value>\S{6,100})",
        rf"(?i)\b(?:{OF_PEOPLE})\b[^\n]{{0,60}}?\b(?:it'?s|it is|now)\s[\"'`]?"
        r"(?P<value>(?=\S*\d)(?=\S*[A-Z!#$%&*])\S{8,100})",
    )
)
BETWEEN = (
    r"(?P<joint>[\"'*_`]{0,3}(?:\s{1,3}(?:for|of|on|in)(?:\s[\w.@-]{1,40}){1,3}?)?"
    r"\s{0,3}(?:=>|->|\u2192|[=:]|[-\u2013] )[*_]{0,2}"
    r"|(?:\s{1,3}(?:for|of|on|in)(?:\s[\w.@-]{1,40}){1,5}?|\s{1,3}(?:re)?set)?"
    r"\s{1,3}(?:is|are|to|ist|lautet|est|es|\u00e8|\u00e9|was)(?:\s{1,3}now)?(?=[\s:]):?|(?=\s{1,3}\S))"
)
SAID = re.compile(
    rf"(?i)(?<![a-z:])(?:[a-z0-9]{{1,30}}[_-]){{0,4}}(?:pg|db|mysql)?(?:(?P<password>{OF_PEOPLE})|(?:{OF_PROGRAMS}))"
    rf"(?:[_-](?:v?\d|hash))?(?={BETWEEN}\s{{0,3}}(?P<quote>[\"'`*_]{{0,3}})(?P<value>[^\s\"'`|]{{5,300}}))"
)
SIGNS = "=:>\u2192\"'`"
# "Unexpected token", "invalid token": a parser's word, or a page's.
PARSED = re.compile(r"(?i)\b(?:unexpected|unrecogni[sz]ed|near|next|page|csrf|xsrf|illegal|found)\s{0,2}(?:[\"'])?$")
WORD = re.compile(r"[A-Za-z0-9+/=_~.-]{24,200}")
TYPED = re.compile(r"(?<!\S)(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)[A-Za-z0-9!@#$%^&*?_+=.-]{12,64}(?!\S)")
# What a log put in the place of a secret, whatever follows: token=......&page=30
MASKED = re.compile(r"([.*xX#\u2022])\1{4}")
SYMBOLS = set("!@#$%^&*?")


def kind_of_secret(text: str) -> str:
    """What kind of secret a text surely or very likely holds, else ''."""
    text = html.unescape(LINK.sub(_link, text[:40_000]))
    text = LINES.sub("\n", UNSEEN.sub("", text)).translate(QUOTES)
    # Slice by slice, as some patterns take time by the square of a run of letters.
    slices = (text[at : at + 2100] for at in range(0, len(text), 1800))
    return next((kind for kind in map(_kind, slices) if kind), "")


def message_texts(message: Mapping[str, Any]) -> str:
    """Everything of a message that a person may have pasted: of a snippet Slack shows the beginning in `preview`."""
    parts = [str(message.get("text") or "")]
    for file in message.get("files") or []:
        parts += [str(file.get(part) or "") for part in ("title", "preview", "plain_text")]
    for shared in message.get("attachments") or []:
        parts += [str(shared.get(part) or "") for part in ("pretext", "title", "text")]
    return "\n".join(part for part in parts if part)


def _link(found: re.Match[str]) -> str:
    """Slack makes links of what people type: the address of one, the words of a mailbox as they stood there."""
    mailbox, address, words = found[1], found[2], found[3] or ""
    if mailbox:
        return words or address
    return f"{address} {words}" if words and words != address else address


def _kind(text: str) -> str:
    for kind, pattern in KNOWN:
        if pattern.search(text):
            return kind
    if any(not HARMLESS.fullmatch(found["value"]) for found in USERINFO.finditer(text)):
        return "connection_string"
    if PLACE.search(text) and any(map(_is_assigned, ASSIGNED.finditer(text))):
        return "connection_string"
    return _said(text) or ("token" if any(map(_random, _words(text))) else "") or _typed(text)


def _is_assigned(found: re.Match[str]) -> bool:
    value = found["quoted"] or found["bare"] or ""
    if found["braced"]:  # of ODBC; {password} alone is a blank to fill in
        return not re.fullmatch(r"\w+", found["braced"])
    return not HARMLESS.fullmatch(value)


def _said(text: str) -> str:
    for pattern in HANDED:
        if any(_is_value(found["value"]) for found in pattern.finditer(text)):
            return "password"
    for found in SAID.finditer(text):
        value = found["value"].rstrip(".,;!?)}]*_")
        if PARSED.search(text[max(0, found.start() - 20) : found.start()]):
            continue
        joint, password = found["joint"].strip().rstrip("*_"), bool(found["password"])
        if _means_it(value, joint, password=password, quoted=bool(found["quote"])):
            return "password"
    return ""


def _means_it(value: str, joint: str, *, password: bool, quoted: bool) -> bool:
    """Not a word of the language ("the password is wrong"), not a number, a host or a reference.

    The less stands between the label and it, the more it must look like a secret.
    """
    if joint and joint[-1] in SIGNS:
        return _is_value(value) or (password and bool(re.fullmatch(r"\d{6,}|[a-z]{17,}", value)))
    if joint and password:
        return _is_value(value) or bool(re.fullmatch(r"\d{6,}", value))
    if joint:
        return _is_value(value) and len(value) >= 10 and _changes(value) > 0.2
    if quoted:
        return _is_value(value) and bool(re.search(r"\d", value))
    if password and len(value) >= 8 and all(re.search(part, value) for part in ("[a-z]", "[A-Z]", "[0-9]")):
        return _is_value(value)
    return bool(re.fullmatch(r"[0-9a-f]{24,}", value)) or (len(value) >= 16 and _changes(value) > 0.3)


def _is_value(value: str) -> bool:
    mixed = bool(re.search(r"[A-Za-z]", value)) and bool(re.search(r"[\d!@#$%^&*+=?~]|[a-z][A-Z]", value))
    return mixed and len(value) >= 5 and not HARMLESS.fullmatch(value) and not MASKED.match(value)


def _words(text: str) -> Iterator[str]:
    """What could be a token that stands there without a word about it."""
    bare = " ".join(word for word in PUBLIC.sub(" ", text).split() if not ADDRESS.search(word))
    for word in WORD.findall(bare):
        yield from [word] if len(word) == 40 else re.split(r"[./]", word)


def _random(word: str) -> bool:
    """Letters of both cases and digits, as evenly spread as only a generator spreads them."""
    kinds = all(re.search(part, word) for part in ("[a-z]", "[A-Z]", "[0-9]"))
    if len(word) < 24 or not kinds or HARMLESS.fullmatch(word):
        return False
    shares = [word.count(letter) / len(word) for letter in set(word)]
    return -sum(share * math.log2(share) for share in shares) >= 3.9 and _changes(word) > 0.42


def _changes(word: str) -> float:
    """How often the kind of character changes: in names seldom, in what was drawn by lot at two of three."""
    plain = word.replace("-", "").replace("_", "")
    kinds = ["0" if c.isdigit() else "a" if c.islower() else "A" if c.isupper() else "!" for c in plain]
    return sum(one != other for one, other in itertools.pairwise(kinds)) / max(len(kinds) - 1, 1)


def _typed(text: str) -> str:
    """A generated password alone: all kinds of characters, in a message of hardly anything else."""
    if len(text) > 60:
        return ""
    found = [word for word in TYPED.findall(text) if len(SYMBOLS & set(word)) >= 2 and _changes(word) > 0.5]
    return "password" if found else ""
