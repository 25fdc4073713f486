"""BigQuery: the service account's key, and the right to read exactly the selected tables."""

from __future__ import annotations

import re
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.reading import once, out_of_time, told
from bot.checks.text import evidence
from bot.drivers.bigquery import API, Account, Reading, look
from bot.drivers.network import Deadline, Trouble
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"


def endpoint(target: Target) -> str:
    return str(target.settings.get("base_url") or API)


def _account(target: Target) -> Account | Trouble:
    """The account with its token."""

    def sign_in() -> Account:
        key = target.sheet.secret(target.secrets, "service_account")
        account = Account(target.settings, key, Deadline(target.timeout), target.proxy)
        account.sign_in()
        return account

    return once(target, "bigquery", sign_in)


def _told(name: str, trouble: Trouble, target: Target, **more: Any) -> Finding:
    dataset = str(target.settings.get("dataset") or "")
    return told(name, trouble, target, {"database": dataset, "user": "", **more})


def verify_credentials(target: Target) -> Finding:
    made = _account(target)
    if isinstance(made, Account):
        return finding(LOGIN, "good", evidence=f"signed in as {made.email}", user=made.email)
    return _told(LOGIN, made, target, statements=[])


def verify_permissions(target: Target) -> Finding:
    made = _account(target)
    if isinstance(made, Trouble):
        return finding(RIGHTS, "unclear", made.code, made.cause, evidence=evidence(target, made.evidence))
    dataset = str(target.settings.get("dataset") or "")
    whole = Deadline(target.timeout * 3)
    read = look(made, [_split(dataset, name) for name in target.tables], dataset, target.timeout, whole)
    if read.refused:
        return _bad(target, made, read)
    if read.unproven:
        return _told(RIGHTS, out_of_time(read.unproven), target, unproven=read.unproven, user=read.email)
    said = f"all {len(target.tables)} selected tables" if target.tables else "queries"
    return finding(RIGHTS, "good", evidence=f"{said} may be read as {read.email}", user=read.email)


def _split(dataset: str, name: str) -> tuple[str, str]:
    place, _, table = name.replace("`", "").rpartition(".")
    return place.rpartition(".")[2] or dataset, table


def _bad(target: Target, account: Account, read: Reading) -> Finding:
    """A table that is not there comes first; every problem is in the facts, so that one round mends all."""
    top = min((why for _, why in read.refused), key=lambda why: why.code != "config.table_missing")
    facts: dict[str, Any] = {"missing": [name for name, _ in read.refused], "user": account.email}
    lines = [line for name, why in read.refused for line in _mends(account, name, why)]
    facts["statements"] = list(dict.fromkeys(lines))
    if top.code == "config.wrong_region" and read.location:
        facts["settings"] = [f"region: {read.location}"]
    words = "; ".join(dict.fromkeys(why.evidence for _, why in read.refused[:10]))
    return _told(RIGHTS, Trouble(top.cause, top.code, words, top.alternatives), target, **facts)


def _mends(account: Account, name: str, why: Trouble) -> list[str]:
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/data-control-language and, for the role that runs
    # queries, https://cloud.google.com/iam/docs/granting-changing-revoking-access
    who = f"serviceAccount:{account.email}"
    if why.code == "privilege.role_missing":
        to = f"--member={who} --role=roles/bigquery.jobUser"
        return [f"gcloud projects add-iam-policy-binding {account.project} {to}"]
    if why.code == "config.api_not_enabled":
        return [f"gcloud services enable bigquery.googleapis.com --project={account.project}"]
    if why.code == "privilege.table_select_missing":
        dataset = re.sub(r"[`;\s]", "", name).partition(".")[0]
        return [f'GRANT `roles/bigquery.dataViewer` ON SCHEMA `{account.project}.{dataset}` TO "{who}";']
    return []
