"""An AWS user may have two access keys: the new one stands beside the old one until the old one is deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.drivers.aws import Account, Keys
from bot.drivers.network import Deadline, Trouble
from bot.repairs.rotation.base import Job, Look, Refused, judged, judging

LIMIT = 2
# Two clocks that both keep time may differ by that much.
APART = 5.0


def look(job: Job) -> Look:
    with judging(_judged):
        account = _account(job, job.old("access_key_id"), job.old("secret_access_key"))
        user = _user(account, job)
        keys = _keys(account, user)
    if len(keys) >= LIMIT:
        raise Refused("two_keys", ", ".join(_short(key["AccessKeyId"]) for key in keys))
    old = _short(job.old("access_key_id"))
    facts = {"user": user, "began": datetime.now(UTC).timestamp(), "known": [_short(k["AccessKeyId"]) for k in keys]}
    return Look("AWS", f"{user} ({old})", True, old=old, facts=facts)


def make(job: Job) -> dict[str, str]:
    """Nothing: AWS makes it."""
    return {}


def change(job: Job) -> dict[str, str]:
    with judging(_judged):
        account = _account(job, job.old("access_key_id"), job.old("secret_access_key"))
        if job.resumed:
            if kept := _kept(job, account):
                return kept
            _drop_lost(job, account)
        made = account.call("iam", "create_access_key", UserName=job.facts["user"])["AccessKey"]
    return {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}


def _kept(job: Job, account: Account) -> dict[str, str]:
    """A key that was made and kept before whoever made it was stopped."""
    known = {key["AccessKeyId"] for key in _keys(account, job.facts["user"])}
    return dict(job.new) if job.new.get("access_key_id") in known else {}


def _drop_lost(job: Job, account: Account) -> None:
    """A key that was made and whose secret nobody kept. Made since we began, never used, and not known before."""
    user = job.facts["user"]
    for key in _keys(account, user):
        late = key["CreateDate"].timestamp() >= job.facts["began"] - APART
        if late and _short(key["AccessKeyId"]) not in job.facts["known"] and not _used(account, key["AccessKeyId"]):
            account.call("iam", "delete_access_key", UserName=user, AccessKeyId=key["AccessKeyId"])


def _used(account: Account, key: str) -> bool:
    try:
        answer = account.call("iam", "get_access_key_last_used", AccessKeyId=key)
    except Trouble as trouble:
        if trouble.cause == "missing_privilege":  # seldom granted: what was made since we began is then ours
            return False
        raise
    return bool((answer.get("AccessKeyLastUsed") or {}).get("LastUsedDate"))


def undo(job: Job) -> None:
    with judging(_judged):
        account = _account(job, job.old("access_key_id"), job.old("secret_access_key"))
        _end(account, job.facts["user"], job.new["access_key_id"])


def revoke(job: Job) -> None:
    with judging(_judged):
        account = _account(job, job.new["access_key_id"], job.new["secret_access_key"])
        _end(account, job.facts["user"], job.old("access_key_id"))


def _end(account: Account, user: str, key: str) -> None:
    """Inactive first, as AWS advises: a refusal there leaves a key that works."""
    for operation, more in (("update_access_key", {"Status": "Inactive"}), ("delete_access_key", {})):
        try:
            account.call("iam", operation, UserName=user, AccessKeyId=key, **more)
        except Trouble as trouble:
            if trouble.shown != "NoSuchEntity":
                raise


def _account(job: Job, key: str, secret: str) -> Account:
    keys = Keys(*job.admin) if job.admin else Keys(key, secret)
    settings = dict(job.target.settings)
    if "amazonaws.com" in str(settings.get("endpoint_url") or ""):
        del settings["endpoint_url"]  # of one service of AWS: users and keys are elsewhere
    return Account(settings, keys, Deadline(job.target.timeout * 3), job.target.proxy)


def _user(account: Account, job: Job) -> str:
    """Whose key it is: the administrator asks for the owner of the old key."""
    if job.admin:
        asked = account.call("iam", "get_access_key_last_used", AccessKeyId=job.old("access_key_id"))
        return str(asked["UserName"])
    arn = account.identity()
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind != "user":
        raise Refused("no_user", arn)
    return name.rpartition("/")[2]


def _keys(account: Account, user: str) -> list[dict[str, Any]]:
    return list(account.call("iam", "list_access_keys", UserName=user)["AccessKeyMetadata"])


def _short(key: str) -> str:
    """How people recognise it: AWS's console shows keys whole, and Mend shows none."""
    return f"key ending in {key[-4:]}"


def _judged(trouble: Trouble) -> Exception:
    if trouble.shown == "LimitExceeded":
        return Refused("two_keys", trouble.evidence)
    return judged(trouble, "unclassified")
