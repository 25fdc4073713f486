"""Runs the checks of a sheet in order: an earlier failure hides what it would make meaningless."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from bot.checks.base import CHECKS, Check, Target, timed
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
    "credentials_accepted": "bot.checks.credentials",
    "permissions_sufficient": "bot.checks.permissions",
}
Seen = Callable[[Finding], None]


def checks_of(sheet: Sheet) -> list[Check]:
    """The checks that a sheet names, in its order."""
    for name in sheet.checks:
        importlib.import_module(MODULES[name])
    return [CHECKS[name] for name in sheet.checks]


def run_step(target: Target, step: str, on_finding: Seen | None = None) -> list[Finding]:
    """The checks of one step. After a bad one the rest are skipped: it explains them."""
    found: list[Finding] = []
    hidden = False
    for check in checks_of(target.sheet):
        if check.step != step:
            continue
        finding = Finding(step, check.name, "skipped") if hidden else _safely(check, target)
        hidden = hidden or finding.verdict == "bad"
        found.append(finding)
        if on_finding:
            on_finding(finding)
    return found


def run_all(target: Target, on_finding: Seen | None = None) -> list[Finding]:
    """All steps. A red status page hides nothing, a failed network or login hides what comes after it."""
    found: list[Finding] = []
    hidden = False
    for step in STEPS:
        if hidden:
            skipped = [Finding(step, c.name, "skipped") for c in checks_of(target.sheet) if c.step == step]
            found.extend(skipped)
            for finding in skipped if on_finding else ():
                on_finding(finding)  # type: ignore[misc]
            continue
        part = run_step(target, step, on_finding)
        found.extend(part)
        verdicts = {f.verdict for f in part}
        hidden = (
            ("bad" in verdicts and step != "check_status") or ("unclear" in verdicts and step == "verify_credentials")
        )
    return found


def _safely(check: Check, target: Target) -> Finding:
    try:
        return timed(check.run, target)
    except Exception as error:  # a check of ours that breaks says nothing about the connection
        return Finding(check.step, check.name, "unclear", evidence=f"the check itself failed ({type(error).__name__})")
