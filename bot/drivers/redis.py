"""Redis by redis-py: one AUTH, then questions that change nothing."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.drivers.network import Deadline, Trouble, bounded, connect, os_trouble

# An error's words; redis-py takes the word before them off some. https://github.com/redis/redis/blob/unstable/src/server.c
# (shared objects) and https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
CODES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (r"Authentication required", "invalid_credentials", "config.password_empty", ()),
    (r"invalid username-password pair|invalid password|WRONGPASS", "invalid_credentials", "auth.wrong_password",
     ("auth.unknown_user", "auth.account_locked")),
    (r"AUTH <password> called without any|sent AUTH, but no", "invalid_credentials", "auth.no_password_set", ()),
    (r"running in protected mode|^DENIED", "ip_not_allowlisted", "access.host_not_allowed", ()),
    (r"max number of clients", "connection_dropped", "capacity.too_many_connections", ()),
    (r"loading the dataset|^LOADING", "connection_dropped", "availability.shutting_down", ()),
    (r"Link with MASTER is down|^MASTERDOWN", "connection_dropped", "availability.replica_without_master", ()),
    (r"^MISCONF|unable to persist", "server_misconfigured", "capacity.persistence_failed", ()),
    (r"^BUSY|is busy running a script", "connection_dropped", "availability.too_slow", ()),
    (r"access one of the keys|^NOPERM.*\bkeys?\b", "missing_privilege", "privilege.key_pattern_denied", ()),
    (r"no permissions to run|^NOPERM", "missing_privilege", "privilege.command_denied", ()),
    (r"DB index is out of range|SELECT is not allowed in cluster", "config_error", "config.database_index", ()),
    (r"unknown command", "config_error", "config.command_renamed", ()),
)  # fmt: skip


# So often a server is asked for a thousand keys; of those behind them nothing is said.
STEPS = 200


@dataclass
class Reading:
    """What one login saw: `keys` found per pattern, None where none was among those looked at and there are more, and
    why a command was refused.
    """

    user: str
    keys: dict[str, int | None] = field(default_factory=dict)
    refused: list[tuple[str, Trouble]] = field(default_factory=list)


def examine(settings: Mapping[str, Any], password: str, patterns: Sequence[str], timeout: float) -> Reading:
    """Log in once and look for one key of each pattern. Raises Trouble when the login fails."""
    deadline = Deadline(timeout)
    host, port = str(settings.get("host") or "localhost"), int(settings.get("port") or 6379)
    link = _link(settings, password, host, port, deadline)
    try:
        return bounded(deadline, lambda: _look(link, settings, patterns, deadline), f"{host}:{port}")
    except Trouble:
        raise
    except Exception as error:
        raise _trouble(error, f"{host}:{port}", deadline) from None
    finally:
        link.disconnect()


def _link(settings: Mapping[str, Any], password: str, host: str, port: int, deadline: Deadline) -> Any:
    from redis.backoff import NoBackoff
    from redis.connection import Connection, SSLConnection
    from redis.retry import Retry

    class Plain(Connection):
        """Reached as all other servers are: redis-py waits its whole limit for each of a name's addresses in turn."""

        def _connect(self) -> Any:
            return _reached(self, deadline)

    class Secure(SSLConnection):
        def _connect(self) -> Any:
            return self._wrap_socket_with_ssl(_reached(self, deadline))  # type: ignore[no-untyped-call]

    mode = str(settings.get("sslmode") or "disable")
    usual: dict[str, Any] = {
        "host": host, "port": port, "protocol": 2,
        "username": settings.get("user") or None, "password": password or None,
        "socket_timeout": deadline.left(), "socket_connect_timeout": deadline.left(), "retry": Retry(NoBackoff(), 0),
        # What the client says of itself is a command more, which the login may not be allowed.
        "driver_info": None,
    }  # fmt: skip
    if mode in ("disable", "allow", "prefer"):
        return Plain(**usual)  # type: ignore[no-untyped-call]
    verify = mode.startswith("verify") or bool(settings.get("ssl_root_cert"))
    return Secure(
        **usual, ssl_cert_reqs="required" if verify else "none", ssl_check_hostname=mode == "verify-full",
        ssl_ca_certs=settings.get("ssl_root_cert"), ssl_certfile=settings.get("ssl_cert"),
        ssl_keyfile=settings.get("ssl_key"), ssl_password="-",  # noqa: S106 - else OpenSSL asks the terminal
    )  # fmt: skip


