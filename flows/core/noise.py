"""What of an error text is no evidence: what platforms, programs, logs and people put around what was said."""

from __future__ import annotations

import re

from flows.core.phrases import plain

_STATUS = re.compile(
    r"\b(?:http|status|code|error|response)\D{0,14}\b([45]\d\d)\b|\b([45]\d\d):? (?:client|server) error"
    r"|[\[(]([45]\d\d)(?=[\]),]| -)"
)
# `401 Unauthorized`: a status with its own words behind it. https://www.rfc-editor.org/rfc/rfc9110#section-15
# And as a log of requests has it: behind the address or the protocol.
_STATUS_LINE = re.compile(
    r"\b([45]\d\d)\b[\s:,-]+(?:unauthorized|forbidden|not found|too many|bad gateway|service|gateway|internal|payment"
    r"|locked|gone\b)"
    r"|(?:https?://\S+|\bhttp/[\d.]+[\"']?)\s+(?:[:>-]{1,2}\s*)?([45]\d\d)\b(?! ?(?:records|rows|items|mb|kb|ms"
    r"|seconds|bytes|files))"
    r"|\b(?:returned|answered|responded|got|received)(?: with)?(?: a| an)? ([45]\d\d)\b(?! ?(?:records|rows|items|mb"
    r"|kb|ms|seconds|bytes|files))"
)
# What platforms put around what they were told.
_AROUND = re.compile(
    r"(?:unable|failed|could not|cannot) (?:to )?connect(?: to [^:.]{1,60}?)? with (?:the )?provided configuration"
    r"|failed to connect to db: \S+|configuration check failed|the connection tests failed"
    r"|connection to server at \S+, port \d+ failed"
    r"|check that the (?:server|host\w*) .{1,120}?(?:\.|$)"
    r"|(?:make sure|ensure|verify|check|may be|might be|could be)\b[^.:]{0,120}\bfirewall[^.]{0,80}(?:\.|$)"
    r"|[^.:]{0,80}\bthe following (?:\d+ )?errors?(?:\(s\))?:"
)
# What a program says of its own fault, or to announce the words of another: no cause is in it.
_ITSELF = re.compile(
    r"no module named \S+|modulenotfounderror|index out of (?:range|bounds)|object has no attribute"
    r"|\bindices must be\b|must be (?:a )?(?:str|int|bytes)\w*,? not \w+|object is not \w+|cannot read propert(?:y"
    r"|ies) of|nullpointerexception|invalid literal for int"
    r"|\bunknown (?:error|exception|reason)|\btask is being killed\b"
    r"|cannot open shared object file(?:: no such file or directory)?|undefined symbol: \S+|(?:could not|cannot"
    r"|couldn't) find (?:driver|module \S+)|\bclassnotfoundexception\b"
    r"|\bnoclassdeffounderror\b|can't open lib '[^']{1,80}' ?: file not found|command not found|\b(?:no such|unknown"
    r"|unrecognized) (?:option|flag|argument)s?\b:? \S+"
    r"|missing \d* ?required positional arguments?|invalid memory address or nil pointer dereference|stack overflow"
    r"|\bsyntaxerror\b(?:: invalid syntax)?"
    r"|(?:unable|failed|could not|cannot) (?:to )?connect\b[^:]{0,120}\bfollowing error:"
    r"|\b(?:connection check|check connection) failed\b"
    r"|(?:\w+ ){0,3}failed (?:due to|because of|for|with) an? (?:unexpected|unknown|unspecified) (?:reason|error|issue"
    r"|problem)",
    re.I,
)
# People who talk to each other use our nouns too: without a sign of failure they report none.
_TALK = re.compile(r"\b(?:we|our|i|us|hi|hello|thanks|could (?:you|somebody)|can (?:you|someone)|meeting|monday)\b")
_SIGN = re.compile(
    r"err|fail|exception|fault|denied|refus|invalid|expire|revoke|reject|unable|cannot|can ?n[o']t|\bn[o']t?\b|n't\b"
    r"|limit|quota|exceed"
    r"|missing|unknown|wrong|incorrect|bad |timed? ?out|closed|reset|broken|lost|down|unavail|outage|mainten|delay"
    r"|paus|suspend"
    r"|inactiv|disabl|block|lock|forbid|unauthori|require|must|need|re-?auth|re-?connect (?:your|to)|interrupt"
    r"|terminat|kill|full|infinit|endless|\bloop|over and over"
    r"|too |out of|only|malform|mismatch|no longer|problem|trouble|restrict|unreach|overdue|unpaid|past due|stopped"
    r"|[^\x00-\x7f]"
)
# Who asks how something is done, and tells of nothing that went wrong.
_ASKS = re.compile(
    r"\bhow (?:do|can|could|should|to|would)\b|\bdo you know\b|\bwhat about\b|\bmay (?:i|we)\b|\bis it possible\b"
    r"|\bis there an?y? way\b|\bshould (?:i|we)\b|\bcan (?:i|we|some\w+|any\w+)\b|\bany idea\b"
)
_WENT_WRONG = re.compile(
    r"fail|err(?:or)?\b|error|exception|denied|refus|reject|unable|cannot|can ?n[o']t|could ?n[o']t|n't (?:work|connect"
    r"|sync|load|see|find)|not work|\bgot\b|getting|receiv|return|\b[45]\d\d\b|stopped|br[oe]ken?\b|crash|timed? ?out"
    r"|invalid|no longer|lost|missing|logged out|re-?authenticat|[^\x00-\x7f]"
)
# Places are no words: frames of a stack, paths of an address, packages.
_PLACES = re.compile(
    r"\bat [\w.$/<>]+\((?:[^()]{0,120}:\d+|unknown source|native method)\)|\bfile \S+, line \d+, in \S+"
    r"|(?<=://)([^\s/'\"<>]+)[^\s'\"<>]*|\b(?:[a-z_]\w*\.){2,}(?=[a-z])",
    re.I,
)
# What a request, an answer or a log repeats of settings: `tls=no`, `"ssh":{"use":false}`, `password: "***"`.
_OFF = re.compile(
    r"\b(?:user|password|passwd|pwd|dbname|sslmode)=(?!\W)\S+|\bno (?:ssh )?tunnel\b|[\"']?\b(?:ssh|ssl|tls|proxy"
    r"|tunnel|mfa|sso)\w*[\"']?\s?[:=]\s?"
    r"(?:[\"']{2}|[\"']?(?:no|off|false|none|null|0|disabled?)\b[\"']?|\{[^{}]{0,40}\bfalse\b[^{}]{0,200}\})"
    r"|[\"']?\b(?:ssl|tls)\w*[\"']?\s?[:=]\s?[\"']?(?:yes|on|true|1|require|prefer(?:red)?|verify[-_]\w+)\b[\"']?"
    r"|[\"']?\b\w*(?:password|passwd|pwd)[\"']?\s?[:=]\s?(?:\*{2,}|<[\w -]{1,40}>|([\"'])[^\s\"']{0,80}\1)"
    r"|\b(?:(?:x-)?rate-?limit-[\w-]+|(?:permissions|feature|content-security)-policy"
    r"|strict-transport-security)[\"']?\s?:\s?\S+"
    r"|\b\w+time_?outs?(?:_?ms|_?millis|_?seconds|_?secs?)?[\"']?\s?[:=]\s?[\"']?\d+",
    re.I,
)
_INNER = re.compile(r"\bcaused by:? ", re.I)
# What people say of what they did or ask, without a sign of failure, and a list of what it may be: nobody else said it.
_THEIRS = re.compile(
    r"(?:^|[.!?:;>\"')][\"')\s]{1,6})(?:(?:so|and|but|then|yes|also|now) )*(i|we|my|our)(?:'\w+)?\b(?:[^.!?:]"
    r"|[.:!?](?! |$)){0,300}[.!?:](?= |$)"
    r"|\b(?:could it be|should (?:i|we)|do (?:i|we)|can (?:i|we)|is there an?y?|does any\w*|any idea"
    r"|has any\w*)\b[^.!?:]{0,200}\?"
    r"|\b(?:possible|likely|potential|common|probable) (?:causes?|reasons?|solutions?)\b.{0,600}"
    r"|可能(?:的)?原因.{0,300}"
)
# A log line's beginning: time, logger, level.
_PREFIX = re.compile(r"^.{0,80}?\b(?:critical|error|warning|fatal|info)\b[\s:\]-]*")
# A mail's subject, forwarded or not.
_SUBJECT = re.compile(
    r"^(?:\W*(?:subject|betreff|re|fwd?|aw|wg)\s?: ?)*(?:\[[^\]]{1,40}\] ?)?(?:stitch notification ?[-:\u2013] ?)?"
)


