"""A SendGrid account has up to a hundred keys: the new one gets the scopes of the old one, which is deleted last."""

from __future__ import annotations

from bot.checks.http_ask import base_url
from bot.drivers.sendgrid_keys import Keys
from bot.repairs.rotation.base import Job, Look, Refused, judging


def look(job: Job) -> Look:
    with judging():
        keys = _keys(job, job.old("api_key"))
        scopes, known = _keys(job, job.old("api_key"), admin=False).scopes(), keys.named()
    key_id = _id(job.old("api_key"))
    if key_id not in known:
        raise Refused("no_user")
    if not job.admin and not {"api_keys.create", "api_keys.delete"} <= set(scopes):
        raise Refused("no_right", "api_keys.create, api_keys.delete")
    old = f"key ending in {key_id[-4:]}"
    return Look("SendGrid", f"the key {known[key_id]} ({old})", True, old=old, facts={"scopes": scopes})


def make(job: Job) -> dict[str, str]:
    """Nothing: SendGrid makes it."""
    return {}


def change(job: Job) -> dict[str, str]:
    """Its name says which rotation made it, so that one whose value was lost with a crash is found and deleted."""
    name = f"Mend {job.target.name} {job.id}"[:100]
    with judging():
        keys = _keys(job, job.old("api_key"))
        for key_id, called in keys.named().items() if job.resumed else ():
            if called == name and key_id == _id(job.new.get("api_key", "")):
                return dict(job.new)
            if called == name:
                keys.delete(key_id)
        return {"api_key": keys.make(name, job.facts["scopes"])}


def undo(job: Job) -> None:
    with judging():
        _keys(job, job.old("api_key")).delete(_id(job.new["api_key"]))


def revoke(job: Job) -> None:
    with judging():
        _keys(job, job.new["api_key"]).delete(_id(job.old("api_key")))


def _keys(job: Job, key: str, *, admin: bool = True) -> Keys:
    target = job.target
    secret = job.admin[1] if job.admin and admin else key
    ca_file = str(target.settings.get("ca_file") or "") or None
    return Keys(base_url(target), secret, target.timeout * 2, target.proxy, ca_file)


def _id(key: str) -> str:
    """SG.<id>.<the rest>"""
    parts = key.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == "SG" else ""
