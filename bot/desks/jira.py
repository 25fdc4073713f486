"""Jira by its documented REST API: Cloud (version 3) by e-mail and API token, Data Center (2) by a personal token.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/ , .../api-group-issue-search/ and
https://developer.atlassian.com/server/jira/platform/rest/ , .../personal-access-token/

Jira takes no idempotency key. The ticket carries its id as a label, and that is looked for before one is made. A search
knows what was just made only "a few seconds to minutes" later, and `reconcileIssues` wants the ids that nobody knows
after a crash (https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/). Issues that are read by their
key are no search, and keys count up: so those behind the newest that the search knows are read too. A second ticket
stays possible where Jira makes one that it did not answer for after Mend has looked again (two minutes at least), where
somebody took the label away, and where more issues than are read came in while the search was behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, ClassVar

import requests

from bot.desks.base import Address, DeskError, Ticket
from bot.desks.calls import MARK, Bearer, alone, ask, json_of, wait_of
from bot.desks.markdown import Block, blocks, spans, thread_of
from bot.drivers.calls import json_in

KEYS = ("site", "project", "issue_type", "email", "token", "base_url")
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
# "It exceeds the allowed limit of 32,767 characters"; whether the document's own code counts is not said.
LONGEST = 32_000
# Cloud reads a hundred at once. Data Center reads one by one, and a number may be missing: deleted, moved, not for us.
BEHIND, MISSING = 100, 3
# What Jira did not answer for may still be made: the search comes after that.
LATE = 120.0
# https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
ENDS = "an API token of Atlassian ends after a year at most, and one with scopes needs base_url (see docs/admin.md)"
OURS = {"project", "issuetype", "summary", "description", "labels", "reporter"}


@dataclass(frozen=True)
class JiraDesk:
    """`pages` is where people open an issue; `email` is Cloud's, and without one it is Data Center."""

    finds_again: ClassVar[bool] = True
    base_url: str
    pages: str
    project: str
    issue_type: str
    email: str = ""
    token: str = field(default="", repr=False)

    def open(self, ticket: Ticket) -> Address:
        with alone(f"jira {ticket.id}"):
            key = self._known(f"mend-{ticket.id}") or self._create(ticket)
        return Address(f"{self.pages}/browse/{key}", key)

    def check(self) -> str:
        """By what Jira says of the project, the rights in it and the form of the issue type."""
        project, wanted = self.project, self.issue_type.lower()
        asked = {"projectKey": project, "permissions": "BROWSE_PROJECTS,CREATE_ISSUES"}
        may = self._call("GET", "mypermissions", params=asked).get("permissions") or {}
        for right, words in (("BROWSE_PROJECTS", "Browse projects"), ("CREATE_ISSUES", "Create issues")):
            if not (may.get(right) or {}).get("havePermission"):
                raise DeskError("auth", f"Jira: the desk's account lacks the permission {words!r} in {project}")
        kinds = self._page(f"issue/createmeta/{project}/issuetypes", "issueTypes")
        names = {"id", "name", "untranslatedName"}
        kind = next((k for k in kinds if wanted in {str(k.get(n, "")).lower() for n in names}), None)
        if kind is None:
            there = ", ".join(" ".join(str(k.get("name")).split())[:40] for k in kinds[:8])
            raise DeskError("config", f"Jira: {project} has no issue type {self.issue_type!r}; choose from {there}")
        fields = {
            str(f.get("fieldId") or f.get("key")): f
            for f in self._page(f"issue/createmeta/{project}/issuetypes/{kind.get('id')}", "fields")
        }
        if lacking := [name for name in ("description", "labels") if name not in fields]:
            raise DeskError("config", f"Jira: put {' and '.join(lacking)} on the create screen of {self.issue_type}")
        others = [k for k, f in fields.items() if f.get("required") and not f.get("hasDefaultValue") and k not in OURS]
        if others:
            raise DeskError("config", f"Jira: {self.issue_type} requires {', '.join(others)[:200]}: give it a default")
        return ""

    def case_of(self, key: str) -> str:
        """The id that an issue carries, or '': news of a comment does not say it."""
        if not re.fullmatch(rf"{self.project}-[0-9]{{1,12}}", key, re.I):
            return ""
        answer = self._ask("GET", f"issue/{key}", params={"fields": "labels"})
        return "" if answer.status_code == 404 else case_in(_labels(self._heard(answer)))

    def _known(self, label: str) -> str:
        """The key of the ticket with this label: as the search knows it, else among those that it may not know."""
        found = self._search(f'labels = "{label}" ORDER BY key ASC')
        if found:
            return str(found[0]["key"])
        newest = self._search(f'project = "{self.project}" ORDER BY key DESC')
        prefix, _, last = str(newest[0]["key"] if newest else f"{self.project}-0").rpartition("-")
        for issue in self._behind(prefix, int(last) if last.isdigit() else 0):
            if label in _labels(issue):
                return str(issue["key"])
        return ""

    def _search(self, jql: str) -> list[Any]:
        path = "search/jql" if self.email else "search"
        found = self._call("GET", path, params={"jql": jql, "maxResults": 1, "fields": "labels"})
        return [issue for issue in found.get("issues") or () if isinstance(issue, dict) and issue.get("key")]

    def _behind(self, prefix: str, last: int) -> list[Any]:
        keys = [f"{prefix}-{number}" for number in range(last + 1, last + 1 + BEHIND)]
        if self.email:
            sent = {"issueIdsOrKeys": keys, "fields": ["labels"]}
            return list(self._call("POST", "issue/bulkfetch", json=sent).get("issues") or ())
        found, missing = list[Any](), 0
        for key in keys:
            answer = self._ask("GET", f"issue/{key}", params={"fields": "labels"})
            missing = missing + 1 if answer.status_code == 404 else 0
            if missing == MISSING:
                break
            if not missing:
                found.append(self._heard(answer))
        return found

    def _create(self, ticket: Ticket) -> str:
        kind = {"id" if self.issue_type.isdigit() else "name": self.issue_type}
        sent = {
            "project": {"key": self.project},
            "issuetype": kind,
            "summary": " ".join(ticket.subject.split())[:250],
            "description": document(ticket.body) if self.email else as_it_stands(ticket.body),
            "labels": ["mend", *filter(None, [ticket.cause]), f"mend-{ticket.id}"],
        }
        try:
            made = self._call("POST", "issue", json={"fields": sent})
        except DeskError as error:
            error.retry_after = max(error.retry_after, LATE) if error.kind == "down" else error.retry_after
            raise
        if not made.get("key"):
            raise DeskError("down", "Jira answered without an issue", LATE)
        return str(made["key"])

    def _page(self, path: str, name: str) -> list[Any]:
        """Cloud names its list, Data Center calls every list `values`."""
        found = self._call("GET", path, params={"maxResults": 200})
        return [one for one in found.get(name) or found.get("values") or () if isinstance(one, dict)]

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        return self._heard(self._ask(method, path, **more))

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        auth = (self.email, self.token) if self.email else Bearer(self.token)
        url = f"{self.base_url}/rest/api/{3 if self.email else 2}/{path}"
        return ask("Jira", method, url, auth=auth, headers={"Accept": "application/json"}, **more)

    def _heard(self, answer: requests.Response) -> dict[str, Any]:
        self._refused(answer)
        body = json_of("Jira", answer, "desk.site or desk.base_url")
        return body if isinstance(body, dict) else {}

    def _refused(self, answer: requests.Response) -> None:
        status, wait = answer.status_code, wait_of(answer.headers)
        # A login that fails may be served as nobody's: https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/
        login = answer.headers.get("x-seraph-loginreason", "OK").split(",")[0].strip()
        if status == 401 or (status != 429 and login != "OK"):
            given = (
                f"e-mail or token (HTTP {status}): {ENDS}" if self.email else f"personal access token (HTTP {status})"
            )
            raise DeskError("auth", f"Jira refuses the desk's {given}")
        if status == 403:
            raise DeskError("auth", f"Jira: the desk's account may not do this in {self.project} (HTTP 403)")
        if status == 429:
            raise DeskError("rate", "Jira asks to wait", wait or 60.0)
        if status >= 500:
            raise DeskError("down", f"Jira has trouble (HTTP {status})", wait)
        if status == 404:
            there = f"no project {self.project} there that the desk's account sees"
            raise DeskError("config", f"Jira: {there} (HTTP 404): check desk.project, desk.site or desk.base_url")
        if 300 <= status < 400:
            raise DeskError("config", f"Jira is elsewhere (HTTP {status}): check desk.site or desk.base_url")
        if status >= 400:
            named = f": {', '.join(fields)[:120]}" if (fields := _fields(answer)) else ""
            raise DeskError("config", f"Jira does not take the ticket (HTTP {status}{named}): mend doctor looks closer")


