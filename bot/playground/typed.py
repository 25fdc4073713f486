"""From what a person types to what Slack sends: entities, mentions, links, and the rich_text copy."""

from __future__ import annotations

import re
import secrets

from bot.playground.state import Json, Workspace

ENTITY = re.compile(r"<(?:@U[A-Z0-9]+|#C[A-Z0-9]+)(?:\|[^<>]*)?>")
NAME = re.compile(r"(?<![\w@])([@#])([a-z0-9][\w-]*)", re.I)
URL = re.compile(r"(?<![\w@<|.])(https?://[^\s<>|`\"]+[^\s<>|`.,;:!?)'\"])")
DOMAIN = re.compile(r"(?<![\w@/<|.:-])((?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|co|de))(?![\w./:|>@-])", re.I)
EMAIL = re.compile(r"(?<![\w<|:])([\w.+-]+@(?:[\w-]+\.)+[a-z]{2,})(?![\w|>])", re.I)


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def encode(space: Workspace, text: str, links: bool = True) -> str:
    """Entities the caller wrote out (`<@U0BOB>`) stay, everything else is escaped; code is left alone."""
    out = []
    for index, part in enumerate(re.split(r"(```.*?```|`[^`\n]+`)", text, flags=re.S)):
        out.append(escape(part) if index % 2 else _prose(space, part, links))
    return "".join(out)


def _prose(space: Workspace, text: str, links: bool) -> str:
    out, last = [], 0
    for found in ENTITY.finditer(text):
        out += [_names(space, escape(text[last : found.start()]), links), found.group()]
        last = found.end()
    return "".join([*out, _names(space, escape(text[last:]), links)])


def _names(space: Workspace, text: str, links: bool) -> str:
    if links:
        # Slack turns addresses and even bare host names into links while the person types.
        text = EMAIL.sub(r"<mailto:\1|\1>", URL.sub(r"<\1>", text))
        text = DOMAIN.sub(r"<http://\1|\1>", text)
    users = {u.name: u.id for u in space.users.values()}
    channels = {c.name: c.id for c in space.channels.values() if c.name}

    def name(found: re.Match[str]) -> str:
        sign, word = found.group(1), found.group(2).lower()
        if sign == "@" and word in ("channel", "here", "everyone"):
            return f"<!{word}>"
        known = users.get(word) if sign == "@" else channels.get(word)
        return f"<{sign}{known}>" if known else found.group()

    return re.sub(r"<[^<>]*>|" + NAME.pattern, lambda m: name(m) if m.group(1) else m.group(), text, flags=re.I)


def rich(text: str) -> list[Json]:
    """The rich_text block that Slack's composer adds to a person's message."""
    leaves: list[Json] = []
    for part in re.split(r"(<[^<>]+>)", text):
        if part.startswith("<@"):
            leaves.append({"type": "user", "user_id": part[2:-1].split("|")[0]})
        elif part.startswith("<#"):
            leaves.append({"type": "channel", "channel_id": part[2:-1].split("|")[0]})
        elif part.startswith("<!"):
            leaves.append({"type": "broadcast", "range": part[2:-1]})
        elif part.startswith("<"):
            url, _, label = part[1:-1].partition("|")
            leaves.append({"type": "link", "url": url, **({"text": label} if label else {})})
        elif part:
            leaves.append({"type": "text", "text": plain(part)})
    section = {"type": "rich_text_section", "elements": leaves}
    return [{"type": "rich_text", "block_id": secrets.token_hex(3), "elements": [section]}]


def plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def snippet(user: str, text: str) -> Json:
    """A text as a file: https://docs.slack.dev/reference/objects/file-object"""
    shown, lines = text[:1000], text.count("\n") + 1
    return {"id": "F" + secrets.token_hex(5).upper(), "user": user, "mode": "snippet", "filetype": "text",
            "name": "Untitled", "title": "Untitled", "mimetype": "text/plain", "size": len(text.encode()),
            "preview": shown, "lines": lines, "preview_is_truncated": shown != text}  # fmt: skip
