"""S3 and DynamoDB: who the keys belong to, and whether they may read exactly what was selected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from bot.checks.base import Target, finding
from bot.checks.reading import out_of_time
from bot.checks.text import evidence, readable
from bot.drivers.aws import Account, Keys
from bot.drivers.network import Deadline, Trouble
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"
Problem = tuple[Trouble, str, str]  # what was answered, the action that lacks, its resource


def endpoint(target: Target) -> str:
    """Where the service answers: https://docs.aws.amazon.com/general/latest/gr/rande.html"""
    given = str(target.settings.get("endpoint_url") or "")
    region = str(target.settings.get("region") or "us-east-1")
    tail = ".cn" if region.startswith("cn-") else ""
    return given or f"https://{target.sheet.driver}.{region}.amazonaws.com{tail}"


def _account(target: Target) -> Account | Trouble:
    """The account behind the keys, asked once in a run; a refusal is remembered too."""
    if "aws" not in target.memo:
        names = ("access_key_id", "secret_access_key", "session_token", "role_arn", "external_id")
        keys = Keys(*(target.sheet.secret(target.secrets, name).strip() for name in names))
        account = Account(target.settings, keys, Deadline(target.timeout), target.proxy)
        try:
            if not keys.access_key or not keys.secret_key:
                raise _without_keys(keys)
            account.identity()
            target.memo["aws"] = account
        except Trouble as trouble:
            target.memo["aws"], target.memo["arn"] = trouble, account.arn
    kept: Account | Trouble = target.memo["aws"]
    return kept


def _without_keys(keys: Keys) -> Trouble:
    words = "access_key_id and secret_access_key are empty"
    if keys.role:
        words = f"only the pipeline can take on {keys.role}: Mend needs keys of its own that may take it on too"
    return Trouble("invalid_credentials", "auth.credential_not_sent", words)


def _facts(target: Target) -> dict[str, Any]:
    parts = urlsplit(endpoint(target))
    named = {name: str(target.settings.get(name) or "") for name in ("bucket", "prefix", "region")}
    return {**named, "host": parts.hostname or "", "port": str(parts.port or "")}


def verify_credentials(target: Target) -> Finding:
    made = _account(target)
    if isinstance(made, Account):
        who = f"signed in as {made.arn}" if made.arn else "this endpoint does not tell who the keys belong to"
        return finding(LOGIN, "good", evidence=evidence(target, who), **_facts(target))
    verdict: Any = "unclear" if made.cause == "unclassified" else "bad"
    facts = {**_facts(target), **_fix(made, target), **_login_commands(made, target)}
    words = evidence(target, made.evidence)
    return finding(LOGIN, verdict, made.code, made.cause, evidence=words, alternatives=made.alternatives, **facts)


def _login_commands(trouble: Trouble, target: Target) -> dict[str, Any]:
    """https://docs.aws.amazon.com/cli/latest/reference/iam/: who the keys are of is not known where they fail."""
    role = target.sheet.secret(target.secrets, "role_arn").strip()
    if trouble.code == "privilege.role_missing" and role:
        line = _put(*_who(target.memo["arn"]), "sts:AssumeRole", role)
        return {"statements": [line, f"aws iam get-role --role-name {role.rpartition('/')[2]}"]}
    if trouble.code in ("auth.unknown_access_key", "auth.wrong_secret_key", "auth.credential_not_sent"):
        return {"statements": ["aws iam create-access-key --user-name <user>"]}
    return {}


def verify_permissions(target: Target) -> Finding:
    made = _account(target)
    if isinstance(made, Trouble):
        return finding(RIGHTS, "unclear", made.code, made.cause, evidence=evidence(target, made.evidence))
    made.deadline = Deadline(target.timeout)
    look: Callable[[Target, Account], tuple[str, list[Problem]]] = _bucket if target.sheet.driver == "s3" else _tables
    said, problems = look(target, made)
    if not problems:
        return finding(RIGHTS, "good", evidence=evidence(target, said), **_facts(target))
    first = problems[0][0]
    facts = {**_facts(target), **_fix(first, target), **_policy(made.arn, problems)}
    gone = [at.rpartition("/")[2] for trouble, _, at in problems if trouble.code == "config.table_missing"]
    kept = [table for table in target.tables if table not in gone]
    if first.code == "config.table_missing":
        facts["missing"], facts["statements"] = gone, ["aws dynamodb list-tables"]
        facts["settings"] = ["tables: " + json.dumps(kept or ["<table>"])]
    if first.code == "config.bucket_missing":
        facts["statements"] = ["aws s3api list-buckets"]
    words = evidence(target, "; ".join(dict.fromkeys(trouble.evidence for trouble, _, _ in problems[:10])))
    # The keys were accepted a moment ago: a refusal here is about this service, not about who we are.
    verdict: Any = "unclear" if first.cause in ("unclassified", "rate_limited", "third_party_down") else "bad"
    return finding(RIGHTS, verdict, first.code, first.cause, evidence=words, alternatives=first.alternatives, **facts)


