"""Who a call is from: each program proves it in its own way, and all of them with a secret of mend.yml."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

from starlette.requests import Request

# A call that was overheard and is sent again later than this is refused.
TOO_OLD = 300


def _same(given: str, wanted: str) -> bool:
    return bool(given) and hmac.compare_digest(given.encode(), wanted.encode())


def by_token(request: Request, body: bytes, secret: str) -> bool:
    """`Authorization: Bearer SECRET`, or `?token=SECRET` for programs that can send no header, as Airbyte's."""
    bearer = request.headers.get("authorization", "")
    kind, _, given = bearer.partition(" ")
    return (kind.lower() == "bearer" and _same(given.strip(), secret)) or _same(
        request.query_params.get("token", ""), secret
    )


def by_fivetran(request: Request, body: bytes, secret: str) -> bool:
    """The hex HMAC-SHA-256 of the body: https://fivetran.com/docs/rest-api/webhooks"""
    made = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return _same(request.headers.get("x-fivetran-signature-256", "").lower(), made)


def by_zendesk(request: Request, body: bytes, secret: str) -> bool:
    """base64(HMAC-SHA-256(timestamp + body)): https://developer.zendesk.com/documentation/webhooks/verifying/"""
    stamp = request.headers.get("x-zendesk-webhook-signature-timestamp", "")
    try:
        at = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except ValueError:
        return False
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if abs(time.time() - at.timestamp()) > TOO_OLD:
        return False
    made = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
    return _same(request.headers.get("x-zendesk-webhook-signature", ""), base64.b64encode(made).decode())


def _by_hub(given: str, body: bytes, secret: str) -> bool:
    """`sha256=` and the hex HMAC-SHA-256 of the body."""
    return _same(given, f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}")


def by_github(request: Request, body: bytes, secret: str) -> bool:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    return _by_hub(request.headers.get("x-hub-signature-256", ""), body, secret)


def by_jira(request: Request, body: bytes, secret: str) -> bool:
    """https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks ; Data Center likewise:
    https://confluence.atlassian.com/adminjiraserver/managing-webhooks-938846912.html
    """
    return _by_hub(request.headers.get("x-hub-signature", ""), body, secret)


def by_slack(request: Request, body: bytes, secret: str) -> bool:
    """HMAC-SHA-256 of version, time and body: https://docs.slack.dev/authentication/verifying-requests-from-slack/"""
    stamp = request.headers.get("x-slack-request-timestamp", "")
    if not secret or not (stamp.isascii() and stamp.isdigit() and len(stamp) < 20):
        return False
    if abs(time.time() - int(stamp)) > TOO_OLD:
        return False
    made = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return _same(request.headers.get("x-slack-signature", ""), f"v0={made}")
