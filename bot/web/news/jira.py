"""Jira's webhooks: https://developer.atlassian.com/cloud/jira/platform/webhooks/ and, for Data Center,
https://developer.atlassian.com/server/jira/platform/webhooks/

A comment comes from Cloud as `comment_created`, whose issue does not hold its labels: the desk is asked for them. Data
Center's has no issue at all, but there the comment comes once more, as `jira:issue_updated` with the whole issue.
Mend itself writes no comments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.desks.jira import case_in
from bot.web.news import News, mapping, part
from bot.web.signed import by_jira

PROOFS = (by_jira,)
DEEP = 20


def read(raw: Any, headers: Mapping[str, str]) -> News | None:
    raw, issue, comment = mapping(raw), part(raw, "issue"), part(raw, "comment")
    event, fields = raw.get("webhookEvent"), part(issue, "fields")
    if event not in ("comment_created", "jira:issue_updated"):
        return None
    edited = raw.get("issue_event_type_name") in ("issue_comment_edited", "issue_comment_deleted")
    told = "" if edited or _hidden(comment) else " ".join(words(comment.get("body")).split())
    status = "solved" if event == "jira:issue_updated" and _solved(part(raw, "changelog"), fields) else ""
    labels = fields.get("labels")
    case = case_in([str(label) for label in labels]) if isinstance(labels, list) else ""
    ticket = "" if isinstance(labels, list) else str(issue.get("key") or "")
    if not (told or status) or not (case or ticket):
        return None
    who = part(comment, "author") if told else part(raw, "user")
    # A change and a comment have ids of their own, however often and as whichever event they are told. They are signed;
    # the number of a delivery (X-Atlassian-Webhook-Identifier) is not.
    kind, one = ("change", part(raw, "changelog").get("id")) if status else ("comment", comment.get("id"))
    key = f"jira:{kind}:{one}" if one else ""
    return News(key, case, ticket, status=status, comment=told, by=str(who.get("displayName") or ""))


def _solved(changelog: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """A status of the category that Jira shows green; what a workflow calls it is its own affair."""
    items = changelog.get("items")
    moved = any(mapping(item).get("field") == "status" for item in items) if isinstance(items, list) else False
    return moved and part(part(fields, "status"), "statusCategory").get("key") == "done"


def _hidden(comment: Mapping[str, Any]) -> bool:
    """For a role or a group alone, or internal in a service project."""
    properties = comment.get("properties")
    inside = isinstance(properties, list) and any(
        mapping(one).get("key") == "sd.public.comment" and part(one, "value").get("internal") for one in properties
    )
    return bool(comment.get("visibility")) or comment.get("jsdPublic") is False or inside


def words(body: Any, deep: int = 0) -> str:
    """A comment's text: as it stands, or out of the document that newer webhooks send."""
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping) or deep > DEEP:
        return ""
    own = body.get("text") or part(body, "attrs").get("text") or part(body, "attrs").get("url") or ""
    inside = body.get("content")
    below = [words(child, deep + 1) for child in inside[:200]] if isinstance(inside, list) else []
    return str(own) + ("" if body.get("type") == "paragraph" else " ").join(below)
