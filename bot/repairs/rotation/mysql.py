"""MySQL 8 keeps two passwords of one account where it may; MariaDB keeps one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.checks.base import Target
from bot.drivers import mysql_renew as driver
from bot.drivers.mysql_renew import Seen
from bot.drivers.network import Trouble
from bot.repairs.rotation.base import Job, Look, Refused, judged, judging, wrong
from bot.repairs.rotation.reach import reached

# "Incorrect current password", of one that opened the line a moment ago: it is the older of two.
# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
OLDER = 3891


def look(job: Job) -> Look:
    with reached(job.target) as target, judging(_judged):
        seen = _seen(job, target, "")
    _alone(seen)
    host, port = str(job.target.settings.get("host")), str(job.target.settings.get("port") or 3306)
    return Look(f"{host.lower()}:{port}", seen.account, seen.two, old="the password of before" if seen.two else "")


def make(job: Job) -> dict[str, str]:
    # Servers may ask for each kind of character: validate_password, simple_password_check.
    return {"password": f"{secrets.token_urlsafe(24)}-a1A"}


def change(job: Job) -> dict[str, str]:
    """A resumed change sees first whether the new one is in force: set twice, it would push out the old one."""
    new = job.new["password"]
    with reached(job.target) as target:
        if job.resumed and not _refused(job, target, new):
            return {"password": new}
        with judging(_judged):
            seen = _seen(job, target, "")
            _alone(seen)
            own = job.admin is None
            driver.set_password(*_login(job, target.settings), new, target.timeout, seen, own=own)
    return {"password": new}


def undo(job: Job) -> None:
    """The new one is not kept beside the old one either. Done twice, it changes nothing more.

    No database is named: what the new one failed for may be the right to it.
    """
    with reached(job.target) as there:
        target = replace(there, settings={**there.settings, "database": ""})
        with judging(_judged):
            inside = job.new["password"]
            if job.admin is None and _refused(job, target, inside):
                inside = job.old("password")
            seen = _seen(job, target, inside)
            if _put_back(job, target, replace(seen, two=False), inside) and seen.two:
                settings, secret = _login(job, target.settings, job.old("password"))
                driver.discard_old(settings, secret, seen.account, target.timeout, own=job.admin is None)


def _put_back(job: Job, target: Target, seen: Seen, inside: str) -> bool:
    """Whether the old one is in force; where somebody has set another one meanwhile, that stays. Raises Trouble."""
    old, own = job.old("password"), job.admin is None
    if own and inside == old and not seen.naming:
        return True
    settings, secret = _login(job, target.settings, inside)
    for named in (job.new["password"], old):
        try:
            driver.set_password(settings, secret, old, target.timeout, seen, own=own, named=named)
            return True
        except Trouble as trouble:
            if not own or f"({OLDER})" not in trouble.evidence:
                raise
    return False


def revoke(job: Job) -> None:
    with reached(job.target) as target, judging(_judged):
        seen = _seen(job, target, job.new["password"])
        settings, secret = _login(job, target.settings, job.new["password"])
        driver.discard_old(settings, secret, seen.account, target.timeout, own=job.admin is None)


def _seen(job: Job, target: Target, password: str) -> Seen:
    role = str(target.settings.get("user") or "") if job.admin else ""
    found = driver.look(*_login(job, target.settings, password), role, target.timeout)
    if pooler := next((one.pooler for one in found if one.pooler), ""):
        raise Refused("pooler", pooler)
    if len(found) != 1:
        raise Refused("several_accounts", ", ".join(one.account for one in found))
    if found[0].read_only:
        raise Refused("read_only")
    if not (found[0].safe or (found[0].native and found[0].maria)):
        raise Refused("open_line")
    return found[0]


def _alone(seen: Seen) -> None:
    """There is room for two: a third would push one out that may be in use."""
    if seen.second:
        raise Refused("second_password")


def _refused(job: Job, target: Target, password: str) -> bool:
    """Whether the account does not come in with it. Raises Trouble when that cannot be told."""
    try:
        driver.look(target.settings, password, "", target.timeout)
    except Trouble as trouble:
        if wrong(trouble):
            return True
        raise
    return False


def _login(job: Job, settings: Mapping[str, Any], password: str = "") -> tuple[Mapping[str, Any], str]:
    if job.admin:
        return {**settings, "user": job.admin[0], "database": ""}, job.admin[1]
    return settings, password or job.old("password")


def _judged(trouble: Trouble) -> Exception:
    if f"({OLDER})" in trouble.evidence:
        return Refused("second_password", trouble.evidence)
    return judged(trouble, "unclassified", "tls_mismatch")
