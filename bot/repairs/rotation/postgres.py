"""A PostgreSQL role has one password: the old one ends with the change."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from bot.drivers.network import Trouble
from bot.drivers.postgres_password import look as see
from bot.drivers.postgres_password import set_password
from bot.repairs.rotation.base import Job, Look, Refused, judged, judging, wrong
from bot.repairs.rotation.reach import reached


def look(job: Job) -> Look:
    with reached(job.target) as target:
        settings, role = target.settings, str(target.settings.get("user") or "")
        try:
            seen = see(*_login(job, settings), target.timeout)
        except Trouble as trouble:
            raise (Refused("no_login", trouble.evidence) if wrong(trouble) else trouble) from None
    if seen.pooled:
        raise Refused("pooler")
    if seen.standby:
        raise Refused("read_only")
    host, port = str(job.target.settings.get("host")), str(job.target.settings.get("port") or 5432)
    own = {} if job.admin else {"sessions": seen.sessions}
    return Look(f"{host.lower()}:{port}", role or seen.role, False, facts=own)


def make(job: Job) -> dict[str, str]:
    return {"password": secrets.token_urlsafe(24)}


def change(job: Job) -> dict[str, str]:
    """A resumed change tries the new one first, and sets it once more: that is the same whether it was set or not."""
    new = job.new["password"]
    with reached(job.target) as target:
        logins = [(job.admin, "")] if job.admin else [(None, new), (None, job.old("password"))][not job.resumed :]
        for number, (_, password) in enumerate(logins, 1):
            try:
                settings, secret = _login(job, target.settings, password)
                role = str(target.settings.get("user") or "") if job.admin else ""
                set_password(settings, secret, role, new, target.timeout)
                return {"password": new}
            except Trouble as trouble:
                if number == len(logins) or not wrong(trouble):
                    raise _judged(trouble) from None
    raise Refused("no_login")


def undo(job: Job) -> None:
    with reached(job.target) as target:
        settings, secret = _login(job, target.settings, job.new["password"])
        role = str(target.settings.get("user") or "") if job.admin else ""
        with judging(_judged):
            set_password(settings, secret, role, job.old("password"), target.timeout)


def revoke(job: Job) -> None:
    """Nothing: it has ended already."""


def _login(job: Job, settings: Mapping[str, Any], password: str = "") -> tuple[Mapping[str, Any], str]:
    if job.admin:
        return {**settings, "user": job.admin[0]}, job.admin[1]
    return settings, password or job.old("password")


def _judged(trouble: Trouble) -> Exception:
    return judged(trouble, "feature_not_enabled")
