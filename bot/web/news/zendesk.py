"""Zendesk's own events, and the JSON that docs/admin.md gives for a trigger.

https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.web.news import News, part
from bot.web.signed import by_zendesk

PROOFS = (by_zendesk,)


def read(raw: Any, headers: Mapping[str, str]) -> News | None:
    ticket = part(raw, "detail") or part(raw, "ticket") or raw
    event = part(raw, "event")
    if not isinstance(ticket, Mapping) or not ticket.get("external_id"):
        return None
    said = part(event, "comment")
    comment = said or part(ticket, "comment") or {"body": ticket.get("comment"), "is_public": True}
    kind = str(raw.get("type") or "")
    status = "" if kind and "status" not in kind else str(event.get("current") or ticket.get("status") or "").lower()
    told = str(comment.get("body") or "") if comment.get("is_public", True) else ""
    if status not in ("solved", "closed") and not told:
        return None
    key = headers.get("x-zendesk-webhook-invocation-id", "")
    by = str(part(comment, "author").get("name") or "")
    proof = headers.get("x-zendesk-webhook-signature", "")
    return News(key, str(ticket["external_id"])[:40], status=status, comment=told, by=by, proof=proof)
