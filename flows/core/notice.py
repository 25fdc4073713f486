"""What people paste: a bare message, a notification mail, an alert as JSON, or a whole job log."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# Longer texts are logs: what failed stands at their end, what was to be done at their beginning.
MOST, HEAD, TAIL, PART = 1_000_000, 4_000, 12_000, 20
_CONTROL = re.compile("\x1b\\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]")
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d\u00a0", "''\"\" ")
# As Slack and pages escape signs, and as JSON does for pages.
_SIGNS = {
    "&lt;": "<",
    "&gt;": ">",
    "&amp;": "&",
    "&quot;": '"',
    "&#39;": "'",
    "&#x27;": "'",
    "\\u0027": "'",
    "\\u0022": '"',
}
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|#39|#x27);|\\u00(?:2[27]|3[ce])", re.I)
_MAIL = re.compile(
    r"errors with your (.{1,80}?) integration|unable to connect to your (.{1,80}?) integration|"
    r"connection [\"'`*]?([^\"'`*\n]{1,80}?)[\"'`*]? (?:from .{1,160}? )?(?:just )?failed",
    re.I,
)
# A part of the pipeline, as the logs of Singer taps and targets name it at the beginning of a line.
_SPEAKER = re.compile(r"\b(tap|target)(?:-[\w-]+)? +- +(?:CRITICAL|ERROR|FATAL)")
# A notice that is about the destination says so in its own words.
_LOADING = re.compile(
    r"\byour (?:data warehouse|destination)\b|\bloading data\b|\bload into\b|\bfailure in destination", re.I
)
_LOUD = re.compile(r"\b(?:ERROR|FATAL|Error|Exception|error)\b|\w(?:Error|Exception)\b")
# What a log tells of its work, as long as it does not tell of a failure.
_QUIET = re.compile(r"^.{0,100}?\b(?:INFO|DEBUG|TRACE|info|debug)\b")
_FAILS = re.compile(
    r"err|fail|exception|denied|refus|invalid|expired|\bno[tn]?\b|n't\b|unable|cannot|timed? ?out|retry|back|[45]\d\d",
    re.I,
)
# How the logs of jobs end that went well, whatever was tried again on the way.
_WELL = re.compile(
    r"\b(?:tap succeeded\. target succeeded|(?:sync|job|run|load|replication|task|extraction)\b.{0,40}"
    r"\b(?:succeeded|completed successfully|finished successfully|was successful))",
    re.I,
)
_BAD = re.compile(r"\b(?:CRITICAL|FATAL|ERROR|Traceback|failed|failure)\b")
# Names in quotes behind the word for what they are, as databases write them. Nothing else of a text is repeated.
_NAMES = {
    "user": re.compile(r"\b(?:user|role)(?: name)? [\"'`]([A-Za-z][\w.@$-]{0,62})[\"'`]", re.I),
    "database": re.compile(r"\bdatabase [\"'`]([A-Za-z][\w.$-]{0,62})[\"'`]", re.I),
    "missing": re.compile(r"\b(?:relation|table|object) [\"'`]([A-Za-z][\w.$-]{0,62})[\"'`]", re.I),
    # As clouds name one: dynamodb:Scan, bigquery.jobs.create.
    "right": re.compile(
        r"\b(?:not authorized to perform:? (?=[\w-]+:\w)|does not have (?=[a-z]+\.[\w.]+ permission))([\w:.-]{3,80})",
        re.I,
    ),
    "host": re.compile(
        r"\b(?:(?:server at|host name|host|to address:?) [\"'`](?=[A-Za-z0-9.-]{1,253}[\"'`])|UnknownHostException: |"
        r"(?:ENOTFOUND|EAI_AGAIN) (?=[\w-]{1,63}\.))([A-Za-z0-9][A-Za-z0-9.-]{0,252})",
        re.I,
    ),
}
STAGES = {"tap": "extraction", "source": "extraction", "target": "loading", "destination": "loading"}


@dataclass(frozen=True)
class Notice:
    """What to explain: `critical` lines first, then `loud` ones, newest first, then `text`; and what it names.

    `whole` is the text with the lines in which a log only tells of its work.
    """

    text: str
    critical: tuple[str, ...] = ()
    loud: tuple[str, ...] = ()
    connection: str = ""
    connector: str = ""
    stage: str = ""
    job: str = ""
    went_well: bool = False
    whole: str = ""


def read(text: str) -> Notice:
    """Never fails: what has no known form is a bare message."""
    text = text if len(text) <= MOST else text[:HEAD] + "\n" + text[HEAD - MOST :]
    alert = _alert(text)
    if alert is not None:
        return alert
    # What escapes a quote, a space or a line break is in the way of the words.
    straight = text if text.isascii() else text.translate(_QUOTES)
    clean = _CONTROL.sub(" ", straight).replace('\\"', '"').replace("\\n", "\n").replace("%20", " ")
    clean = _ENTITY.sub(lambda found: _SIGNS.get(found[0].lower(), " "), clean)
    lines = clean.splitlines()
    named = _MAIL.search(clean[:HEAD])
    spoke = [found[1].lower() for line in lines if (found := _SPEAKER.search(line[:200]))]
    loud = _last([line for line in lines if len(lines) > 1 and _LOUD.search(line[:400])])
    quiet = len(lines) > 1 and any(_QUIET.match(line) for line in lines[:500])
    told = [line for line in lines if _FAILS.search(line) or not _QUIET.match(line)] if quiet else []
    well = len(lines) > 1 and any(map(_WELL.search, lines[-3:])) and not any(map(_BAD.search, lines))
    return Notice(
        "" if well else _clipped("\n".join(told) if quiet else clean),
        _last([line for line in lines if "CRITICAL" in line]),
        () if well else loud,
        connection=next((g for g in named.groups() if g), "") if named else "",
        stage=STAGES[spoke[-1]] if spoke else "loading" if _LOADING.search(clean[:HEAD]) else "",
        went_well=well,
        whole=_clipped(clean),
    )


def _clipped(text: str) -> str:
    return text if len(text) <= HEAD + TAIL else text[:HEAD] + "\n" + text[-TAIL:]


def facts(text: str) -> dict[str, str]:
    """What the text names: user, database, table, right, host."""
    found = {what: pattern.search(text[:TAIL]) for what, pattern in _NAMES.items()}
    return {what: one[1] for what, one in found.items() if one}


def _last(lines: list[str]) -> tuple[str, ...]:
    return tuple(line[:2000] for line in dict.fromkeys(reversed(lines[-500:])))[:PART]


def _alert(text: str) -> Notice | None:
    """Airbyte's and Fivetran's webhooks.

    https://docs.airbyte.com/platform/cloud/managing-airbyte-cloud/manage-airbyte-cloud-notifications
    https://fivetran.com/docs/rest-api/webhooks
    """
    body = _json(text)
    data = body.get("data") if body else None
    if body and "connector_type" in body and data is None:
        data = {}
    if not body or not isinstance(data, dict):
        return None
    if "errorMessage" in data or "errorOrigin" in data:
        stage = STAGES.get(str(data.get("errorOrigin")), "")
        side = _name(data.get("destination" if stage == "loading" else "source"))
        said, job = str(data.get("errorMessage") or "")[:TAIL], str(data.get("jobId") or "")[:80]
        return Notice(said, (), (), _name(data.get("connection")), side, stage, job, data.get("success") is True)
    if "jobId" in data and data.get("success") is True:
        return Notice("", job=str(data["jobId"])[:80], went_well=True)
    if "connector_type" in body:
        name = str(body.get("connector_name") or body.get("connector_id") or "")[:80]
        # The only events that tell of a failure; the test event of a new webhook has no data.
        failed = "FAIL" in str(data.get("status") or body.get("status") or "").upper()
        side, job = str(body["connector_type"])[:80], str(body.get("sync_id") or "")[:80]
        return Notice(str(data.get("reason") or "")[:TAIL], (), (), name, side, "", job, not failed)
    return None


def _name(part: Any) -> str:
    return str(part.get("name") or "")[:80] if isinstance(part, dict) else ""


def _json(text: str) -> dict[str, Any] | None:
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end - begin > 100_000 or begin > 2000:
        return None
    try:
        body = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
