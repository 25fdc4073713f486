"""GitHub issues by the documented REST API: https://docs.github.com/en/rest/issues/issues , also of GitHub Enterprise.

GitHub takes no idempotency key. The ticket's id is a hidden first line of its text, and the newest issues are read
before one is made: by the list, not by the search, and not by the label alone, since labels are "silently dropped"
where the token's owner may not push. A second ticket stays possible where GitHub makes one that it did not answer for
after Mend has looked again (two minutes at least), where somebody took that line out, and where a hundred issues and
pull requests, and a hundred with the label `mend`, came in since. How soon its list knows a new issue GitHub does not
say.

Names and numbers would call people and link issues, addresses load pictures. What is in code does neither
(https://github.com/gjtorikian/html-pipeline, once GitHub's own, leaves out `pre` and `code`), so every word that is not
plainly one goes into code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import requests

from bot.desks.base import Address, DeskError, Ticket
from bot.desks.calls import Bearer, alone, ask, json_of, wait_of
from bot.desks.markdown import Block, blocks, spans, thread_of

KEYS = ("repository", "token", "labels", "base_url")
# https://docs.github.com/en/rest/about-the-rest-api/api-versions
VERSION = "2022-11-28"
LATE = 120.0
NEEDS = "it needs the repository permission Issues: Read and write"
HIDDEN = re.compile(r"<!-- mend-([A-Za-z0-9]{1,40}) -->")
# Letters with the marks that a sentence has; seven letters of a-f might be the name of a commit.
WORD = re.compile(r"[(\"'“‘]*[^\W\d_]+(?:['’-][^\W\d_]+)*[.,;:!?)\"'”’…]*|[–—(]|[.,;:!?)]+")
COMMIT, NUMBER = re.compile(r"\b[a-f]{7,}\b", re.I), re.compile(r"\(?\d{1,6}[,)]?")


@dataclass(frozen=True)
class GitHubDesk:
    finds_again: ClassVar[bool] = True
    base_url: str
    repository: str
    labels: tuple[str, ...] = ()
    token: str = field(default="", repr=False)

    def open(self, ticket: Ticket) -> Address:
        with alone(f"github {ticket.id}"):
            issue = self._known(ticket.id) or self._create(ticket)
        return Address(str(issue.get("html_url") or ""), f"{self.repository}#{issue['number']}")

    def check(self) -> str:
        """An issue without a title is made by nobody: GitHub refuses it as such only to who may make one."""
        there = self._heard(self._ask("GET", ""))
        if not isinstance(there, dict) or there.get("archived") or there.get("has_issues") is False:
            raise DeskError("config", f"GitHub: {self.repository} is archived, or its issues are disabled")
        answer = self._ask("POST", "/issues", json={})
        if answer.status_code != 422:
            self._refused(answer)
            raise DeskError("down", f"GitHub did not say whether the token may make issues (HTTP {answer.status_code})")
        told = [f"{self.repository} is public, and so are its tickets"] if there.get("private") is False else []
        if not (there.get("permissions") or {}).get("push"):
            told.append("the token's owner may not push, so GitHub drops the labels of issues")
        return "; ".join(told)

    def _known(self, case: str) -> dict[str, Any] | None:
        """The oldest that carries the id, among the newest of all and the newest of Mend's."""
        ours = list[Any]()
        for more in ({}, {"labels": "mend"}):
            asked = {"state": "all", "sort": "created", "direction": "desc", "per_page": 100, **more}
            found = self._heard(self._ask("GET", "/issues", params=asked))
            ours += [one for one in found if case_in(one) == case] if isinstance(found, list) else []
        return dict(min(ours, key=lambda one: int(one["number"]))) if ours else None

    def _create(self, ticket: Ticket) -> dict[str, Any]:
        sent = {
            "title": inert(" ".join(ticket.subject.split())[:150]),
            "body": f"<!-- mend-{ticket.id} -->\n\n{text(ticket.body)}",
            "labels": ["mend", *filter(None, [ticket.cause]), *self.labels],
        }
        try:
            made = self._heard(self._ask("POST", "/issues", json=sent))
        except DeskError as error:
            error.retry_after = max(error.retry_after, LATE) if error.kind == "down" else error.retry_after
            raise
        if not isinstance(made, dict) or not made.get("number"):
            raise DeskError("down", "GitHub answered without an issue", LATE)
        return made

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
        url = f"{self.base_url}/repos/{self.repository}{path}"
        return ask("GitHub", method, url, auth=Bearer(self.token), headers=headers, **more)

    def _heard(self, answer: requests.Response) -> Any:
        self._refused(answer)
        return json_of("GitHub", answer, "desk.base_url")

    def _refused(self, answer: requests.Response) -> None:
        status, repository = answer.status_code, self.repository
        if _is_limit(answer):
            raise DeskError("rate", "GitHub asks to wait", _wait(answer.headers))
        if status == 401:
            raise DeskError("auth", "GitHub refuses the desk's token (HTTP 401): it ended, was revoked, or is another")
        if status == 403:
            raise DeskError("auth", f"GitHub: the token may not do this in {repository} (HTTP 403): {NEEDS}")
        if status >= 500:
            raise DeskError("down", f"GitHub has trouble (HTTP {status})")
        if status == 404:
            there = f"no repository {repository} that the token reaches"
            raise DeskError("config", f"GitHub: {there} (HTTP 404): check desk.repository, and {NEEDS} there")
        if status == 410:
            raise DeskError("config", f"GitHub: the issues of {repository} are disabled (HTTP 410)")
        if 300 <= status < 400:
            raise DeskError("config", f"GitHub: {repository} is elsewhere (HTTP {status}): check desk.repository")
        if status >= 400:
            raise DeskError("config", f"GitHub does not take the ticket (HTTP {status}): mend doctor looks closer")


