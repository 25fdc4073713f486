"""Redis: the login, and whether the selected key patterns may be read."""

from __future__ import annotations

from typing import Any

from bot.checks.base import Target, finding
from bot.checks.reading import once, told
from bot.checks.text import evidence
from bot.drivers.network import Trouble
from bot.drivers.redis import Reading, examine
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"

# Redis keeps no place for its administrator: a server that is full takes no statement either.
FULL = {"capacity.too_many_connections": {"file": "redis.conf", "lines": ["maxclients 10000"], "restart": "yes"}}


def _reading(target: Target) -> Reading | Trouble:
    password = target.sheet.secret(target.secrets, "password")
    return once(target, "redis", lambda: examine(target.settings, password, target.tables, target.timeout))


def _facts(target: Target) -> dict[str, Any]:
    return {name: str(target.settings.get(name, "")) for name in ("host", "port", "user", "database")}


def verify_credentials(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Reading):
        return finding(LOGIN, "good", evidence=f"logged in as {read.user}", **_facts(target))
    return _told(LOGIN, read, target, _login_statements(read, target), **FULL.get(read.code, {}))


def _told(name: str, trouble: Trouble, target: Target, statements: list[str], **more: Any) -> Finding:
    return told(name, trouble, target, {**_facts(target), "statements": statements, **more})


def _user(target: Target) -> str:
    return str(target.settings.get("user") or "default")


def _login_statements(trouble: Trouble, target: Target) -> list[str]:
    # https://redis.io/docs/latest/commands/acl-setuser/: resetpass forgets the old password, > adds one.
    renew = f"ACL SETUSER {_user(target)} on resetpass '><new password>'"
    return {"auth.wrong_password": [renew], "auth.no_password_set": [renew],
            # A copy without its original answers again, with what it had last.
            "availability.replica_without_master": ["INFO replication", "CONFIG SET replica-serve-stale-data yes"],
            }.get(trouble.code, [])  # fmt: skip


def verify_permissions(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Trouble):
        return finding(RIGHTS, "unclear", read.code, read.cause, evidence=evidence(target, read.evidence))
    if read.refused:
        pattern, trouble = read.refused[0]
        grant = f"ACL SETUSER {_user(target)} +@connection +@read ~{pattern}"
        statements = [grant] if trouble.cause == "missing_privilege" else _login_statements(trouble, target)
        return _told(RIGHTS, trouble, target, statements, missing=[pattern])
    missing = [pattern for pattern, count in read.keys.items() if count == 0] if target.tables else []
    if missing:
        words = f"no key fits {', '.join(missing[:10])}"
        return _told(RIGHTS, Trouble("config_error", "config.prefix", words), target, [])
    if unseen := [pattern for pattern, count in read.keys.items() if count is None]:
        words = f"no key fits {', '.join(unseen[:10])} among those that were looked at, and there are more"
        said = evidence(target, words)
        return finding(RIGHTS, "unclear", "config.prefix", "config_error", evidence=said, **_facts(target))
    words = f"keys of {', '.join(read.keys)} may be read" if target.tables else "keys may be listed and read"
    return finding(RIGHTS, "good", evidence=evidence(target, words), **_facts(target))
