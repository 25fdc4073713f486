"""From an error text to its cause: structured signals first (SQLSTATE, HTTP status), words last, honest `unclear`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Diagnosis:
    """`matched` is the part of the text that decided."""

    cause: str
    code: str | None
    confidence: Literal["certain", "likely", "unclear"]
    stage: str
    connector: str | None
    matched: str


# SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html, MySQL: https://dev.mysql.com/doc/mysql-errors/8.4/en/
STATES = {
    "28P01": ("invalid_credentials", "auth.wrong_password"),
    "28000": ("ip_not_allowlisted", "access.pg_hba_no_entry"),
    "3D000": ("config_error", "config.unknown_database"),
    "42501": ("missing_privilege", "privilege.table_select_missing"),
    "42P01": ("config_error", "config.table_missing"),
    "53100": ("destination_full", "capacity.persistence_failed"),
    "53300": ("connection_dropped", "capacity.too_many_connections"),
    "57P03": ("third_party_down", "availability.shutting_down"),
    "1045": ("invalid_credentials", "auth.wrong_password"),
    "1049": ("config_error", "config.unknown_database"),
    "1130": ("ip_not_allowlisted", "access.host_not_allowed"),
    "1142": ("missing_privilege", "privilege.table_select_missing"),
    "1040": ("connection_dropped", "capacity.too_many_connections"),
    "1236": ("log_position_lost", "replication.binlog_position_purged"),
}
# In this order: what is more specific comes first.
WORDS: tuple[tuple[str, str, str | None], ...] = (
    (
        r"password authentication failed|access denied for user|login failed|invalid username"
        r"|bad credentials|authentication failed",
        "invalid_credentials",
        "auth.wrong_password",
    ),
    (
        r"no pg_hba\.conf entry|is not allowed to connect|whitelist|allowlist|allow-list|firewall|ip address.*not",
        "ip_not_allowlisted",
        None,
    ),
    (
        r"invalid_grant|token (has )?(been )?(expired|revoked)|expired.*token|revoked|re-?authori[sz]e|refresh token",
        "token_expired",
        "auth.token_expired",
    ),
    (
        r"invalid api key|invalid.*(access )?token|api key.*invalid|invalid_client",
        "invalid_credentials",
        "auth.invalid_token",
    ),
    (r"database \S+ does not exist|unknown database", "config_error", "config.unknown_database"),
    (
        r"permission denied|insufficient|not authorized|missing.*(scope|permission)|access denied|privilege|forbidden|command denied|scope",
        "missing_privilege",
        None,
    ),
    (r"rate.?limit|too many requests|quota|throttl|concurren|request limit", "rate_limited", "limit.rate_limited"),
    (r"no space left|disk full|out of disk", "destination_full", None),
    (r"binlog|wal.*removed|log position|oplog|change tracking.*invalid|replication slot", "log_position_lost", None),
    (r"tunnel|ssh|public key", "ssh_tunnel_failed", None),
    (r"certificate|ssl|tls|handshake", "tls_mismatch", None),
    (
        r"could not (resolve|translate)|name or service not known|nodename|unknown host|nxdomain",
        "host_unreachable",
        "dns.nxdomain",
    ),
    (r"refused", "host_unreachable", "network.refused"),
    (r"timed? ?out|unreachable|no route", "host_unreachable", "network.timeout_filtered"),
    (
        r"i/o error|broken pipe|connection reset|closed unexpectedly|lost connection|gone away",
        "connection_dropped",
        "network.reset",
    ),
    (r"suspended|unpaid|billing|trial.*expired|payment", "account_billing", None),
    (r"plan|edition|not enabled|upgrade|add-on", "feature_not_enabled", None),
    (
        r"maintenance|temporarily unavailable|service unavailable|bad gateway|outage",
        "third_party_down",
        "availability.provider_error",
    ),
    (r"dependent|depends on", "object_dependency", None),
    (
        r"primary key|did not conform|schema.*chang|column.*(missing|not exist)|incompatible schema",
        "schema_changed",
        None,
    ),
    (r"code -9|terminated|24 hours|maximum supported limit|unable to load tables", "job_limit", None),
    (r"malformed|could not parse|invalid json|encoding", "source_data_invalid", None),
    (r"does not exist|not found|invalid value", "config_error", None),
)
STATUS = {
    401: ("invalid_credentials", "auth.invalid_token"),
    403: ("missing_privilege", "auth.insufficient_scope"),
    404: ("config_error", "config.path_missing"),
    429: ("rate_limited", "limit.rate_limited"),
    402: ("account_billing", "account.unpaid"),
    500: ("third_party_down", "availability.provider_error"),
    502: ("third_party_down", "availability.bad_gateway"),
    503: ("third_party_down", "availability.maintenance"),
    504: ("third_party_down", "availability.gateway_timeout"),
}
_STATE = re.compile(r"(?:sqlstate[\s:=\[]*|\()(\d[0-9A-Z]{4})\b|(?:error|errno)[\s:(]*(\d{4})\b|\((\d{4}),", re.I)
_STATUS = re.compile(r"(?:http|status|code|error)\D{0,12}\b([45]\d\d)\b|\b([45]\d\d) (?:client|server) error", re.I)
_WORDS = [(re.compile(pattern, re.I), cause, code) for pattern, cause, code in WORDS]
CONNECTORS = (
    "postgres",
    "mysql",
    "mariadb",
    "hubspot",
    "github",
    "stripe",
    "salesforce",
    "zendesk",
    "shopify",
    "mongodb",
    "redshift",
)


def explain(text: str, connector: str | None = None) -> Diagnosis:
    """Read at most 20,000 characters of `text`."""
    text = text[:20_000]
    who = connector or next((c for c in CONNECTORS if c in text.lower()), None)
    for found in _STATE.finditer(text):
        state = next(g for g in found.groups() if g)
        if state.upper() in STATES:
            cause, code = STATES[state.upper()]
            return Diagnosis(cause, code, "certain", "connection", who, found.group(0))
    status = _STATUS.search(text)
    number = int(next(g for g in status.groups() if g)) if status else 0
    for pattern, cause, word_code in _WORDS:
        if hit := pattern.search(text):
            return Diagnosis(cause, word_code, "likely", "connection", who, hit.group(0)[:200])
    if status and number in STATUS:
        cause, code = STATUS[number]
        return Diagnosis(cause, code, "likely", "extraction", who, status.group(0))
    return Diagnosis("unclassified", None, "unclear", "", who, "")
