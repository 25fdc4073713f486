"""Jira's issue API as the documentation describes it, over real HTTP: Cloud (version 3) and Data Center (version 2).

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/ (an issue is made with 201, `id`, `key` and
`self`; `issue/bulkfetch` leaves out what is not there), .../api-group-issue-search/ (a search is behind what was just
made, `fields` must be asked for), .../api-group-permissions/ ; a limit: .../rate-limiting/ ; a login that failed:
https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/ . Data Center:
https://developer.atlassian.com/server/jira/platform/rest/ (its pages hold `values`). The document: .../apis/document/structure/
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.serve import Quiet, listening

CLOUD = "Basic " + base64.b64encode(b"bot@acme.test:t0ken").decode()
DATA_CENTER = "Bearer t0ken"
MOODS: dict[str, tuple[int, Any, dict[str, str]]] = {
    "401": (401, {"errorMessages": ["Client must be authenticated to access this resource."]}, {}),
    "captcha": (200, {"issues": []}, {"x-seraph-loginreason": "AUTHENTICATION_DENIED"}),
    "403": (403, {"errorMessages": ["No"]}, {}),
    "429": (429, None, {"retry-after": "7"}),
    "500": (500, None, {}),
    "redirect": (302, None, {"location": "https://id.atlassian.com/login"}),
    "portal": (200, None, {"content-type": "text/html"}),
}
# What each node may hold: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
INSIDE = {
    "doc": {"paragraph", "heading", "bulletList", "codeBlock"},
    "bulletList": {"listItem"},
    "listItem": {"paragraph"},
    "paragraph": {"text", "hardBreak"},
    "heading": {"text"},
    "codeBlock": {"text"},
    "text": set[str](),
    "hardBreak": set[str](),
}


def sound(node: Any) -> bool:
    """Whether it is Atlassian Document Format, of the few nodes that nothing is read into."""
    inside = INSIDE.get(node.get("type"))
    if inside is None or (node["type"] == "text" and not node.get("text")):
        return False
    if node["type"] == "doc" and node.get("version") != 1:
        return False
    if node["type"] == "heading" and node["attrs"]["level"] not in range(1, 7):
        return False
    return all(child.get("type") in inside and sound(child) for child in node.get("content") or ())


class Jira:
    """`behind`: how many of the newest issues the search does not know yet. `loses_answer`: made, its answer is lost.

    `lacks`: permissions that the account has not. `form`: the fields of the create screen. `asked`: every call.
    """

    def __init__(self, cloud: bool) -> None:
        self.cloud = cloud
        self.issues: list[dict[str, Any]] = []
        self.mood, self.url = "good", ""
        self.behind, self.loses_answer = 0, False
        self.lacks: set[str] = set()
        self.form: dict[str, dict[str, Any]] = {
            name: {"fieldId": name, "required": name in ("project", "issuetype", "summary"), "hasDefaultValue": False}
            for name in ("project", "issuetype", "summary", "description", "labels")
        }
        self.asked: list[tuple[str, str, Any]] = []
        self.lock = threading.Lock()

    def made(self, fields: dict[str, Any]) -> tuple[int, Any]:
        errors = {
            "project": fields.get("project") != {"key": "DATA"} and "valid project is required",
            "issuetype": fields.get("issuetype") not in ({"name": "Task"}, {"id": "10001"}) and "valid issue type",
            "summary": (not fields.get("summary") or "\n" in fields["summary"]) and "The summary is invalid",
            "labels": any(" " in label for label in fields.get("labels", ())) and "can't contain spaces",
            **dict.fromkeys(set(fields) - set(self.form), "cannot be set. It is not on the appropriate screen"),
        }
        text = fields.get("description")
        if (self.cloud and not (isinstance(text, dict) and sound(text))) or (not self.cloud and type(text) is not str):
            errors["description"] = "Operation value must be an Atlassian Document"
        if wrong := {name: said for name, said in errors.items() if said}:
            return 400, {"errorMessages": [], "errors": wrong}
        with self.lock:
            number = len(self.issues) + 12
            self.issues.append({"id": str(10000 + number), "key": f"DATA-{number}", "fields": fields})
            return 201, {k: v for k, v in self.issues[-1].items() if k != "fields"}

    def found(self, jql: str) -> list[dict[str, Any]]:
        known = self.issues[: len(self.issues) - self.behind]
        if label := re.fullmatch(r'labels = "([^"]+)" ORDER BY key ASC', jql):
            return [issue for issue in known if label[1] in issue["fields"].get("labels", ())]
        assert jql == 'project = "DATA" ORDER BY key DESC', jql
        return known[::-1]

    def shown(self, issue: dict[str, Any]) -> dict[str, Any]:
        return {**issue, "fields": {"labels": issue["fields"].get("labels", [])}}

    def meta(self, path: str) -> tuple[int, Any]:
        there = [{"id": "10001", "name": "Task"}, {"id": "10002", "name": "Bug"}]
        name, given = ("issueTypes", there) if path.endswith("/issuetypes") else ("fields", list(self.form.values()))
        if not path.startswith("issue/createmeta/DATA/issuetypes"):
            return 404, {"errorMessages": ["No project could be found"]}
        return 200, {name if self.cloud else "values": given, "total": len(given)}


class Handler(Quiet):
    state: Jira

    def _answer(self, sent: Any) -> tuple[int, Any]:
        state, url = self.state, urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        path = url.path.removeprefix(f"/rest/api/{3 if state.cloud else 2}/")
        if path == ("search/jql" if state.cloud else "search") and self.command == "GET":
            assert asked["fields"] == "labels"
            return 200, {"issues": [state.shown(i) for i in state.found(asked["jql"])][: int(asked["maxResults"])]}
        if path == "mypermissions":
            if asked["projectKey"] != "DATA":
                return 404, {"errorMessages": ["No project could be found with key"]}
            names = asked["permissions"].split(",")
            return 200, {"permissions": {name: {"havePermission": name not in state.lacks} for name in names}}
        if path.startswith("issue/createmeta/"):
            return state.meta(path)
        if path == "issue/bulkfetch" and state.cloud and len(sent["issueIdsOrKeys"]) <= 100:
            return 200, {"issues": [state.shown(i) for i in state.issues if i["key"] in sent["issueIdsOrKeys"]]}
        if path == "issue" and self.command == "POST":
            return state.made(sent["fields"])
        one = next((i for i in state.issues if path == f"issue/{i['key']}"), None)
        return (200, state.shown(one)) if one else (404, {"errorMessages": ["Issue does not exist"]})

    def _do(self) -> None:
        sent, state = self.sent(), self.state
        state.asked.append((self.command, self.path, sent))
        known = self.headers.get("authorization") == (CLOUD if state.cloud else DATA_CENTER)
        mood = state.mood if known else "401"
        if mood in MOODS:
            self.say(*MOODS[mood])
            return
        status, body = (400, {"errors": {"summary": "No"}}) if mood == "400" else self._answer(sent)
        if status == 201 and state.loses_answer:
            self.close_connection = True
            self.connection.close()
            return
        self.say(status, body)

    do_GET = do_POST = _do


@contextmanager
def jira(cloud: bool = True) -> Iterator[Jira]:
    state = Jira(cloud)
    with listening(Handler, state=state) as state.url:
        yield state
