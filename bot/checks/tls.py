"""Does the encrypted connection come about, with a certificate that is believed."""

from __future__ import annotations

from typing import Any

from bot.checks.base import Target, check, finding
from bot.checks.network import endpoint
from bot.checks.text import evidence
from bot.drivers.network import Deadline, Trouble
from bot.drivers.tls import handshake, shown
from flows.core.finding import Finding

NAME = "tls_agrees"


@check("check_network", NAME)
def tls_agrees(target: Target) -> Finding:
    """The server's certificate is valid and issued for this name."""
    host, port, tls = endpoint(target)
    if not tls:
        return finding(NAME, "skipped", evidence="this address is not encrypted", host=host, port=str(port))
    if target.proxy:
        return finding(NAME, "skipped", evidence="through a proxy: the next check looks at it")
    place: dict[str, Any] = {"host": host, "port": str(port)}
    deadline = Deadline(target.timeout)
    try:
        seen = handshake(host, port, target.timeout, str(target.settings.get("ca_file") or "") or None)
    except Trouble as trouble:
        facts = {**place, **vars(shown(host, port, deadline.left()))}
        words = evidence(target, trouble.evidence)
        alike = trouble.alternatives
        return finding(NAME, "bad", trouble.code, trouble.cause, evidence=words, alternatives=alike, **facts)
    said = f"certificate for {', '.join(seen.names[:4])}, valid until {seen.not_after} ({seen.days_left} days)"
    return finding(NAME, "good", evidence=evidence(target, said), **place, **vars(seen))