def _fields(answer: requests.Response) -> list[str]:
    """The names of the fields that it complains of; its sentences may repeat what was sent."""
    try:
        errors = json_in(answer).get("errors")
    except (ValueError, AttributeError):
        return []
    return [name for name in errors if re.fullmatch(r"\w{1,40}", name)] if isinstance(errors, dict) else []


def _labels(issue: Any) -> list[str]:
    fields = issue.get("fields") if isinstance(issue, dict) else None
    return [str(label) for label in (fields or {}).get("labels") or ()] if isinstance(fields, dict) else []


def case_in(labels: list[str]) -> str:
    """The case that a ticket with these labels is of."""
    return next((found[1] for label in labels if (found := MARK.fullmatch(label))), "")


# What it reads like -------------------------------------------------------------------------------------------------


def document(body: str) -> dict[str, Any]:
    """Atlassian Document Format: text nodes are never markup. https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/"""
    nodes, room = list[Any](), LONGEST
    for is_item, group in groupby(blocks(body), key=lambda block: block.kind == "item"):
        room -= len('{"type": "bulletList", "content": []}, ')
        taken = list[Any]()
        for node in map(_node, group):
            room -= len(json.dumps(node, ensure_ascii=False)) + len(", ")
            if room > 0:
                taken.append(node)
        if taken:
            nodes += [{"type": "bulletList", "content": taken}] if is_item else taken
        if room <= 0:
            nodes.append(_paragraph(("... (shortened: the thread has the rest)",)))
            break
    return {"type": "doc", "version": 1, "content": nodes or [_paragraph(("-",))]}


