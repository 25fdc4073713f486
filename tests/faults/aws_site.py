"""An AWS account played by moto's server, which checks keys, signatures and policies as AWS does."""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import botocore.session

from tests.faults.frame import Wire
from tests.servers import free_port

READS = {
    "s3": [("s3:ListBucket", "arn:aws:s3:::acme-exports"), ("s3:GetObject", "arn:aws:s3:::acme-exports/*")],
    "dynamodb": [("dynamodb:DescribeTable", "*"), ("dynamodb:Scan", "*")],
}


class AwsSite:
    fills = {"<user>": "stitch", "<bucket>": "acme-exports", "<prefix>": "orders/", "<table>": "orders"}
    types = {"access_key_id": "<AccessKeyId>", "secret_access_key": "<SecretAccessKey>"}

    def __init__(self, url: str, kind: str) -> None:
        self.url, self.kind, self.admins = url, kind, dict[str, Any]()
        self.fills = {**self.fills, "<address>": url}
        self.restore()

    def admin(self, service: str) -> Any:
        self._enforce(10_000_000)
        if service not in self.admins:
            self.admins[service] = botocore.session.Session().create_client(
                service,
                region_name="us-east-1",
                endpoint_url=self.url,
                aws_access_key_id="a",
                aws_secret_access_key="a",
            )
        return self.admins[service]

    def _enforce(self, free: int) -> None:
        """How many calls are let through before policies count."""
        kind = {"Content-Type": "text/plain"}
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/moto-api/reset-auth", str(free).encode(), kind)
        ).close()

    def restore(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", b"")).close()
        iam = self.admin("iam")
        iam.create_user(UserName="stitch")
        self.keys = iam.create_access_key(UserName="stitch")["AccessKey"]
        self.allow(*READS[self.kind])
        if self.kind == "s3":
            store = self.admin("s3")
            store.create_bucket(Bucket="acme-exports")
            store.put_object(Bucket="acme-exports", Key="orders/1.csv", Body=b"id\n1\n")
        else:
            for table in ("orders", "items"):
                self.table(table)
        self.wire = self.fresh()
        self._enforce(0)

    def table(self, name: str) -> None:
        self.admin("dynamodb").create_table(
            TableName=name, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
        self._enforce(0)

    def fresh(self) -> Wire:
        secrets = {"access_key_id": self.keys["AccessKeyId"], "secret_access_key": self.keys["SecretAccessKey"]}
        settings = {"region": "us-east-1", "endpoint_url": self.url}
        if self.kind == "s3":
            return Wire("s3", {**settings, "bucket": "acme-exports", "prefix": "orders/"}, secrets)
        return Wire("dynamodb", settings, secrets, ("orders", "items"))

    def allow(self, *rights: tuple[str, str], effect: str = "Allow", name: str = "base") -> None:
        """The user's policy `name` holds these and no others."""
        rules = [{"Effect": effect, "Action": action, "Resource": at} for action, at in rights]
        document = json.dumps({"Version": "2012-10-17", "Statement": rules})
        self.admin("iam").put_user_policy(UserName="stitch", PolicyName=name, PolicyDocument=document)
        self._enforce(0)

    def without(self, *actions: str) -> None:
        self.allow(
            *[(action, at) for action, at in READS[self.kind] if action not in actions] or [("iam:GetUser", "*")]
        )

    def run(self, statement: str) -> Any:
        """A command of AWS's own command line, by the account's administrator."""
        program, service, operation, *words = shlex.split(statement)
        assert program == "aws", statement
        given = dict(zip(words[::2], words[1::2], strict=True))
        # The command line calls its options as the API its parameters: --user-name is UserName.
        args: dict[str, Any] = {flag.strip("-").title().replace("-", ""): value for flag, value in given.items()}
        if stream := args.get("StreamSpecification"):
            pairs = dict(part.split("=") for part in stream.split(","))
            args["StreamSpecification"] = {**pairs, "StreamEnabled": pairs["StreamEnabled"] == "true"}
        if "PolicyDocument" in args:
            # moto compares the ARNs of S3 only; for the other services it knows no resource but "*".
            document = json.loads(args["PolicyDocument"])
            rules = [
                rule if rule["Action"].startswith("s3:") else {**rule, "Resource": "*"}
                for rule in document["Statement"]
            ]
            args["PolicyDocument"] = json.dumps({**document, "Statement": rules})
        answer = getattr(self.admin("s3" if service == "s3api" else service), operation.replace("-", "_"))(**args)
        self._enforce(0)
        return answer

    def ask(self, statement: str) -> list[dict[str, Any]]:
        """What a command answers with, as a row."""
        answer = self.run(statement)
        return [answer.get("AccessKey", answer)]

    def write(self, file: str, lines: list[str]) -> None:
        raise AssertionError(f"nothing is to be written into {file}")

    def restart(self) -> None:
        raise AssertionError("nothing is to be restarted")


@contextlib.contextmanager
def account(kind: str) -> Iterator[AwsSite]:
    """A process of its own: moto keeps its accounts in the process, and each site empties them."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield AwsSite(f"http://127.0.0.1:{port}", kind)
    finally:
        process.terminate()
        process.wait(20)
