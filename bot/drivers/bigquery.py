"""BigQuery over HTTP: a service account's signed word for a token, then questions that cost nothing."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from bot.drivers.http import Answer, get
from bot.drivers.network import Deadline, Trouble

API, TOKEN = "https://bigquery.googleapis.com", "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/bigquery.readonly"
WRONG, DENIED, CONFIG = "invalid_credentials", "missing_privilege", "config_error"
Rows = tuple[tuple[str, str, str, tuple[str, ...]], ...]
# `error` and its description: https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
GRANTS: Rows = (
    (r"invalid_grant.*account (not found|is disabled)", WRONG, "auth.unknown_user", ("account.user_deactivated",)),
    (r"invalid_grant.*(reasonable timeframe|iat and exp)", CONFIG, "clock.skew", ()),
    (r"invalid_grant", WRONG, "auth.key_deleted", ("auth.signature_mismatch",)),
    (r"invalid_scope|unauthorized_client|access_denied", DENIED, "auth.insufficient_scope", ()),
    (r"invalid_client|disabled_client|deleted_client", WRONG, "auth.invalid_client", ()),
)  # fmt: skip
# The first that fits, by the API's `reason` and words:
# https://cloud.google.com/bigquery/docs/error-messages and
# https://cloud.google.com/apis/design/errors#error_info (SERVICE_DISABLED)
REASONS: Rows = (
    (r"accessNotConfigured|SERVICE_DISABLED", "feature_not_enabled", "config.api_not_enabled", ()),
    (r"billingNotEnabled|BILLING_DISABLED|billing has not", "account_billing", "account.billing_disabled", ()),
    (r"quotaExceeded|billingTierLimitExceeded", "rate_limited", "limit.daily_quota", ()),
    (r"rateLimitExceeded|RESOURCE_EXHAUSTED|jobRateLimitExceeded", "rate_limited", "limit.rate_limited", ()),
    (r"VPC.?SERVICE.?CONTROLS|SECURITY_POLICY_VIOLATED", "ip_not_allowlisted", "access.ip_not_allowed", ()),
    (r"Dataset[^\"]* in location", CONFIG, "config.wrong_region", ("config.unknown_database",)),
    (r"notFound.*Dataset|Not found: Dataset", CONFIG, "config.unknown_database", ("config.wrong_region",)),
    (r"notFound.*Table|Not found: Table", CONFIG, "config.table_missing", ("config.wrong_region",)),
    (r"notFound|Not found: Project|CONSUMER_INVALID", CONFIG, "config.object_missing", ()),
    (r"accessDenied", DENIED, "privilege.table_select_missing", ("config.table_missing",)),
    (r"authError|UNAUTHENTICATED", WRONG, "auth.invalid_token", ()),
    (r"ACCESS_TOKEN_SCOPE_INSUFFICIENT|insufficientPermissions", DENIED, "auth.insufficient_scope", ()),
    (r"backendError|internalError|UNAVAILABLE", "third_party_down", "availability.provider_error", ()),
    (r"invalid\b", CONFIG, "config.wrong_format", ()),
)  # fmt: skip


# Of these a good answer has one at least: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query
OWN = {"kind", "jobComplete", "jobReference", "datasetReference"}


@dataclass
class Reading:
    """What the token saw: where the data is, what was refused of which thing, and what there was no time to ask."""

    email: str
    location: str = ""
    refused: list[tuple[str, Trouble]] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)


class Account:
    """One service account's way to BigQuery. Every call ends by the one deadline."""

    def __init__(self, settings: Mapping[str, Any], key: str, deadline: Deadline, proxy: str | None) -> None:
        self.settings, self.deadline, self.proxy = settings, deadline, proxy
        self.key = _read(key)
        self.token = ""

    @property
    def email(self) -> str:
        return str(self.key["client_email"])

    @property
    def project(self) -> str:
        return str(self.settings.get("project") or self.key.get("project_id") or "")

    def sign_in(self) -> None:
        """https://developers.google.com/identity/protocols/oauth2/service-account#httprest"""
        base = str(self.settings.get("base_url") or "").rstrip("/")
        audience = str(self.key.get("token_uri") or TOKEN)
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self._signed(audience)}
        # A host of one's own answers for both.
        answer = self._ask(f"{base}/token" if base else audience, urlencode(form), "application/x-www-form-urlencoded")
        told = answer.json()
        if answer.status == 200 and isinstance(told, dict) and told.get("access_token"):
            self.token = str(told["access_token"])
            return
        raise _known(GRANTS, answer, "token")

    def _signed(self, audience: str) -> str:
        """A JSON Web Token: https://www.rfc-editor.org/rfc/rfc7515#section-3.1"""
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        now = int(time.time())
        claims = {"iss": self.email, "scope": SCOPE, "aud": audience, "iat": now, "exp": now + 600}
        said = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
        try:
            key = serialization.load_pem_private_key(str(self.key["private_key"]).encode(), None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey):
            words = "private_key of the service account cannot be read: it was cut off or changed"
            raise Trouble(CONFIG, "config.wrong_format", words)
        signature = key.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{said}.{_text(signature)}"

    def call(self, path: str, post: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call of the API. Raises Trouble."""
        base = str(self.settings.get("base_url") or API).rstrip("/")
        answer = self._ask(f"{base}/bigquery/v2/projects/{quote(self.project)}{path}", json.dumps(post) if post else "")
        told = answer.json()
        if answer.status == 200 and isinstance(told, dict) and "error" not in told and OWN & told.keys():
            return told
        raise _known(REASONS, answer, path)

    def _ask(self, url: str, post: str = "", kind: str = "application/json") -> Answer:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        headers |= {"Content-Type": kind} if post else {}
        ca = self.settings.get("ca_file")
        return get(url, headers, self.deadline.left(), proxy=self.proxy, ca_file=ca, post=post)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(values: Mapping[str, Any]) -> str:
    return _text(json.dumps(values).encode())


def look(account: Account, tables: Sequence[tuple[str, str]], dataset: str, each: float, whole: Deadline) -> Reading:
    """The dataset, each table, and a query that is only judged and not run, so that nothing is read or paid.

    `each`: seconds for one table.
    """
    reading = Reading(account.email)
    account.deadline = Deadline(each)
    try:
        if dataset:
            reading.location = str(account.call(f"/datasets/{quote(dataset)}").get("location") or "")
        _judged(account, "SELECT 1", reading.location)
    except Trouble as trouble:
        reading.refused.append((dataset or account.project, trouble))
        return reading
    for place, table in tables:
        name = f"{place}.{table}"
        if whole.over():
            reading.unproven.append(name)
            continue
        account.deadline = Deadline(min(each, whole.left()))
        try:
            # No part of a name may hold a backtick: https://cloud.google.com/bigquery/docs/tables#table_naming
            known = f"{account.project}.{name}".replace("`", "").replace("\\", "")
            _judged(account, f"SELECT * FROM `{known}` LIMIT 0", reading.location)  # noqa: S608 - quoted name
        except Trouble as trouble:
            if whole.over():  # it had no whole time
                reading.unproven.append(name)
            else:
                reading.refused.append((name, trouble))
    return reading


def _judged(account: Account, sql: str, location: str) -> None:
    """https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query: dryRun runs nothing and costs nothing."""
    where = str(account.settings.get("region") or location)
    try:
        asked = {"query": sql, "useLegacySql": False, "dryRun": True, **({"location": where} if where else {})}
        account.call("/queries", asked)
    except Trouble as trouble:
        if "bigquery.jobs.create" not in trouble.evidence:
            raise
        raise Trouble(DENIED, "privilege.role_missing", trouble.evidence) from None


def _read(key: str) -> dict[str, Any]:
    if not key:
        raise Trouble(WRONG, "auth.credential_not_sent", "service_account is empty")
    try:
        read = json.loads(key)
    except ValueError:
        read = None
    if isinstance(read, dict) and all(isinstance(read.get(name), str) for name in ("private_key", "client_email")):
        return read
    words = "service_account is not the JSON file of a service account's key"
    raise Trouble(CONFIG, "config.wrong_format", words)


def _known(table: Rows, answer: Answer, what: str) -> Trouble:
    """Google's own reason decides; a page of somebody else's has none."""
    told = answer.json()
    words = " ".join(answer.head.split())
    if isinstance(told, dict) and "error" in told:
        for pattern, cause, code, alike in table:
            if re.search(pattern, words, re.I | re.S):
                return Trouble(cause, code, _said(told, what), alike)
        if answer.status >= 500:
            return Trouble("third_party_down", "availability.provider_error", _said(told, what))
        return Trouble("unclassified", "availability.malformed_response", _said(told, what))
    if answer.status >= 500:
        return Trouble("third_party_down", "availability.bad_gateway", f"{what}: HTTP {answer.status}")
    said = f"{what}: HTTP {answer.status}, which does not come from BigQuery"
    return Trouble(CONFIG, "config.wrong_port_other_service", said, ("access.waf_blocked",))


def _said(told: Mapping[str, Any], what: str) -> str:
    error = told["error"]
    if not isinstance(error, dict):
        return f"{what}: {error}: {told.get('error_description', '')}"
    first = (error.get("errors") or [{}])[0]
    reason = first.get("reason") if isinstance(first, dict) else ""
    return f"{what}: {error.get('code')} {reason or error.get('status') or ''}: {error.get('message')}"
