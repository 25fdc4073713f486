"""New credentials are tried by the same checks as the old, and the account behind them is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.checks.run import Seen, checks_of, run_all
from bot.checks.target import target_for
from bot.repairs.form import Form
from bot.settings import SettingsError
from flows.core.finding import Finding, explaining

Outcome = dict[str, Any]


def try_out(
    form: Form, team: str, values: Mapping[str, str], known_account: str, on_finding: Seen | None = None
) -> Outcome:
    """`state` is good, differs or failed; `finding` says why, `difference` what a person must confirm."""
    try:
        found = run_all(target_for(form.settings, form.name, team, trial=values), on_finding)
    except SettingsError as error:
        found = [Finding("check_network", "configuration", "bad", "config_error", evidence=str(error)[:300])]
    top = explaining(found)
    hidden = [value for name, value in values.items() if form.known.is_secret(name)]
    shown = _without(top.to_dict(), hidden) if top else None
    if not accepted(found):
        return {"state": "failed", "finding": shown}
    difference = _difference(form, values, account_of(found), known_account)
    more = {"finding": shown, "account": account_of(found)}
    return {"state": "differs" if difference else "good", "difference": difference, **more}


def steps_of(form: Form, seen: Mapping[str, str]) -> list[dict[str, str]]:
    """Every check with its claim and verdict, or how far it is: what the person sees who waits. No word of evidence."""
    checks = checks_of(form.known, tunnel=form.connection.tunnel is not None)
    now = next((check.name for check in checks if check.name not in seen), "")
    return [
        {"claim": c.claim, "verdict": seen.get(c.name) or ("in_progress" if c.name == now else "pending")}
        for c in checks
    ]


def accepted(found: Sequence[Finding]) -> bool:
    """The other side took them. What they may read is the next question and not theirs."""
    seen = [f for f in found if f.step == "verify_credentials"]
    return bool(seen) and all(f.verdict == "good" for f in seen)


def account_of(found: Sequence[Finding]) -> str:
    """Whose the credentials are, where the other side says it."""
    return next((str(f.facts["account"]) for f in found if f.facts.get("account")), "")


def _difference(form: Form, values: Mapping[str, str], account: str, known_account: str) -> dict[str, str]:
    """Nothing when it is surely the same account."""
    for field in form.fields:
        before = form.before(field.name) or ""
        if not field.secret and values.get(field.name, before) != before:
            return {"kind": "login", "before": before, "after": values[field.name]}
    if form.known.driver != "http" or (account and account == known_account):
        return {}
    if account and known_account:
        return {"kind": "account", "before": known_account, "after": account}
    return {"kind": "new_account" if account else "unknown", "before": "", "after": account}


def _without(finding: dict[str, Any], hidden: Sequence[str]) -> dict[str, Any]:
    """The checks take secrets out of their evidence; this is the second lock on the same door."""
    evidence = str(finding["evidence"])
    for value in sorted(hidden, key=len, reverse=True):
        evidence = evidence.replace(value, "***") if len(value) > 3 else evidence
    return {**finding, "evidence": evidence}
