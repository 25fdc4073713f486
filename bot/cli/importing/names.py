"""Names that people can type in Slack and a shell, and variables for secrets, from whatever a source is called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from bot.slack.commands import VERBS
from flows.core.words import WORDS

# Slack shows 75 characters of a name in a list: https://docs.slack.dev/reference/block-kit/composition-objects/option-object
LONGEST = 60
# Answers in a case's thread: a connection of that name could not be called there.
TAKEN = VERBS | {word for words in WORDS.values() for word in words}
# A source that is called as one of these must not get a secret that is another's.
OTHERS = re.compile(r"(MEND|SLACK|AWS|VAULT|STITCH|AIRBYTE|FIVETRAN|ZENDESK|GOOGLE|AZURE|PG\w*)_")


def connection_name(called: str, fallback: str, taken: Collection[str]) -> str:
    """What `/mend NAME` takes: letters and digits of any script, `-` and `_`, no number alone, no word of Mend's."""
    name = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFKC", called).lower()).strip("_-")[:LONGEST].strip("_-")
    if not name or name.replace("_", " ") in TAKEN or name.isnumeric():
        name = f"{fallback}_{name}".strip("_")
    return _free(name, {one.lower() for one in taken})


def variable(name: str, fallback: str, field: str, taken: Collection[str]) -> str:
    """The environment variable for a secret of a connection, which nothing else reads."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = [re.sub(r"[^A-Z0-9]+", "_", part.upper()).strip("_") for part in (plain, fallback)]
    made = f"{next((w for w in words if w), 'SOURCE')}_{field.upper()}"
    if OTHERS.match(made) or not made[0].isalpha():
        made = "SOURCE_" + made
    return _free(made, taken)


def variables_in(text: str) -> set[str]:
    """Those that a file of settings names already."""
    return set(re.findall(r"\$\{env:\s*([^}\s]+)\s*\}", text))


def _free(name: str, taken: Collection[str]) -> str:
    return next(one for one in (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3))) if one not in taken)
