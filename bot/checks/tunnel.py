"""The way through an SSH server: is it opened, and does it lead to the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from bot.checks.base import Target, check, finding
from bot.checks.reading import once, or_raise
from bot.checks.remedies_ssh import own, remedy
from bot.drivers.network import Deadline, Trouble
from bot.drivers.ssh import Login, open_session
from bot.drivers.ssh_forward import Forward, channel
from bot.drivers.ssh_keys import UNKNOWN_KEY
from flows.core.expiry import until
from flows.core.finding import Finding, Verdict

NAME = "tunnel_opens"


@check("check_network", NAME)
def tunnel_opens(target: Target) -> Finding:
    """The SSH server lets us in and passes the connection on."""
    raw: Mapping[str, Any] = target.tunnel or {}
    facts: dict[str, Any] = {name: str(raw.get(name, "")) for name in ("host", "port", "user")}
    try:
        session = through(target).memo["forward"].session
    except Trouble as trouble:
        return _told(target, trouble, facts)
    login = session.login
    said = f"{login.place} lets {login.user} in and leads to {_place(target)}; its key is {session.shown}"
    facts |= login.ends()
    if session.compared:
        return finding(NAME, "good", evidence=said + until(facts), **facts)
    words = f"{said}; it was compared with nothing"
    return _told(target, Trouble("ssh_tunnel_failed", UNKNOWN_KEY, words, shown=session.known_as), facts)


def _told(target: Target, trouble: Trouble, facts: dict[str, Any]) -> Finding:
    verdict: Verdict = "unclear" if trouble.code == UNKNOWN_KEY else "bad"
    login = Login.of(target.tunnel or {})
    known = {**facts, **_far(target, trouble), **remedy(trouble, login, _place(target)), **own(trouble, "tunnel")}
    words, alike = trouble.evidence, trouble.alternatives
    # Who logs in at the tunnel's server is the tunnel's matter: the source's own credentials are not at fault.
    cause = "ssh_tunnel_failed" if trouble.cause == "invalid_credentials" else trouble.cause
    return finding(NAME, verdict, trouble.code, cause, evidence=words, alternatives=alike, **known)


def _place(target: Target) -> str:
    from bot.checks.network import source

    host, port, _ = source(target)
    return f"{host}:{port}"


def _far(target: Target, trouble: Trouble) -> dict[str, str]:
    """What lies behind the tunnel is the place that the words are about."""
    if not trouble.code.startswith("tunnel."):
        return {}
    host, _, port = _place(target).rpartition(":")
    return {"host": host, "port": port}


def through(target: Target) -> Target:
    """The same connection as reached by the tunnel: the login is made once and kept for this run. Raises Trouble."""
    return or_raise(once(target, "tunnel", lambda: _open(target)))


def _open(target: Target) -> Target:
    from bot.checks.network import source

    host, port, _ = source(target)
    deadline = Deadline(target.timeout)
    session = open_session(Login.of(target.tunnel or {}), deadline)
    try:
        channel(session, host, port, deadline).close()
        forward = Forward(session, host, port, target.timeout)
    except BaseException:
        session.close()
        raise
    target.memo["forward"] = forward
    target.memo.setdefault("close", []).append(partial(_close, target))
    # A certificate is for the server's own name, whatever address leads there.
    local = {**target.settings, "host": "127.0.0.1", "port": forward.port, "tls_name": host}
    return replace(target, settings=local, tunnel=None)


def _close(target: Target) -> None:
    """End the run's tunnel; the next run makes its own."""
    del target.memo["tunnel"]
    target.memo.pop("forward").close()


def as_seen(found: Finding, target: Target) -> Finding:
    """A finding in terms of the source itself: the local end of the tunnel means nothing to people."""
    forward = target.memo.get("forward")
    if forward is None:
        return found
    here, there = f"127.0.0.1:{forward.port}", _place(target)
    host, _, port = there.rpartition(":")
    facts = {**found.facts, **({"host": host, "port": port} if "host" in found.facts else {})}
    return replace(found, evidence=found.evidence.replace(here, f"{there} through the tunnel"), facts=facts)