def _reached(link: Any, deadline: Deadline) -> Any:
    peer = connect(link.host, link.port, deadline.left())
    peer.settimeout(link.socket_timeout)
    return peer


def _look(link: Any, settings: Mapping[str, Any], patterns: Sequence[str], deadline: Deadline) -> Reading:
    link.connect()
    if not settings.get("user") and not link.password:
        _ask(link, "PING")
    reading = Reading(str(settings.get("user") or "default"))
    index = str(settings.get("database") or "0")
    try:
        if index != "0":
            _ask(link, "SELECT", index)
        for pattern in patterns or ("*",):
            reading.keys[pattern] = _one(link, pattern, deadline)
    except Exception as error:
        trouble = _trouble(error, "", Deadline(1))
        if trouble.cause in ("host_unreachable", "unclassified"):
            raise
        reading.refused.append((_pattern_of(reading, patterns), trouble))
    return reading


def _pattern_of(reading: Reading, patterns: Sequence[str]) -> str:
    """The pattern that was being looked at when the answer was no."""
    return next((one for one in patterns if one not in reading.keys), "*")


def _one(link: Any, pattern: str, deadline: Deadline) -> int | None:
    """How many keys one step finds, and whether the first of them may be read; its value is not asked for."""
    at, found = b"0", []
    for _ in range(STEPS):
        at, found = _ask(link, "SCAN", at, "MATCH", pattern, "COUNT", "1000")
        if found or at == b"0" or deadline.left() < deadline.seconds / 2:
            break
    if not found and at != b"0":
        return None
    if found:
        _ask(link, "TYPE", found[0])
    return len(found)


def _ask(link: Any, *words: Any) -> Any:
    link.send_command(*words)
    return link.read_response()


def _trouble(error: Exception, place: str, deadline: Deadline) -> Trouble:
    """Cause and code of redis-py's error. It drops the first word of some, so the class says it again."""
    from redis import exceptions as known

    said = " ".join(str(error).split())[:300]
    first = {"NoPermissionError": "NOPERM ", "BusyLoadingError": "LOADING ", "MasterDownError": "MASTERDOWN "}
    said = first.get(type(error).__name__, "") + said
    for pattern, cause, code, alike in CODES:
        if re.search(pattern, said, re.I):
            return Trouble(cause, code, said, alike)
    origin = error.__cause__ or error.__context__
    if isinstance(origin, ssl.SSLError):
        from bot.drivers.tls import tls_trouble

        host, _, port = place.rpartition(":")
        return tls_trouble(origin, host, int(port or 0), deadline)
    if isinstance(error, known.TimeoutError):
        return Trouble(
            "host_unreachable", "network.accepts_but_silent", f"{place}: no answer within {deadline.seconds:g} s"
        )
    if isinstance(error, known.ConnectionError) and _shows_a_certificate(place, deadline):
        words = f"{place} shows a certificate: it speaks only with TLS"
        return Trouble("tls_mismatch", "tls.server_requires_tls", words)
    if isinstance(origin, OSError):
        return os_trouble(origin, place, deadline.seconds, "network.accepts_but_silent")
    if isinstance(error, known.ConnectionError):
        return Trouble("host_unreachable", "network.reset", f"{place}: {said}")
    if isinstance(error, known.InvalidResponse):
        return Trouble("config_error", "config.wrong_port_other_service", f"{place} does not speak Redis")
    return Trouble("unclassified", "availability.provider_error", f"{place}: {said}")


def _shows_a_certificate(place: str, deadline: Deadline) -> bool:
    from bot.drivers.tls import shown

    host, _, port = place.rpartition(":")
    return bool(host) and bool(shown(host, int(port), min(deadline.left(), 2.0)).not_after)
