"""What a 2xx is worth: a login page, an error in disguise, or an answer that cannot be read is no success."""

from __future__ import annotations

import re
from typing import Any

from bot.checks.base import Target
from bot.checks.http_ask import kind_of_auth, spec
from bot.checks.http_ruling import UPKEEP, Ruling
from bot.checks.http_words import inward, words_of
from bot.drivers.http import Answer

LOGIN = Ruling(
    "bad", "config_error", "auth.login_page_instead_of_api", ("config.wrong_base_path", "network.captive_portal")
)
READABLE = ("", "identity", "gzip", "x-gzip", "deflate")
DOWN = re.compile(r"(down|offline) for (scheduled |planned )?maintenance", re.I)
# The last are forms and scripts that lead on to a single sign-on.
FORM = re.compile(
    r"type=[\"']?password|log ?in|sign ?in|name=[\"']?SAMLRequest|/authorize\?|://[\w.-]*\bsso\b|/sso[/?]", re.I
)
# `x-ndjson` and `json-seq` are other languages.
IS_JSON = re.compile(r"[/+](x-)?json(?![\w-])")
# A program that speaks of the visitor instead of the data.
NOBODY = re.compile(
    r"(not|no longer) (currently |yet )?(logged|signed) in|missing or invalid (api.?key|token|session|credential)|"
    r"(log|sign)[ -]?in (is )?(required|first|again|to)|please (log|sign) ?in|login.?required|"
    r"not authenticated|unauthenticated|unauthori[sz]ed|authentication (is )?(required|failed)|"
    r"session (has |is )?(expired|invalid)|invalid (api.?key|token|session|credential)|"
    r"(access token|api.?key) (is )?(invalid|expired)",
    re.I,
)
WRONG = ("error", "errors", "error_message", "errormessage")
SPOKEN = {*WRONG, "message", "detail", "msg", "errmsg", "error_msg"}
WELL = ("ok", "success", "authenticated", "logged_in", "loggedin")
ALONE = {"error", "message", "status", "code", "type", "statement_id"}
DENIED = ("error", "fail", "failed", "denied", "request_denied")
# No error at all, where a number or a word must stand.
FINE = re.compile(r"0*|200|ok|none|no.?error|success|false|null", re.I)
# What an answer says of itself. A record that tells of somebody's failure has more to say.
ITSELF = re.compile(
    r"err\w*|fault\w*|exception|cause|stack\w*|\w*message|msg|detail\w*|hints?|title|description|reason\w*|type|category|"
    r"status\w*|code|success|ok|result|data|meta\w*|extensions|level|severity|can_?be_?retried|retr\w+|"
    r"id|rid|\w*(request|trace|correlation|log|span|session)_?id|timestamp|time|date|path|instance|method|user|tenant|"
    r"url|href|links?|docs?|documentation\w*|help|more_?info|source|service|server|host|domain|(api_?)?version"
)
# Rows of somebody's data, whatever stands in them; and of XML, the parts in which a program speaks for itself.
ROWS = re.compile(r"csv|ndjson|jsonl|json-seq|tab-separated", re.I)
XML_SAYS = re.compile(
    r"<[^<>]*(?:err|fault|fail|exception|message|msg|reason|detail|status|code|result|response)[^<>]*>[^<]*", re.I
)
# The envelope of SOAP or one element, and the error in it, with its attributes, its words and what follows.
XML_ERROR = re.compile(
    r"(?:(?:<(?:\w+:)?(?:envelope|header|body)\b[^<>]{0,500}>\s*){0,4}|<[^<>]{1,500}>\s*)<(?:\w+:)?(?:error|errors|err|fault|exception|error_?(?:response|message|msg))\b"
    r"(?![-.:])([^<>]{0,500})>([^<]{0,300})(.{0,2})",
    re.I | re.S,
)
XML_ABOUT = re.compile(r"\b(?:code|msg|message|reason|text)=", re.I)
FAILED = re.compile(r"(?:fatal|error|exception|failed|failure)\s?[:!(\[-]", re.I)
NO_KEY = Ruling(
    "bad", "invalid_credentials", "auth.invalid_token",
    ("auth.token_revoked", "auth.access_token_expired", "auth.credential_not_sent"),
)  # fmt: skip
DISGUISED = Ruling(
    "unclear", "invalid_credentials", "auth.invalid_token", ("auth.credential_not_sent", "availability.provider_error")
)


def inner_status(answer: Answer) -> int:
    """The status that a provider writes into the body of a 200, beside its message; 0 for none."""
    body = answer.body
    if not isinstance(body, dict) or not ({"error", "errors", "message", "detail"} & set(body)):
        return 0
    inner = body.get("error")
    for part in (body, inner if isinstance(inner, dict) else {}):
        for key in ("status", "statusCode", "status_code", "code"):
            if re.fullmatch(r"[45]\d\d", str(part.get(key))):
                return int(part[key])
    return 0


def success(target: Target, answer: Answer) -> Ruling | None:
    """What is wrong with a 2xx; None when it is a plain success."""
    if answer.without_credential and kind_of_auth(target) != "none" and not answer.is_html:
        alike = ("config.wrong_region", "auth.credential_not_sent")
        return Ruling("unclear", "config_error", "config.redirect_drops_authorization", alike)
    if answer.is_html:
        return _page(answer)
    if not answer.is_json:
        return _unreadable(target, answer)
    return _disguised(answer)