def _node(block: Block) -> dict[str, Any]:
    if block.kind == "code":
        return {"type": "codeBlock", "content": [{"type": "text", "text": "\n".join(block.lines)}]}
    if block.kind == "heading":
        # No marks: a heading of Mend's own holds none.
        return {
            "type": "heading",
            "attrs": {"level": block.level},
            "content": [{"type": "text", "text": block.lines[0]}],
        }
    paragraph = _paragraph(block.lines)
    return {"type": "listItem", "content": [paragraph]} if block.kind == "item" else paragraph


def _paragraph(lines: tuple[str, ...]) -> dict[str, Any]:
    content = list[dict[str, Any]]()
    for line in lines:
        content += [{"type": "hardBreak"}] if content else []
        if url := thread_of(line):
            link = {"type": "link", "attrs": {"href": url}}
            content += [{"type": "text", "text": "Thread: "}, {"type": "text", "text": url, "marks": [link]}]
            continue
        for text, code in spans(line):
            content.append({"type": "text", "text": text, **({"marks": [{"type": "code"}]} if code else {})})
    return {"type": "paragraph", "content": content}


def as_it_stands(body: str) -> str:
    """Data Center reads a text as wiki markup, in which `[~name]` calls somebody and `!address!` loads a picture."""
    text = re.sub(r"\{(?=\s*noformat)", "{ ", body[: LONGEST - 1000], flags=re.I)
    return "{noformat}\n" + text[:LONGEST] + "\n{noformat}"


def make(raw: Mapping[str, Any]) -> JiraDesk:
    site, base = str(raw.get("site") or "").strip(), str(raw.get("base_url") or "").strip().rstrip("/")
    wanted = ["project", "token", *(["email"] if site or not base else [])]
    missing = [*([] if site or base else ["site"]), *(name for name in wanted if not raw.get(name))]
    if missing:
        raise DeskError("config", f"desk: jira needs {', '.join(missing)} in mend.yml")
    project = str(raw["project"]).strip()
    if not KEY.fullmatch(project):
        raise DeskError("config", "desk.project of mend.yml: write the project's key, as DATA of DATA-12")
    pages = f"https://{site if '.' in site else f'{site}.atlassian.net'}" if site else base
    kind = str(raw.get("issue_type") or "Task").strip()
    return JiraDesk(base or pages, pages, project, kind, str(raw.get("email") or ""), str(raw["token"]))
