"""The cast: Alice's case about a warehouse, as plain values."""

from __future__ import annotations

from typing import Any

CHOICES = [
    {"name": "warehouse", "title": "PostgreSQL", "broken": True},
    {"name": "crm", "title": "HubSpot", "broken": False},
]
FINDING: dict[str, Any] = {
    "step": "verify_credentials",
    "check": "credentials_accepted",
    "verdict": "bad",
    "cause": "invalid_credentials",
    "code": "auth.wrong_password",
    "alternatives": ["auth.unknown_user", "auth.no_password_set"],
    "evidence": 'FATAL: password authentication failed for user "stitch" (28P01)',
    "facts": {"user": "stitch", "host": "db.example.com", "port": "5432", "database": "shop"},
    "took_ms": 12,
}
WAREHOUSE: dict[str, Any] = {
    "name": "warehouse",
    "connector": "postgres",
    "title": "PostgreSQL",
    "driver": "postgres",
    "settings": {"host": "db.example.com", "port": 5432, "database": "shop", "user": "stitch"},
    "secret_refs": {"password": "the environment variable WAREHOUSE_PASSWORD"},
    "tables": ["public.orders"],
    "owner": "U0ALICE",
    "regeneration": {
        "kind": "update_credentials",
        "who": "the owner of the database",
        "steps": [],
        "shown_once": None,
        "old_stays_valid": False,
    },
    "docs": [],
    "user": "stitch",
    "host": "db.example.com",
}


def case(**more: Any) -> dict[str, Any]:
    return {
        "id": "c1", "state": "verifying_credentials", "step": "verify_credentials", "version": 3, "owner": "U0ALICE",
        "opened_at": 1_795_488_000.0, "changed_at": 1_795_488_060.0, "connection": "warehouse", "connector": "postgres",
        "waiting": False, "skipped": ["check_status"], "tried": ["retried:verifying_credentials"], "ticket": {}, "findings": [FINDING],
        "choices": ["warehouse", "crm"], "reported": "", "told": {}, "has_desk": True, "regeneration": "update_credentials",
        "helpful": None, "rotation": {}, "flow": "reauthorize", **more,
    }  # fmt: skip


def check(name: str, claim: str, status: str, verdict: str = "", evidence: str = "") -> dict[str, Any]:
    return {
        "task_id": name, "name": name, "claim": claim, "step": "check_network", "status": status, "verdict": verdict,
        "evidence": evidence, "took_ms": 7 if verdict else 0, "moot": False,
    }  # fmt: skip


CHECKS = [
    check("name_resolves", "The name of the server leads to an address.", "complete", "good", "db is 10.0.0.1"),
    check("port_answers", "Something answers at the server's port.", "complete", "unclear", "sometimes"),
    check("credentials_accepted", "The server accepts the login.", "error", "bad", FINDING["evidence"]),
    check("permissions_sufficient", "The tables are readable.", "complete", "skipped"),
    check("rows_arrive", "Rows arrive.", "in_progress"),
    check("late", "The last one.", "pending"),
]


def view(**more: Any) -> dict[str, Any]:
    params = {"by": "U0BOB", "problem": "unavailable", "trigger": "back", "choices": CHOICES}
    return {
        "case": case(), "connection": WAREHOUSE, "finding": FINDING, "checks": CHECKS, "params": params,
        "url": "https://example.slack.com/archives/C0DATA/p1", **more,
    }  # fmt: skip
