"""AWS by botocore: explicit keys only, one try per call, and one limit for all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from bot.drivers.authorities import authorities
from bot.drivers.network import Deadline, Trouble, bounded

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
CODES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "InvalidAccessKeyId": ("invalid_credentials", "auth.unknown_access_key", ("auth.key_deleted",)),
    "InvalidClientTokenId": ("invalid_credentials", "auth.unknown_access_key", ("auth.key_deleted",)),
    "UnrecognizedClientException": ("invalid_credentials", "auth.unknown_access_key", ("auth.key_deleted",)),
    "SignatureDoesNotMatch": ("invalid_credentials", "auth.wrong_secret_key", ("auth.signature_mismatch",)),
    "InvalidSignatureException": ("invalid_credentials", "auth.wrong_secret_key", ("auth.signature_mismatch",)),
    "IncompleteSignature": ("invalid_credentials", "auth.signature_mismatch", ()),
    "ExpiredToken": ("token_expired", "auth.session_token_expired", ()),
    "ExpiredTokenException": ("token_expired", "auth.session_token_expired", ()),
    "InvalidToken": ("invalid_credentials", "auth.invalid_token", ()),
    "RequestTimeTooSkewed": ("config_error", "clock.skew", ()),
    "RequestExpired": ("config_error", "clock.skew", ()),
    "AccessDenied": ("missing_privilege", "privilege.iam_policy_missing", ()),
    "AccessDeniedException": ("missing_privilege", "privilege.iam_policy_missing", ()),
    "Forbidden": ("missing_privilege", "privilege.iam_policy_missing", ()),
    # Each is settled with AWS by who owns the account, no login is locked:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    "AllAccessDisabled": ("account_billing", "account.suspended", ()),
    "AccountProblem": ("account_billing", "account.suspended", ()),
    "OptInRequired": ("account_billing", "account.suspended", ()),
    "NotSignedUp": ("account_billing", "account.suspended", ()),
    "NoSuchBucket": ("config_error", "config.bucket_missing", ()),
    "InvalidBucketName": ("config_error", "config.bucket_missing", ()),
    "PermanentRedirect": ("config_error", "config.wrong_region", ()),
    "TemporaryRedirect": ("config_error", "config.wrong_region", ()),
    "AuthorizationHeaderMalformed": ("config_error", "config.wrong_region", ()),
    "IllegalLocationConstraintException": ("config_error", "config.wrong_region", ()),
    "ResourceNotFoundException": ("config_error", "config.table_missing", ("config.wrong_region",)),
    "SlowDown": ("rate_limited", "limit.rate_limited", ()),
    "Throttling": ("rate_limited", "limit.rate_limited", ()),
    "ThrottlingException": ("rate_limited", "limit.rate_limited", ()),
    "ProvisionedThroughputExceededException": ("rate_limited", "limit.rate_limited", ()),
    "RequestLimitExceeded": ("rate_limited", "limit.rate_limited", ()),
    "InternalError": ("third_party_down", "availability.provider_error", ()),
    "InternalServerError": ("third_party_down", "availability.provider_error", ()),
    "ServiceUnavailable": ("third_party_down", "availability.provider_error", ()),
}
# What botocore raises before there is an answer.
TRANSPORT: tuple[tuple[str, str, str], ...] = (
    ("ConnectTimeoutError", "host_unreachable", "network.timeout_filtered"),
    ("ReadTimeoutError", "host_unreachable", "network.accepts_but_silent"),
    ("ProxyConnectionError", "host_unreachable", "proxy.unreachable"),
    ("SSLError", "tls_mismatch", "tls.unknown_ca"),
    ("ConnectionClosedError", "connection_dropped", "availability.empty_response"),
    ("EndpointConnectionError", "host_unreachable", "network.refused"),
    ("InvalidRegionError", "config_error", "config.wrong_region"),
    ("ResponseParserError", "config_error", "config.wrong_port_other_service"),
    ("ParamValidationError", "config_error", "config.wrong_format"),
)


@dataclass(frozen=True)
class Keys:
    """Who signs. With `role`, the keys' owner takes on that role first."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    role: str = ""
    external_id: str = field(default="", repr=False)


@cache
def _descriptions() -> Any:
    """botocore's descriptions of the services, read once in this process: S3's alone takes a fifth of a second."""
    import botocore.session

    return botocore.session.Session().get_component("data_loader")


def _believed() -> str | bool:
    """As every other check; botocore takes no folder."""
    known = authorities()
    return known if isinstance(known, str) and os.path.isfile(known) else True