def told(flat: str) -> str:
    """Without the settings and headers that a request, an answer or a log repeats."""
    return _OFF.sub(" ", flat)


def innermost(flat: str) -> str:
    """Of a chain of causes the one that says most."""
    return _INNER.split(flat)[-1]


def heard(flat: str) -> str:
    """Without places, and without what a program says of its own fault."""
    return _ITSELF.sub(" ", _PLACES.sub(r"\1", flat))


def bare(low: str) -> str:
    """Without what platforms put around what they were told."""
    return _AROUND.sub(" ", low)


def is_talk(low: str) -> bool:
    """People speak to each other, or ask how, and tell of no failure."""
    if _TALK.search(low) and not _SIGN.search(low):
        return True
    return bool(_ASKS.search(low)) and not _WENT_WRONG.search(low)


def unsaid(low: str) -> str:
    """Without what people say of themselves."""
    return _THEIRS.sub(lambda found: found[0] if found[1] and _SIGN.search(found[0]) else " ", low)


def lines_of(text: str, low: str) -> set[str]:
    """The lines, with and without what a log puts before them."""
    lines = [" ".join(line.split()) for line in text.lower().splitlines()] + [low]
    bare = (line for one in lines for line in (one, _PREFIX.sub("", one), _SUBJECT.sub("", one)))
    return {plain(line).strip(" .!") for line in bare}


def status_of(low: str) -> tuple[int, str]:
    """The HTTP status that a text names, and how it is shown; 0 for none."""
    found = _STATUS_LINE.search(low) or _STATUS.search(low)
    status = next(g for g in found.groups() if g) if found else "0"
    return int(status), f"HTTP {status}"
