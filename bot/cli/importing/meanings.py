"""What platforms call the settings that Mend's sheets know, and which of their values mean the same.

Read in Fivetran's own OpenAPI definition (https://github.com/fivetran/fivetran-mcp), in Airbyte's
(https://github.com/airbytehq/airbyte-platform, airbyte-api/server-api) and in Stitch's form properties
(https://www.stitchdata.com/docs/developers/stitch-connect/api#form-properties).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.core.sheet import Sheet

# By driver or connector: the field, and what platforms call it beside the sheet's own names. Dots lead inward.
CALLED: dict[str, dict[str, tuple[str, ...]]] = {
    "postgres": {
        "slot": ("replication_slot", "replication_method.replication_slot"),
        "publication": ("publication_name", "replication_method.publication"),
    },
    "oracle": {"database": ("connection_data.service_name",), "sid": ("connection_data.sid",)},
    "mongodb": {"auth_source": ("database_config.auth_source",)},
    "dynamodb": {"region": ("region_name", "aws_region_code"), "endpoint_url": ("endpoint",)},
    "s3": {"region": ("region_name",), "endpoint_url": ("endpoint",)},
    "bigquery": {"project": ("project_id",), "dataset": ("dataset_id", "data_set_name")},
    "sftp": {"path": ("folder_path", "prefix")},
    "chargebee": {"site": ("sub_domain",)},
    "facebook_ads": {"account_id": ("account_ids", "accounts")},
    "gitlab": {"host": ("api_url", "custom_base_url")},
    "google_ads": {"customer_id": ("accounts",)},
    "google_analytics_4": {"property_id": ("property_ids", "properties")},
    "google_search_console": {"site": ("site_urls",)},
    "google_sheets": {"spreadsheet_id": ("sheet_id",)},
    "intercom": {"region": ("data_region",)},
    "iterable": {"region": ("account_region",)},
    "linkedin_ads": {"account_id": ("account_ids", "accounts")},
    "marketo": {"munchkin": ("endpoint",)},
    "mixpanel": {"username": ("service_account_username",)},
    "netsuite": {"account_id": ("account",)},
    "pardot": {"business_unit_id": ("pardot_business_unit_id",)},
    "pinterest_ads": {"ad_account_id": ("account_id", "advertisers")},
    "pipedrive": {"company": ("domain",)},
    "salesforce": {"instance_url": ("base_url",)},
    "snapchat_ads": {"ad_account_id": ("ad_account_ids", "accounts")},
    "tiktok_ads": {"advertiser_id": ("accounts",)},
    "x_ads": {"account_id": ("accounts",)},
    "zendesk": {"subdomain": ("domain",)},
}
# What one platform means by a name that another uses for something else.
ELSE: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
    # The database in which the user was created.
    ("stitch", "mongodb"): {"auth_source": ("database",), "database": ()},
}
# What a type says by itself.
IMPLIED: dict[str, dict[str, str]] = {
    "stripe_test": {"environment": "test"},
    "braintree_sandbox": {"environment": "sandbox"},
    "pardot_sandbox": {"environment": "demo"},
}
# Airbyte's ways of TLS by their path, and what Mend calls the same.
TLS = {
    "ssl_mode.mode": {
        "disable": "disable", "allow": "allow", "prefer": "prefer", "require": "require", "verify-ca": "verify-ca",
        "verify-full": "verify-full", "preferred": "prefer", "required": "require", "verify_ca": "verify-ca",
        "verify_identity": "verify-full",
    },
    "ssl_method.ssl_method": {"unencrypted": "disable", "encrypted_trust_server_certificate": "require"},
    "encryption.encryption_method": {"unencrypted": "disable"},
}  # fmt: skip
# Where the source's own log is read.
LOG = {
    "replication_method.method": ("CDC",),
    "update_method": ("WAL", "WAL_PGOUTPUT", "BINLOG", "LOGMINER"),
}
# Connectors whose streams are the provider's objects, by the provider's own names.
OBJECTS = ("salesforce",)
DATABASES = ("postgres", "mysql", "mssql", "oracle", "mongodb")
CA = "its authority's certificate is not shown: save it to a file and name that as ssl_root_cert in settings"
Flat = Mapping[str, Any]


def names_of(kind: str, known: Sheet, field: str) -> tuple[str, ...]:
    """Under which names a platform of this kind has a field, the surest first."""
    other = ELSE.get((kind, known.driver), {}).get(field)
    if other is not None:
        return other
    sent = known.sent_as.get(kind, {}).get(field)  # type: ignore[call-overload]
    also = next((f.also for f in known.fields if f.name == field), ())
    plain = (field, *also)
    inward = tuple(f"credentials.{name}" for name in plain)
    called = [name for of in (known.driver, known.key) for name in CALLED.get(of, {}).get(field, ())]
    return tuple(dict.fromkeys([*([sent] if sent else []), *called, *plain, *inward]))


def tls_of(kind: str, shown: Flat) -> tuple[str, str]:
    """`sslmode` as it is meant there, else nothing, and what to know of it."""
    for path, modes in TLS.items():
        if said := shown.get(path):
            mode = modes.get(str(said), "")
            note = CA if mode.startswith("verify") else f"{path} is {said} there: choose sslmode" if not mode else ""
            return mode, note
    if kind == "stitch" and str(shown.get("ssl")).lower() == "true":
        return _of_stitch(shown)
    return ("require", "") if shown.get("always_encrypted") is True else ("", "")


def _of_stitch(shown: Flat) -> tuple[str, str]:
    """`verify_mode` and `check_hostname` are for MySQL: with both the public authorities count, else a certificate."""
    if shown.get("ssl_ca"):
        return "verify-ca", CA
    on = [str(shown.get(name)).lower() == "true" for name in ("verify_mode", "check_hostname")]
    return ("verify-full" if all(on) else "verify-ca" if on[0] else "require"), ""


def log_of(driver: str, shown: Flat) -> bool:
    """Whether a database is followed by its log."""
    return driver in DATABASES and any(shown.get(path) in values for path, values in LOG.items())


def tunnel_of(shown: Flat) -> dict[str, Any] | None:
    """Host, port and user of the SSH server on the way, and which secret it takes; None where there is none."""
    way = str(shown.get("tunnel_method.tunnel_method") or "")
    if way in ("SSH_KEY_AUTH", "SSH_PASSWORD_AUTH"):
        before, secret = "tunnel_method.tunnel_", "password" if way == "SSH_PASSWORD_AUTH" else "private_key"
    elif str(shown.get("ssh")).lower() == "true":
        before, secret = "ssh_", "private_key"
    elif shown.get("connection_type", "SshTunnel") == "SshTunnel" and shown.get("tunnel_host"):
        before, secret = "tunnel_", "private_key"
    else:
        return None
    parts = {part: shown.get(before + part) for part in ("host", "port", "user")}
    return {**parts, "secret": secret} if parts["host"] and parts["user"] else None
