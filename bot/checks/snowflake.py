"""Snowflake: the login, the warehouse, and the right to read exactly the selected tables."""

from __future__ import annotations

import re
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.reading import interrupted, once, told
from bot.checks.remedies_snowflake import grants, login_lines, quoted
from bot.checks.text import evidence
from bot.drivers.network import Deadline, Trouble
from bot.drivers.snowflake import Login, address, identifier
from bot.drivers.snowflake_key import fingerprint
from bot.drivers.snowflake_look import Reading, examine
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"
SECRETS = {"key": "private_key", "token": "token", "password": "password"}


def endpoint(target: Target) -> str:
    return address(target.settings)


def login_of(target: Target) -> Login:
    """Who signs in, by the secret that is there. Raises Trouble."""
    found = {way: target.sheet.secret(target.secrets, name) for way, name in SECRETS.items()}
    way = next((way for way, value in found.items() if value), "")
    if not way:
        words = "none of private_key, token and password is set"
        raise Trouble("invalid_credentials", "auth.credential_not_sent", words)
    named = "oauth" if way == "token" and str(target.settings.get("authenticator")).lower() == "oauth" else way
    place = {name: str(target.settings.get(name) or "") for name in ("user", "role", "warehouse", "database", "schema")}
    passphrase = target.sheet.secret(target.secrets, "passphrase")
    return Login(endpoint(target), identifier(target.settings), way=named, secret=found[way], passphrase=passphrase,
                 **place)  # fmt: skip


def _reading(target: Target) -> Reading | Trouble:

    def look() -> Reading:
        login, names = login_of(target), [_parts(one) for one in target.tables]
        ca_file = target.settings.get("ca_file")
        return examine(login, names, Deadline(target.timeout), target.proxy, ca_file)

    return once(target, "snowflake", look)


def _parts(table: str) -> list[str]:
    """The quoted parts of a name, as far as they are written."""
    return [quoted(part) for part in re.findall(r'"(?:[^"]|"")+"|[^."]+', table)[-3:]]


def _facts(target: Target, reading: Reading | None = None) -> dict[str, Any]:
    facts = {name: str(target.settings.get(name) or "") for name in ("user", "database", "warehouse", "role")}
    if reading:
        facts |= {"role": reading.role, "warehouse": reading.warehouse or facts["warehouse"]}
    return facts


def _told(name: str, trouble: Trouble, target: Target, **more: Any) -> Finding:
    return told(name, trouble, target, {**_facts(target), **more})


def verify_credentials(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Reading):
        words = f"signed in as {target.settings.get('user', '')} with the role {read.role or 'none'}"
        return finding(LOGIN, "good", evidence=evidence(target, words), **_facts(target, read))
    key = [target.sheet.secret(target.secrets, name) for name in ("private_key", "passphrase")]
    if read.code == "auth.key_mismatch":
        said = f"{read.evidence}; the key here is {fingerprint(*key)}"
        read = Trouble(read.cause, read.code, said, read.alternatives, read.shown)
    return _told(LOGIN, read, target, missing=[], statements=login_lines(read, _facts(target), key))


def verify_permissions(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Trouble):
        return finding(RIGHTS, "unclear", read.code, read.cause, evidence=evidence(target, read.evidence))
    facts = _facts(target, read)
    if read.refused:
        top = min((why for _, why in read.refused), key=lambda why: why.code == "privilege.table_select_missing")
        words = "; ".join(why.evidence for _, why in read.refused[:10])
        trouble = Trouble(top.cause, top.code, words, top.alternatives)
        missing = [name for name, _ in read.refused]
        more = {**facts, "missing": missing, "statements": grants(read, facts)}
        if top.code == "privilege.database_missing":
            more["database"] = next(name for name, why in read.refused if why is top).partition('"."')[0].strip('"')
        return _told(RIGHTS, trouble, target, **more)
    if read.trouble:
        return interrupted(RIGHTS, read.trouble, target, facts)
    count = len(target.tables)
    said = f"all {count} selected tables may be read" if count else "no tables are selected; a warehouse may be used"
    watch = f"; whether {read.monitor} lets it wake cannot be seen from here" if _unseen(read) else ""
    words = f"{said}; {read.note or read.warehouse}{watch}"
    return finding(RIGHTS, "good", evidence=evidence(target, words), **facts)


def _unseen(read: Reading) -> bool:
    return bool(read.monitor) and "asleep" in read.note
