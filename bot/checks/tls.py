"""Is the encrypted connection sound."""

from __future__ import annotations

from bot.checks.base import Target, check, finding
from bot.checks.network import endpoint
from bot.drivers.network import Trouble
from bot.drivers.tls import certificate
from flows.core.finding import Finding

NAME = "tls_agrees"


@check("check_network", NAME)
def tls_agrees(target: Target) -> Finding:
    """The encrypted connection is agreed and the certificate is valid."""
    host, port, tls = endpoint(target)
    if not tls:
        return finding(NAME, "skipped", evidence="plain HTTP")
    if target.proxy:
        return finding(NAME, "skipped", evidence="through a proxy: the next check looks at it")
    try:
        seen = certificate(host, port, target.timeout, str(target.settings.get("ca_file") or "") or None)
    except Trouble as trouble:
        return finding(NAME, "bad", trouble.code, trouble.cause, evidence=trouble.evidence, host=host, port=str(port))
    ends = f", ends in {seen.days_left} days" if seen.days_left < 30 else ""
    return finding(NAME, "good", evidence=f"{seen.version}, certificate of {seen.issuer}{ends}", host=host)