def _is_limit(answer: requests.Response) -> bool:
    """https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit"""
    if answer.status_code != 403:
        return answer.status_code == 429
    spent = answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    return spent or "secondary rate limit" in answer.text[:2000].lower()


def _wait(headers: Mapping[str, str]) -> float:
    """The end of the hour counts only when its calls are spent; else "at least one minute"."""
    told = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return (wait_of(headers) if told else 0.0) or 60.0


def case_in(issue: Any) -> str:
    """The case that an issue is of, by its hidden first line; a pull request is of none."""
    if not isinstance(issue, Mapping) or issue.get("pull_request"):
        return ""
    found = HIDDEN.match(str(issue.get("body") or "").lstrip())
    return found[1] if found else ""


# What it reads like -------------------------------------------------------------------------------------------------


def text(body: str) -> str:
    pieces, before = list[str](), ""
    for block in blocks(body):
        pieces += ["\n" if block.kind == before == "item" else "\n\n", _shown(block)]
        before = block.kind
    return "".join(pieces).strip()


def _shown(block: Block) -> str:
    if block.kind == "code":
        inside = "\n".join(block.lines)
        fence = "`" * max(3, _ticks(inside) + 1)
        return f"{fence}\n{inside}\n{fence}"
    lines = [f"Thread: <{url}>" if (url := thread_of(line)) else inert(line) for line in block.lines]
    if block.kind == "heading":
        return f"{'#' * block.level} {lines[0]}"
    return "- " + "\n  ".join(lines) if block.kind == "item" else "\n".join(lines)


def inert(line: str) -> str:
    """The line with its words as they are, and all else in code."""
    out = list[str]()
    for piece, is_code in spans(line):
        if is_code:
            out.append(_code(piece))
            continue
        # A full stop behind code belongs to it.
        ends = re.match(r"[.,;:!?)]+(?=\s|$)", piece) if out else None
        if ends:
            out[-1] += ends[0]
        out += _words(piece[ends.end() if ends else 0 :], not out)
    return " ".join(out)


def _words(piece: str, first: bool) -> list[str]:
    out, held = list[str](), list[str]()
    for word in [*piece.split(), ""]:
        plain = WORD.fullmatch(word) and not COMMIT.search(word)
        plain = plain or (NUMBER.fullmatch(word) and not (first and not out and not held))
        if word and not plain:
            held.append(word)
            continue
        out += [_code(" ".join(held))] if held else []
        out += [word] if word else []
        held = []
    return out


def _code(inside: str) -> str:
    ticks, pad = "`" * (_ticks(inside) + 1), " " if inside.startswith("`") or inside.endswith("`") else ""
    return f"{ticks}{pad}{inside}{pad}{ticks}"


def _ticks(inside: str) -> int:
    return max(map(len, re.findall("`+", inside)), default=0)


def make(raw: Mapping[str, Any]) -> GitHubDesk:
    if missing := [name for name in ("repository", "token") if not raw.get(name)]:
        raise DeskError("config", f"desk: github needs {', '.join(missing)} in mend.yml")
    repository, labels = str(raw["repository"]).strip(), raw.get("labels") or []
    if not re.fullmatch(r"[A-Za-z0-9_-]+/[A-Za-z0-9_.-]+", repository) or repository.endswith(("/.", "/..")):
        raise DeskError("config", "desk.repository of mend.yml: write owner/name, as in its address")
    if not isinstance(labels, list):
        raise DeskError("config", "desk.labels of mend.yml: a list is needed, as [data, oncall]")
    base = str(raw.get("base_url") or "https://api.github.com").rstrip("/")
    return GitHubDesk(base, repository, tuple(map(str, labels)), str(raw["token"]))
