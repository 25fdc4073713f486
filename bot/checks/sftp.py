"""SFTP: the server's identity, one login, and whether the folder holds what was selected."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import replace
from shlex import quote
from typing import Any

from bot.checks.base import Target, check, finding
from bot.checks.reading import once
from bot.checks.remedies_ssh import own, remedy
from bot.checks.text import evidence
from bot.drivers.network import Deadline, Trouble
from bot.drivers.sftp import Reading, look
from bot.drivers.ssh import Login, Session, identity, open_session
from bot.drivers.ssh_keys import UNKNOWN_KEY
from flows.core.expiry import until
from flows.core.finding import Finding

SECRETS = ("password", "private_key", "certificate", "passphrase")
KEY, LOGIN, RIGHTS = "host_key_known", "credentials_accepted", "permissions_sufficient"


def _login(target: Target) -> Login:
    secrets = {name: target.sheet.secret(target.secrets, name) for name in SECRETS}
    return Login.of({**target.settings, **secrets})


def _facts(target: Target) -> dict[str, Any]:
    return {name: str(target.settings.get(name, "")) for name in ("host", "port", "user", "path")}


def _told(name: str, trouble: Trouble, target: Target) -> Finding:
    # There is no tunnel here: what hinders the way to a file server is the server's own.
    here = "tls_mismatch" if trouble.code.startswith("tls.") else "host_unreachable"
    cause = here if trouble.cause == "ssh_tunnel_failed" else trouble.cause
    words, alike = evidence(target, trouble.evidence), trouble.alternatives
    verdict: Any = "unclear" if trouble.code == UNKNOWN_KEY else "bad"
    facts = {**_facts(target), **remedy(trouble, _login(target)), **own(trouble)}
    return finding(name, verdict, trouble.code, cause, evidence=words, alternatives=alike, **facts)


@check("check_network", KEY)
def host_key_known(target: Target) -> Finding:
    """The server shows the key that it is known by."""
    try:
        shown, known = identity(_login(target), Deadline(target.timeout))
    except Trouble as trouble:
        return _told(KEY, trouble, target)
    if known:
        return finding(KEY, "good", evidence=f"it shows {shown}", **_facts(target))
    key, _, fingerprint = shown.rpartition(" ")
    words = f"it shows a key with the fingerprint {fingerprint}, which is compared with nothing"
    return _told(KEY, Trouble("ssh_tunnel_failed", UNKNOWN_KEY, words, shown=key), target)


def _session(target: Target) -> Session | Trouble:

    def opened() -> Session:
        session = open_session(_login(target), Deadline(target.timeout))
        target.memo.setdefault("close", []).append(session.close)
        return session

    return once(target, "sftp", opened)


def verify_credentials(target: Target) -> Finding:
    made = _session(target)
    if isinstance(made, Trouble):
        return _told(LOGIN, made, target)
    ending = made.login.ends()
    words = f"logged in as {made.login.user}{until(ending)}"
    return finding(LOGIN, "good", evidence=words, **_facts(target), **ending)


def verify_permissions(target: Target) -> Finding:
    made = _session(target)
    if isinstance(made, Trouble):
        return finding(RIGHTS, "unclear", made.code, made.cause, evidence=evidence(target, made.evidence))
    patterns = _patterns(target)
    try:
        for pattern in patterns:
            re.compile(pattern)
        read = look(made, str(target.settings.get("path") or "."), patterns, Deadline(target.timeout))
    except re.error as error:
        words = f"pattern is not a regular expression: {error}"
        return finding(RIGHTS, "bad", "config.wrong_format", "config_error", evidence=words, **_facts(target))
    except Trouble as trouble:
        told = _told(RIGHTS, trouble, target)
        if trouble.code != "privilege.path_denied":
            return told
        # To list a folder takes r, to reach what is in it x: chmod(1).
        return replace(told, facts={**told.facts, "statements": [f"chmod o+rx {quote(str(target.settings['path']))}"]})
    return _judge(target, read)


def _patterns(target: Target) -> list[str]:
    """The sheet's pattern is a regular expression, as the pipeline's own; tables are names, `*` for what varies."""
    own = str(target.settings.get("pattern") or "")
    return ([own] if own else []) + [fnmatch.translate(name) for name in target.tables] or [""]


def _judge(target: Target, read: Reading) -> Finding:
    facts = _facts(target)
    if read.denied:
        words = f"may not be opened: {', '.join(read.denied[:10])}"
        facts["missing"] = read.denied[:25]
        there = str(target.settings.get("path") or ".")
        facts["statements"] = [f"chmod o+r {quote(there.rstrip('/') + '/' + name)}" for name in read.denied[:25]]
        return finding(RIGHTS, "bad", "privilege.path_denied", "missing_privilege", evidence=words, **facts)
    empty = [name for name, count in zip(_said(target), read.matched.values(), strict=True) if not count]
    if empty:
        words = f"{read.seen} files in {facts['path'] or 'the start folder'}, none of them fits {', '.join(empty[:10])}"
        return finding(RIGHTS, "bad", "config.file_pattern", "config_error", evidence=words, **facts)
    words = f"{read.seen} files in the folder, {sum(read.matched.values())} of them selected"
    return finding(RIGHTS, "good", evidence=words, **facts)


def _said(target: Target) -> list[str]:
    """The patterns as people wrote them."""
    own = str(target.settings.get("pattern") or "")
    return ([own] if own else []) + list(target.tables) or ["*"]
