"""A connection by mongodb+srv:// as it is once the name server was asked: one of its members."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from bot.checks.base import Target
from bot.checks.reading import once, or_raise
from bot.drivers.mongodb_srv import SCHEME, seeds
from bot.drivers.network import Deadline, Trouble, connect


def meant(target: Target) -> bool:
    return target.sheet.driver == "mongodb" and str(target.settings.get("host") or "").startswith(SCHEME)


def found(target: Target) -> Target:
    """Asked once in a run. Raises Trouble, in each check alike."""
    return or_raise(once(target, "srv", lambda: _member(target)))


def _member(target: Target) -> Target:
    deadline = Deadline(target.timeout)
    known = seeds(str(target.settings["host"]), target.timeout)
    host, port = known.members[0] if target.tunnel else _first(known.members, deadline)
    # The scheme turns TLS on, and what the connection itself says wins over the name server.
    settings = {"sslmode": "verify-full", "auth_source": known.options.get("authSource", "admin"), **target.settings}
    return replace(target, settings={**settings, "host": host, "port": port})


def _first(members: list[tuple[str, int]], deadline: Deadline) -> tuple[str, int]:
    """The first that takes a call, as a driver would choose; the first of all where none does."""
    for host, port in members[:7]:
        with contextlib.suppress(Trouble):
            connect(host, port, deadline.left() / 3).close()
            return host, port
    return members[0]