def _bucket(target: Target, account: Account) -> tuple[str, list[Problem]]:
    bucket, prefix = str(target.settings.get("bucket") or ""), str(target.settings.get("prefix") or "")
    if not bucket:
        return "", [(Trouble("config_error", "config.bucket_missing", "the setting bucket is empty"), "", "")]
    try:
        answer = account.call("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except Trouble as trouble:
        # To who may not list it, S3 does not tell whether a bucket is there.
        hidden = ("config.bucket_missing",) if trouble.code == "privilege.iam_policy_missing" else ()
        told = replace(trouble, alternatives=(*trouble.alternatives, *hidden))
        return "", [(told, "s3:ListBucket", f"arn:aws:s3:::{bucket}")]
    objects = answer.get("Contents") or []
    if not objects:
        words = f"nothing in {bucket} begins with {prefix}" if prefix else f"{bucket} is empty"
        return "", [(Trouble("config_error", "config.prefix", words), "", "")]
    try:
        account.call("s3", "head_object", Bucket=bucket, Key=objects[0]["Key"])
    except Trouble as trouble:
        code = "privilege.iam_object_action_missing" if trouble.cause == "missing_privilege" else trouble.code
        told = Trouble(trouble.cause, code, f"{trouble.evidence} for an object that is listed", trouble.alternatives)
        return "", [(told, "s3:GetObject", f"arn:aws:s3:::{bucket}/{prefix}*")]
    return f"{bucket} is listed and its objects may be read", []


def _tables(target: Target, account: Account) -> tuple[str, list[Problem]]:
    problems, late, whole = list[Problem](), list[str](), Deadline(target.timeout * 3)
    for table in target.tables:
        account.deadline = Deadline(min(target.timeout, whole.left()))
        found = [] if whole.over() else _table(target, account, table)
        if whole.over():  # what it found, it found for want of time
            late.append(table)
        else:
            problems += found
    if late:
        problems.append((out_of_time(late), "", ""))
    if not target.tables:
        try:
            account.call("dynamodb", "list_tables", Limit=1)
        except Trouble as trouble:
            problems.append((trouble, "dynamodb:ListTables", "*"))
    return readable(len(target.tables), selected=True) if target.tables else "tables are listed", problems


def _table(target: Target, account: Account, table: str) -> list[Problem]:
    at = f"arn:aws:dynamodb:{account.region}:{(account.arn.split(':') + [''] * 5)[4] or '*'}:table/{table}"
    try:
        known = account.call("dynamodb", "describe_table", TableName=table)["Table"]
    except Trouble as trouble:
        return [(trouble, "dynamodb:DescribeTable", at)]
    if target.replication == "log" and not (known.get("StreamSpecification") or {}).get("StreamEnabled"):
        words = f"{table} has no stream, which log-based replication reads"
        return [(Trouble("server_misconfigured", "replication.stream_off", words), "", table)]
    try:
        # Counts at most one item and returns none.
        account.call("dynamodb", "scan", TableName=table, Limit=1, Select="COUNT")
    except Trouble as trouble:
        return [(trouble, "dynamodb:Scan", at)]
    return []


def _fix(trouble: Trouble, target: Target) -> dict[str, Any]:
    """What mend.yml should say, where AWS itself tells it."""
    right = re.search(r"expecting '([a-z0-9-]+)'|<Region>([a-z0-9-]+)<|s3[.-]([a-z0-9-]+)\.amazonaws", trouble.evidence)
    if trouble.code != "config.wrong_region" or not right:
        return {}
    return {"settings": [f"region: {next(part for part in right.groups() if part)}"]}


def _policy(arn: str, problems: list[Problem]) -> dict[str, Any]:
    """The policy that the owner attaches, for exactly what was refused, or the stream that is to be switched on."""
    streams = [at for trouble, _, at in problems if trouble.code == "replication.stream_off"]
    if streams:
        on = "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
        lines = [f"aws dynamodb update-table --table-name {t} --stream-specification {on}" for t in streams]
        return {"missing": streams, "statements": lines}
    wanted = [(action, at) for trouble, action, at in problems if trouble.cause == "missing_privilege" and action]
    facts: dict[str, Any] = {"missing": sorted({action for action, _ in wanted})}
    if not wanted or any(trouble.code == "privilege.explicit_deny" for trouble, _, _ in problems):
        return facts
    kind, name = _who(arn)
    lines = []
    for action in facts["missing"]:
        at = [resource for one, resource in wanted if one == action]
        lines.append(_put(kind, name, action, at[0] if len(at) == 1 else at))
    return {**facts, "statements": lines}


def _put(kind: str, name: str, action: str, at: str | list[str]) -> str:
    rule = {"Effect": "Allow", "Action": action, "Resource": at}
    document = json.dumps({"Version": "2012-10-17", "Statement": [rule]}, separators=(",", ":"))
    policy = f"--policy-name mend-{action.replace(':', '-')} --policy-document '{document}'"
    return f"aws iam put-{kind}-policy --{kind}-name {name} {policy}"


def _who(arn: str) -> tuple[str, str]:
    """(user or role, its name) of an ARN such as arn:aws:iam::123456789012:user/team/stitch."""
    return ("role", arn.split("/")[1]) if ":assumed-role/" in arn else ("user", arn.rpartition("/")[2] or "<user>")
