"""From the bytes of a body to its text."""

from __future__ import annotations

import json
import re

# Other codecs of Python's take much time for hostile bytes.
CHARSETS = re.compile(
    r"charset=[\"']?(utf-?(?:8|16|32)(?:-?[lb]e)?|iso-8859-\d+|us-ascii|windows-125\d|shift_jis|gbk|euc-jp)\b", re.I
)


def decoded(data: bytes, content_type: str) -> str:
    """As it says of itself, where there is such a charset, else as JSON is told apart; without a mark of byte order."""
    named = CHARSETS.search(content_type)
    detected = json.detect_encoding(data)
    try:
        text = data.decode(named[1] if named else detected, "replace")
    except LookupError:  # there is no ISO 8859-12, and UTF-8 has no order of bytes
        text = data.decode(detected, "replace")
    return text.removeprefix("\ufeff")


def bare(text: str) -> str:
    """Without space and comments before what a page begins with."""
    rest = text[:8192].lstrip()
    while rest.startswith("<!--") and (end := rest.find("-->", 4)) > 0:
        rest = rest[end + 3 :].lstrip()
    return rest