class Account:
    """One connection's way to AWS. Every call ends by the one deadline."""

    def __init__(self, settings: Mapping[str, Any], keys: Keys, deadline: Deadline, proxy: str | None = None) -> None:
        self.settings, self.keys, self.deadline, self.proxy = settings, keys, deadline, proxy
        self.arn = ""
        self.clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        return str(self.settings.get("region") or "us-east-1")

    def _client(self, service: str) -> Any:
        import botocore.config
        import botocore.session

        if service in self.clients:
            return self.clients[service]
        session = botocore.session.Session()
        session.register_component("data_loader", _descriptions())
        # Files and endpoints of the machine that Mend runs on are not what the connection is configured with.
        for name in ("config_file", "credentials_file"):
            session.set_config_variable(name, os.devnull)
        wanted: dict[str, Any] = {
            "connect_timeout": self.deadline.left(), "read_timeout": self.deadline.left(),
            "retries": {"total_max_attempts": 1, "mode": "standard"}, "ignore_configured_endpoint_urls": True,
            "proxies": {"http": self.proxy, "https": self.proxy} if self.proxy else {},
            "s3": {"addressing_style": "path" if self.settings.get("endpoint_url") else "auto"},
        }  # fmt: skip
        limits = botocore.config.Config(**wanted)
        self.clients[service] = session.create_client(
            service, region_name=self.region, endpoint_url=self.settings.get("endpoint_url") or None, config=limits,
            verify=self.settings.get("ca_file") or _believed(), aws_access_key_id=self.keys.access_key,
            aws_secret_access_key=self.keys.secret_key, aws_session_token=self.keys.token or None,
        )  # fmt: skip
        return self.clients[service]

    def identity(self) -> str:
        """The ARN behind the keys, after the role was taken on; '' where the endpoint knows no STS. Raises Trouble."""
        try:
            self.arn = str(self.call("sts", "get_caller_identity")["Arn"])
        except Trouble as trouble:
            if trouble.shown not in ("NotImplemented", "MethodNotAllowed", "InvalidAction", "404", "405", "400"):
                raise
        if self.keys.role:
            self._assume()
        return self.arn

    def _assume(self) -> None:
        more = {"ExternalId": self.keys.external_id} if self.keys.external_id else {}
        asked = {"RoleArn": self.keys.role, "RoleSessionName": "mend", "DurationSeconds": 900, **more}
        try:
            answer = self.call("sts", "assume_role", **asked)
        except Trouble as trouble:
            if trouble.cause != "missing_privilege":
                raise
            raise Trouble(
                "missing_privilege", "privilege.role_missing", trouble.evidence, ("auth.external_id_mismatch",)
            ) from None
        given = answer["Credentials"]
        self.clients.clear()
        self.keys = Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        self.arn = str(answer["AssumedRoleUser"]["Arn"])

    def call(self, service: str, operation: str, **args: Any) -> dict[str, Any]:
        """One call of the API. Raises Trouble; its `shown` is AWS's own code."""
        return bounded(self.deadline, lambda: self._call(service, operation, args), f"{service} {operation}")

    def _call(self, service: str, operation: str, args: Mapping[str, Any]) -> dict[str, Any]:
        import botocore.exceptions

        try:
            answer: dict[str, Any] = getattr(self._client(service), operation)(**args)
        except botocore.exceptions.ClientError as error:
            raise _answered(error.response, f"{service} {operation}") from None
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise _unanswered(error, self.deadline) from None
        return answer


def _answered(response: Mapping[str, Any], what: str) -> Trouble:
    """AWS's own code decides; some answers carry it only inside their message."""
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    words = str(error.get("Message") or "")
    inner = re.search(r"<Code>(\w+)</Code>\s*<Message>(.*?)</Message>", words, re.S)
    name, words = (inner[1], inner[2]) if inner else (str(error.get("Code") or ""), words)
    said = f"{what}: {name}: {words}" if words else f"{what}: {name}"
    status = int(meta.get("HTTPStatusCode") or 0)
    # An answer to HEAD has no body: the status is all there is.
    cause, code, alike = CODES.get({"403": "Forbidden", "404": "NotFound"}.get(name, name), ("", "", ()))
    if not code and status >= 500:
        cause, code = "third_party_down", "availability.provider_error"
    if code == "privilege.iam_policy_missing" and "explicit deny" in words:
        code = "privilege.explicit_deny"
    if code == "auth.wrong_secret_key" and re.search(r"Signature (not yet current|expired)", words):
        cause, code, alike = "config_error", "clock.skew", ()
    return Trouble(cause or "unclassified", code or "availability.malformed_response", said, alike, shown=name)


def _unanswered(error: Exception, deadline: Deadline) -> Trouble:
    name = type(error).__name__
    text = " ".join(f"{error}".split())[:300]
    if name == "SSLError":
        from bot.drivers.http_trouble import trouble_of

        url = str(getattr(error, "kwargs", {}).get("endpoint_url", ""))
        return trouble_of(getattr(error, "kwargs", {}).get("error") or error, url, deadline)
    unknown = ("unclassified", "availability.no_response")
    cause, code = next(((cause, code) for kind, cause, code in TRANSPORT if kind in name), unknown)
    return Trouble(cause, code, text)
