"""S3 and DynamoDB: keys, policies, names and regions gone wrong in an account that checks them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flows.core.finding import explaining
from messages import render
from tests.fakes.serve import serving
from tests.faults.aws_site import AwsSite, account
from tests.faults.frame import Fault, Wire, both, by_hand, prove, setting, to_the_letter
from tests.servers import dripping, listener, refusing_port, silent

WRONG, DENIED, CONFIG = "invalid_credentials", "missing_privilege", "config_error"


@pytest.fixture(scope="module")
def s3() -> Iterator[AwsSite]:
    with account("s3") as made:
        yield made


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[AwsSite]:
    with account("dynamodb") as made:
        yield made


@pytest.fixture
def site(fault: Fault, request: pytest.FixtureRequest) -> AwsSite:
    made: AwsSite = request.getfixturevalue(fault.family)
    return made


def keys(**values: str) -> Callable[[AwsSite], None]:
    return lambda site: site.wire.secrets.update(values)


def right(site: AwsSite) -> None:
    site.wire = site.fresh()


def deleted(site: AwsSite) -> None:
    site.admin("iam").delete_access_key(UserName="stitch", AccessKeyId=site.keys["AccessKeyId"])
    site._enforce(0)


def without(*actions: str) -> Callable[[AwsSite], None]:
    return lambda site: site.without(*actions)


def denied(action: str) -> Callable[[AwsSite], None]:
    return lambda site: site.allow((action, "*"), effect="Deny", name="deny")


ROLE = "arn:aws:iam::123456789012:role/stitch"


def dropped(site: AwsSite) -> None:
    site.admin("dynamodb").delete_table(TableName="items")
    site._enforce(0)


EVERYWHERE = [
    (family, *rest)
    for family in ("s3", "dynamodb")
    for rest in (
        ("the key is unknown", WRONG, "auth.unknown_access_key", keys(access_key_id="AKIAIOSFODNN7EXAMPLE"), None),
        ("the key was deleted", WRONG, "auth.unknown_access_key", deleted, None),
        ("the secret key is of another key", WRONG, "auth.wrong_secret_key", keys(secret_access_key="x" * 40), None),
        ("no key is configured", WRONG, "auth.credential_not_sent", keys(access_key_id="", secret_access_key=""), None),
        ("only the pipeline's role is configured", WRONG, "auth.credential_not_sent",
         keys(access_key_id="", role_arn=ROLE), by_hand(right)),
        ("the role may not be taken on", DENIED, "privilege.role_missing",
         keys(role_arn=ROLE, external_id="mend-1"), by_hand(right)),
        ("the endpoint is off", "host_unreachable", "network.refused",
         setting(endpoint_url=f"http://127.0.0.1:{refusing_port()}"), None),
    )
]  # fmt: skip
FAULTS = [
    *(Fault(f"{name} ({family})", family, cause, code, breaks, mends or to_the_letter, rounds=2)
      for family, name, cause, code, breaks, mends in EVERYWHERE),
    Fault("no policy at all (s3)", "s3", DENIED, "privilege.iam_policy_missing", without("s3:ListBucket", "s3:GetObject"), rounds=2),
    Fault("ListBucket lacks", "s3", DENIED, "privilege.iam_policy_missing", without("s3:ListBucket")),
    Fault("GetObject lacks", "s3", DENIED, "privilege.iam_object_action_missing", without("s3:GetObject")),
    Fault("the bucket has another name", "s3", CONFIG, "config.bucket_missing",
          both(lambda site: site.allow(("s3:*", "*")), setting(bucket="acme-export"))),
    Fault("the bucket has another name, and the policy does not name it", "s3", DENIED, "privilege.iam_policy_missing",
          setting(bucket="acme-export"), also=("config.bucket_missing",), rounds=3),
    Fault("no bucket is configured", "s3", CONFIG, "config.bucket_missing", setting(bucket="")),
    Fault("nothing begins with the prefix", "s3", CONFIG, "config.prefix", setting(prefix="invoices/")),
    Fault("no policy at all (dynamodb)", "dynamodb", DENIED, "privilege.iam_policy_missing",
          without("dynamodb:DescribeTable", "dynamodb:Scan"), rounds=2),
    Fault("DescribeTable lacks", "dynamodb", DENIED, "privilege.iam_policy_missing", without("dynamodb:DescribeTable")),
    Fault("Scan lacks", "dynamodb", DENIED, "privilege.iam_policy_missing", without("dynamodb:Scan")),
    Fault("the table was dropped", "dynamodb", CONFIG, "config.table_missing", dropped, also=("config.wrong_region",)),
    Fault("the table has another name", "dynamodb", CONFIG, "config.table_missing", setting(tables=("order",))),
    Fault("no table has a stream", "dynamodb", "server_misconfigured", "replication.stream_off", setting(replication="log")),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_named_and_what_is_printed_mends_it(fault: Fault, site: AwsSite) -> None:
    prove(fault, site)


def test_a_table_that_is_gone_is_named(dynamodb: AwsSite) -> None:
    dropped(dynamodb)
    top = explaining(dynamodb.wire.look())
    assert top is not None
    view = dynamodb.wire.view()
    assert render.summary(top.to_dict(), view) == "These selected tables do not exist: items."
    assert render.who(top.to_dict(), view) == "Whoever set up warehouse, with an administrator of the AWS account"
    dynamodb.restore()


# What moto does not play: answers as AWS documents them, from a server that gives them to everybody.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
ARN = "User: arn:aws:iam::123456789012:user/stitch is not authorized to perform: "


def xml(code: str, message: str, more: str = "") -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}<RequestId>1</RequestId></Error>"


def sts(path: str) -> Any:
    return (200, {"Content-Type": "text/xml"}, (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        "<Arn>arn:aws:iam::123456789012:user/stitch</Arn><UserId>A</UserId><Account>123456789012</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"))  # fmt: skip


DOCUMENTED = [
    (403, xml("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
     CONFIG, "clock.skew", ""),
    (403, xml("AccessDenied", f"{ARN}s3:ListBucket with an explicit deny in an identity-based policy"), DENIED,
     "privilege.explicit_deny", ""),
    (400, xml("ExpiredToken", "The provided token has expired."), "token_expired", "auth.session_token_expired", ""),
    (400, xml("AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; "
              "expecting 'eu-central-1'", "<Region>eu-central-1</Region>"), CONFIG, "config.wrong_region", "region: eu-central-1"),
    (503, xml("SlowDown", "Please reduce your request rate."), "rate_limited", "limit.rate_limited", ""),
    (500, xml("InternalError", "We encountered an internal error. Please try again."), "third_party_down",
     "availability.provider_error", ""),
    (403, xml("AllAccessDisabled", "All access to this object has been disabled."), "account_billing", "account.suspended", ""),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "cause", "code", "fix"), DOCUMENTED, ids=lambda v: str(v)[:40])
def test_what_aws_documents_has_its_cause(status: int, body: str, cause: str, code: str, fix: str) -> None:
    def answer(path: str, headers: Any) -> Any:
        if "/sts/" in headers.get("authorization", ""):
            return sts(path)
        return (status, {"Content-Type": "application/xml"}, body)

    with serving(answer) as url:
        wire = Wire("s3", {"region": "us-east-1", "endpoint_url": url, "bucket": "acme-exports"},
                    {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "s" * 40})  # fmt: skip
        found = next(f for f in wire.look() if f.step == "check_permissions")
    assert (found.cause, found.code) == (cause, code), found
    assert fix in json.dumps(dict(found.facts))


@pytest.mark.parametrize("way", ["silent", "dripping"])
def test_what_never_ends_is_ended(way: str) -> None:
    with listener(silent if way == "silent" else dripping(b"HTTP/1.1 200 OK\r\nX: ")) as port:
        wire = Wire("s3", {"endpoint_url": f"http://127.0.0.1:{port}", "bucket": "b"},
                    {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "s" * 40}, timeout=1.0)  # fmt: skip
        found = [f for f in wire.look() if f.verdict == "bad"]
    assert [f.code for f in found] == ["network.accepts_but_silent"]


def test_no_secret_key_is_in_what_is_found(s3: AwsSite) -> None:
    secret = s3.keys["SecretAccessKey"]
    s3.without("s3:ListBucket")
    said = str([f.to_dict() for f in s3.wire.look()])
    s3.restore()
    assert secret not in said
