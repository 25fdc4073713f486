"""The labels of causes: who can mend it, and whether waiting helps.

The labels follow the taxonomy of the pipeline service's own documentation; codes are `family.what`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Owner = Literal["user", "source_admin", "network_admin", "database_owner", "account_owner", "nobody", "support"]


@dataclass(frozen=True)
class Cause:
    owner: Owner
    waiting_helps: bool = False


CAUSES: dict[str, Cause] = {
    "third_party_down": Cause("nobody", True),
    "stitch_internal": Cause("nobody", True),
    "invalid_credentials": Cause("user"),
    "token_expired": Cause("user"),
    "missing_privilege": Cause("source_admin"),
    "feature_not_enabled": Cause("account_owner"),
    "ip_not_allowlisted": Cause("network_admin"),
    "host_unreachable": Cause("network_admin"),
    "connection_dropped": Cause("database_owner", True),
    "tls_mismatch": Cause("user"),
    "ssh_tunnel_failed": Cause("network_admin"),
    "config_error": Cause("user"),
    "server_misconfigured": Cause("database_owner"),
    "log_position_lost": Cause("user"),
    "schema_changed": Cause("user"),
    "unsupported_object": Cause("user"),
    "source_data_invalid": Cause("user"),
    "destination_limit": Cause("user"),
    "destination_full": Cause("database_owner"),
    "object_dependency": Cause("database_owner"),
    "job_limit": Cause("user", True),
    "rate_limited": Cause("user", True),
    "account_billing": Cause("account_owner"),
    "account_locked": Cause("account_owner"),
    "unclassified": Cause("support"),
}
REGENERABLE = frozenset({"invalid_credentials", "token_expired"})
