"""Runs the checks of a sheet in order: an earlier failure hides what it would make meaningless."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from bot.checks.base import CHECKS, Check, Target, timed
from bot.checks.credentials import WAYS
from bot.checks.remedies_own import with_own
from bot.checks.text import evidence
from bot.drivers.network import Trouble
from bot.drivers.ready import get_ready as libraries_of
from flows.core.causes import REGENERABLE
from flows.core.finding import Finding
from flows.core.flow import STEPS
from flows.core.sheet import Sheet

# Where each check lives, so that only the drivers that a connection needs are imported.
MODULES = {
    "status_page_quiet": "bot.checks.status_page",
    "name_resolves": "bot.checks.network",
    "port_answers": "bot.checks.network",
    "database_answers": "bot.checks.network",
    "tls_agrees": "bot.checks.tls",
    "tunnel_opens": "bot.checks.tunnel",
    "host_key_known": "bot.checks.sftp",
    "credentials_accepted": "bot.checks.credentials",
    "permissions_sufficient": "bot.checks.permissions",
    "replication_ready": "bot.checks.replication",
}
# What is looked at from the far side of a tunnel; the checks before them are about the SSH server itself.
BEHIND = ("database_answers", "tls_agrees", "credentials_accepted", "permissions_sufficient")
Seen = Callable[[Finding], None]


def checks_of(sheet: Sheet, *, tunnel: bool = False) -> list[Check]:
    """The checks that a sheet names, in its order, and the tunnel's own where there is one."""
    names = list(sheet.checks)
    if tunnel and "port_answers" in names:
        names.insert(names.index("port_answers") + 1, "tunnel_opens")
    for name in names:
        if name not in CHECKS:
            importlib.import_module(MODULES[name])
    return [CHECKS[name] for name in names]


def get_ready(sheet: Sheet, *, tunnel: bool = False) -> None:
    """Import all that the checks of this sheet use, before any limit runs."""
    checks_of(sheet, tunnel=tunnel)
    if sheet.driver in WAYS:
        importlib.import_module(WAYS[sheet.driver])
    libraries_of(sheet.driver)


def run_step(target: Target, step: str, on_finding: Seen | None = None) -> list[Finding]:
    """The checks of one step. After a bad one the rest are skipped: it explains them."""
    try:
        return _step(target, step, on_finding)
    finally:
        _hang_up(target)


def _step(target: Target, step: str, on_finding: Seen | None) -> list[Finding]:
    found: list[Finding] = []
    hidden = False
    for check in checks_of(target.sheet, tunnel=bool(target.tunnel)):
        if check.step != step:
            continue
        finding = Finding(step, check.name, "skipped") if hidden else _with_kept(target, _looked(check, target))
        hidden = hidden or finding.verdict == "bad"
        found.append(finding)
        if on_finding:
            on_finding(finding)
    return found


def _looked(check: Check, target: Target) -> Finding:
    return with_own(target, _safely(check, target))


def _with_kept(target: Target, found: Finding) -> Finding:
    """Of a credential that is refused: since when the vault's counts, and in whose place."""
    refused = found.step == "verify_credentials" and found.verdict == "bad" and found.cause in REGENERABLE
    if not refused or not target.instead:
        return found
    names = sorted(target.instead)
    since = datetime.fromtimestamp(max(target.since[name] for name in names), UTC).isoformat(timespec="seconds")
    kept = {"kept_since": since, "kept": [f"{target.name}.{name}" for name in names]}
    return replace(found, facts={**found.facts, **kept, "instead_of": [target.instead[name] for name in names]})


def run_all(target: Target, on_finding: Seen | None = None) -> list[Finding]:
    """All steps. A red status page hides nothing, a failed network or login hides what comes after it."""
    try:
        return _all(target, on_finding)
    finally:
        _hang_up(target)


def _all(target: Target, on_finding: Seen | None) -> list[Finding]:
    found: list[Finding] = []
    hidden = False
    for step in STEPS:
        if hidden:
            skipped = [Finding(step, c.name, "skipped") for c in checks_of(target.sheet, tunnel=bool(target.tunnel))
                       if c.step == step]  # fmt: skip
            found.extend(skipped)
            for finding in skipped if on_finding else ():
                on_finding(finding)  # type: ignore[misc]
            continue
        part = _step(target, step, on_finding)
        found.extend(part)
        verdicts = {f.verdict for f in part}
        hidden = ("bad" in verdicts and step != "check_status") or (
            "unclear" in verdicts and step == "verify_credentials"
        )
    return found


def _hang_up(target: Target) -> None:
    """End what a run keeps open between its checks."""
    for close in target.memo.pop("close", []):
        close()


def _safely(check: Check, target: Target) -> Finding:
    try:
        target = _by_records(target)
        return _by_tunnel(check, target) if target.tunnel and check.name in BEHIND else timed(check.run, target)
    except Trouble as trouble:  # no address can be made of the settings, or no tunnel opened
        said = evidence(target, trouble.evidence)
        return Finding(check.step, check.name, "bad", trouble.cause, trouble.code, trouble.alternatives, said)
    except Exception as error:  # a check of ours that breaks says nothing about the connection
        return Finding(check.step, check.name, "unclear", evidence=f"the check itself failed ({type(error).__name__})")


def _by_records(target: Target) -> Target:
    """A name that stands for several members, as one of them."""
    if target.sheet.driver != "mongodb":
        return target
    from bot.checks import mongodb_srv

    return mongodb_srv.found(target) if mongodb_srv.meant(target) else target


def _by_tunnel(check: Check, target: Target) -> Finding:
    from bot.checks.tunnel import as_seen, through

    return as_seen(timed(check.run, through(target)), target)