def _page(answer: Answer) -> Ruling:
    closed = UPKEEP.search(answer.title) or re.search(r"temporarily (down|unavailable)", answer.title, re.I)
    if closed or DOWN.search(answer.head):
        return Ruling("unclear", "third_party_down", "availability.maintenance", ("config.wrong_base_path",))
    form = FORM.search(answer.head)
    if form and answer.hops:
        return Ruling("bad", "config_error", "auth.redirect_to_login", ("auth.credential_not_sent",))
    return LOGIN if form else Ruling("unclear", "config_error", "config.wrong_base_path", LOGIN.alternatives[1:])


def _unreadable(target: Target, answer: Answer) -> Ruling | None:
    """No JSON, where JSON was promised by the sheet or by the answer itself."""
    kind, text = answer.headers.get("content-type", ""), answer.text.strip()
    if not text:
        nothing = Ruling("unclear", "unclassified", "availability.empty_response", ("config.wrong_base_path",))
        return nothing if spec(target).own_error or answer.status != 204 else None
    if NOBODY.search(_spoken(kind, text[:300])) or (not ROWS.search(kind) and _refuses(text)):
        return DISGUISED
    if not spec(target).own_error and not IS_JSON.search(kind):
        return None  # an API may speak another language
    if answer.truncated:
        return Ruling("unclear", "unclassified", "limit.response_too_large", ("config.wrong_base_path",))
    if answer.headers.get("content-encoding", "").lower() not in READABLE or text.count("\ufffd") > len(text) // 50:
        alike = ("availability.malformed_response",)
        return Ruling("unclear", "third_party_down", "availability.corrupt_encoding", alike)
    if text[0] in "{[" and sum(map(text.count, "{[")) > sum(map(text.count, "}]")):
        alike = ("availability.malformed_response",)
        return Ruling("unclear", "connection_dropped", "availability.response_truncated", alike)
    return Ruling("unclear", "unclassified", "availability.malformed_response", ("config.wrong_base_path",))


def _refuses(text: str) -> bool:
    """A text that begins with an error, or the first thing that XML tells is one: SOAP's Fault in its Body."""
    if text[:1] != "<":
        return bool(FAILED.match(text))
    found = XML_ERROR.match(re.sub(r"<[?!][^<>]{0,500}>", "", text[:8192]).strip())
    if found is None:
        return False
    about, said, after = found.groups()
    if about.endswith("/"):
        return bool(XML_ABOUT.search(about))
    return not FINE.fullmatch(said.strip()) if said.strip() else not after.startswith("</")


def _spoken(kind: str, text: str) -> str:
    """What a program says for itself in what is no JSON."""
    if ROWS.search(kind):
        return ""
    return " ".join(XML_SAYS.findall(text)) if "xml" in kind or text.startswith("<?xml") else text


def _disguised(answer: Answer) -> Ruling | None:
    """JSON that says no with a status that says yes."""
    told = answer.body
    if isinstance(told, str) and (NOBODY.search(told[:300]) or _refuses(told.strip())):
        return DISGUISED
    body = _opened(told)
    if _all_failed(body) or any(body.get(key) is False for key in WELL):
        refused = True
    elif _record(body):
        return None
    else:
        refused = any(_wrong(body.get(key)) for key in WRONG) and not _holds(body.get("data"))
        refused = refused or any(not FINE.fullmatch(str(body.get(key) or 0)) for key in ("errcode", "error_code"))
        refused = refused or (any(map(body.get, SPOKEN)) and str(body.get("status")).lower() in DENIED)
    # Servers of GraphQL put them there.
    codes = [str(one) for one in inward(answer.body, "errors.extensions.code") if one]
    said = [str(body[key])[:300] for key in (*SPOKEN, "result") if isinstance(body.get(key), str)]
    words = " ".join([words_of(answer)[:300], *said, *codes[:3]])
    if SPOKEN & set(body) and len(answer.text) < 2000 and NOBODY.search(words.replace("_", " ")):
        return NO_KEY
    return DISGUISED if refused else None


def _all_failed(body: dict[str, Any]) -> bool:
    """Each of several statements was answered by an error and nothing else, as InfluxDB and Elasticsearch do."""
    parts = next((told for key in ("results", "responses") if (told := body.get(key))), None)
    if not isinstance(parts, list):
        return False
    return all(isinstance(part, dict) and _wrong(part.get("error")) and set(part) <= ALONE for part in parts)


def _opened(body: Any) -> dict[str, Any]:
    """What an object says, by lower-case names with _ between words, out of the envelope that some put around it."""
    if not isinstance(body, dict):
        return {}
    inner = body.get("response")
    told = inner if isinstance(inner, dict) else body
    return {re.sub(r"\W+", "_", key).lower(): value for key, value in told.items()}


def _wrong(said: Any) -> bool:
    """An error, and not the word that there is none."""
    told = said.get("code", said) if isinstance(said, dict) else said
    return bool(said) and not (isinstance(told, str | int) and FINE.fullmatch(str(told)))


def _record(body: dict[str, Any]) -> bool:
    """A job that failed, a payment that was declined: data about others, and no word about the caller."""
    return sum(bool(value) and not ITSELF.fullmatch(key) for key, value in body.items()) >= 3


def _holds(data: Any) -> bool:
    """There is something in all of it: a server of GraphQL leaves each field empty that it refuses."""
    return bool(data) and not (isinstance(data, dict) and None in data.values())
