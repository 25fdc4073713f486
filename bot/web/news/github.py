"""GitHub's webhooks `issue_comment` and `issues`: https://docs.github.com/en/webhooks/webhook-events-and-payloads

Whose an issue is stands in its hidden first line. Where anybody may open issues, somebody may copy that line: so it
counts only on the page of the case's own ticket. What is told once are comments and closings by their signed ids, not
deliveries, whose number (X-GitHub-Delivery) is not signed. Mend itself writes no comments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.desks.github import case_in
from bot.web.news import News, mapping, part
from bot.web.signed import by_github

PROOFS = (by_github,)


def read(raw: Any, headers: Mapping[str, str]) -> News | None:
    event = headers.get("x-github-event", ""), mapping(raw).get("action")
    issue, comment = part(raw, "issue"), part(raw, "comment")
    case, page = case_in(issue), str(issue.get("html_url") or "")
    if not case:
        return None
    if event == ("issue_comment", "created") and comment.get("body"):
        by = str(part(comment, "user").get("login") or "")
        key = f"github:comment:{comment['id']}" if comment.get("id") else ""
        return News(key, case, page=page, comment=" ".join(str(comment["body"]).split()), by=by)
    if event == ("issues", "closed"):
        by = str(part(raw, "sender").get("login") or "")
        at = issue.get("closed_at")
        key = f"github:closed:{issue.get('id')}:{at}" if at else ""
        # `completed` is what closing means to GitHub, and all that older servers know.
        reason = str(issue.get("state_reason") or "completed")
        if reason != "completed":
            return News(key, case, page=page, comment=f"closed as {reason.replace('_', ' ')}", by=by)
        return News(key, case, page=page, status="solved", by=by)
    return None
